"""Pairs of clips of different subjects whose stored flow is so alike that one may be a copy of the other.

The distance of two clips is 1 - r, r being the correlation of their flow u and v on a 14x14 grid, after the mean over
the picture is taken off every frame: 0 for a copy, also a stronger one, about 1 for clips that have nothing in
common. :data:`NEAR` lies between copies and other people, measured on the 442 flow pictures of MEGC2019: the two
nearest clips of different subjects are at 0.055, of one subject at 0.016; of copies that were saved as JPEG of quality
75, or at 20x20 pixels and brought back, 95 % are below 0.018. Copies that are shifted by a pixel or mirrored are not
found.
"""

from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from mer_bench.loading.prepared_data import open_store

NEAR = 0.02
SIZE, FRAMES = 14, 4  # of the grid; frames of a clip, evenly spaced
MOST_PAIRS = 1000
ROWS = 1024  # of the matrix of all distances, at a time


class Pair(NamedTuple):
    """Two clips of different subjects; `same`: whether their stored flow has the same bytes."""

    first: str
    second: str
    distance: float
    same: bool


def nearest_pairs(clips: pd.DataFrame) -> tuple[list[Pair], int]:
    """Return the pairs of different subjects that are nearer than :data:`NEAR`, at least the nearest one.

    Args:
        clips: sample_id, subject, store and row of each clip.

    Returns:
        The pairs, nearest first, 1000 of them at most; and how many clips show no motion, which are in no pair.
    """
    stored = [open_store(store).clips[row] for store, row in zip(clips['store'], clips['row'], strict=True)]
    channels = [open_store(store).info['channels'] for store in clips['store']]
    values = np.stack([on_grid(clip, names) for clip, names in zip(stored, channels, strict=True)])
    lengths = np.linalg.norm(values, axis=1)
    moves = lengths > 1e-6
    values = values / np.where(moves, lengths, 1)[:, None]
    subjects, found = clips['subject'].to_numpy(), []
    for start in range(0, len(values), ROWS):
        rows = np.arange(start, min(start + ROWS, len(values)))
        distance = 1 - values[rows] @ values.T
        other = (subjects[rows][:, None] != subjects) & (rows[:, None] < np.arange(len(values)))
        distance[~(other & moves[rows][:, None] & moves)] = np.inf
        places = np.argwhere(distance <= max(NEAR, distance.min()))
        found += [(float(distance[i, j]), rows[i], j) for i, j in places if np.isfinite(distance[i, j])]
    found = sorted(found)
    close = [pair for pair in found if pair[0] <= NEAR][:MOST_PAIRS] or found[:1]
    names = clips['sample_id'].to_numpy()
    pairs = [
        Pair(names[i], names[j], round(max(distance, 0.0), 4), stored[i].tobytes() == stored[j].tobytes())
        for distance, i, j in close
    ]
    return pairs, int((~moves).sum())


def on_grid(clip: np.ndarray, channels: list[str]) -> np.ndarray:
    """Return u and v of some frames of a clip (C, T, H, W) on the grid, without their mean; all channels without both.

    Returns:
        (D,) float32.
    """
    known = [channels.index(name) for name in ('u', 'v') if name in channels]
    frames = np.linspace(0, clip.shape[1] - 1, min(FRAMES, clip.shape[1])).round().astype(int)
    part = clip[known if len(known) == 2 else slice(None)][:, frames].astype(np.float32)
    pictures = part.reshape(-1, *part.shape[2:])
    small = np.stack([cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for picture in pictures])
    return (small - small.mean((1, 2), keepdims=True)).ravel()
