"""Which clips each fold of a stack takes at each step: the batches that MMEngine's loader gives every fold alone."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from mmengine.config import ConfigDict
from mmengine.dataset import DefaultSampler


@dataclass(frozen=True)
class Batch:
    """One step of every fold.

    Attributes:
        rows: (F, B) int64, which clips each fold takes.
        mask: (F, B) bool, which of them count: a fold with fewer clips repeats one. None: all.
    """

    rows: torch.Tensor
    mask: torch.Tensor | None = None


def steps_per_epoch(n_train: int, loader: ConfigDict) -> int:
    """Return the number of batches that a loader makes of an epoch."""
    share = n_train / loader.batch_size
    return math.floor(share) if loader.get('drop_last') else math.ceil(share)


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
