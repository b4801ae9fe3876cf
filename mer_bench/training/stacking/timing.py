"""Fair timing of alternatives: interleaved rounds, so that a busy machine slows all of them equally."""

import time
from collections.abc import Callable
from statistics import median


def interleave(alternatives: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each alternative, run A B A B ... after one untimed round.

    Args:
        alternatives: Functions by name. Work on a GPU must be finished when a function returns.
        rounds: Timed rounds.

    Returns:
        One number of seconds per alternative and round.
    """
    seconds = {name: [] for name in alternatives}
    for run in range(rounds + 1):
        for name, function in alternatives.items():
            start = time.perf_counter()
            function()
            if run > 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def pair_ratios(seconds: list[float], reference: list[float]) -> dict[str, float]:
    """Median, smallest and largest ratio of two alternatives that ran side by side."""
    ratios = [a / b for a, b in zip(seconds, reference, strict=True)]
    return {'median': median(ratios), 'min': min(ratios), 'max': max(ratios)}
