"""The runs of a sweep: config x method x seed, opened once, so that what is wrong is told before a training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mer_bench import errors
from mer_bench.errors import InputError
from mer_bench.experiment.experiment import Experiment, RunOptions, open_experiment
from mer_bench.experiment.method import load_method, read_config, read_override, replaces_model
from mer_bench.experiment.provenance import describe_pretrained, describe_protocol
from mer_bench.files import digest_of
from mer_bench.protocols.folds import Fold
from mer_bench.results.record import place_of
from mer_bench.sweeps.words import Overrides


@dataclass(frozen=True)
class SweepOptions:
    """What all runs of a sweep share: data roots by config, and how they are trained."""

    roots: Mapping[str, Sequence[str]]
    device: str = 'auto'
    threads: int = 1
    stack: str | int = 'auto'


@dataclass(frozen=True, eq=False)
class PlannedRun:
    """One method on one config with one seed.

    Attributes:
        config: The path of the config; `config_name` is its name in folders and tables.
        overrides: Files, or names of networks of timm.
        data_root: Folders of the prepared data in place of those of the config.
        method: The name of the method.
        seed: Of weights, order and augmentation.
        folder: The run folder.
        dataset: The data set's name; of a method that cannot be opened the config's.
        protocol: As in record.json; None where the method cannot be opened.
        synthetic: Whether the data are; None where the method cannot be opened.
        folds: Each fold with the number of its training clips.
        max_epochs: Of a fold.
        settings: What the numbers of a run depend on, beside the seed; as in record.json.
        sameness: Digest of the settings with what the method really sees of a clip: equal for equal methods.
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
    sameness: str | None = None
    fault: str | None = None

    @property
    def config_name(self) -> str:
        return Path(self.config).stem


def plan_runs(
    configs: Sequence[str],
    methods: Sequence[Overrides],
    seeds: Sequence[int],
    base: Path,
    args: SweepOptions,
    told: Callable[[str], None] = lambda text: None,
) -> tuple[list[PlannedRun], list[str]]:
    """Open every method on every config; also tell which methods are equal, of which the first is planned.

    Args:
        configs: Paths.
        methods: Overrides of each method.
        seeds: All runs of the first seed come first.
        base: The runs lie in base/<config>/<method>/seed<N>.
        args: With roots (data roots by config), device and threads.
        told: Is told what is being opened.

    Raises:
        InputError: An override cannot be read, no method can be opened on a config, or two would share a folder.
    """
    for word in dict.fromkeys(word for words in methods for word in words):
        read_override(word)
    opened = []
    for config in configs:
        on_config = []
        for words in methods:
            told(f'{Path(config).stem} {" ".join(Path(word).stem for word in words)}')
            on_config.append(open_run(config, words, base, args))
        opened.append(on_config)
    refuse_unusable([on_config for on_config in opened if all(run.fault for run in on_config)], len(configs))
    unique, equal = drop_duplicates([run for on_config in opened for run in on_config])
    return [with_seed(run, seed) for seed in dict.fromkeys(seeds) for run in unique], equal


def open_run(config: str, overrides: Overrides, base: Path, args: SweepOptions) -> PlannedRun:
    """Open a method; its folder is still the one above those of its seeds."""
    roots = args.roots[config]
    planned = PlannedRun(config, overrides, tuple(roots), '', 0, base, Path(config).stem)
    try:
        experiment = reopen(planned, args)
    except Exception as error:  # a config is a program, and can be wrong in any way
        method, dataset = name_method(config, overrides)
        folder = base / place_of(planned.config_name, method, 0).parent
        return replace(planned, method=method, dataset=dataset, folder=folder, fault=in_one_line(error))
    subjects, method = experiment.data.annotations['subject'], experiment.method
    return replace(
        planned,
        method=method.name,
        folder=base / place_of(method.config_name, method.name, 0).parent,
        dataset=method.cfg.dataset,
        protocol=describe_protocol(method),
        synthetic=bool(experiment.data.info['synthetic']),
        folds=tuple((fold, int(subjects.isin(fold.train_subjects).sum())) for fold in experiment.folds),
        max_epochs=method.cfg.train_cfg.max_epochs,
        settings=settings_of(experiment),
        sameness=sameness_of(experiment),
    )


def with_seed(run: PlannedRun, seed: int) -> PlannedRun:
    """Return a run with its seed and folder."""
    return replace(run, seed=seed, folder=run.folder / f'seed{seed}')


def reopen(run: PlannedRun, args: SweepOptions) -> Experiment:
    """Open the experiment of a planned run."""
    return open_experiment(
        RunOptions(run.config, run.overrides, data_root=run.data_root, device=args.device, threads=args.threads)
    )


def settings_of(experiment: Experiment) -> dict:
    """What a finished run must have in its record to be the run of this experiment."""
    method = experiment.method
    return dict(
        config=method.digest,
        label_scheme=method.scheme.digest,
        pretrained=describe_pretrained(method.cfg),
        **experiment.data.digests,
    )


def sameness_of(experiment: Experiment) -> str:
    """Return the digest of the settings, with what is seen of a clip in place of how the config says it."""
    data = experiment.data
    seen = dict(input=[data.channels, data.shape, data.view.normalise])
    return digest_of([experiment.method.content | seen, settings_of(experiment) | dict(config=None)])


def in_one_line(error: Exception) -> str:
    """The message of an error without its line breaks; the name of its class where it was not written for users."""
    message = errors.in_one_line(error)
    return message if isinstance(error, InputError) else f'{type(error).__name__}: {message}'.removesuffix(': ')


def name_method(config: str, overrides: Overrides) -> tuple[str, str]:
    """Return method and data set of overrides that cannot be merged, named as `load_method` would name them."""
    try:
        method = load_method(config, list(overrides))
        return method.name, method.cfg.dataset
    except InputError:
        pass
    try:
        cfg = read_config(config)
    except InputError:
        return '+'.join(Path(word).stem for word in overrides) or 'full', Path(config).stem
    names = [cfg.get('method', 'full')]
    for word in overrides:
        note, change = read_override(word)
        names = [note['name']] if replaces_model(change) else [*names, note['name']]
    return '+'.join(names), cfg.get('dataset', Path(config).stem)


def refuse_unusable(unusable: list[list[PlannedRun]], total: int) -> None:
    """Refuse configs on which no method can be opened, such as those without prepared data, all in one message."""
    if not unusable:
        return
    told = '; '.join(f'{runs[0].config}: {runs[0].fault}' for runs in unusable)
    if total == 1:
        raise InputError(told)
    raise InputError(f'{len(unusable)} of {total} configs cannot be swept; leave them out or mend them: {told}')


def drop_duplicates(runs: list[PlannedRun]) -> tuple[list[PlannedRun], list[str]]:
    """Keep the first of several equal methods of a config, and tell the others; refuse a folder of two methods."""
    first: dict[object, PlannedRun] = {}
    equal = []
    for run in runs:
        kept = first.setdefault((run.config_name, run.sameness) if run.sameness else run.folder, run)
        if kept.method != run.method:
            equal.append(f'{run.method} on {run.config_name} equals {kept.method} and is left out')
    by_folder: dict[Path, PlannedRun] = {}
    for run in first.values():
        other = by_folder.setdefault(run.folder, run)
        if other is not run:
            names = [' '.join((run.config, *run.overrides)) for run in (other, run)]
            raise InputError(f'expected a name for each method, but {names[0]} and {names[1]} share one; rename a file')
    return list(by_folder.values()), equal
