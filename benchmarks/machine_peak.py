"""What the machine does at most: matrix products and copies, measured in the run that is compared with them."""

import argparse
import math
import time
from collections.abc import Callable
from statistics import median

import torch
from rich.table import Table

from benchmarks.formats import format_rate, plural
from mer_bench.errors import InputError
from mer_bench.experiment.precision import mixed_precision
from mer_bench.training.device import DTYPES

HELP = "the machine's peak alone: matrix product and memory copy"
# large enough for the full speed, small enough for a fraction of a second
SIDE = {'cpu': 1536, 'cuda': 8192}
COPIED = {'cpu': 2**27, 'cuda': 2**30}  # bytes of the source, beyond any cache
ROUNDS = 5
SECONDS = 0.05  # of a round: a GPU is slow at first, and short products would measure their start


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    parser.add_argument('--threads', type=int, default=1, help='CPU threads of torch (default: %(default)s)')
    parser.add_argument('--device', default='cpu', help='cpu, cuda or cuda:N (default: %(default)s)')


def measure(args: argparse.Namespace) -> dict:
    """The settings alone: the tool adds machine and peak to every result."""
    return {'settings': {'threads': args.threads, 'device': args.device}, 'seconds': {}, 'ratios': {}}


def table(result: dict) -> Table:
    """The peak of a result for the screen."""
    peak = result['peak']
    where = peak['device'] if peak['device'] != 'cpu' else plural(peak['threads'], 'thread')
    shown = Table('peak', title=f'{result["machine"]["name"]}, {where}')
    shown.add_column('median', justify='right')
    for name, rate in peak['matrix'].items():
        shown.add_row(f'matrix product, {name}', format_rate(rate, name) if rate else 'no such instructions')
    shown.add_row('copy, read + written', format_rate(peak['copy'], 'copy'))
    return shown


def measure_rates(
    threads: int, device: str, rounds: int = ROUNDS, side: int | None = None, copied: int | None = None
) -> dict[str, list[float]]:
    """Time matrix products and copies, in turns after one untimed round.

    Args:
        threads: CPU threads of torch.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        side: Rows and columns of the matrices; by default of SIDE.
        copied: Bytes of the source of a copy; by default of COPIED.

    Returns:
        {precision: FLOP/s of each round, for each that the hardware has}, and copy: bytes read and written a second.
    """
    if threads < 1:
        raise InputError(f'expected threads of at least 1, got {threads}; raise it')
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    kind = device.partition(':')[0]
    side, copied = side or SIDE[kind], copied or COPIED[kind]
    timed = {name: (2 * side**3, product(name, side, device)) for name, has in precisions(device).items() if has}
    source = torch.ones(copied // 4, device=device)
    target = torch.empty_like(source)
    timed['copy'] = (2 * copied, lambda: target.copy_(source))
    calls = {name: math.ceil(SECONDS / seconds_of(function, device)) for name, (_, function) in timed.items()}
    rates = {name: [] for name in timed}
    for _ in range(rounds):
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
    """Say of each precision whether the hardware has instructions for its matrix products.

    Torch computes in bf16 without them too, slowly.
    """
    has_bf16 = mixed_precision(device) == 'bf16'
    if device == 'cpu':
        return {'fp64': True, 'fp32': True, 'bf16': has_bf16}
    return {'fp32': True, 'tf32': has_bf16, 'fp16': True, 'bf16': has_bf16}  # tf32 came with bf16


def seconds_of(function: Callable[[], object], device: str, calls: int = 1) -> float:
    """Return the seconds of some calls, with the work that they leave on a GPU."""
    finish(device)
    start = time.perf_counter()
    for _ in range(calls):
        function()
    finish(device)
    return time.perf_counter() - start


def finish(device: str) -> None:
    """Wait for what a GPU was given to do."""
    if device.startswith('cuda'):
        torch.cuda.synchronize(device)


def describe_peak(rates: list[dict[str, list[float]]], threads: int, device: str) -> dict:
    """Join the rounds that ran before and after a benchmark.

    Args:
        rates: What :func:`measure_rates` returned each time.

    Returns:
        threads, device, rounds; matrix {precision: median FLOP/s, None where the hardware has no such instructions};
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
