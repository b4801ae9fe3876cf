"""Histograms of the blocks of a face: what all descriptors by histogram share."""

import numpy as np

from mer_bench.errors import InputError


def block_histograms(
    bins: np.ndarray, n_bins: int, grid: tuple[int, int, int], weights: np.ndarray | None = None
) -> np.ndarray:
    """Count the bins of the pixels of each block of a clip.

    Args:
        bins: (T, H, W) integers from 0 to n_bins - 1.
        n_bins: bins of one histogram.
        grid: number of blocks along T, H and W; blocks do not overlap and differ by one pixel at most.
        weights: (T, H, W), what each pixel adds to its bin; None: 1.

    Returns:
        (blocks, n_bins) float64, blocks in the order of `grid`, W running fastest.

    Raises:
        InputError: the clip has fewer pixels or frames than blocks.
    """
    cells = block_numbers(bins.shape, grid) * n_bins + bins
    weights = None if weights is None else weights.ravel()
    counts = np.bincount(cells.ravel(), weights, minlength=int(np.prod(grid)) * n_bins)
    return counts.reshape(-1, n_bins).astype(np.float64)


def block_numbers(shape: tuple[int, int, int], grid: tuple[int, int, int]) -> np.ndarray:
    """Return the number of the block of each pixel of a clip, (T, H, W) int64."""
    if any(length < blocks for length, blocks in zip(shape, grid, strict=True)):
        raise InputError(
            f'blocks: expected at least {grid} frames, rows and columns for {grid} blocks, got {tuple(shape)} without '
            'border; take fewer blocks, or more frames or pixels'
        )
    frame, row, column = (np.arange(length) * n // length for length, n in zip(shape, grid, strict=True))
    return (frame[:, None, None] * grid[1] + row[:, None]) * grid[2] + column


def normalised(histograms: np.ndarray) -> np.ndarray:
    """Divide histograms, (..., n_bins), by their sums; an empty one stays 0."""
    sums = histograms.sum(axis=-1, keepdims=True)
    return np.divide(histograms, sums, out=np.zeros_like(histograms), where=sums > 0)


def orientation_bins(angles: np.ndarray, n_bins: int, low: float = -np.pi, high: float = np.pi) -> np.ndarray:
    """Return the bin of each angle among `n_bins` equal ones from `low` to `high`, integers.

    A bin holds its lower end; `high` itself is in the last one, except on the full circle, where it is `low`.
    """
    bins = np.floor((angles - low) / (high - low) * n_bins).astype(np.int64)
    full_circle = np.isclose(high - low, 2 * np.pi)
    return bins % n_bins if full_circle else np.clip(bins, 0, n_bins - 1)
