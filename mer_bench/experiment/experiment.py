"""One method on its prepared data: what a training, or a test of saved weights, opens first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from mer_bench.errors import InputError
from mer_bench.experiment.config_checks import arguments_of
from mer_bench.experiment.data_sources import check_variant, find_data, name_dataset
from mer_bench.experiment.method import Method, load_method, parse_options
from mer_bench.experiment.precision import PrecisionCheck, choose_precision
from mer_bench.loading.prepared_data import PreparedData, open_prepared_data, read_digests
from mer_bench.preparation.store.flow_store import PARTS, Stamp, stamp_of
from mer_bench.protocols.action_units import encode_action_units
from mer_bench.protocols.excluded_clips import EXCLUDED_CLIPS
from mer_bench.protocols.folds import Fold, make_folds, select_folds
from mer_bench.protocols.label_schemes import load_scheme
from mer_bench.results.record import place_of


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


def stamps_of(scheme: Path, roots: Sequence[str]) -> tuple[Stamp | None, ...]:
    """Return path, size and times of the files that a run reads; None for a file that does not exist."""
    files = [scheme, scheme.with_name(EXCLUDED_CLIPS)]
    for root in roots:
        files += [Path(root, 'annotations.csv'), *(Path(root, 'store', part) for part in PARTS)]
    return tuple(map(stamp_of, files))


def open_experiment(options: RunOptions) -> Experiment:
    """Open and check the config and the prepared data, so that any fault shows before the first training.

    Raises:
        InputError: A fault in config, overrides, options or data.
    """
    method = load_method(options.config, options.overrides, parse_options(options.cfg_options))
    device = 'cpu' if method.is_estimator else choose_device(options.device)
    roots, sources = find_data(method.cfg, options.data_root)
    stamps = stamps_of(method.scheme.path, roots)
    data = open_prepared_data(roots, method.scheme, sources, method.cfg.get('input'), named=bool(options.data_root))
    check_variant(method.cfg.get('data_variant'), data.info)
    found = [info['dataset'] for info in data.info.get('stores', [data.info])]
    name_dataset(method.cfg, [source['dataset'] for source in sources], found)
    folds = make_folds(data.annotations, method.cfg.folds)
    chosen = select_folds(folds, options.folds)
    precision = 'fp32'
    if method.is_estimator:
        check_steps(method.cfg)
    else:
        fill_channels(method.cfg, data.channels)
        check_action_units(method.cfg, data)
        check_batches(method.cfg, data, folds)
        precision = choose_precision(method.cfg, device)
    return Experiment(method, data, folds, chosen, device, options.threads, precision, stamps=stamps)


def choose_device(name: str) -> str:
    """Return cpu, cuda or cuda:N for a device that a user names: one of these, or `auto` for cuda if there is a GPU."""
    kind, _, number = name.partition(':')
    if kind not in ('auto', 'cpu', 'cuda') or (number and not (kind == 'cuda' and number.isdigit())):
        raise InputError(f'--device {name}: expected auto, cpu, cuda or cuda:N')
    if kind == 'cpu':
        return name
    import torch  # takes seconds

    count = torch.cuda.device_count()
    if kind == 'cuda' and int(number or 0) >= count:
        raise InputError(f'--device {name}: torch sees {count} CUDA devices; use --device cpu or another number')
    return name if kind == 'cuda' else 'cuda' if count else 'cpu'


def check_steps(cfg: Config) -> None:
    """Build the steps of a method of scikit-learn, so that a fault in them shows before the first fold."""
    from mer_bench.models.classical.pipeline import build_steps

    build_steps(cfg.model.steps, seed=0)


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
    if channels != 3 and (key == 'in_chans' or key in arguments_of(backbone.type)):
        backbone[key] = channels


def check_action_units(cfg: Config, data: PreparedData) -> None:
    """Refuse action units that no clip shows: they cannot be learnt, and their scores would mean nothing."""
    if not cfg.action_units:
        return
    targets = encode_action_units(data.annotations, cfg.action_units)
    where = ', '.join(data.roots)
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


def check_batches(cfg: Config, data: PreparedData, folds: list[Fold]) -> None:
    """Refuse a `drop_last` that leaves the smallest fold without a batch: it would be scored untrained."""
    if not cfg.train_dataloader.get('drop_last'):
        return
    clips, batch = data.annotations.groupby('subject').size(), cfg.train_dataloader.batch_size
    n_train, name = min((int(clips[[*fold.train_subjects]].sum()), fold.name) for fold in folds)
    if n_train < batch:
        raise InputError(
            f'train_dataloader.drop_last with batch_size {batch} leaves no batch to train on in fold {name}, which has '
            f'{n_train} clips to train; set batch_size to at most {n_train}, or drop_last=False'
        )


def default_work_dir(method: Method, seed: int) -> Path:
    """work_dirs/<config>/<method>/seed<N>."""
    return Path('work_dirs', place_of(method.config_name, method.name, seed))
