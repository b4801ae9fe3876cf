"""Trains a stack of folds: one step of all of them at a time, from clips in memory."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F

from mer_bench.loading.augment_clips import augment_clips
from mer_bench.models.clip_dropout import BatchDraws
from mer_bench.training.stacking.batches import Batch, FoldBatches
from mer_bench.training.stacking.data import StackedFolds
from mer_bench.training.stacking.network import SingleNetwork, StackedNetwork
from mer_bench.training.stacking.optimiser import build_optimiser, step_schedules

Network = SingleNetwork | StackedNetwork
Weights = dict[str, torch.Tensor]


def train_folds(stack: StackedFolds, report: Callable[[int], None]) -> tuple[list[Weights], torch.Tensor]:
    """Train all folds of a stack together; a single one as the plain module that it is.

    Args:
        stack: The folds.
        report: Called with the number of finished epochs.

    Returns:
        The weights of each fold, and the mean loss of each epoch and fold, (epochs, F).
    """
    network = build_network(stack)
    losses = []
    report(0)
    for epoch, steps in enumerate(training_epochs(stack, network), start=1):
        losses.append(torch.stack([*steps]).mean(0))
        report(epoch)
    return [network.state_of(fold) for fold in range(len(stack.folds))], torch.stack(losses).cpu()


def build_network(stack: StackedFolds) -> Network:
    """Return the network of the folds with the weights that they start from."""
    folds, model = len(stack.folds), stack.runner.model
    return SingleNetwork(model) if folds == 1 else StackedNetwork(model, folds)


def training_epochs(stack: StackedFolds, network: Network) -> Iterator[Iterator[torch.Tensor]]:
    """Yield for each epoch its steps, which are done one by one as they are asked for: the (F,) losses of each."""
    runner = stack.runner
    optimiser, schedules = build_optimiser(runner, network.weights, stacked=len(stack.folds) > 1)
    batches = FoldBatches(stack.train_rows, stack.cfgs[0].train_dataloader, runner.seed, stack.moments.device)

    def steps(epoch: int) -> Iterator[torch.Tensor]:
        draws = BatchDraws(stack.clips.keys, runner.seed, epoch, masks={})
        clips = clips_of_epoch(stack, epoch)
        for batch in batches.epoch(epoch):
            logits = network(clips, batch, stack.moments, draws)
            losses = fold_losses(logits, stack, batch)
            optimiser.update_params(losses.sum())
            step_schedules(schedules, by_epoch=False)
            yield losses.detach()
        step_schedules(schedules, by_epoch=True)

    return map(steps, range(runner.max_epochs))


def clips_of_epoch(stack: StackedFolds, epoch: int) -> torch.Tensor:
    """Return all clips as an epoch sees them: augmentation belongs to the clip, and is the same for every fold."""
    preprocessor, clips = stack.runner.model.data_preprocessor, stack.clips
    if not preprocessor.augmentation.moves:
        return clips.inputs
    augmented = augment_clips(
        clips.inputs, clips.keys.cpu(), stack.runner.seed, epoch, preprocessor.channels, preprocessor.augmentation
    )
    return augmented.to(clips.inputs.dtype)


def fold_losses(logits: torch.Tensor, stack: StackedFolds, batch: Batch) -> torch.Tensor:
    """Return the weighted cross-entropy of each fold over the clips of its batch that count, (F,)."""
    labels = stack.clips.labels[batch.rows]
    terms = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction='none').view(labels.shape)
    weights = stack.class_weights.gather(1, labels)
    if batch.mask is not None:
        weights = weights * batch.mask
    return (terms * weights).sum(1) / weights.sum(1) * stack.runner.model.cls_head.loss_cls.loss_weight
