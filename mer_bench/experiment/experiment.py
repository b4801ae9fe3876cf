"""One method on its prepared data: what tools/train.py and tools/test.py open."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.utils import import_modules_from_strings

from mer_bench.errors import InputError
from mer_bench.experiment.config_keys import arguments_of
from mer_bench.experiment.config_values import is_estimator
from mer_bench.experiment.data_sources import check_variant, data_places, name_dataset
from mer_bench.experiment.method import Method, load_method, parse_options
from mer_bench.experiment.precision import PrecisionCheck, choose_precision
from mer_bench.loading.prepared_data import PreparedData, open_prepared_data, read_digests
from mer_bench.models.classical.pipeline import build_steps
from mer_bench.protocols.action_units import encode_action_units
from mer_bench.protocols.folds import Fold, make_folds, select_folds
from mer_bench.protocols.label_schemes import load_scheme
from mer_bench.results.record import place_of
from mer_bench.training.allocator import keep_freed_memory
from mer_bench.training.device import limit_gpu_memory, set_device


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
    """Method, data, all folds of the protocol, the chosen ones, and the device.

    The precision (fp32, bf16 or fp16) is chosen and checked once, so that all folds have the same wherever they are
    trained. Each of several processes on one GPU has its share of the memory.
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

    def activate(self) -> None:
        """Set up this process, main or worker: memory, device, threads, and what the config registers."""
        keep_freed_memory()
        logging.raiseExceptions = False  # a log on a full disk: what is written beside it says so, in one sentence
        set_device(self.device)
        if self.device != 'cpu':
            limit_gpu_memory(self.gpu_share)
        torch.set_num_threads(self.threads)
        try:
            import_modules_from_strings(**self.method.cfg.custom_imports)
            init_default_scope(self.method.cfg.default_scope)
        except Exception as error:  # an import of a user's module raises anything
            raise InputError(f'custom_imports or default_scope: {error}; correct config or override') from error

    def check_unchanged(self) -> None:
        """Refuse to go on where the label scheme or the data are no longer those that were opened: folds read both."""
        scheme, data, path = self.method.scheme, self.data, self.method.cfg.label_scheme
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
            except (OSError, ValueError, KeyError):  # removed, or no longer what it was
                same = False
            if not same:
                raise InputError(
                    f'{part} changed while the run was going on; put back what was there and run the same command '
                    'again, or give another --work-dir'
                )


def open_experiment(options: RunOptions) -> Experiment:
    """Read the config and the prepared data; whatever is wrong with them is told before any training."""
    device = set_device(options.device)
    method = load_method(options.config, options.overrides, parse_options(options.cfg_options))
    roots, sources = data_places(method.cfg, options.data_root)
    data = open_prepared_data(roots, method.scheme, sources, method.cfg.get('input'), named=bool(options.data_root))
    check_variant(method.cfg.get('data_variant'), data.info)
    found = [info['dataset'] for info in data.info.get('stores', [data.info])]
    name_dataset(method.cfg, [source['dataset'] for source in sources], found)
    fill_channels(method.cfg, data)
    if method.is_estimator:
        build_steps(method.cfg.model.steps, seed=0)  # so that what is wrong with them is told before the first fold
    check_action_units(method.cfg, data)
    folds = make_folds(data.annotations, method.cfg.folds)
    check_batches(method.cfg, data, folds)
    precision = 'fp32' if method.is_estimator else choose_precision(method.cfg, device)
    experiment = Experiment(method, data, folds, select_folds(folds, options.folds), device, options.threads, precision)
    experiment.activate()
    return experiment


def fill_channels(cfg: Config, data: PreparedData) -> None:
    """Give the backbone as many input channels as its clips have; a config need not know them."""
    if is_estimator(cfg):
        return
    backbone, channels = cfg.model.backbone, len(data.channels)
    key = 'in_chans' if backbone.type.startswith('timm.') else 'in_channels'
    if backbone.get(key) not in (None, channels):
        raise InputError(
            f'model.backbone.{key} is {backbone[key]}, but the clips have {channels} channels '
            f'({", ".join(data.channels)}); leave this key out'
        )
    # 3 is the default of every backbone; one without this argument is made for the channels that its config chooses
    if channels != 3 and (key == 'in_chans' or key in arguments_of(backbone.type)):
        backbone[key] = channels


def check_action_units(cfg: Config, data: PreparedData) -> None:
    """Refuse action units that the data cannot teach, and whose scores would say nothing."""
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
    """Refuse a `drop_last` that leaves a fold without a batch: it would be scored untrained. The smallest decides."""
    if is_estimator(cfg) or not cfg.train_dataloader.get('drop_last'):
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
