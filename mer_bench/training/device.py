"""Sets up a process for its device, and a network for its precision and memory layout.

Precision and layout make a network faster, and change only the last digits.
"""

import logging
from collections.abc import Callable, Collection
from functools import wraps

import torch
from mmengine.device import utils
from mmengine.registry import init_default_scope
from mmengine.utils import import_modules_from_strings
from torch import nn

import mer_bench.registry  # noqa: F401
from mer_bench.errors import InputError
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.precision import choose_device
from mer_bench.processes import keep_freed_memory

DTYPES = {'fp32': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}
CUDA_BYTES = 600 * 2**20  # of a process, for its context and kernels


def activate(experiment: Experiment) -> None:
    """Set up this process, main or worker, to train the networks of an experiment.

    Raises:
        InputError: `custom_imports` or `default_scope` of the config cannot be used.
    """
    set_device(experiment.device)
    keep_freed_memory()
    logging.raiseExceptions = False  # on a full disk, whatever is written beside the log gives one clear error
    if experiment.device != 'cpu':
        limit_gpu_memory(experiment.gpu_share)
    torch.set_num_threads(experiment.threads)
    try:
        import_modules_from_strings(**experiment.method.cfg.custom_imports)
        init_default_scope(experiment.method.cfg.default_scope)
    except Exception as error:  # importing a user's module can raise anything
        raise InputError(f'custom_imports or default_scope: {error}; correct config or override') from error


def set_device(name: str) -> str:
    """Make `name` (auto, cpu, cuda, cuda:N) the device of this process's Runners; return it, with `auto` resolved."""
    device = choose_device(name)
    kind, _, number = device.partition(':')
    if number:
        torch.cuda.set_device(int(number))
    utils.DEVICE = kind  # mmengine finds it at import, and offers no other way to change it
    return device


def limit_gpu_memory(share: float) -> None:
    """Limit this process to its share of the GPU's memory, including what CUDA itself takes.

    A share of 1 lifts an earlier limit: workers stay for the next run.
    """
    memory = torch.cuda.mem_get_info()[1]
    fraction = max(share - CUDA_BYTES / memory, share / 2) if share < 1 else 1.0
    torch.cuda.set_per_process_memory_fraction(fraction)


def prefers_channels_last(model: nn.Module, device: str, precision: str) -> bool:
    """Return what `channels_last='auto'` means for a network: True for 3D convolutions without groups, if faster.

    On a CPU in fp32 it was 1.07 times faster for 3x16x112x112, but 0.8 times for 3x8x32x32. Convolutions in groups
    have no kernels of this layout and would be copied there and back.
    """
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv3d)]
    return bool(convolutions) and all(c.groups == 1 for c in convolutions) and (device != 'cpu' or precision != 'fp32')


def accelerate(model: nn.Module, precision: str, channels_last: str | bool, fp32_layers: Collection[str] = ()) -> None:
    """Let a recogniser compute in a precision and a memory layout, in training and in test; its state_dict is the same.

    Call it after the weights are drawn or loaded, since random numbers are drawn in the order of memory.

    Args:
        model: On its device.
        precision: fp32, bf16 or fp16: of convolutions and matrix products; norms, losses and weights stay in fp32.
        channels_last: True, False or 'auto', see :func:`prefers_channels_last`.
        fp32_layers: Names of the modules that always compute in fp32.
    """
    device = next(model.parameters()).device.type
    if channels_last == 'auto':
        channels_last = prefers_channels_last(model, device, precision)
    if channels_last:
        lay_channels_last(model, fp32_layers if device == 'cpu' else ())
    if DTYPES[precision] is None:
        return
    # in training and in test alike, so that a network is tested as it was trained
    model.forward = torch.autocast(device, DTYPES[precision])(model.forward)
    model.cls_head.register_forward_hook(logits_in_fp32)
    for name in fp32_layers:
        layer = model.get_submodule(name)
        layer.forward = in_fp32(layer.forward, device)


def in_fp32(forward: Callable, device: str) -> Callable:
    """Return the forward pass of a layer that computes in fp32, also under autocast.

    On a CPU it computes in contiguous memory, which is faster there, see :func:`prefers_channels_last`.
    """

    def as_fp32(value: object) -> object:
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            return value
        return value.float().contiguous() if device == 'cpu' else value.float()

    @wraps(forward)
    def computed(*args, **kwargs):
        args = [as_fp32(value) for value in args]
        kwargs = {name: as_fp32(value) for name, value in kwargs.items()}
        with torch.autocast(device, enabled=False):
            return forward(*args, **kwargs)

    return computed


def lay_channels_last(model: nn.Module, but: Collection[str] = ()) -> None:
    """Store the kernels of the 3D convolutions with channels last, except some; inputs and outputs follow them."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv3d) and name not in but:
            module.weight.data = module.weight.data.to(memory_format=torch.channels_last_3d)


def logits_in_fp32(head: nn.Module, inputs: tuple, logits: object) -> object:
    """A forward hook: MMAction2's heads compute their accuracy with NumPy, which has no bf16."""
    return logits.float() if isinstance(logits, torch.Tensor) else logits
