"""The 36 regions of MDMO (Liu et al., TAFFC 2016) on a face that is aligned as in mer_bench.preparation.faces.

The paper parts the face by its landmarks into regions of brows, temples, nose, cheeks, mouth and chin, not the eyes.
A store keeps no landmarks, so these are the regions of the mean face. Which landmarks bound a region is read from a
public re-implementation (github.com/machanic/AU_R-CNN, ROI_LANDMARK, numbers 1 to 36), made symmetric at the temples.
"""

import functools

import numpy as np

from mer_bench.errors import InputError

# Landmarks (iBUG numbers) of the left half of the picture as shares of the crop. Brow, eye, nose, mouth: dlib's mean
# face in the place of preparation.faces.detection.TEMPLATE. Jaw: the mean face of yinguobing/head-pose-estimation (MIT)
# from the front, made symmetric, its eye corners and nose base moved onto the template.
LANDMARKS = {
    0: (0.098, 0.341),
    1: (0.102, 0.446),
    2: (0.114, 0.550),
    3: (0.135, 0.652),
    4: (0.174, 0.745),
    5: (0.237, 0.822),
    6: (0.314, 0.882),
    8: (0.500, 0.937),
    17: (0.173, 0.218),
    19: (0.294, 0.159),
    21: (0.436, 0.198),
    27: (0.500, 0.282),
    28: (0.500, 0.351),
    29: (0.500, 0.420),
    33: (0.500, 0.565),
    36: (0.254, 0.291),
    37: (0.298, 0.266),
    38: (0.350, 0.267),
    39: (0.396, 0.301),
    41: (0.295, 0.309),
    57: (0.500, 0.753),
    58: (0.456, 0.748),
    59: (0.399, 0.723),
}
ABOVE = 20 / 512  # '^': how far above a landmark the brows' regions begin, once or twice; 20 pixels of 512
# number, number of its mirror image: corners in order, '3~29' being half-way between two landmarks
REGIONS = {
    (1, 6): '17^ 19^ 19 17',
    (2, 5): '19^ 21^ 21 19',
    (3, 4): '21^ 27^^ 27 21',
    (7, 14): '17 0 1 36',
    (8, 13): '17 19 37 36',
    (9, 12): '19 38 39 21',
    (10, 11): '21 27 28 39',
    (15, 20): '2 2~41 3~29 3',
    (16, 19): '41 39 3~29 2~41',
    (17, 18): '39 28 29 3~29',
    (21, 24): '3 3~29 4~33 4',
    (22, 23): '3~29 29 33 4~33',
    (25, 28): '4 4~33 5~59 5',
    (26, 27): '4~33 33 59 5~59',
    (29, 32): '59 58 6~58 5~59',
    (30, 31): '58 57 8~57 6~58',
    (33, 36): '5 5~59 6~58 6',
    (34, 35): '6 6~58 8~57 8',
}
N_REGIONS = 36


@functools.cache
def region_map(height: int, width: int) -> np.ndarray:
    """Return the region of each pixel of an aligned face, (H, W): 1 to 36, 0 for none.

    Raises:
        InputError: the picture is too small for the smallest region.
    """
    from skimage.draw import polygon2mask  # takes a while to import, and other methods do without

    left, right = (np.zeros((height, width), np.int64) for _ in range(2))
    for (number, mirrored), corners in REGIONS.items():
        points = np.array([place(corner) for corner in corners.split()]) * (width, height) - 0.5
        mask = polygon2mask((height, width), points[:, ::-1])
        left[mask], right[mask] = number, mirrored
    half = np.arange(width) < width / 2
    regions = np.where(half, left, right[:, ::-1])
    if len(np.unique(regions)) < N_REGIONS + 1:
        raise InputError(f'MDMO: expected pixels in each of its {N_REGIONS} regions, got {height}x{width}; take 56x56')
    return regions


def place(corner: str) -> tuple[float, float]:
    """Return x and y of a corner of a region as shares of the crop."""
    names = corner.rstrip('^').split('~')
    x, y = np.mean([LANDMARKS[int(name)] for name in names], axis=0)
    return x, y - ABOVE * corner.count('^')
