"""What a stack of folds is trained on: the clips of all folds in memory, and the batches of each fold."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from mmaction.registry import DATASETS
from mmaction.structures import ActionDataSample
from mmengine.config import Config, ConfigDict
from mmengine.dataset import DefaultSampler

from mer_bench.clip_random import clip_keys
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.method import weights_places
from mer_bench.files import stamp_of
from mer_bench.protocols.folds import Fold
from mer_bench.training.fold import fold_config, steps_per_epoch
from mer_bench.training.fold_folder import folder_in_work
from mer_bench.training.runner import FoldRunner, build_runner


@dataclass(frozen=True)
class ResidentClips:
    """All clips of a run.

    Attributes:
        inputs: (N, C, T, H, W), on the device.
        labels: (N,) int64, on the device.
        keys: (N,) int32, see :func:`clip_keys`; on the device.
        samples: What MMAction2 knows of each clip.
        subjects: Of each clip.
        metainfo: Of the data set.
    """

    inputs: torch.Tensor
    labels: torch.Tensor
    keys: torch.Tensor
    samples: list[ActionDataSample]
    subjects: list[str]
    metainfo: dict

    def rows_of(self, subjects: Sequence[str]) -> torch.Tensor:
        """Return the (n,) int64 rows of the clips of these subjects, in the order of the data set."""
        chosen = {*subjects}
        return torch.tensor([row for row, subject in enumerate(self.subjects) if subject in chosen])


@dataclass(frozen=True)
class StackedFolds:
    """F folds with as many steps an epoch.

    Attributes:
        folds: The folds.
        cfgs: Their configs.
        runner: Runner of the first fold, with fresh weights; every fold starts from them, since all have the same seed.
        clips: The clips of all folds.
        train_rows: Rows of the training clips of each fold.
        moments: (F, 2, C), mean and deviation of each channel over them.
        class_weights: (F, K), of the loss.
    """

    folds: list[Fold]
    cfgs: list[Config]
    runner: FoldRunner
    clips: ResidentClips
    train_rows: list[torch.Tensor]
    moments: torch.Tensor
    class_weights: torch.Tensor

    @property
    def epochs(self) -> list[int]:
        """The epoch of each fold, counted from 1, whose weights are scored: the last one, or one that was chosen."""
        return [cfg.get('scored_epoch', self.runner.max_epochs) for cfg in self.cfgs]

    @property
    def clips_per_epoch(self) -> list[int]:
        """The number of clips that each fold is trained on in an epoch."""
        loader, lengths = self.cfgs[0].train_dataloader, [len(rows) for rows in self.train_rows]
        return [min(n, steps_per_epoch(n, loader) * loader.batch_size) for n in lengths]

    def part(self, first: int, end: int) -> 'StackedFolds':
        """Return the folds from `first` up to `end`."""
        names = ('folds', 'cfgs', 'train_rows', 'moments', 'class_weights')
        return replace(self, **{name: getattr(self, name)[first:end] for name in names})


def open_folds(
    experiment: Experiment,
    folds: list[Fold],
    seed: int,
    work_dir: Path,
    scratch: Path,
    dtype: torch.dtype = torch.float32,
) -> StackedFolds:
    """Build what a stack needs.

    Args:
        experiment: Method and data.
        folds: Some folds with as many steps an epoch.
        seed: Of the run.
        work_dir: The run folder.
        scratch: Where the runner of the first fold may write.
        dtype: Of weights and clips.
    """
    cfgs = [fold_config(experiment, fold, seed, folder_in_work(work_dir, fold)) for fold in folds]
    for cfg in cfgs:  # from the beginning, whatever another strategy left
        cfg.resume, cfg.load_from = False, experiment.method.cfg.get('load_from')
    runner, clips = open_shared(experiment, folds[0], cfgs[0], work_dir, scratch, dtype)
    device = next(runner.model.parameters()).device
    moments = [moments_of(cfg, clips.inputs.shape[1]) for cfg in cfgs]
    weights = [cfg.model.cls_head.get('loss_cls', {}).get('class_weight') for cfg in cfgs]
    weights = [[1.0] * len(cfg.classes) if own is None else own for own, cfg in zip(weights, cfgs, strict=True)]
    options = dict(dtype=dtype, device=device)
    rows = [clips.rows_of(fold.train_subjects) for fold in folds]
    return StackedFolds(
        folds, cfgs, runner, clips, rows, torch.tensor(moments, **options), torch.tensor(weights, **options)
    )


_shared: dict[tuple, tuple[FoldRunner, ResidentClips]] = {}  # of the last run of this process


def open_shared(
    experiment: Experiment, fold: Fold, cfg: Config, work_dir: Path, scratch: Path, dtype: torch.dtype
) -> tuple[FoldRunner, ResidentClips]:
    """Build the runner and read the clips once a process for all folds of a run with as many steps an epoch.

    A worker keeps them until its next run; another process calls :func:`forget_shared`. On a GPU, whose memory others
    need after a stack, nothing is kept.
    """
    n_train = int(experiment.data.annotations['subject'].isin(fold.train_subjects).sum())
    loader, digests = cfg.train_dataloader, (experiment.method.digest, str(experiment.data.digests))
    steps = steps_per_epoch(n_train, loader), loader.get('drop_last')
    weights = [stamp_of(Path(part[name])) for part, name in weights_places(experiment.method.cfg)]
    key = work_dir, *digests, *weights, cfg.randomness.seed, *steps, experiment.device, dtype
    if key not in _shared:
        _shared.clear()
        runner = build_fresh_runner(cfg, scratch, dtype)
        clips = read_clips(cfg, next(runner.model.parameters()).device, dtype)
        if experiment.device != 'cpu':
            return runner, clips
        _shared[key] = runner, clips
    return _shared[key]


def forget_shared() -> None:
    """Free what :func:`open_shared` keeps; networks whose code changes after a run in this process are built anew."""
    _shared.clear()


def build_fresh_runner(cfg: Config, scratch: Path, dtype: torch.dtype) -> FoldRunner:
    """Build the runner of a fold up to its first step."""
    cfg = copy.deepcopy(cfg)
    cfg.work_dir = str(scratch)
    runner = build_runner(cfg)
    runner._train_loop = runner.build_train_loop(runner._train_loop)  # the schedules need its length
    runner._init_model_weights()
    runner.load_or_resume()
    runner.model.to(dtype)
    torch.utils.deterministic.fill_uninitialized_memory = False  # with NaN: up to a tenth of the time of a step
    return runner


def read_clips(cfg: Config, device: torch.device, dtype: torch.dtype) -> ResidentClips:
    """Read the clips of all subjects through the data set of a fold's config."""
    dataset = DATASETS.build(dict(cfg.train_dataloader.dataset, subjects=None))
    loaded = [dataset[row] for row in range(len(dataset))]
    samples = [clip['data_samples'] for clip in loaded]
    return ResidentClips(
        inputs=torch.cat([clip['inputs'] for clip in loaded]).to(device, dtype),
        labels=torch.cat([sample.gt_label for sample in samples]).to(device),
        keys=clip_keys(sample.sample_id for sample in samples).to(device),
        samples=samples,
        subjects=[sample.subject for sample in samples],
        metainfo=dataset.metainfo,
    )


