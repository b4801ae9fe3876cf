"""What matters on a GPU, in under eight minutes: the full model as a CUDA graph, stacked STSTNet, and a whole LOSO run.

Each part runs in a process of its own with its own limit of seconds: one that fails or takes too long leaves the
results of the others. The parts are the functions of the benchmarks model, loso and full-loso.
"""

import argparse
import copy
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import torch

from benchmarks.full_loso_cost import CONFIG, run_once
from benchmarks.loso_cost import PLAIN, SIZES, Task, count_work, opened, run_plainly, run_stacks
from benchmarks.machine import convolution_precision, seconds_of
from benchmarks.model_cost import CONFIG as MODEL
from benchmarks.model_cost import build_models, checked, count, training_step
from benchmarks.random_store import write_random_store
from mer_bench.errors import InputError, in_one_line
from mer_bench.experiment.precision import mixed_precision
from mer_bench.files import read_json, write_json
from mer_bench.training.cuda_graph import GraphedFeatures
from mer_bench.training.device import set_device
from mer_bench.training.runner import accelerate
from mer_bench.training.stacking.timing import interleave, pair_ratios

HELP = 'on a GPU, in under 8 minutes: the full model as a CUDA graph and over all folds, and stacked STSTNet'
SECONDS = 450  # of all parts; with the peak of the machine less than 8 minutes
PREPARED = 4  # steps that capture or compile, before any is timed
WORDS = {
    'full_captured': 'backbone and neck as a CUDA graph (cuda_graph=True)',
    'full_tuned': 'the same with kernels timed by cuDNN (env_cfg.cudnn_benchmark=True)',
    'full_compiled': "backbone and neck compiled by torch, mode='reduce-overhead'",
}


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        batch, clip_len, size: Of a step of the full model.
        rounds: Timed steps.
        folds, epochs: Of stacked STSTNet.
        plain_folds, plain_epochs: Of the plain loop, whose seconds are scaled.
        clips, subjects, full_epochs: Of the LOSO run of the full model.
    """

    batch: int = 16
    clip_len: int = 16
    size: int = 112
    rounds: int = 20
    folds: int = 68
    epochs: int = 800
    plain_folds: int = 4
    plain_epochs: int = 50
    clips: int = 164
    subjects: int = 16
    full_epochs: int = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    parser.add_argument('--device', default='cuda', help='cuda (default) or cuda:N')


def measure(args: argparse.Namespace) -> dict:
    """Measure every part of :data:`PARTS`, as far as its seconds last.

    Returns:
        seconds: of a step of the full model (full_plain and those of WORDS), of an epoch of a fold of STSTNet
        (plain_loop, stacked), and of the LOSO run (loso_run); ratios; work; notes; against; missing {part: why}.
    """
    if args.device == 'cpu':
        raise InputError('the benchmark gpu expected a GPU, got --device cpu; leave --device out where there is one')
    with TemporaryDirectory() as folder:
        return measure_parts(args.device, Sizes(), Path(folder), in_a_process)


def measure_parts(device: str, sizes: Sizes, folder: Path, run: Callable[..., dict]) -> dict:
    """Run the parts by `run`, see :func:`in_a_process`, and join their results."""
    result = {key: {} for key in ('seconds', 'ratios', 'work', 'against', 'missing')} | {'notes': []}
    end = time.monotonic() + SECONDS
    for name, (part, limit) in PARTS.items():
        place = folder / name
        place.mkdir()
        try:
            found = run(part, device, sizes, place, min(limit, end - time.monotonic()))
        except RuntimeError as error:
            found = {'missing': {name: in_one_line(error)}}
        for key, value in found.items():
            result[key] = result[key] + value if key == 'notes' else result[key] | value
    return result


def in_a_process(part: Callable[..., dict], device: str, sizes: Sizes, folder: Path, limit: float) -> dict:
    """Return the result of a part, which ends after `limit` seconds, its start included.

    Raises:
        RuntimeError: It failed, or took longer and left nothing to count.
    """
    process = get_context('spawn').Process(target=leave_result, args=(part, device, sizes, folder))
    process.start()
    process.join(limit)
    if late := process.is_alive():
        process.kill()
        process.join()
    if (path := folder / 'result.json').exists():
        return read_json(path, 'run the benchmark again')
    if late and part is loso_run:
        return folds_so_far(sizes, folder)
    raise RuntimeError(f'it took longer than {limit:.0f} s' if late else f'its process ended with {process.exitcode}')


def leave_result(part: Callable[..., dict], device: str, sizes: Sizes, folder: Path) -> None:
    """Write the result of a part as JSON; whatever it prints is not part of the result of the benchmark."""
    set_device(device)
    torch.set_num_threads(1)  # as a training
    try:
        with redirect_stdout(sys.stderr):
            result = part(device, sizes, folder)
    except Exception as error:
        reason = f'{type(error).__name__}: {in_one_line(error)}'
        result = {'missing': {part.__name__: reason}}
    write_json(folder / 'result.json', result)


def full_captured(device: str, sizes: Sizes, folder: Path) -> dict:
    """A step of the full model: each kernel launched alone, a CUDA graph, and one of kernels that cuDNN timed."""
    return against_plain({'full_captured': capture, 'full_tuned': capture}, device, sizes)


def full_compiled(device: str, sizes: Sizes, folder: Path) -> dict:
    """A step of the full model compiled by torch, which trainings do not use."""
    result = against_plain({'full_compiled': compile_parts}, device, sizes)
    for key in ('seconds', 'work'):
        del result[key]['full_plain']  # that of the first part stands
    return result


def capture(model: torch.nn.Module) -> list[str]:
    """Let the first steps capture a graph; return the list that they write about it to."""
    lines = []
    model.extract_feat = GraphedFeatures(model, lines.append)
    return lines


def compile_parts(model: torch.nn.Module) -> list[str]:
    """Let the first steps compile backbone and neck."""
    model.backbone.compile(mode='reduce-overhead')
    model.neck.compile(mode='reduce-overhead')
    return []


def against_plain(changes: dict[str, Callable[[torch.nn.Module], list[str]]], device: str, sizes: Sizes) -> dict:
    """Time forward and backward of the full model, plain and changed, in turns."""
    precision, shape = mixed_precision(device), (3, sizes.clip_len, sizes.size, sizes.size)
    plain = next(iter(build_models(MODEL).values())).to(device)
    cost, check = count(plain, shape), checked(plain, shape, precision, 'auto')
    networks = {name: copy.deepcopy(plain) for name in ('full_plain', *changes)}
    for network in networks.values():
        accelerate(network, precision if check['right'] else 'fp32', 'auto', check['fp32_layers'])
    clips = torch.randn(sizes.batch, 1, *shape, device=device)
    steps = {name: training_step(network, clips) for name, network in networks.items()}
    notes, missing = [], {}
    for name, change in changes.items():
        torch.backends.cudnn.benchmark = name == 'full_tuned'  # a graph keeps the kernels that it was captured with
        lines = change(networks[name])
        for _ in range(PREPARED):
            steps[name]()
        torch.backends.cudnn.benchmark = False
        if lines and lines[0].startswith('no CUDA graph'):
            missing[name] = lines.pop()
            del steps[name]
        notes += [f'{name}: {line}' for line in lines]
    seconds = interleave(steps, sizes.rounds)
    for name in steps:
        if isinstance(features := networks[name].extract_feat, GraphedFeatures):
            notes.append(f'{name}: {features.replays} of {PREPARED + sizes.rounds + 1} steps were replayed')
    work = {'flops': sizes.batch * cost['flops_step'], 'precision': convolution_precision(precision, device)}
    ratios = {name: pair_ratios(seconds['full_plain'], seconds[name]) for name in changes if name in steps}
    return {
        'seconds': {name: median(values) for name, values in seconds.items()},
        'ratios': ratios,
        'work': dict.fromkeys(steps, work),
        'against': {name: f'the full model with each kernel launched alone, over {WORDS[name]}' for name in ratios},
        'notes': notes,
        'missing': missing,
    }


def stacked(device: str, sizes: Sizes, folder: Path) -> dict:
    """An epoch of a fold of STSTNet in the plain loop, and with all folds stacked, their tests included."""
    amounts = {'plain_loop': (sizes.plain_folds, sizes.plain_epochs), 'stacked': (sizes.folds, sizes.epochs)}
    seconds = {}
    for name, (folds, epochs) in amounts.items():
        root = write_random_store(folder / name / 'smic', sum(SIZES), len(SIZES), 1, 28, SIZES)
        task = Task(str(root), 'ststnet', folds, epochs, device, folds)
        opened(task)  # once for all folds, so not timed
        if name == 'plain_loop':
            run_plainly(task, 1)  # untimed: the first kernels of a process are slow
        run = partial(run_plainly, task, 1) if name == 'plain_loop' else partial(run_stacks, task, name, 0, folds)
        seconds[name] = seconds_of(run, device)
    each = {name: value / (amounts[name][0] * amounts[name][1]) for name, value in seconds.items()}
    looped = f'{PLAIN} on one thread, {sizes.plain_folds} folds of {sizes.plain_epochs} epochs'
    whole = f'{sizes.folds} folds of {sizes.epochs} epochs'
    return {
        'seconds': each,
        'ratios': {'stacked': pair_ratios([each['plain_loop']], [each['stacked']])},
        'work': {'stacked': count_work(task)},
        'against': {'stacked': f'{looped}, over {whole} stacked, an epoch of a fold each'},
        'notes': [
            f'STSTNet, {whole}: {seconds["stacked"]:.1f} s stacked with their tests; the plain loop would take '
            f'{each["plain_loop"] * sizes.folds * sizes.epochs:.0f} s, scaled from {seconds["plain_loop"]:.1f} s'
        ],
    }


def loso_run(device: str, sizes: Sizes, folder: Path) -> dict:
    """The LOSO run of the full model, from opening the data to the scored record."""
    data = write_random_store(folder / 'data', sizes.clips, sizes.subjects, sizes.clip_len, sizes.size)
    options = {'cuda_graph': True}
    args = SimpleNamespace(
        config=CONFIG, override=[], epochs=sizes.full_epochs, threads=1, device=device, cfg_options=options
    )
    (folder / 'begun').touch()
    return described_run(sizes, run_once(args, data, folder / 'run', 1), sizes.subjects)


def folds_so_far(sizes: Sizes, folder: Path) -> dict:
    """Return the result of a LOSO run that was ended, scaled from the folds that it finished.

    Raises:
        RuntimeError: It finished none.
    """
    finished = [path.stat().st_mtime for path in folder.glob('run/folds/[!.]*/fold.json')]
    if not finished:
        raise RuntimeError('it finished no fold in its time')
    return described_run(sizes, max(finished) - (folder / 'begun').stat().st_mtime, len(finished))


def described_run(sizes: Sizes, seconds: float, folds: int) -> dict:
    """Return the seconds of all folds, and what was measured."""
    whole = seconds * sizes.subjects / folds
    scaled = '' if folds == sizes.subjects else f', scaled from {seconds:.0f} s of {folds} folds'
    note = f'{sizes.clips} clips, {sizes.subjects} folds, {sizes.full_epochs} epochs: {whole:.0f} s{scaled}'
    return {
        'seconds': {'loso_run': whole},
        'notes': [f'the full model with cuda_graph=True, {note}, from opening the data to the record'],
    }


# by name: what measures it, and its limit of seconds; the last has what is left
PARTS = {
    'full_captured': (full_captured, 100),
    'stacked': (stacked, 120),
    'loso_run': (loso_run, 210),
    'full_compiled': (full_compiled, SECONDS),
}
