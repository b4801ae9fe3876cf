"""Predicts with saved weights, each on the subject that its fold held out."""

import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import track

from mer_bench.errors import InputError
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.provenance import read_run, refuse_other_settings, start_record, with_decision
from mer_bench.models.backbones.pretrained import read_weights
from mer_bench.protocols.folds import Fold
from mer_bench.runs.run_folder import pool_predictions
from mer_bench.training.device import activate
from mer_bench.training.fold import fold_config
from mer_bench.training.fold_folder import CHECKPOINT, write_predictions
from mer_bench.training.runner import build_runner


def predict_with_checkpoints(experiment: Experiment, run: Path, out: Path) -> None:
    """Write the predictions of the weights `run/folds/<name>/checkpoint.pth` of the chosen folds to `out`.

    The seed is that of the run's record.json, with which config and data must agree.

    Raises:
        InputError: A checkpoint is missing, unreadable, holds code, or does not fit the config.
    """
    if not (run / 'record.json').is_file():
        raise InputError(f'no record.json in {run}; give the folder of a run, such as work_dirs/CONFIG/METHOD/seed0')
    begun = read_run(run)
    experiment, seed = with_decision(experiment, begun), begun['seed']
    advice = 'give the config, overrides and data of its training'
    refuse_other_settings(run, start_record(experiment, seed), advice, begun=begun)
    weights = {fold: run / 'folds' / fold.folder / CHECKPOINT for fold in experiment.chosen}
    missing = [fold.name for fold, path in weights.items() if not path.is_file()]
    if missing:
        raise InputError(
            f'{run} has no folds/<subject>/checkpoint.pth for {", ".join(missing)}; '
            'train into a new --work-dir with --save-checkpoints'
        )
    activate(experiment)
    with tempfile.TemporaryDirectory() as scratch:
        tables = [
            _predict_fold(experiment, fold, seed, path, Path(scratch, fold.folder))
            for fold, path in track(weights.items(), description='folds', console=Console(stderr=True))
        ]
        experiment.check_unchanged()
        write_predictions(pool_predictions(tables), out)


def _predict_fold(experiment: Experiment, fold: Fold, seed: int, weights: Path, folder: Path) -> Path:
    """Return the predictions.csv of one fold. The normalisation is computed again from the training subjects."""
    folder.mkdir()
    state = read_weights(weights)
    cfg = fold_config(experiment, fold, seed, folder)
    cfg.load_from = None  # the Runner would load it over the fold's weights
    runner = build_runner(cfg)
    try:
        runner.model.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise InputError(
            f'{weights} does not fit the model; give the config and overrides of its training ({first})'
        ) from error
    runner.test()
    return folder / 'predictions.csv'