def moments_of(cfg: Config, channels: int) -> tuple[list[float], list[float]]:
    """Return mean and deviation of a fold's preprocessor; 0 and 1 if it does not normalise."""
    preprocessor = cfg.model.data_preprocessor
    if preprocessor.get('mean') is None:
        return [0.0] * channels, [1.0] * channels
    return list(preprocessor.mean), list(preprocessor.std)


@dataclass(frozen=True)
class Batch:
    """One step of every fold.

    Attributes:
        rows: (F, B) int64, which clips each fold takes.
        mask: (F, B) bool, which of them count: a fold with fewer clips repeats one. None: all.
    """

    rows: torch.Tensor
    mask: torch.Tensor | None = None


class FoldBatches:
    """The batches of F folds that have as many steps an epoch.

    Args:
        train_rows: Of each fold the (n,) int64 rows of its training clips, in the order of its data set.
        loader: The config of the training's loader.
        seed: Of the run.
        device: Where the rows are needed.
    """

    def __init__(self, train_rows: Sequence[torch.Tensor], loader: ConfigDict, seed: int, device: str = 'cpu') -> None:
        self.train_rows, self.seed, self.device = train_rows, seed, device
        self.batch_size, self.shuffle = loader.batch_size, loader.sampler.get('shuffle', True)
        (self.steps,) = {steps_per_epoch(len(rows), loader) for rows in train_rows}

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, counted from 0."""
        taken = self.orders(epoch)
        lengths = torch.tensor([len(rows) for rows in taken])
        padded = torch.nn.utils.rnn.pad_sequence(taken, batch_first=True)
        counts = torch.arange(padded.shape[1]) < lengths[:, None]
        padded = torch.where(counts, padded, padded[:, :1])  # with a training clip of the same fold
        padded, counts = (part.to(self.device, non_blocking=True) for part in (padded, counts))
        shortest = int(lengths.min())
        for start in range(0, self.steps * self.batch_size, self.batch_size):
            part = slice(start, start + self.batch_size)
            whole = padded[:, part].shape[1] + start <= shortest
            yield Batch(padded[:, part], None if whole else counts[:, part])

    def orders(self, epoch: int) -> list[torch.Tensor]:
        """Return the rows that each fold takes in an epoch, in their order, from MMEngine's sampler."""
        orders = {}
        for n_train in {*map(len, self.train_rows)}:
            sampler = DefaultSampler(range(n_train), shuffle=self.shuffle, seed=self.seed)
            sampler.set_epoch(epoch)
            orders[n_train] = torch.tensor([*sampler][: self.steps * self.batch_size])
        return [rows[orders[len(rows)]] for rows in self.train_rows]
