"""A run from what a user asks for: a method over its folds, plain or chosen among candidates in each fold."""

from dataclasses import replace
from pathlib import Path

from mer_bench.errors import visible
from mer_bench.experiment.candidates import open_candidates
from mer_bench.experiment.experiment import Experiment, RunOptions, default_work_dir, open_experiment
from mer_bench.experiment.provenance import describe_data, start_record
from mer_bench.runs.command import train_command
from mer_bench.runs.run import RunSettings, default_jobs, run_folds
from mer_bench.runs.run_folder import Run
from mer_bench.runs.selection import run_selected


def train(options: RunOptions, settings: RunSettings) -> Run:
    """Train and score a method over its folds, and print one line about each data set; continue a run that stopped.

    Args:
        options: Config, overrides, data and device.
        settings: How to train. Without `work_dir` the run goes to work_dirs/<config>/<method>/seed<N>; without `jobs`
            there is one for each core that has enough memory, or for each GPU.

    Raises:
        InputError: A fault in the options, the data or the run folder.
    """
    experiment, record = open_run(options, settings)
    print('\n'.join(map(visible, [*describe_data(experiment), *record['notes']])), flush=True)
    folder = Path(settings.work_dir or default_work_dir(experiment.method, settings.seed))
    settings = replace(settings, work_dir=folder, jobs=settings.jobs or default_jobs(experiment.device))
    return Run(folder.absolute(), run_opened(experiment, settings, record))


def open_run(options: RunOptions, settings: RunSettings) -> tuple[Experiment, dict]:
    """Open what a user asks for: the experiment, with its candidates if there is a choice, and its begun record."""
    if settings.select:
        experiment = open_candidates(options, settings.candidates, settings.inner_folds)
    else:
        experiment = open_experiment(options)
    return experiment, start_record(experiment, settings.seed, train_command(options, settings))


def run_opened(experiment: Experiment, settings: RunSettings, record: dict) -> dict:
    """Run the folds of what :func:`open_run` returns, and return the record."""
    return (run_selected if experiment.candidates else run_folds)(experiment, settings, record)
