"""The runs of a sweep: config x method x seed, each opened before the first training so that errors show up early."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from pathlib import Path

from mer_bench import errors
from mer_bench.errors import InputError
from mer_bench.experiment.candidates import RULE, has_choice, open_candidates
from mer_bench.experiment.config_files import (
    configs_read_once,
    match_configs,
    match_overrides,
    read_config,
    read_override,
)
from mer_bench.experiment.experiment import Experiment, RunOptions, open_experiment
from mer_bench.experiment.method import load_method
from mer_bench.experiment.precision import has_bf16_instructions
from mer_bench.experiment.provenance import describe_pretrained
from mer_bench.files import digest_of
from mer_bench.protocols.folds import Fold
from mer_bench.results.record import place_of

Overrides = tuple[str, ...]


@dataclass(frozen=True)
class SweepOptions:
    """What all runs of a sweep share.

    Attributes:
        roots: Folders of the prepared data by config; an empty list means the config's own.
        device: Of the process that opens methods, and of local trainings.
        threads: CPU threads of a training.
        stack: As `--stack` of tools/train.py.
        audit_epochs: As `--audit-epochs` of tools/train.py, for networks.
        inner_folds: As of tools/train.py with `--select inner`, for methods that have something to choose; None:
            nothing is chosen.
        track: As `--track` of tools/train.py, for networks.
    """

    roots: Mapping[str, Sequence[str]]
    device: str = 'auto'
    threads: int = 1
    stack: str | int = 'auto'
    audit_epochs: bool = False
    inner_folds: int | None = None
    track: str | None = None


@dataclass(frozen=True, eq=False)
class PlannedRun:
    """One method on one config with one seed.

    Attributes:
        config: The path of the config; `config_name` is its name in folders and tables.
        overrides: Files, or names of timm networks.
        data_root: Folders of the prepared data in place of the config's own.
        method: The name of the method.
        seed: Seeds weights, order and augmentation.
        folder: The run folder.
        dataset: Name of the data set; the name of the config if the method cannot be opened.
        protocol: As in record.json; None if the method cannot be opened.
        synthetic: Whether the data are synthetic; None if the method cannot be opened.
        folds: Each fold with its number of training clips.
        max_epochs: Epochs of a fold.
        settings: What the numbers of a run depend on besides the seed, as in record.json.
        audited: Whether its epochs are to be audited.
        sameness: Digest of the settings and of the input the method sees: equal for equal methods.
        fault: Why the method cannot be opened, if so.
    """

    config: str
    overrides: Overrides
    data_root: tuple[str, ...]
    method: str
    seed: int
    folder: Path
    dataset: str
    protocol: str | None = None
    synthetic: bool | None = None
    folds: tuple[tuple[Fold, int], ...] = ()
    max_epochs: int = 1
    settings: dict | None = None
    audited: bool = False
    sameness: str | None = None
    fault: str | None = None

    @property
    def config_name(self) -> str:
        return Path(self.config).stem

    def __str__(self) -> str:
        return f'{self.method} on {self.config_name}, seed {self.seed}'


def expand_patterns(words: Sequence[str], option: str) -> list[str]:
    """Replace each glob pattern that the shell did not expand by the matching files, in order of their names."""
    return list(dict.fromkeys(name for word in words for name in _matches(word, option)))


def expand_word(word: str, option: str) -> list[Overrides]:
    """Read `FILE+FILE`, overrides that are merged in this order; a pattern in it gives one method per match."""
    parts = [word] if Path(word).is_file() else word.split('+')
    return list(product(*(_matches(part, option) for part in parts)))


def _matches(word: str, option: str) -> list[str]:
    names = match_configs(word) if option == '--configs' else match_overrides(word)
    if not names:
        raise InputError(f'{option} {word}: expected files that match this pattern, found none; correct the pattern')
    return names


def expand_methods(
    overrides: Sequence[str], grid: Sequence[str], shared: Sequence[str] = (), full: bool = True
) -> list[Overrides]:
    """Return the overrides of each method, every method once.

    Args:
        overrides: One method per word.
        grid: Every subset of these words is a method: the full factorial.
        shared: Files merged onto every method, after its own.
        full: Whether the config without an override is a method too.
    """
    factors = dict.fromkeys(parts for word in grid for parts in expand_word(word, '--grid'))
    methods = [parts for word in overrides for parts in expand_word(word, '--overrides')]
    methods += [sum(subset, ()) for size in range(len(factors) + 1) for subset in combinations(factors, size)]
    methods = [(), *methods] if full else [method for method in methods if method]
    last = [name for word in shared for parts in expand_word(word, '--with') for name in parts]
    unique = dict.fromkeys(tuple(dict.fromkeys((*method, *last))) for method in methods)
    if not unique:
        raise InputError('expected at least one method, got none; add --overrides or --grid, or omit --no-full')
    return list(unique)


def roots_by_config(configs: Sequence[str], words: Sequence[str]) -> dict[str, list[str]]:
    """Return the data roots of each config from `DIR` (of the only config) or `CONFIG=DIR`."""
    roots: dict[str, list[str]] = {config: [] for config in configs}
    for word in words:
        name, _, folder = word.partition('=')
        named = [config for config in configs if name in (config, Path(config).stem)]
        if folder and named:
            roots[named[0]].append(folder)
        elif len(configs) == 1:
            roots[configs[0]].append(word)
        else:
            raise InputError(
                f'--data-root {word}: expected CONFIG=DIR, such as {Path(configs[0]).stem}=DIR, because there are '
                f'{len(configs)} configs; add the name of the config'
            )
    return roots


def plan_runs(
    configs: Sequence[str],
    methods: Sequence[Overrides],
    seeds: Sequence[int],
    base: Path,
    options: SweepOptions,
    note: Callable[[str], None] = lambda text: None,
) -> tuple[list[PlannedRun], list[str]]:
    """Open every method on every config.

    Args:
        configs: Paths.
        methods: Overrides of each method.
        seeds: All runs of the first seed come first.
        base: The runs go to base/<config>/<method>/seed<N>.
        options: Shared by all runs.
        note: Called with the name of what is opened next.

    Returns:
        The runs, without duplicates; one sentence for each method that equals an earlier one and is skipped.

    Raises:
        InputError: An override cannot be read, no method can be opened on a config, or two would share a folder.
    """
    opened = []
    with configs_read_once():
        for word in dict.fromkeys(word for words in methods for word in words):
            read_override(word)
        for config in configs:
            on_config = []
            for words in methods:
                note(f'{Path(config).stem} {" ".join(Path(word).stem for word in words)}')
                on_config.append(open_run(config, words, base, options))
            opened.append(on_config)
    refuse_unusable([on_config for on_config in opened if all(run.fault for run in on_config)], len(configs))
    unique, equal = drop_duplicates([run for on_config in opened for run in on_config])
    return [
        replace(run, seed=seed, folder=run.folder / f'seed{seed}') for seed in dict.fromkeys(seeds) for run in unique
    ], equal


def open_run(config: str, overrides: Overrides, base: Path, options: SweepOptions) -> PlannedRun:
    """Open a method; its `folder` is still the parent of the folders of its seeds."""
    planned = PlannedRun(config, overrides, tuple(options.roots[config]), '', 0, base, Path(config).stem)
    try:
        experiment = reopen(planned, options, planned_precision(options.device))
    except Exception as error:  # a config is a program and can raise anything
        method, dataset = name_method(config, overrides, options)
        folder = base / place_of(planned.config_name, method, 0).parent
        return replace(planned, method=method, dataset=dataset, folder=folder, fault=in_one_line(error))
    subjects, method, settings = experiment.data.annotations['subject'], experiment.method, settings_of(experiment)
    return replace(
        planned,
        method=method.name,
        folder=base / place_of(method.config_name, method.name, 0).parent,
        dataset=method.cfg.dataset,
        protocol=method.protocol,
        synthetic=bool(experiment.data.info['synthetic']),
        folds=tuple((fold, int(subjects.isin(fold.train_subjects).sum())) for fold in experiment.folds),
        max_epochs=method.cfg.train_cfg.max_epochs,
        settings=settings,
        audited=options.audit_epochs and not method.is_estimator,
        sameness=sameness_of(experiment, settings),
    )


def planned_precision(device: str) -> str | None:
    """Return the mixed precision of a CPU from its instructions alone, without torch; None for another device."""
    if device != 'cpu':
        return None
    return 'bf16' if has_bf16_instructions() else 'fp32'


def reopen(run: PlannedRun, options: SweepOptions, mixed: str | None = None) -> Experiment:
    """Open the experiment of a planned run; to plan it, with the result of :func:`planned_precision`."""
    how = options_of(run, options)
    if options.inner_folds and has_choice(load_method(run.config, run.overrides)):
        return open_candidates(how, (), options.inner_folds, mixed)
    return open_experiment(how, mixed)


def options_of(run: PlannedRun, options: SweepOptions) -> RunOptions:
    """Return what tools/train.py would be asked for this run."""
    place = dict(data_root=run.data_root, device=options.device, threads=options.threads)
    return RunOptions(run.config, run.overrides, **place)


def settings_of(experiment: Experiment) -> dict:
    """Return what the record of a finished run must hold to belong to this experiment."""
    method = experiment.method
    return dict(
        config=method.digest,
        label_scheme=method.scheme.digest,
        pretrained=describe_pretrained(method.cfg),
        **experiment.data.digests,
    )


def sameness_of(experiment: Experiment, settings: dict) -> str:
    """Return a digest of the settings in which the input is described by its effect, not by its config keys."""
    data = experiment.data
    seen = dict(input=[data.channels, data.shape, data.view.normalise])
    return digest_of([experiment.method.content | seen, settings | dict(config=None)])


def in_one_line(error: Exception) -> str:
    """Return the message of an error on one line, with its class unless the message was written for users."""
    message = errors.in_one_line(error)
    return message if isinstance(error, InputError) else f'{type(error).__name__}: {message}'.removesuffix(': ')


def name_method(config: str, overrides: Overrides, options: SweepOptions) -> tuple[str, str]:
    """Return method and data set of a run that cannot be opened, named as if it could."""
    chosen = f'+{RULE}' if options.inner_folds else ''
    try:
        method = load_method(config, list(overrides))
        return method.name + (chosen if has_choice(method) else ''), method.cfg.dataset
    except InputError:
        pass
    try:
        cfg = read_config(config)
    except InputError:
        return ('+'.join(Path(word).stem for word in overrides) or 'full') + chosen, Path(config).stem
    names = [cfg.get('method', 'full')]
    for word in overrides:
        override = read_override(word)
        names = [override.name] if override.replaces_model else [*names, override.name]
    return '+'.join(names) + chosen, cfg.get('dataset', Path(config).stem)


def refuse_unusable(unusable: list[list[PlannedRun]], total: int) -> None:
    """Refuse configs on which no method can be opened, such as those without prepared data, in one message."""
    if not unusable:
        return
    faults = '; '.join(f'{runs[0].config}: {runs[0].fault}' for runs in unusable)
    if total == 1:
        raise InputError(faults)
    raise InputError(f'{len(unusable)} of {total} configs cannot be swept; fix them or leave them out: {faults}')


def drop_duplicates(runs: list[PlannedRun]) -> tuple[list[PlannedRun], list[str]]:
    """Keep the first of several equal methods of a config and name the others; refuse two methods in one folder."""
    first: dict[object, PlannedRun] = {}
    equal = []
    for run in runs:
        earlier = first.setdefault((run.config_name, run.sameness) if run.sameness else run.folder, run)
        if earlier.method != run.method:
            equal.append(f'{run.method} on {run.config_name} equals {earlier.method} and is skipped')
    by_folder: dict[Path, PlannedRun] = {}
    for run in first.values():
        other = by_folder.setdefault(run.folder, run)
        if other is not run:
            names = [' '.join((run.config, *run.overrides)) for run in (other, run)]
            raise InputError(
                f'expected a different name for each method, but {names[0]} and {names[1]} have the same; rename a file'
            )
    return list(by_folder.values()), equal


def by_method(runs: Sequence[PlannedRun]) -> list[list[PlannedRun]]:
    """Group the seeds of each method on each config."""
    groups: dict[Path, list[PlannedRun]] = {}
    for run in runs:
        groups.setdefault(run.folder.parent, []).append(run)
    return list(groups.values())
