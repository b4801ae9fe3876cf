"""Predicts with saved weights, each on the subject that its fold held out."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from mer_bench.errors import InputError
from mer_bench.experiment.candidates import open_candidates
from mer_bench.experiment.experiment import Experiment, RunOptions, open_experiment
from mer_bench.experiment.provenance import read_run, refuse_other_settings, start_record, with_decision
from mer_bench.models.backbones.pretrained import read_weights
from mer_bench.protocols.folds import Fold
from mer_bench.runs.run_folder import pool_predictions
from mer_bench.training.device import activate
from mer_bench.training.fold import fold_config
from mer_bench.training.fold_folder import CHECKPOINT, write_predictions
from mer_bench.training.runner import build_runner


def open_trained(options: RunOptions, run: Path, candidates: Sequence[str] = ()) -> Experiment:
    """Open the method of a run, with its candidates if its folds chose among some (`--select inner`).

    Args:
        options: Config, overrides, data and device.
        run: Its folder.
        candidates: The overrides to choose from, if they were named for the training.
    """
    if how := read_trained(run).get('selection'):
        return open_candidates(options, candidates, how['inner_folds'])
    if candidates:
        raise InputError(f'--candidates: expected a run whose folds chose, but those of {run} did not; leave them out')
    return open_experiment(options)


def predict_with_checkpoints(experiment: Experiment, run: Path, out: Path) -> None:
    """Write the predictions of the weights `run/folds/<name>/checkpoint.pth` of the chosen folds to `out`.

    The seed is that of the run's record.json, with which config and data must agree.

    Raises:
        InputError: A checkpoint is missing, unreadable, holds code, or does not fit the config.
    """
    begun = read_trained(run)
    if experiment.method.is_estimator:
        raise InputError(f'{experiment.method.name} has no weights to test; its scores are those of {run}')
    experiment, seed = with_decision(experiment, begun), begun['seed']
    advice = 'give the config, overrides and data of its training'
    refuse_other_settings(run, start_record(experiment, seed), advice, begun=begun)
    weights = {fold: run / 'folds' / fold.folder / CHECKPOINT for fold in experiment.chosen}
    missing = [fold.name for fold, path in weights.items() if not path.is_file()]
    if missing:
        raise InputError(
            f'{run}: expected folds/<subject>/checkpoint.pth, missing in {len(missing)} of {len(weights)}, such as '
            f'{missing[0]}; train into a new --work-dir with --save-checkpoints'
        )
    chosen = {fold: with_decision(chosen_by(experiment, fold, begun), begun) for fold in weights}
    with tempfile.TemporaryDirectory() as scratch:
        tables = [
            _predict_fold(chosen[fold], fold, seed, path, Path(scratch, fold.folder))
            for fold, path in track(weights.items(), description='folds', console=Console(stderr=True))
        ]
        experiment.check_unchanged()
        write_predictions(pool_predictions(tables), out)


def read_trained(run: Path) -> dict:
    """Return the record of a run."""
    if not (run / 'record.json').is_file():
        raise InputError(f'no record.json in {run}; give the folder of a run, such as work_dirs/CONFIG/METHOD/seed0')
    return read_run(run)


def chosen_by(experiment: Experiment, fold: Fold, record: dict) -> Experiment:
    """Return what a fold was trained with: the candidate that it chose, where there was a choice."""
    if not experiment.candidates:
        return experiment
    name = record['selection']['chosen'].get(fold.name, {}).get('candidate')
    for candidate in experiment.candidates:
        if candidate.name == name:
            return candidate.experiment
    raise InputError(f'fold {fold.name}: expected one of the candidates as its choice, found {name}; train it again')


def _predict_fold(experiment: Experiment, fold: Fold, seed: int, weights: Path, folder: Path) -> Path:
    """Return the predictions.csv of one fold. The normalisation is computed again from the training subjects."""
    activate(experiment)
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
