"""Trains a stack of folds: one step of all of them at a time, from clips in memory."""

from collections.abc import Callable, Iterator

import pandas as pd
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import OptimWrapper, _ParamScheduler, build_optim_wrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

from mer_bench.clip_random import BatchDraws
from mer_bench.evaluation.curves import curves_table
from mer_bench.loading.augmentation import augment_clips
from mer_bench.training.fold import fuse_optimizer
from mer_bench.training.runner import FoldRunner
from mer_bench.training.stacking.data import Batch, FoldBatches, StackedFolds
from mer_bench.training.stacking.network import SingleNetwork, StackedNetwork

# they update every weight independently, so those of several folds can share one tensor
ELEMENTWISE = ('SGD', 'Adam', 'AdamW', 'Adamax', 'NAdam', 'RAdam', 'RMSprop', 'Adagrad', 'Adadelta', 'Rprop', 'ASGD')
Network = SingleNetwork | StackedNetwork
Weights = dict[str, torch.Tensor]


def train_folds(
    stack: StackedFolds, report: Callable[[int], None], audit: Callable[[int, list[Weights]], None] | None = None
) -> tuple[list[Weights], list[pd.DataFrame]]:
    """Train all folds of a stack together, or a single one as a plain module.

    Args:
        stack: The folds.
        report: Called with the number of finished epochs.
        audit: Called after every epoch with its number, counted from 0, and the weights of each fold.

    Returns:
        The weights of each fold after the epoch that is scored, and its learning curves up to there.
    """
    network = build_network(stack)
    losses, rates, right, scored = [], [], [], {}
    report(0)
    for epoch, steps in enumerate(training_epochs(stack, network), start=1):
        of_steps, right_of_steps, lr = zip(*steps, strict=True)
        losses.append(torch.stack(of_steps).mean(0))
        right.append(torch.stack(right_of_steps).sum(0))
        rates.append(lr[-1])
        if audit:
            audit(epoch - 1, [network.state_of(fold) for fold in range(len(stack.folds))])
        for fold, last in enumerate(stack.epochs):
            if epoch == last:
                scored[fold] = {name: tensor.clone() for name, tensor in network.state_of(fold).items()}
        report(epoch)
    losses, right = torch.stack(losses).cpu(), torch.stack(right).cpu().double() / torch.tensor(stack.clips_per_epoch)
    curves = [
        curves_table(losses[:last, fold], rates[:last], right[:last, fold]) for fold, last in enumerate(stack.epochs)
    ]
    return [scored[fold] for fold in range(len(stack.folds))], curves


def build_network(stack: StackedFolds) -> Network:
    """Return the network of the folds with their first weights."""
    folds, model, clips = len(stack.folds), stack.runner.model, stack.clips
    if folds > 1:
        return StackedNetwork(model, folds)
    network = SingleNetwork(model)
    if clips.inputs.device.type == 'cpu':
        draws = BatchDraws(clips.keys, stack.runner.seed, epoch=0)
        network.lay_channels_last(clips.inputs, stack.train_rows[0][:2], stack.moments[0], draws)
    return network


def training_epochs(stack: StackedFolds, network: Network) -> Iterator[Iterator[tuple]]:
    """Yield an iterator over the steps of each epoch; each step is done when asked for.

    A step gives its (F,) losses, how many clips of each fold it had right, (F,), and its learning rate.

    The last epoch is the last that is scored of any fold; the schedules are those of the whole training.
    """
    runner = stack.runner
    optimiser, schedules = build_optimiser(runner, network.weights, stacked=len(stack.folds) > 1)
    batches = FoldBatches(stack.train_rows, stack.cfgs[0].train_dataloader, runner.seed, stack.moments.device)

    def steps(epoch: int) -> Iterator[tuple]:
        draws = BatchDraws(stack.clips.keys, runner.seed, epoch, masks={})
        clips = clips_of_epoch(stack, epoch)
        for batch in batches.epoch(epoch):
            logits = network(clips, batch, stack.moments, draws)
            losses, right = fold_losses(logits, stack, batch)
            (lr, *_) = optimiser.get_lr()['lr']
            optimiser.update_params(losses.sum())
            step_schedules(schedules, by_epoch=False)
            yield losses.detach(), right, lr
        step_schedules(schedules, by_epoch=True)

    return map(steps, range(max(stack.epochs)))


def clips_of_epoch(stack: StackedFolds, epoch: int) -> torch.Tensor:
    """Return all clips, augmented for an epoch; augmentation belongs to the clip, so all folds see the same."""
    preprocessor, clips = stack.runner.model.data_preprocessor, stack.clips
    if not preprocessor.augmentation.moves:
        return clips.inputs
    augmented = augment_clips(
        clips.inputs, clips.keys.cpu(), stack.runner.seed, epoch, preprocessor.channels, preprocessor.augmentation
    )
    return augmented.to(clips.inputs.dtype)


def fold_losses(logits: torch.Tensor, stack: StackedFolds, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return, each (F,), the weighted cross-entropy of the folds over the clips that count, and how many are right."""
    labels = stack.clips.labels[batch.rows]
    terms = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction='none').view(labels.shape)
    weights, right = stack.class_weights.gather(1, labels), logits.detach().argmax(-1) == labels
    if batch.mask is not None:
        weights, right = weights * batch.mask, right & batch.mask
    loss_weight = stack.runner.model.cls_head.loss_cls.loss_weight
    return (terms * weights).sum(1) / weights.sum(1) * loss_weight, right.sum(1)


@OPTIM_WRAPPERS.register_module()
class FoldOptimWrapper(OptimWrapper):
    """Clips the gradients of each fold by their own norm; the first dimension of every parameter is the fold."""

    def _clip_grad(self) -> None:
        if self.clip_func is not torch.nn.utils.clip_grad_norm_:  # of single values
            super()._clip_grad()
            return
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group['params']]
        grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
        kind = float(self.clip_grad_kwargs.get('norm_type', 2.0))
        norms = torch.stack([torch.linalg.vector_norm(grad.flatten(1), kind, dim=1) for grad in grads])
        total = torch.linalg.vector_norm(norms, kind, dim=0)
        # as torch.nn.utils.clip_grad_norm_
        shares = (self.clip_grad_kwargs['max_norm'] / (total + 1e-6)).clamp(max=1.0)
        for grad in grads:
            grad.mul_(shares.view(-1, *[1] * (grad.dim() - 1)))


def build_optimiser(
    runner: FoldRunner, weights: nn.Module, stacked: bool
) -> tuple[OptimWrapper, list[_ParamScheduler]]:
    """Build the optimiser of the runner's config for other weights, and its schedules."""
    cfg = Config(dict(optim_wrapper=runner.cfg.optim_wrapper.to_dict())).optim_wrapper
    cfg.type = 'FoldOptimWrapper' if stacked else 'DeferredLogOptimWrapper'
    fuse_optimizer(cfg.optimizer, ('Adam', 'AdamW'))
    runner.optim_wrapper = build_optim_wrapper(weights, cfg)
    return runner.optim_wrapper, runner.build_param_scheduler(runner.cfg.get('param_scheduler') or [])


def step_schedules(schedules: list[_ParamScheduler], by_epoch: bool) -> None:
    """Step the schedules of iterations or those of epochs, as MMEngine's ParamSchedulerHook does."""
    for schedule in schedules:
        if schedule.by_epoch == by_epoch:
            schedule.step()
