"""The optimiser and the schedules of a stack: those of a fold's config, on the weights of all folds."""

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, _ParamScheduler, build_optim_wrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

from mer_bench.training.runner import FoldRunner

# they change every weight by itself, so that those of several folds may stand in one tensor
ELEMENTWISE = ('SGD', 'Adam', 'AdamW', 'Adamax', 'NAdam', 'RAdam', 'RMSprop', 'Adagrad', 'Adadelta', 'Rprop', 'ASGD')


@OPTIM_WRAPPERS.register_module()
class FoldOptimWrapper(OptimWrapper):
    """Clips the gradient of each fold by its own norm; the first dimension of every parameter is the fold."""

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
    cfg.type = 'FoldOptimWrapper' if stacked else 'OptimWrapper'
    runner.optim_wrapper = build_optim_wrapper(weights, cfg)
    return runner.optim_wrapper, runner.build_param_scheduler(runner.cfg.get('param_scheduler') or [])


def step_schedules(schedules: list[_ParamScheduler], by_epoch: bool) -> None:
    """Step the schedules of iterations or those of epochs, as MMEngine's ParamSchedulerHook does."""
    for schedule in schedules:
        if schedule.by_epoch == by_epoch:
            schedule.step()
