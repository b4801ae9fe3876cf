"""One method on its prepared data: what a training, or a test of saved weights, opens first."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path

import pandas as pd
from mmengine.config import Config

from mer_bench.errors import InputError
from mer_bench.experiment.config_files import arguments_of
from mer_bench.experiment.method import Method, load_method
from mer_bench.experiment.precision import PrecisionCheck, choose_device, choose_precision, refuse_device
from mer_bench.experiment.sources import find_data, joined_name, stamps_of
from mer_bench.files import Stamp
from mer_bench.loading.input_spec import InputSpec
from mer_bench.loading.prepared_data import PreparedData, open_prepared_data, read_digests
from mer_bench.protocols.action_units import encode_action_units
from mer_bench.protocols.folds import Fold, make_folds, select_folds
from mer_bench.protocols.label_schemes import load_scheme
from mer_bench.results.record import place_of

# whether a backbone has the argument in_channels: for these without importing torch, for all others by asking the class
TAKES_CHANNELS = dict(MultiScaleResNet3d=True, RCN=True, HTNet=True) | dict.fromkeys(
    ('CapsuleNet', 'DualInception', 'MMNet', 'OFFApexNet', 'OneHiddenLayer', 'STSTNet'), False
)


@dataclass(frozen=True)
class RunOptions:
    """What a user asks of a run, on the command line or from Python.

    Attributes:
        config: A config.
        overrides: Files merged onto it, in this order.
        cfg_options: Dotted keys and values merged last; or 'KEY=VALUE' texts, as of the command line.
        data_root: Folders of the prepared data, in the order of `data_source` of the config; none: its own `data_root`.
        folds: Names of the folds to train; none: all.
        device: auto, cpu, cuda or cuda:N.
        threads: CPU threads of a training.
    """

    config: str
    overrides: Sequence[str] = ()
    cfg_options: Mapping[str, object] | Sequence[str] = ()
    data_root: Sequence[str] = ()
    folds: Sequence[str] = ()
    device: str = 'auto'
    threads: int = 1


@dataclass(frozen=True)
class Experiment:
    """A method on its data, opened and checked once.

    Attributes:
        method: The config with its overrides.
        data: The clips.
        folds: All folds of the protocol.
        chosen: Those that are trained.
        device: cpu, cuda or cuda:N; always cpu for a method of scikit-learn.
        threads: CPU threads of a training.
        precision: fp32, bf16 or fp16: the same for all folds, wherever they are trained.
        gpu_share: This process's share of the GPU's memory.
        check: The comparison of gradients that decided on the precision.
        stamps: Size and times of the files read, by which a change during the run is noticed; none: compare digests.
        candidates: Among which each fold chooses, see :mod:`mer_bench.experiment.candidates`; none: nothing to choose.
        selection: How it chooses, as the record has it.
        choices: What fold.json notes of the choice of a fold, by the name of the fold.
    """

    method: Method
    data: PreparedData
    folds: list[Fold]
    chosen: list[Fold]
    device: str
    threads: int
    precision: str = 'fp32'
    gpu_share: float = 1.0
    check: PrecisionCheck | None = None
    stamps: tuple[Stamp | None, ...] = ()
    candidates: 'Sequence[Candidate]' = ()
    selection: dict | None = None
    choices: Mapping[str, dict] = field(default_factory=dict)

    def with_each(self, change: Callable[['Experiment'], 'Experiment']) -> 'Experiment':
        """Return the experiment changed by a function, after its candidates were changed by it."""
        candidates = [replace(one, experiment=one.experiment.with_each(change)) for one in self.candidates]
        return change(replace(self, candidates=candidates))

    def scored_epoch(self, fold: Fold) -> int | None:
        """Return the epoch, counted from 1, whose weights of a fold are scored; None: the last."""
        return self.choices.get(fold.name, {}).get('inner', {}).get('epoch')

    def check_unchanged(self) -> None:
        """Refuse to go on if label scheme or data changed since they were opened, because every fold reads them.

        The content is compared only if size or times of a file changed.
        """
        scheme, data, path = self.method.scheme, self.data, self.method.cfg.label_scheme
        if self.stamps and self.stamps == stamps_of(scheme.path, data.roots):
            return
        parts = {
            f'the label scheme {path}': (scheme.digest, lambda: load_scheme(path).digest),
            f'the prepared data in {", ".join(data.roots)}': (
                data.digests,
                lambda: read_digests(data.roots, data.checked),
            ),
        }
        for part, (opened, read) in parts.items():
            try:
                same = read() == opened
            except (OSError, ValueError, KeyError):  # removed, or no longer readable
                same = False
            if not same:
                raise InputError(
                    f'{part} changed during the run; restore it and run the same command again, or give another '
                    '--work-dir'
                )


@dataclass(frozen=True)
class Candidate:
    """One setting of a method, or one method of several.

    Attributes:
        name: Of its override, or its options.
        text: Of the override, or the options as JSON.
        experiment: The method on the data of the run.
    """

    name: str
    text: str
    experiment: Experiment

    @property
    def note(self) -> dict:
        """What the record has of it, of a network with its number of epochs."""
        method = self.experiment.method
        epochs = {} if method.is_estimator else dict(epochs=method.cfg.train_cfg.max_epochs)
        return dict(name=self.name, text=self.text, digest=method.digest, **epochs)


def refuse_settings(seed: object, jobs: object, stack: object) -> None:
    """Refuse seed, folds at a time or stacked folds that no run can use, before anything is read or written."""
    if not is_whole(seed) or not 0 <= seed < 2**32:
        raise InputError(f'seed {seed!r}: expected a whole number from 0 to {2**32 - 1}; correct it')
    if jobs is not None:
        refuse_count('jobs', jobs)
    if stack not in ('auto', 'off') and (not is_whole(stack) or stack < 1):
        raise InputError(f"stack {stack!r}: expected 'auto', 'off' or a whole number of at least 1; correct it")


def refuse_count(name: str, number: object, least: int = 1) -> None:
    """Refuse a number that is too small a count, or none."""
    if not is_whole(number) or number < least:
        raise InputError(f'{name} {number!r}: expected a whole number of at least {least}; correct it')


def is_whole(value: object) -> bool:
    """Return whether a value is a whole number, one of NumPy too; True and False are not."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def open_experiment(options: RunOptions, mixed: str | None = None) -> Experiment:
    """Open and check the config and the prepared data, so that any fault shows before the first training.

    Args:
        options: What to open.
        mixed: As of :func:`choose_precision`; asking torch for it takes seconds.

    Raises:
        InputError: A fault in config, overrides, options or data.
    """
    refuse_device(options.device)
    refuse_count('threads', options.threads)
    method = load_method(options.config, options.overrides, options.cfg_options)
    if method.cfg.get('candidates') is not None:
        raise InputError(
            f'{method.name} lists candidates; let each fold choose among them: train it with --select inner'
        )
    return open_method(method, options, mixed)


