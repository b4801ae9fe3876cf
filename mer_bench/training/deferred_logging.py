"""Logging that does not wait for the GPU: numbers stay on the device until a line of the log needs them.

MMEngine reads every loss and the norm of the gradients in every step. Each reading waits until the device has done
the step, and the device then waits for the next one.
"""

import torch
from mmengine.hooks import RuntimeInfoHook
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import Runner


@OPTIM_WRAPPERS.register_module()
class LateLogOptimWrapper(OptimWrapper):
    """MMEngine's OptimWrapper, whose norm of the gradients is a tensor for :class:`LateLogHook`."""

    grad_norm: torch.Tensor | None = None

    def _clip_grad(self) -> None:
        parameters = [p for group in self.param_groups for p in group['params'] if p.grad is not None]
        if parameters:
            self.grad_norm = self.clip_func(parameters, **self.clip_grad_kwargs)  # None where values are clipped


class LateLogHook(RuntimeInfoHook):
    """MMEngine's RuntimeInfoHook, which hands on the numbers of many steps at once, before the log is written.

    Args:
        interval: Steps between lines of the log, as that of LoggerHook.
    """

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.steps = []

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: dict | None = None) -> None:
        """Keep the numbers of this step; hand all on where LoggerHook writes a line."""
        numbers = dict(outputs or {})
        if (norm := getattr(runner.optim_wrapper, 'grad_norm', None)) is not None:
            numbers['grad_norm'] = norm
        self.steps.append({name: torch.as_tensor(value).detach() for name, value in numbers.items()})
        if self.every_n_inner_iters(batch_idx, self.interval) or self.end_of_epoch(runner.train_dataloader, batch_idx):
            self.hand_on(runner)

    def hand_on(self, runner: Runner) -> None:
        """Read all numbers from the device at once."""
        numbers = [(name, value.float()) for step in self.steps for name, value in step.items()]
        values = torch.stack([value for _, value in numbers]).tolist() if numbers else ()
        for (name, _), value in zip(numbers, values, strict=True):
            runner.message_hub.update_scalar(f'train/{name}', value)
        self.steps = []
