"""Which device computes."""

import torch
from mmengine.device import utils

from mer_bench.errors import InputError

CUDA_BYTES = 600 * 2**20  # of a process, for its context and kernels


def set_device(name: str) -> str:
    """Make `name` (auto, cpu, cuda, cuda:N) the device of this process's Runners; return it, `auto` resolved."""
    kind, _, number = name.partition(':')
    if kind not in ('auto', 'cpu', 'cuda') or (number and not (kind == 'cuda' and number.isdigit())):
        raise InputError(f'--device {name}: auto, cpu, cuda or cuda:N was expected')
    count = torch.cuda.device_count()
    if kind == 'cuda' and int(number or 0) >= count:
        raise InputError(f'--device {name}: torch sees {count} CUDA devices; use --device cpu or another number')
    device = name if kind == 'cuda' else 'cuda' if kind == 'auto' and count else 'cpu'
    if number:
        torch.cuda.set_device(int(number))
    utils.DEVICE = device.partition(':')[0]  # what mmengine found at import, and has no other way to change
    return device


def limit_gpu_memory(share: float) -> None:
    """Let this process take no more than its share of the memory of the GPU, what CUDA itself takes included.

    A share of 1 lifts an earlier limit: workers stay for the next run.
    """
    memory = torch.cuda.mem_get_info()[1]
    fraction = max(share - CUDA_BYTES / memory, share / 2) if share < 1 else 1.0
    torch.cuda.set_per_process_memory_fraction(fraction)
