"""One method on its prepared data: what a training, or a test of saved weights, opens first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.experiment.config_checks import (
    check_action_units,
    check_batches,
    check_mirroring,
    check_steps,
    fill_channels,
)
from mer_bench.experiment.method import Method, load_method, parse_options
from mer_bench.experiment.precision import PrecisionCheck, choose_device, choose_precision, refuse_device
from mer_bench.experiment.sources import check_variant, find_data, name_dataset, stamps_of
from mer_bench.loading.prepared_data import PreparedData, open_prepared_data, open_scheme, read_digests
from mer_bench.preparation.store.flow_store import Stamp
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


def open_experiment(options: RunOptions, mixed: str | None = None) -> Experiment:
    """Open and check the config and the prepared data, so that any fault shows before the first training.

    Args:
        options: What to open.
        mixed: As of :func:`choose_precision`; asking torch for it takes seconds.

    Raises:
        InputError: A fault in config, overrides, options or data.
    """
    refuse_device(options.device)
    method = load_method(options.config, options.overrides, parse_options(options.cfg_options))
    cfg = method.cfg
    if method.is_estimator and options.device != 'auto':
        choose_device(options.device)  # it computes on the CPU, but a device that does not exist is a mistake
    roots, sources = find_data(cfg, options.data_root)
    stamps = stamps_of(method.scheme.path, roots)  # taken before the data are read, so that no change goes unnoticed
    if open_scheme(cfg.label_scheme).digest != method.scheme.digest:  # the scheme was read before
        raise InputError(f'the label scheme {cfg.label_scheme} changed while it was read; run the same command again')
    data = open_prepared_data(roots, method.scheme, sources, cfg.get('input'), named=bool(options.data_root))
    check_variant(cfg.get('data_variant'), data.info)
    found = [info['dataset'] for info in data.info.get('stores', [data.info])]
    name_dataset(cfg, [source['dataset'] for source in sources], found)
    folds = make_folds(data.annotations, cfg.folds)
    chosen = select_folds(folds, options.folds)
    if method.is_estimator:
        check_steps(cfg)
        return Experiment(method, data, folds, chosen, 'cpu', options.threads, stamps=stamps)
    fill_channels(cfg, data.view.channels)
    check_mirroring(cfg, data.view.mirror_test, data.view.mirror_train)
    check_action_units(cfg, data.annotations, data.roots)
    check_batches(cfg, data.annotations, folds)
    device = choose_device(options.device)
    precision = choose_precision(cfg, device, mixed)
    return Experiment(method, data, folds, chosen, device, options.threads, precision, stamps=stamps)


def default_work_dir(method: Method, seed: int) -> Path:
    """work_dirs/<config>/<method>/seed<N>."""
    return Path('work_dirs', place_of(method.config_name, method.name, seed))
