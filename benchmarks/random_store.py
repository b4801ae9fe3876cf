"""A prepared data set of random flow, of any size: the cost of a training does not depend on what the clips show."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mer_bench.datasets.table import annotation_table
from mer_bench.preparation.store.build import DoneClip, append_done, finish_build, start_build, write_clip

EMOTIONS = ('negative', 'positive', 'surprise')  # of SMIC


def write_random_store(
    root: Path, clips: int, subjects: int, clip_len: int, size: int, sizes: Sequence[int] | None = None
) -> Path:
    """Write annotations.csv and store/ as tools/prepare.py does, with the names of SMIC.

    Args:
        root: Folder to create.
        clips: Clips, dealt to the subjects in turn.
        subjects: Subjects.
        clip_len: Frames of a clip.
        size: Height and width in pixels.
        sizes: Clips of each subject; overrides dealing.

    Returns:
        root.
    """
    owners = np.arange(clips) % subjects if sizes is None else np.repeat(np.arange(subjects), sizes)
    rows = [
        {
            'sample_id': f'smic/s{1 + owner:02d}/clip{i:03d}',
            'dataset': 'smic',
            'subject': f'smic/s{1 + owner:02d}',
            'clip': f'clip{i:03d}',
            'emotion': EMOTIONS[i // subjects % len(EMOTIONS)],
            'synthetic': True,
        }
        for i, owner in enumerate(owners)
    ]
    table = annotation_table(rows)
    parameters = {'dataset': 'smic', 'synthetic': True, 'flow': 'tvl1', 'flow_parameters': {}, 'reference': 'onset'}
    parameters |= {'channels': ['u', 'v', 'strain'], 'clip_len': clip_len, 'size': [size, size], 'apex': 'middle'}
    parameters |= {'faces': None, 'sampling': 'none: random numbers', 'opencv': ''}
    root.mkdir(parents=True)
    shape = (3, clip_len, size, size)
    build = start_build(root, parameters, (clips, *shape))
    rng = np.random.default_rng(0)
    for row in range(clips):
        write_clip(build, row, rng.normal(0, 0.2, shape).astype(np.float16))
        append_done(build, DoneClip(row, None, 0.0))
    finish_build(build, root, table, parameters, 'random numbers')
    return root