def open_method(method: Method, options: RunOptions, mixed: str | None = None) -> Experiment:
    """Open and check the prepared data of a method; see :func:`open_experiment`."""
    cfg = method.cfg
    if method.is_estimator and options.device != 'auto':
        choose_device(options.device)  # it computes on the CPU, but a device that does not exist is a mistake
    roots, sources = find_data(cfg, options.data_root)
    stamps = stamps_of(method.scheme.path, roots)  # taken before the data are read, so that no change goes unnoticed
    if load_scheme(cfg.label_scheme).digest != method.scheme.digest:  # the scheme was read before
        raise InputError(f'the label scheme {cfg.label_scheme} changed while it was read; run the same command again')
    data = open_prepared_data(roots, method.scheme, sources, cfg.get('input'), named=bool(options.data_root))
    folds = make_folds(data.annotations, cfg.folds)
    chosen = select_folds(folds, options.folds)
    check_variant(cfg.get('data_variant'), data.info)
    name_dataset(cfg, [source['dataset'] for source in sources], data.info)
    if method.is_estimator:
        from mer_bench.models.classical.pipeline import build_steps

        build_steps(cfg.model.steps, seed=0)  # so that a fault in them shows now
        return Experiment(method, data, folds, chosen, 'cpu', options.threads, stamps=stamps)
    fill_channels(cfg, data.view.channels)
    check_mirroring(cfg, data.view)
    check_action_units(cfg, data.annotations, data.roots)
    check_batches(cfg, data.annotations, folds)
    device = choose_device(options.device)
    precision = choose_precision(cfg, device, mixed)
    return Experiment(method, data, folds, chosen, device, options.threads, precision, stamps=stamps)


def check_variant(variant: dict | None, info: dict) -> None:
    """Refuse data that were not prepared as `data_variant` asks; its other keys are compared with store.json.

    Args:
        variant: name, options, and what of the store must have which value, such as flow='dis' or apex='spotted'.
        info: The joint store.json of the stores.
    """
    expected = {key: value for key, value in (variant or {}).items() if key not in ('name', 'options')}
    for store in info.get('stores', [info]):
        for key, value in expected.items():
            found = store.get(key)
            found = ' and '.join(found) if isinstance(found, dict) else found
            if found != value:
                raise InputError(
                    f'data_variant: expected data with {key} {value}, found {found}; prepare them with '
                    f'{variant["options"]}'
                )


