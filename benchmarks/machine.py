"""The machine of a benchmark: its parts, its peak speed, and the share of the peak that alternatives reach.

The peak is measured in the same run: products of large square matrices, and a copy of memory beyond any cache.
"""

import argparse
import math
import os
import re
import time
from collections.abc import Callable
from datetime import date
from statistics import median

import joblib
import psutil
import torch

from benchmarks.arguments import add_device, add_numbers
from mer_bench.experiment.precision import commit, mixed_precision, processor_flags, versions
from mer_bench.training.runner import DTYPES

HELP = 'the peak of the machine alone: matrix product and memory copy'
# these decide the speed of matrix products; fastest first
INSTRUCTIONS = ('amx_bf16', 'avx512_bf16', 'avx512f', 'avx2')
# large enough for full speed, small enough for a fraction of a second
SIDE = {'cpu': 1536, 'cuda': 8192}
COPIED = {'cpu': 2**27, 'cuda': 2**30}  # bytes of the source
ROUNDS = 5
SECONDS = 0.05  # of a round: a GPU is slow at first, and short products would measure their start


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    add_numbers(parser, threads=(1, 1, 'CPU threads of torch'))
    add_device(parser)


def measure(args: argparse.Namespace) -> dict:
    """Measure nothing: the tool adds machine and peak to every result."""
    return {'seconds': {}, 'ratios': {}}


def describe_machine(device: str = 'cpu') -> dict:
    """Return everything about the machine that affects the speed of a program.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``: where the benchmark ran.

    Returns:
        name: short; the GPU, or else the processor with its cores and best instructions, because hypervisors
        give different processors the same name; cpu (processor, cores that this process may use,
        cores_of_machine, instructions, best first); memory_gib; gpu (name, memory_gib, cuda) or None; versions (python
        and the libraries that compute); commit or None; date.
    """
    found = versions()
    best = [name for name in INSTRUCTIONS if name in processor_flags()]
    cpu = {
        'processor': found.pop('processor'),
        'cores': joblib.cpu_count(),
        'cores_of_machine': os.cpu_count(),
        'instructions': best or [torch.backends.cpu.get_cpu_capability().lower()],
    }
    gpu = None
    if device.startswith('cuda'):
        properties = torch.cuda.get_device_properties(device)
        memory = round(properties.total_memory / 2**30, 1)
        gpu = {'name': properties.name, 'memory_gib': memory, 'cuda': torch.version.cuda}
    return {
        'name': gpu['name'] if gpu else name_cpu(cpu),
        'device': device.partition(':')[0],
        'cpu': cpu,
        'memory_gib': round(psutil.virtual_memory().total / 2**30, 1),
        'gpu': gpu,
        'versions': found,
        'commit': commit(),
        'date': date.today().isoformat(),
    }


def name_cpu(cpu: dict) -> str:
    """Return `processor, cores, best instructions`."""
    cores = f'{cpu["cores"]} core{"s" * (cpu["cores"] != 1)}'
    return f'{cpu["processor"]}, {cores}, {cpu["instructions"][0].replace("_", "-")}'


def slug(name: str) -> str:
    """Return the name of a machine as the name of a folder."""
    return re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')


def measure_rates(threads: int, device: str) -> dict[str, list[float]]:
    """Time matrix products and copies in turns, after one untimed round.

    Args:
        threads: CPU threads of torch.
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Returns:
        {precision: FLOP/s of each round, for each that the hardware has}, and copy: bytes read and written a second.
    """
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    kind = device.partition(':')[0]
    side, copied = SIDE[kind], COPIED[kind]
    timed = {name: (2 * side**3, product(name, side, device)) for name, has in precisions(device).items() if has}
    source = torch.ones(copied // 4, device=device)
    target = torch.empty_like(source)
    timed['copy'] = (2 * copied, lambda: target.copy_(source))
    calls = {name: math.ceil(SECONDS / seconds_of(function, device)) for name, (_, function) in timed.items()}
    rates = {name: [] for name in timed}
    for _ in range(ROUNDS):
        for name, (work, function) in timed.items():
            rates[name].append(work * calls[name] / seconds_of(function, device, calls[name]))
    torch.set_num_threads(threads_before)
    if kind == 'cuda':
        del timed, source, target
        torch.cuda.empty_cache()  # other processes may need it
    return rates


def product(precision: str, side: int, device: str) -> Callable[[], object]:
    """Return a function that multiplies two square matrices."""
    dtype = torch.float64 if precision == 'fp64' else DTYPES.get(precision) or torch.float32
    a, b = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))

    def multiply() -> None:
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = precision == 'tf32'
        try:
            torch.mm(a, b)
        finally:
            torch.backends.cuda.matmul.allow_tf32 = before

    return multiply


def precisions(device: str) -> dict[str, bool]:
    """Return whether the hardware has instructions for matrix products in each precision.

    Torch also computes in bf16 without them, slowly.
    """
    has_bf16 = mixed_precision(device) == 'bf16'
    if device == 'cpu':
        return {'fp64': True, 'fp32': True, 'bf16': has_bf16}
    return {'fp32': True, 'tf32': has_bf16, 'fp16': True, 'bf16': has_bf16}  # tf32 came with bf16


def convolution_precision(precision: str, device: str) -> str:
    """Return the precision of torch's convolutions: for fp32 on recent GPUs this is tf32, unless it is turned off."""
    tf32 = precision == 'fp32' and precisions(device).get('tf32') and torch.backends.cudnn.allow_tf32
    return 'tf32' if tf32 else precision


def seconds_of(function: Callable[[], object], device: str, calls: int = 1) -> float:
    """Return the seconds of some calls, including the work they start on a GPU."""
    finish(device)
    start = time.perf_counter()
    for _ in range(calls):
        function()
    finish(device)
    return time.perf_counter() - start


def finish(device: str) -> None:
    """Wait until a GPU has done its work."""
    if device.startswith('cuda'):
        torch.cuda.synchronize(device)


def describe_peak(rates: list[dict[str, list[float]]], threads: int, device: str) -> dict:
    """Join the rounds that ran before and after a benchmark.

    Args:
        rates: Results of :func:`measure_rates`.

    Returns:
        threads, device, rounds; matrix {precision: median FLOP/s, None if the hardware has no such instructions};
        copy: median bytes read and written a second.
    """
    joined = {name: [rate for part in rates for rate in part[name]] for name in rates[0]}
    return {
        'threads': threads,
        'device': device,
        'rounds': len(joined['copy']),
        'matrix': {name: median(joined[name]) if name in joined else None for name in precisions(device)},
        'copy': median(joined['copy']),
    }


def shares(result: dict, peak: dict) -> dict:
    """Compare the work of alternatives with the peak.

    Args:
        result: seconds {alternative: median}; work {alternative: flops with precision, or bytes read and written}, if
            it can be counted.
        peak: See :func:`describe_peak`.

    Returns:
        {alternative: of (the name of the peak), rate (FLOP/s or bytes/s), share (1 is the peak; None if the hardware
        has no such instructions)}.
    """
    found = {}
    for name, work in result.get('work', {}).items():
        if 'flops' in work:
            of, most, done = f'{work["precision"]} matrix product', peak['matrix'][work['precision']], work['flops']
        else:
            of, most, done = 'copy', peak['copy'], work['bytes']
        rate = done / result['seconds'][name]
        found[name] = {'of': of, 'rate': rate, 'share': None if most is None else rate / most}
    return found
