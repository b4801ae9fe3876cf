"""One method on its prepared data: what tools/train.py and tools/test.py open."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.utils import import_modules_from_strings

from mer_bench.errors import InputError
from mer_bench.loading.prepared_data import PreparedData, open_prepared_data
from mer_bench.protocols.folds import Fold, make_folds, select_folds
from mer_bench.training.data_places import data_places
from mer_bench.training.device import set_device
from mer_bench.training.method import Method, load_method, parse_options


@dataclass(frozen=True)
class Experiment:
    """Method, data, all folds of the protocol, the chosen ones, and the device."""

    method: Method
    data: PreparedData
    folds: list[Fold]
    chosen: list[Fold]
    device: str
    threads: int

    def activate(self) -> None:
        """Set up this process, main or worker: device, threads, and what the config registers."""
        set_device(self.device)
        torch.set_num_threads(self.threads)
        import_modules_from_strings(**self.method.cfg.custom_imports)
        init_default_scope(self.method.cfg.default_scope)


def open_experiment(args: argparse.Namespace) -> Experiment:
    """Read the config and the prepared data; whatever is wrong with them is told before any training."""
    device = set_device(args.device)
    method = load_method(args.config, args.override, parse_options(args.cfg_options))
    roots, sources = data_places(method.cfg, args.data_root)
    data = open_prepared_data(roots, method.scheme, sources)
    name_dataset(method.cfg, data, [source['dataset'] for source in sources])
    fill_channels(method.cfg, data)
    folds = make_folds(data.annotations, method.cfg.folds)
    experiment = Experiment(method, data, folds, select_folds(folds, args.fold), device, args.threads)
    experiment.activate()
    return experiment


def name_dataset(cfg: Config, data: PreparedData, expected: list[str]) -> None:
    """Let `dataset` of every record be what was prepared: one other data set than the config's gives its own name."""
    found = [info['dataset'] for info in data.info.get('stores', [data.info])]
    if sorted(found) == sorted(expected):
        return
    if len(expected) > 1:
        raise InputError(
            f'expected prepared data of {", ".join(expected)}, found {", ".join(found)} in {", ".join(data.roots)}; '
            'correct --data-root or data_root of the config'
        )
    cfg.dataset = found[0]


def fill_channels(cfg: Config, data: PreparedData) -> None:
    """Give the backbone as many input channels as the store has; a config need not know them."""
    channels = len(data.channels)
    given = cfg.model.backbone.get('in_channels')
    if given not in (None, channels):
        raise InputError(
            f'model.backbone.in_channels is {given}, but the prepared data have {channels} channels '
            f'({", ".join(data.channels)}); leave this key out'
        )
    if channels != 3:  # the default of every backbone
        cfg.model.backbone.in_channels = channels


def default_work_dir(method: Method, seed: int) -> Path:
    """work_dirs/<config>/<method>/seed<N>."""
    return Path('work_dirs', method.config_name, method.name.replace('/', '_'), f'seed{seed}')
