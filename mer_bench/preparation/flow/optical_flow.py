"""Optical flow between two frames and optical strain (Shreve et al., FG 2011).

A method is a function and an entry of :data:`METHODS`. RAFT, which needs a file of weights, is in `raft.py`. OpenCV is
imported where it is used: the command line shows the names of the methods and must start at once.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mer_bench.errors import InputError
from mer_bench.preparation.flow.raft import raft_flow, raft_parameters

# TV-L1 (Zach et al., 2007) with OpenCV's defaults but a looser epsilon: a sixth of the time, and an endpoint error of
# 0.03 instead of 0.007 pixels on a shift of 0.7.
TVL1 = {
    'tau': 0.25,
    'lambda_': 0.15,
    'theta': 0.3,
    'nscales': 5,
    'warps': 5,
    'epsilon': 0.05,
    'innnerIterations': 30,  # OpenCV's own spelling
    'outerIterations': 10,
    'scaleStep': 0.8,
    'gamma': 0.0,
    'medianFiltering': 5,
}
# TV-L1 iterates until the flow rests, which it may never do between pictures that have little in common: up to 75 times
# as long as between frames of a face. From this `difference` on, a pair has 10 iterations at each of its 25 steps.
UNLIKE = 0.5
TVL1_UNLIKE = TVL1 | {'innnerIterations': 10, 'outerIterations': 1}
# Farneback (SCIA 2003) with the values of OpenCV's own tutorial.
FARNEBACK = {
    'pyr_scale': 0.5,
    'levels': 3,
    'winsize': 15,
    'iterations': 3,
    'poly_n': 5,
    'poly_sigma': 1.2,
    'flags': 0,
}
# DIS (Kroeger et al., ECCV 2016). The fast preset is too coarse for a fraction of a pixel.
DIS = {'preset': 2}  # cv2.DISOPTICAL_FLOW_PRESET_MEDIUM


class FlowMethod(NamedTuple):
    """A method.

    Attributes:
        compute: takes two grey pictures, (H, W) uint8, and returns the motion from the first to the second, (H, W, 2)
            float32: right and down in pixels.
        parameters: what decides the flow beside the pictures, for store.json.
    """

    compute: Callable[[np.ndarray, np.ndarray], np.ndarray]
    parameters: dict


def tvl1(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """TV-L1 of OpenCV, cut short between pictures that are `UNLIKE`."""
    parameters = TVL1 if difference(first, second) < UNLIKE else TVL1_UNLIKE
    return make_tvl1(parameters).calc(first, second, None)


def make_tvl1(parameters: dict = TVL1):
    """Return OpenCV's TV-L1, which only opencv-contrib-python holds."""
    import cv2

    if not hasattr(getattr(cv2, 'optflow', None), 'DualTVL1OpticalFlow_create'):
        raise InputError(
            'TV-L1 flow needs opencv-contrib-python, but opencv-python was installed over it; repair it with '
            '`pip install --force-reinstall --no-deps opencv-contrib-python` or choose --flow dis'
        )
    return cv2.optflow.DualTVL1OpticalFlow_create(**parameters)


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Return the mean squared difference of two pictures over the sum of their variances.

    Args:
        first: grey picture, (H, W) uint8.
        second: grey picture of the same size.

    Returns:
        0 for equal pictures, 1 on average for two that have nothing in common, and more where the brightness differs.
    """
    import cv2

    squares = cv2.norm(first, second, cv2.NORM_L2SQR) / first.size
    variances = sum(cv2.meanStdDev(picture)[1].item() ** 2 for picture in (first, second))
    return squares / max(variances, 1e-9)


def farneback(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Farneback's method of OpenCV."""
    import cv2

    return cv2.calcOpticalFlowFarneback(first, second, None, **FARNEBACK)


def dis(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Dense inverse search of OpenCV."""
    import cv2

    return cv2.DISOpticalFlow_create(**DIS).calc(first, second, None)


METHODS = {
    'tvl1': FlowMethod(tvl1, TVL1),
    'farneback': FlowMethod(farneback, FARNEBACK),
    'dis': FlowMethod(dis, DIS),
}


def flow_names() -> tuple[str, ...]:
    """Return what --flow takes: the methods, RAFT, and `still`, a control without motion."""
    return (*METHODS, 'raft', 'still')


def flow_parameters(method: str, raft_weights: str | Path | None = None) -> dict:
    """Return the parameters of a method, for store.json; a file of weights that cannot be used is refused here."""
    if method == 'raft':
        return raft_parameters(raft_weights)
    return {} if method == 'still' else METHODS[method].parameters


def compute_flow(
    first: np.ndarray, second: np.ndarray, method: str, raft_weights: str | Path | None = None
) -> np.ndarray:
    """Return the motion from `first` to `second`.

    Args:
        first: grey picture, (H, W) uint8.
        second: grey picture of the same size.
        method: `raft` or one of :data:`METHODS`.
        raft_weights: for `raft`, the file of its weights.

    Returns:
        (2, H, W) float32: u to the right and v downwards, in pixels.
    """
    if method == 'raft':
        return raft_flow(first, second, raft_weights)
    if method not in METHODS:
        raise ValueError(f'no optical-flow method {method!r}; choose one of {", ".join(METHODS)} or raft')
    return np.ascontiguousarray(METHODS[method].compute(first, second).transpose(2, 0, 1))


def optical_strain(flow: np.ndarray) -> np.ndarray:
    """Return the magnitude of the infinitesimal strain tensor of a flow field.

    e = (grad u + grad u^T) / 2 and the magnitude is sqrt(exx^2 + eyy^2 + 2 exy^2) (Shreve et al., "Macro- and
    micro-expression spotting in long videos using spatio-temporal strain", FG 2011).

    Args:
        flow: (2, H, W) float32 in pixels.

    Returns:
        (H, W) float32, without unit. Derivatives are 3x3 Sobel, half as large on the outermost pixels.
    """
    u, v = flow
    exx, eyy = derivative(u, 1, 0), derivative(v, 0, 1)
    exy = (derivative(u, 0, 1) + derivative(v, 1, 0)) / 2
    return np.sqrt(exx**2 + eyy**2 + 2 * exy**2)


def derivative(field: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """Return the derivative per pixel; the 3x3 Sobel weights sum to 8 per pixel of slope."""
    import cv2

    return cv2.Sobel(field, cv2.CV_32F, dx, dy, ksize=3, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
