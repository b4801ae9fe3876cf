"""A stack against plain modules that are trained fold by fold in PyTorch's own words."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.dataset import DefaultSampler
from torch import nn

from mer_bench.clip_random import BatchDraws, set_draws
from mer_bench.loading.augmentation import augment_clips
from mer_bench.training.fold import balanced_weights
from mer_bench.training.stacking.data import open_folds
from mer_bench.training.stacking.train import FoldOptimWrapper, train_folds
from tests.training.stacking.stack_experiment import stack_experiment

EPOCHS, BATCH, LR, MAX_NORM = 2, 6, 1e-2, 0.5  # of the experiment
OPTIMISERS = dict(
    ststnet=lambda parameters: torch.optim.Adam(parameters, LR),
    rcn_f=lambda parameters: torch.optim.SGD(parameters, LR, momentum=0.9),
    one_hidden_layer=lambda parameters: torch.optim.AdamW(parameters, LR, weight_decay=0.1),
)


def train_plainly(model, experiment, clips, fold, optimiser):
    """Return the weights of a fold after a training with nn.BatchNorm, torch.optim and batches of the fold alone."""
    rows = clips.rows_of(fold.train_subjects)
    mean, std = (torch.tensor(part, dtype=torch.double) for part in experiment.data.normalisation(fold.train_subjects))
    weight = torch.tensor(balanced_weights(clips.labels[rows].numpy(), 3), dtype=torch.double)
    optimiser = optimiser(model.train().parameters())
    steps = -(-len(rows) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * steps, LR * 0.01)
    sampler = DefaultSampler(rows, seed=0)
    preprocessor = model.data_preprocessor
    for epoch in range(EPOCHS):
        sampler.set_epoch(epoch)
        for batch in rows[[*sampler]].split(BATCH):
            keys = clips.keys[batch]
            flow = augment_clips(clips.inputs[batch], keys, 0, epoch, preprocessor.channels, preprocessor.augmentation)
            set_draws(BatchDraws(keys, 0, epoch))
            inputs = (flow.double() - mean.view(-1, 1, 1, 1)) / std.view(-1, 1, 1, 1)
            loss = F.cross_entropy(model(inputs[:, None], stage='head'), clips.labels[batch], weight)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
            optimiser.step()
            schedule.step()
    set_draws(None)
    return model.state_dict()


@pytest.mark.parametrize('network', OPTIMISERS)
def test_every_fold_of_a_stack_gets_the_weights_of_a_training_alone(network, tmp_path):
    experiment = stack_experiment(tmp_path, network)
    stack = open_folds(experiment, experiment.folds, 0, tmp_path / 'run', tmp_path / 'scratch', torch.double)
    assert len({len(rows) for rows in stack.train_rows}) == 2  # some batches are padded
    together, _ = train_folds(stack, lambda epoch: None)
    for fold, weights in zip(stack.folds, together, strict=True):
        model = copy.deepcopy(stack.runner.model)
        start = copy.deepcopy(model.state_dict())
        alone = train_plainly(model, experiment, stack.clips, fold, OPTIMISERS[network])
        assert weights.keys() == alone.keys()
        for name, tensor in alone.items():
            torch.testing.assert_close(weights[name], tensor, rtol=0, atol=1e-8)
        assert (alone['cls_head.fc_cls.weight'] - start['cls_head.fc_cls.weight']).abs().max() > 1e-4


def test_each_fold_is_clipped_by_its_own_norm():
    grads = torch.randn(3, 4, 2) * torch.tensor([0.01, 1.0, 100.0]).view(3, 1, 1), torch.randn(3, 5)
    stacked = [nn.Parameter(torch.zeros_like(grad)) for grad in grads]
    wrapper = FoldOptimWrapper(torch.optim.SGD(stacked, lr=1.0), clip_grad=dict(max_norm=1.5))
    for parameter, grad in zip(stacked, grads, strict=True):
        parameter.grad = grad.clone()
    wrapper.step()
    for fold in range(3):
        alone = [nn.Parameter(torch.zeros_like(grad[fold])) for grad in grads]
        for parameter, grad in zip(alone, grads, strict=True):
            parameter.grad = grad[fold].clone()
        torch.nn.utils.clip_grad_norm_(alone, 1.5)
        for together, single in zip(stacked, alone, strict=True):
            torch.testing.assert_close(together[fold].detach(), -single.grad)
