"""Scores saved weights, each on the subject that its fold held out."""

import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import track

from mer_bench.errors import InputError
from mer_bench.models.backbones.pretrained import read_weights
from mer_bench.protocols.folds import Fold
from mer_bench.training.experiment import Experiment
from mer_bench.training.fold_config import fold_config
from mer_bench.training.fold_runner import build_runner
from mer_bench.training.loso import pool_predictions
from mer_bench.training.prediction_table import write_predictions


def predict_with_checkpoints(experiment: Experiment, seed: int, run: Path, out: Path) -> None:
    """Write the predictions of the weights `run/folds/<name>/checkpoint.pth` of the chosen folds to `out`.

    Raises:
        InputError: A checkpoint is missing, unreadable, holds code, or does not fit the config.
    """
    weights = {fold: run / 'folds' / fold.folder / 'checkpoint.pth' for fold in experiment.chosen}
    missing = [fold.name for fold, path in weights.items() if not path.is_file()]
    if missing:
        raise InputError(
            f'{run} has no folds/<subject>/checkpoint.pth for {", ".join(missing)}; train with --save-checkpoints first'
        )
    with tempfile.TemporaryDirectory() as scratch:
        tables = [
            _predict_fold(experiment, fold, seed, path, Path(scratch, fold.folder))
            for fold, path in track(weights.items(), description='folds', console=Console(stderr=True))
        ]
        write_predictions(pool_predictions(tables), out)


def _predict_fold(experiment: Experiment, fold: Fold, seed: int, weights: Path, folder: Path) -> Path:
    """Return the predictions.csv of one fold. The normalisation is computed again from the training subjects."""
    folder.mkdir()
    state = read_weights(weights)
    runner = build_runner(fold_config(experiment, fold, seed, folder))
    try:
        runner.model.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise InputError(
            f'{weights} does not fit the model; give the config and overrides of its training ({first})'
        ) from error
    runner.test()
    return folder / 'predictions.csv'
