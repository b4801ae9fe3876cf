"""The optional compiled kernel of STSTNet, and whether all of a training is what it computes.

Nothing but the table of kernels in stacking/strategy.py knows this folder, so it can be deleted with that entry.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from mer_bench.experiment.experiment import Experiment
from mer_bench.training.stacking.data import FoldBatches, StackedFolds
from mer_bench.training.stacking.ststnet.kernel import FoldState, train_fold, unavailable, unfit

__all__ = ['train', 'unavailable', 'why_not']

EPOCHS_AT_A_TIME = 10
SHAPE = (3, 1, 28, 28)
ADAM_OPTIONS = {'lr', 'betas', 'eps', 'weight_decay'}


def why_not(experiment: Experiment, model: nn.Module) -> str | None:
    """Return why the kernel cannot train a method that can be stacked, or None if it can."""
    wrapper = experiment.method.cfg.optim_wrapper
    if experiment.device != 'cpu':
        return 'the kernel is for a CPU'
    if tuple(experiment.data.shape) != SHAPE:
        return 'the kernel is for one picture of 3x28x28'
    if model.data_preprocessor.augmentation.moves:
        return 'the kernel does not augment'
    options = {*wrapper.optimizer} - {'type'}
    if wrapper.optimizer.type != 'Adam' or not options <= ADAM_OPTIONS or {*wrapper} - {'type', 'optimizer'}:
        return 'the kernel is for a plain Adam'
    if experiment.method.cfg.get('param_scheduler'):
        return 'the kernel is for a constant learning rate'
    return unfit(model) or unavailable()


def train(
    stack: StackedFolds, report: Callable[[int], None], audit: Callable[[int, list[dict]], None] | None = None
) -> tuple[list[dict], torch.Tensor]:
    """Train a single fold; as :func:`train_folds`."""
    cfg, runner, clips = stack.cfgs[0], stack.runner, stack.clips
    batches = FoldBatches(stack.train_rows, cfg.train_dataloader, runner.seed)
    state = FoldState.from_state_dict(runner.model.state_dict())
    mean, std = stack.moments[0].tolist()
    adam = dict(lr=1e-3) | {key: value for key, value in cfg.optim_wrapper.optimizer.items() if key in ADAM_OPTIONS}
    losses = []
    report(0)
    at_a_time = 1 if audit else EPOCHS_AT_A_TIME
    for first in range(0, runner.max_epochs, at_a_time):
        epochs = range(first, min(first + at_a_time, runner.max_epochs))
        step_losses = train_fold(
            clips.inputs,
            clips.labels,
            clips.keys,
            np.stack([batches.orders(epoch)[0] for epoch in epochs]),
            state,
            mean=mean,
            std=std,
            seed=runner.seed,
            first_epoch=first,
            batch_size=batches.batch_size,
            dropout_ratio=runner.model.backbone.streams[0][-1].p,
            class_weight=stack.class_weights[0].tolist(),
            **adam,
        )
        losses.append(torch.from_numpy(step_losses).mean(1, keepdim=True))
        if audit:
            audit(first, [state.state_dict()])
        report(epochs.stop)
    return [state.state_dict()], torch.cat(losses)
