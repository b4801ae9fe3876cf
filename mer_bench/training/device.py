"""Which device computes."""

import torch
from mmengine.config import Config
from mmengine.device import utils

from mer_bench.errors import InputError


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


def uses_amp(cfg: Config, device: str) -> bool:
    """Say whether a training has mixed precision: by `amp` on a GPU, or by the wrapper that the config names."""
    wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
    return wrapper == 'AmpOptimWrapper' or (wrapper == 'OptimWrapper' and bool(cfg.get('amp')) and device != 'cpu')
