"""Which device computes."""

import torch
from mmengine.device import utils

from mer_bench.errors import InputError


def set_device(name: str) -> str:
    """Make `name` (auto, cpu, cuda, cuda:N) the device of every Runner of this process; return `cpu` or `cuda`."""
    kind, _, number = name.partition(':')
    if kind not in ('auto', 'cpu', 'cuda') or (number and not (kind == 'cuda' and number.isdigit())):
        raise InputError(f'--device {name}: auto, cpu, cuda or cuda:N was expected')
    count = torch.cuda.device_count()
    if kind == 'cuda' and int(number or 0) >= count:
        raise InputError(f'--device {name}: torch sees {count} CUDA devices; use --device cpu or another number')
    device = 'cuda' if kind == 'cuda' or (kind == 'auto' and count) else 'cpu'
    if device == 'cuda':
        torch.cuda.set_device(int(number or 0))
    utils.DEVICE = device  # what mmengine found at import, and has no other way to change
    return device
