"""Published flow pictures -> annotations.csv and a store of one map per clip."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.datasets.flow_images import pictures, read_flow_images
from mer_bench.datasets.pictures import digest_picture, read_picture
from mer_bench.errors import InputError
from mer_bench.preparation.store.build import locked
from mer_bench.preparation.store.fill import fill_store
from mer_bench.preparation.summary import print_summary

SAMPLING = 'one picture per clip, onset to apex, as published'
UNITS = (
    'u (red) and v (green) as x / 127.5 - 1, optical strain (blue) as x / 255 of the published 8-bit pictures; their '
    'scale in pixels is not published'
)


def prepare_flow_images(folder: str | Path, out: str | Path, labels: str | Path | None = None) -> None:
    """Read published flow pictures (either layout), fill `out` with a store of one map per clip."""
    folder = Path(folder)
    table = read_flow_images(folder, labels)
    paths = [folder / name for name in table['frames_dir']]
    if further := {*pictures(folder)} - {*paths}:
        print(f'{len(further)} further pictures of the clips, such as {min(further).name}, are left aside')
    parameters = {
        'dataset': 'megc2019_flow',
        'flow': 'published_pictures',
        'flow_parameters': {},
        'reference': 'onset',
        'channels': ['u', 'v', 'strain'],
        'clip_len': 1,
        'size': common_size(paths),
        'apex': 'as published',
        'faces': 'as published',
        'sampling': SAMPLING,
        'files': [digest_picture(path) for path in paths],
    }
    apexes = [None if apex is pd.NA else int(apex) for apex in table['apex']]
    arguments = list(zip(paths, apexes, strict=True))
    with locked(Path(out)):
        fill_store(Path(out), table, parameters, flow_picture, arguments, units=UNITS, workers=1)
    print_summary(table, Path(out), 'configs/mer_megc2019_flow.py')


def common_size(paths: Sequence[Path]) -> list[int]:
    """Return height and width of all pictures."""
    sizes = {path: list(read_picture(path, colour=True).shape[:2]) for path in paths}
    first = sizes[paths[0]]
    for path, size in sizes.items():
        if size != first:
            raise InputError(
                f'{path}: expected {first[1]}x{first[0]} pixels as in {paths[0].name}, found {size[1]}x{size[0]}; '
                'all flow pictures need one size'
            )
    return first


def flow_picture(path: Path, apex: int | None) -> tuple[np.ndarray, int | None, str]:
    """Return a picture as `UNITS` says, (3, 1, H, W) float16, the apex as given, and no remark.

    A mirrored clip needs the opposite u: 255 - x. That holds for a scale that is even about 127.5, and as well where
    each picture runs from its least to its largest value: then -u does so with its ends exchanged.
    """
    levels = read_picture(path, colour=True).transpose(2, 0, 1)[:, None].astype(np.float32)
    clip = levels / 255
    clip[:2] = (2 * levels[:2] - 255) / 255
    return clip.astype(np.float16), apex, ''
