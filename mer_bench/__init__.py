"""mer_bench: benchmark and ablation toolkit for micro-expression recognition.

The names below are imported when they are first used; docs/python.md shows each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mer_bench.lazy import lazy_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mer_bench.runs.run_folder import Run

__version__ = '0.1.0'

MODULES = {
    'prepare': 'mer_bench.preparation.prepare',
    'load_annotations': 'mer_bench.datasets.table',
    'sweep': 'mer_bench.sweeps.run',
    'load_model': 'mer_bench.inference.model',
    'reproduce': 'mer_bench.runs.reproduce',
    'score': 'mer_bench.evaluation.metrics',
    'compare': 'mer_bench.evaluation.compare',
    'leaderboard': 'mer_bench.results.leaderboard',
    'list_methods': 'mer_bench.cli.list',
    'loading': '',  # for mer_bench.loading.FlowStoreDataset after `import mer_bench` alone
    'models': '',
}
__all__ = [
    'compare',
    'leaderboard',
    'list_methods',
    'load_annotations',
    'load_model',
    'prepare',
    'reproduce',
    'score',
    'sweep',
    'train',
]
__getattr__ = lazy_names(__name__, MODULES)


def __dir__() -> list[str]:
    return sorted({*globals(), *MODULES})


def train(
    config: str | Path,
    overrides: str | Path | Sequence[str | Path] = (),
    data_root: str | Path | Sequence[str | Path] = (),
    *,
    seed: int = 0,
    cfg_options: Mapping[str, object] | Sequence[str] = (),
    folds: str | Sequence[str] = (),
    device: str = 'auto',
    threads: int = 1,
    **settings: object,
) -> Run:
    """Train and score a method over all folds of its protocol; a stopped run continues, a finished one is read.

    Args:
        config: Name or path of a config, such as 'mer_smic'.
        overrides: Names or paths, merged onto the config in this order, such as ['ststnet'].
        data_root: Prepared data, one folder for each data set of the config; empty: the folders that the config names.
        seed: Seeds weights, order and augmentation.
        cfg_options: Keys and values merged last, such as {'train_cfg.max_epochs': 5}.
        folds: Only these folds, such as 'smic/s01'; empty: all.
        device: auto, cpu, cuda or cuda:N.
        threads: CPU threads of a training.
        **settings: work_dir, jobs, stack, save_checkpoints, audit_epochs, verbose, and of a choice among candidates
            select='inner', candidates, inner_folds and audit_candidates, of :class:`mer_bench.runs.run.RunSettings`.

    Returns:
        The run: `folder`, `record`, `scores`, `predictions` (one row a clip) and `per_subject()`.

    Raises:
        InputError: A file is missing, or an option cannot be used; the message says what to do.
    """
    from mer_bench.experiment.experiment import RunOptions
    from mer_bench.runs.run import RunSettings
    from mer_bench.runs.train import train as train_run

    how = RunSettings(seed, **dict(work_dir=None, jobs=None) | settings)
    words = [_words(overrides), cfg_options, _words(data_root), _words(folds)]
    return train_run(RunOptions(str(config), *words, device, threads), how)


def _words(value: object) -> list[str]:
    return [str(word) for word in ([value] if isinstance(value, str) or not hasattr(value, '__iter__') else value)]
