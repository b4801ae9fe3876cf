"""The whole sweep as one function: plan the runs, show the plan, run what is missing, return the state of every run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf
from numbers import Real
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.text import Text

from mer_bench.errors import InputError
from mer_bench.evaluation.epoch_audit import AUDIT
from mer_bench.experiment.experiment import refuse_count
from mer_bench.runs.run import RunSettings
from mer_bench.sweeps.engine import EngineOptions, open_engine
from mer_bench.sweeps.estimate import TimeEstimate, estimate_cost, format_cost, same_device
from mer_bench.sweeps.measure import MEASURED, measure_all, read_steps
from mer_bench.sweeps.plan import (
    PlannedRun,
    SweepOptions,
    by_method,
    expand_methods,
    expand_patterns,
    plan_runs,
    roots_by_config,
)
from mer_bench.sweeps.progress import SweepProgress
from mer_bench.sweeps.report import format_outcomes, format_plan
from mer_bench.sweeps.status import has_failed, is_complete, read_reason, score_of, state_of

Words = str | Path | Sequence[str | Path]


def sweep(
    configs: Words,
    overrides: Words = (),
    grid: Words = (),
    shared: Words = (),
    seeds: Sequence[int] = (0,),
    no_full: bool = False,
    work_dir: str | Path = 'work_dirs',
    data_roots: Words | Mapping[str, Words] | None = None,
    device: str = 'auto',
    jobs: int | None = None,
    threads: int = 1,
    stack: str | int = 'auto',
    audit_epochs: bool = False,
    select: str | None = None,
    inner_folds: int = 5,
    track: str | None = None,
    engine: str = 'local',
    address: str | None = None,
    gpu_share: float | None = None,
    memory: float | None = None,
    only_failed: bool = False,
    dry_run: bool = False,
    estimate: bool = False,
    workers: int | None = None,
    measured: Words = (),
    measure: float | None = None,
    show: Callable[[str], None] | None = print,
) -> pd.DataFrame:
    """Train and score every config with every method and every seed; finished runs are left as they are.

    Args:
        configs: Config files or patterns of them.
        overrides: One method per word: a file, files joined with `+`, a pattern, or timm_NAME.
        grid: Every subset of these words is a method.
        shared: Files merged onto every method, such as a reduced size.
        seeds: The first seed of everything runs first.
        no_full: Leave out the config without an override.
        work_dir: The runs go to work_dir/<config>/<method>/seed<N>.
        data_roots: Folders of the prepared data, of the only config or by config; None: the config's own.
        device: As of :class:`EngineOptions`, as are jobs, threads, engine, address, gpu_share and memory.
        stack: As of :class:`SweepOptions`.
        audit_epochs: Also write audit.csv into the runs of networks, the predictions after every epoch.
        select: 'inner': the folds of a network choose its epoch, and the folds of a method with the list `candidates`
            among these, by scores on their training subjects. Other methods have nothing to choose.
        inner_folds: Of the training subjects of each fold, for that choice.
        track: Also write the learning curves of the networks for 'tensorboard', 'wandb' or 'mlflow'.
        only_failed: Only the runs that failed before.
        dry_run: Plan and train nothing.
        estimate: Also estimate the hours of the whole sweep, from measured trainings.
        workers: Of the estimate: trainings at a time (default: jobs).
        measured: Of the estimate: more folders with runs or records.
        measure: Time a few steps of each method without finished folds, for so many seconds each, before the plan is
            shown; the times are kept in work_dir/measured.json.
        show: Called with the plan and the outcomes as text; None prints nothing but the progress, on stderr.

    Returns:
        One row per run: config, method, dataset, seed, state, reason, uf1 and folder. The state is `finished`,
        `unfinished`, `failed` (the last attempt) or `invalid` (the method cannot be opened), the last two with their
        reason. `attrs['cost']` holds the estimate, if asked for, see :func:`estimate_cost`.

    Raises:
        InputError: An argument, a file or the data of a config are wrong; nothing was trained.
    """
    if dry_run and engine == 'ray':
        jobs = jobs or workers  # no cluster is asked
    for seed in list(seeds) or [0]:
        choice = dict(select=select, inner_folds=inner_folds, track=track)
        RunSettings(seed, None, jobs, stack=stack, audit_epochs=audit_epochs, **choice)  # refuses what no run can use
    if workers is not None:
        refuse_count('workers', workers)
    options = EngineOptions(engine, device, jobs, threads, address, gpu_share, memory)
    if (workers or measured) and not estimate:
        raise InputError('--workers and --measured apply to --estimate only; add --estimate or omit them')
    if estimate and dry_run and engine == 'ray' and device == 'auto':
        raise InputError('--estimate --engine ray: choose --device cpu or cuda, because a dry run asks no cluster')
    if measure is not None:
        refuse_measuring(measure, engine)
    show = show or (lambda text: None)
    configs, base = expand_patterns(as_words(configs), '--configs'), Path(work_dir)
    methods = expand_methods(as_words(overrides), as_words(grid), as_words(shared), not no_full)
    roots = roots_by_config(configs, root_words(data_roots))
    with open_engine(options, dry_run) as opened:
        how = threads, stack, audit_epochs, inner_folds if select else None, track
        plan_options = SweepOptions(roots, opened.planning_device, *how)
        with Console(stderr=True).status('planning') as status:
            runs, equal = plan_runs(
                configs, methods, list(seeds) or [0], base, plan_options, lambda text: status.update(Text(text))
            )
        if only_failed:
            runs = [run for run in runs if has_failed(run)]
            if not runs:
                show('no run of this sweep has failed')
                return table_of(runs)
        fits = same_device(opened.unit, threads)
        folders = [Path(word) for word in as_words(measured)]
        trained = replace(plan_options, device=opened.device)  # a driver of Ray plans on its CPU for GPUs of nodes
        known = read_steps(base / MEASURED, runs, trained, opened.jobs)
        times = TimeEstimate(base, opened.jobs, opened.together, folders, fits, known)
        if measure is not None:
            first = [seeds[0] for seeds in by_method(runs)]
            unknown = [run for run in first if not run.fault and times.lacks(run)]
            known |= measure_all(unknown, trained, opened.jobs, measure, base / MEASURED, Console(stderr=True))
        equal += note_on_audits(runs)
        left = times.all_seconds(runs, started=measure is not None and not dry_run)
        show('\n'.join([*equal, format_plan(runs, left)]))
        cost = None
        if estimate:
            cost = estimate_cost(runs, times, workers or opened.jobs, opened.unit, opened.share)
            show('\n' + format_cost(cost))
        if not dry_run:
            with SweepProgress(runs, times) as progress:
                opened.run(runs, plan_options, progress)
            show('\n' + format_outcomes(runs))
    table = table_of(runs)
    if cost:
        table.attrs['cost'] = cost
    return table


def refuse_measuring(seconds: object, engine: str) -> None:
    """Refuse a time to measure that is none, and an engine whose nodes are other machines."""
    if not (isinstance(seconds, Real) and 0 <= seconds < inf):
        raise InputError(f'--measure: expected seconds of at least 0, got {seconds!r}; correct it')
    if engine != 'local':
        raise InputError(
            f'--measure --engine {engine}: expected --engine local; measure with --dry-run on a machine of the cluster'
        )


def note_on_audits(runs: Sequence[PlannedRun]) -> list[str]:
    """Return one sentence on the finished runs whose epochs should have been audited, if there are any."""
    late = [run for run in runs if run.audited and is_complete(run) and not (run.folder / AUDIT).exists()]
    if not late:
        return []
    return [
        f'{len(late)} finished run{"s" * (len(late) > 1)} without an audit of the epochs, such as {late[0]}: left as '
        'is; to audit, give another --work-dir'
    ]


def as_words(words: Words) -> list[str]:
    """Return one word or several as a list of texts."""
    return [str(words)] if isinstance(words, (str, Path)) else [str(word) for word in words]


def root_words(roots: Words | Mapping[str, Words] | None) -> list[str]:
    """Return data roots as the words DIR or CONFIG=DIR."""
    if isinstance(roots, Mapping):
        return [f'{config}={root}' for config, named in roots.items() for root in as_words(named)]
    return as_words(roots or ())


def table_of(runs: Sequence[PlannedRun]) -> pd.DataFrame:
    """Return one row per run, see :func:`sweep`."""
    rows = []
    for run in runs:
        state = 'invalid' if run.fault else state_of(run)
        reason = run.fault or (read_reason(run) if state == 'failed' else '')
        uf1 = score_of(run) if state == 'finished' else None
        rows.append((run.config_name, run.method, run.dataset, run.seed, state, reason, uf1, run.folder))
    return pd.DataFrame(rows, columns=['config', 'method', 'dataset', 'seed', 'state', 'reason', 'uf1', 'folder'])