def name_dataset(cfg: Config, expected: list[str], info: dict) -> None:
    """Set `dataset` to what was prepared, for every record: a single data set other than the config's gives its name.

    Args:
        cfg: `dataset` is changed.
        expected: The data sets of `data_source`; `csv` matches any.
        info: The joint store.json of the data roots.
    """
    found = [store['dataset'] for store in info.get('stores', [info])]
    if len(found) == 1:
        if found != expected:
            cfg.dataset = found[0]
        return
    if {*(Counter(expected) - Counter(found))} - {'csv'}:
        raise InputError(
            f'expected prepared data of {", ".join(expected)}, found {", ".join(found)}; '
            'correct --data-root or data_root of the config'
        )
    if cfg.dataset == joined_name(expected):
        cfg.dataset = joined_name(found)


def fill_channels(cfg: Config, names: Sequence[str]) -> None:
    """Give the backbone as many input channels as its clips have, so that a config need not name their number."""
    backbone, channels = cfg.model.backbone, len(names)
    key = 'in_chans' if backbone.type.startswith('timm.') else 'in_channels'
    if backbone.get(key) not in (None, channels):
        raise InputError(
            f'model.backbone.{key} is {backbone[key]}, but the clips have {channels} channels '
            f'({", ".join(names)}); leave this key out'
        )
    # 3 is the default of every backbone; one without this argument is built for the channels that its config chooses
    known = TAKES_CHANNELS.get(backbone.type, key == 'in_chans' or None)
    if channels != 3 and ('in_channels' in arguments_of(backbone.type) if known is None else known):
        backbone[key] = channels


def check_mirroring(cfg: Config, view: InputSpec) -> None:
    """Refuse a test on mirrored clips by a data preprocessor that does not make them, and a training by a network."""
    if view.mirror_train:
        raise InputError(
            'input.mirror_train: expected a method of scikit-learn, got a network, which mirrors clips at random; set '
            'model.data_preprocessor.flip_prob=0.5 instead'
        )
    if cfg.model.data_preprocessor.get('mirror_test') and not view.mirror_test:
        raise InputError(
            'model.data_preprocessor.mirror_test: expected it from input, which records and tables name; set '
            'input.mirror_test=True instead'
        )
    found = cfg.model.data_preprocessor.type
    if view.mirror_test and found != 'FlowDataPreprocessor':
        raise InputError(
            f'input.mirror_test: expected the data preprocessor FlowDataPreprocessor, got {found}; take that one, or '
            'leave mirror_test out'
        )


def check_action_units(cfg: Config, clips: pd.DataFrame, roots: Sequence[str]) -> None:
    """Refuse action units that no clip shows: they cannot be learnt, and their scores would mean nothing."""
    if not cfg.action_units:
        return
    targets = encode_action_units(clips, cfg.action_units)
    where = ', '.join(roots)
    if not (targets >= 0).any():
        raise InputError(
            f'action_units: expected clips whose action units are known, found none in {where}; '
            'set action_units=None or take other data'
        )
    unseen = [str(unit) for unit, seen in zip(cfg.action_units, (targets == 1).any(0), strict=True) if not seen]
    if unseen:
        raise InputError(
            f'action_units: expected each on a clip, found none with {", ".join(unseen)} in {where}; leave them out'
        )


def check_batches(cfg: Config, clips: pd.DataFrame, folds: Sequence[Fold]) -> None:
    """Refuse a `drop_last` that leaves the smallest fold without a batch: it would be scored untrained."""
    if not cfg.train_dataloader.get('drop_last'):
        return
    of_subject, batch = clips.groupby('subject').size(), cfg.train_dataloader.batch_size
    n_train, name = min((len(clips) - int(of_subject[[*fold.test_subjects]].sum()), fold.name) for fold in folds)
    if n_train < batch:
        raise InputError(
            f'train_dataloader.drop_last with batch_size {batch} leaves no batch to train on in fold {name}, which has '
            f'{n_train} clips to train; set batch_size to at most {n_train}, or drop_last=False'
        )


def default_work_dir(method: Method, seed: int) -> Path:
    """Return work_dirs/<config>/<method>/seed<N>."""
    return Path('work_dirs', place_of(method.config_name, method.name, seed))
