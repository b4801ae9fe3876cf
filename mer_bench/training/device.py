"""Sets up a process, main or worker, for its device."""

import logging

import torch
from mmengine.device import utils
from mmengine.registry import init_default_scope
from mmengine.utils import import_modules_from_strings

import mer_bench.registry  # noqa: F401
from mer_bench.errors import InputError
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.precision import choose_device
from mer_bench.processes import keep_freed_memory

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
