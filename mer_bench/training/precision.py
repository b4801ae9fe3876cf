"""In which precision a network computes: bf16 where the hardware has instructions for it."""

import os
from pathlib import Path

import torch
from mmengine.config import Config

from mer_bench.errors import InputError

DTYPES = {'fp32': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}
BF16_FLAGS = {'avx512_bf16', 'amx_bf16'}
# the values of ONEDNN_MAX_CPU_ISA below AVX512_CORE_BF16, in any case of letters; oneDNN ignores names it does not know
# https://uxlfoundation.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html
WITHOUT_BF16 = {'SSE41', 'AVX', 'AVX2', 'AVX2_VNNI', 'AVX2_VNNI_2', 'AVX512_CORE', 'AVX512_CORE_VNNI'}
AMPERE = 8  # major compute capability of the first CUDA devices with bf16


def choose_precision(cfg: Config, device: str, mixed: str | None = None) -> str:
    """Return fp32, bf16 or fp16 for `amp` of the config: 'auto' where the hardware is fast in it, True, or False.

    Args:
        cfg: Of the method.
        device: Of the training.
        mixed: What :func:`mixed_precision` says of that device, where it is one of another machine.

    Raises:
        InputError: amp=True on a processor that could only imitate bf16, many times slower than fp32.
    """
    wrapper = cfg.optim_wrapper
    if wrapper.get('type') == 'AmpOptimWrapper':  # a config may ask for MMEngine's own, in its words
        return {'bfloat16': 'bf16', 'float32': 'fp32'}.get(wrapper.get('dtype'), 'fp16')
    amp = cfg.get('amp', False)
    precision = (mixed or mixed_precision(device)) if amp else 'fp32'
    if amp is True and precision == 'fp32':
        raise InputError("amp=True: this processor has no instructions for bf16; use amp='auto', or amp=False")
    return precision


def mixed_precision(device: str) -> str:
    """Return the precision for which a device (cpu, cuda, cuda:N) has instructions beside fp32; fp32 if none."""
    if device == 'cpu':
        return 'bf16' if BF16_FLAGS & processor_flags() and torch.backends.mkldnn.is_available() else 'fp32'
    return 'bf16' if torch.cuda.get_device_capability(device)[0] >= AMPERE else 'fp16'


def processor_flags() -> set[str]:
    """The instruction sets of the processor, as Linux names them, but the hidden ones; none are known elsewhere."""
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    flags = next(({*line.partition(':')[2].split()} for line in lines if line.startswith('flags')), set())
    return flags - hidden_flags()


def hidden_flags() -> set[str]:
    """The instruction sets that ONEDNN_MAX_CPU_ISA hides, here as in oneDNN, which computes the convolutions of torch.

    AVX512_CORE and all below it hide those for bf16. DNNL_MAX_CPU_ISA is the older name of this environment variable.
    """
    limit = os.environ.get('ONEDNN_MAX_CPU_ISA') or os.environ.get('DNNL_MAX_CPU_ISA', '')
    return BF16_FLAGS if limit.upper() in WITHOUT_BF16 else set()
