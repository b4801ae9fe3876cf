"""Forward and backward of the full model: as trainings run it, and in plain fp32; beside it two other networks.

They are MMAction2's own ResNet3d-50 of the same trunk, without blocks, neck and further outputs, and the full model on
the trunk of I3D.
"""

import argparse
import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.bounds import refuse_below
from benchmarks.machine_peak import finish, precisions
from mer_bench.experiment.config_checks import arguments_of
from mer_bench.experiment.precision import mixed_precision
from mer_bench.models.complexity import complexity
from mer_bench.processes import keep_freed_memory
from mer_bench.runs.precision_check import CLIPS, random_batch
from mer_bench.training.acceleration import accelerate
from mer_bench.training.device import DTYPES
from mer_bench.training.gradient_check import compare_gradients
from mer_bench.training.stacking.timing import interleave, pair_ratios

HELP = 'forward and backward of the full model, against fp32, its plain trunk, and the trunk of I3D'
ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / 'configs/_base_/models/multiscale_resnet3d50.py'
I3D_TRUNK = ROOT / 'ablations/trunk_i3d.py'
CLASSES = 3
AGAINST = {
    'speedup': 'the full model in fp32 and contiguous memory, over the full model as trainings run it',
    'blocks': 'the full model over plain ResNet3d-50 of the same trunk, both as trainings run them',
    'trunk': 'the full model over the same on the trunk of I3D, both as trainings run them',
}
FOLD = 154 * 50  # training clips of a fold of SMIC-HS in the mean, times the epochs of the full model
LAYOUTS = {'auto': 'auto', 'yes': True, 'no': False}
# Stock ResNet3d takes no fewer frames, and its batch norm no single value per channel.
SMALLEST = {'size': 28, 'clip_len': 5, 'batch': 2, 'rounds': 1, 'threads': 1}


@dataclass(frozen=True)
class Settings:
    """What is timed.

    Args:
        size: Height and width in pixels.
        clip_len: Frames of a clip.
        batch: Clips of a timed step.
        rounds: Timed steps of each alternative, in turns.
        threads: CPU threads of torch.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``bf16``, ``fp16``, ``fp32``, or ``auto``: as a training chooses it for this hardware.
        channels_last: True, False, or ``auto``: as a training chooses it.
    """

    size: int
    clip_len: int
    batch: int
    rounds: int
    threads: int
    device: str
    precision: str = 'auto'
    channels_last: str | bool = 'auto'

    def __post_init__(self) -> None:
        refuse_below(self, SMALLEST)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    add = parser.add_argument
    add('--config', type=Path, default=CONFIG, metavar='FILE', help='sets method and model (default: the full model)')
    add('--size', type=int, default=112, help='height and width in pixels (default: %(default)s)')
    add('--clip-len', type=int, default=16, help='frames of a clip (default: %(default)s)')
    add('--batch', type=int, default=16, help='clips of a timed step (default: %(default)s)')
    add('--rounds', type=int, default=5, help='timed steps of each alternative (default: %(default)s)')
    add('--threads', type=int, default=1, help='CPU threads of torch (default: %(default)s)')
    add('--device', default='cpu', help='cpu, cuda or cuda:N (default: %(default)s)')
    add('--precision', choices=('auto', *DTYPES), default='auto', help='auto: as trainings choose it (default)')
    add('--channels-last', choices=LAYOUTS, default='auto', help='auto: as trainings choose it (default)')


def measure(args: argparse.Namespace) -> dict:
    """Time the model of a config, see :func:`compare`."""
    names = ('size', 'clip_len', 'batch', 'rounds', 'threads', 'device', 'precision')
    settings = {name: getattr(args, name) for name in names} | {'channels_last': LAYOUTS[args.channels_last]}
    return compare(args.config, Settings(**settings))


def compare(config: Path, settings: Settings) -> dict:
    """Cost of the configured model, of its plain trunk and of the full model on I3D, for 3 x clip_len x size x size.

    Args:
        config: File that sets ``method`` and ``model``; its data preprocessor is left out.
        settings: What is timed.

    Returns:
        settings, precision and channels_last filled in; models {name: parameters, flops of the forward pass of one
        clip, flops_step of forward and backward}, the configured one first; seconds of a step {alternative: median};
        clips_per_second; ratios {median, min, max over the rounds}: `speedup` of fp32 in contiguous memory over the
        step as trainings run it, `blocks` and `trunk` of the configured model over the other two; size_ratios, by the
        same names, of parameters and flops; check: see :func:`checked`, of the configured model, and its share
        `of_fold`; work {alternative: flops, precision}; against: what each ratio compares.
    """
    precision = mixed_precision(settings.device) if settings.precision == 'auto' else settings.precision
    keep_freed_memory()  # this and the next as in a training
    torch.set_num_threads(settings.threads)
    shape = (3, settings.clip_len, settings.size, settings.size)
    models = {name: model.to(settings.device) for name, model in build_models(config).items()}
    costs = {name: count(model, shape) for name, model in models.items()}
    full, plain, i3d = models.values()
    reference = copy.deepcopy(full)
    checks = {name: checked(model, shape, precision, settings.channels_last) for name, model in models.items()}
    for name, model in models.items():
        used = precision if checks[name]['right'] else 'fp32'
        accelerate(model, used, settings.channels_last, checks[name]['fp32_layers'])
    clips = torch.randn(settings.batch, 1, *shape, device=settings.device)
    steps = {
        'full_fp32_contiguous': training_step(reference, clips),
        'full_as_trained': training_step(full, clips),
        'plain_as_trained': training_step(plain, clips),
        'i3d_as_trained': training_step(i3d, clips),
    }
    seconds = interleave(steps, settings.rounds)
    medians = {name: median(runs) for name, runs in seconds.items()}
    of_full, of_plain, of_i3d = costs.values()
    of_check = next(iter(checks.values()))
    of_check['of_fold'] = of_check['seconds'] / (medians['full_as_trained'] / settings.batch * FOLD)
    return {
        'settings': asdict(settings) | {'precision': precision, 'channels_last': is_channels_last(full)},
        'models': costs,
        'seconds': medians,
        'clips_per_second': {name: settings.batch / value for name, value in medians.items()},
        'ratios': {
            'speedup': pair_ratios(seconds['full_fp32_contiguous'], seconds['full_as_trained']),
            'blocks': pair_ratios(seconds['full_as_trained'], seconds['plain_as_trained']),
            'trunk': pair_ratios(seconds['full_as_trained'], seconds['i3d_as_trained']),
        },
        'size_ratios': {
            name: {key: of_full[key] / other[key] for key in of_full}
            for name, other in (('blocks', of_plain), ('trunk', of_i3d))
        },
        'work': {
            name: {'flops': settings.batch * cost['flops_step'], 'precision': used}
            for name, cost, used in (
                ('full_fp32_contiguous', of_full, convolves_in('fp32', settings.device)),
                ('full_as_trained', of_full, convolves_in(precision, settings.device)),
                ('plain_as_trained', of_plain, convolves_in(precision, settings.device)),
                ('i3d_as_trained', of_i3d, convolves_in(precision, settings.device)),
            )
        },
        'check': of_check,
        'against': AGAINST,
    }


def checked(model: torch.nn.Module, shape: tuple[int, ...], precision: str, channels_last: str | bool) -> dict:
    """Compare the gradients of a network with fp32 as before a training.

    Returns:
        seconds; agreement: the smallest; fp32_layers; right: whether all others are right in this precision.
    """
    if DTYPES[precision] is None:
        return {'seconds': 0.0, 'agreement': 1.0, 'fp32_layers': [], 'right': True}
    start = time.perf_counter()
    batch = random_batch(model, shape, CLIPS, CLASSES)
    found = compare_gradients(copy.deepcopy(model), *batch, precision, channels_last)
    return {
        'seconds': time.perf_counter() - start,
        'agreement': min(found.layers, found.between[1]),
        'fp32_layers': list(found.fp32_layers),
        'right': found.mended,
    }


def convolves_in(precision: str, device: str) -> str:
    """Return what torch computes convolutions in: for fp32 on recent GPUs it is tf32, unless that is forbidden."""
    tf32 = precision == 'fp32' and precisions(device).get('tf32') and torch.backends.cudnn.allow_tf32
    return 'tf32' if tf32 else precision


def is_channels_last(model: torch.nn.Module) -> bool:
    """Say whether the kernels of a network's 3D convolutions are laid out with channels last."""
    kernels = [module.weight for module in model.modules() if isinstance(module, torch.nn.Conv3d)]
    return max(kernels, key=torch.numel).is_contiguous(memory_format=torch.channels_last_3d)


def build_models(config: Path) -> dict[str, torch.nn.Module]:
    """The configured model, the plain ResNet3d-50 that is the trunk of the full model, and the full model on I3D."""
    init_default_scope('mmaction')
    given, full, i3d = (Config.fromfile(path) for path in (config, CONFIG, CONFIG))
    i3d.merge_from_dict(Config.fromfile(I3D_TRUNK).to_dict())
    for cfg in (given, i3d):
        cfg.model.pop('data_preprocessor', None)
        cfg.model.cls_head.num_classes = CLASSES  # else said by the label scheme of the data
    trunk = {key: value for key, value in full.model.backbone.items() if key in arguments_of('ResNet3d')}
    backbone = {**trunk, 'type': 'ResNet3d', 'out_indices': (3,), 'zero_init_residual': False}
    head = {'type': 'I3DHead', 'num_classes': CLASSES, 'in_channels': 2048, 'topk': (1,)}
    return {
        given.method: MODELS.build(given.model),
        'ResNet3d-50': MODELS.build({'type': 'Recognizer3D', 'backbone': backbone, 'cls_head': head}),
        f'{full.method}+{I3D_TRUNK.stem}': MODELS.build(i3d.model),
    }


def count(model: torch.nn.Module, shape: tuple[int, ...]) -> dict:
    """Parameters, and FLOPs of one clip: forward, and forward with backward (torch's count of what really ran).

    Args:
        model: A recogniser on its device.
        shape: (C, T, H, W) of a clip.
    """
    parameters, flops = complexity(model, shape)
    clips = torch.zeros(2, 1, *shape, device=next(model.parameters()).device)  # batch norm needs two
    with FlopCounterMode(display=False) as counter:
        training_step(model, clips)()
    return {'parameters': parameters, 'flops': flops, 'flops_step': counter.get_total_flops() // len(clips)}


def training_step(model: torch.nn.Module, clips: torch.Tensor) -> Callable[[], None]:
    """A function that runs forward, losses and backward once, and returns when the device is done.

    Args:
        model: A recogniser on its device; gets the training mode.
        clips: (N, 1, C, T, H, W) on the same device.
    """
    samples = [ActionDataSample().set_gt_label(i % 3) for i in range(len(clips))]

    def step() -> None:
        model.zero_grad(set_to_none=True)
        loss, _ = model.parse_losses(model(clips, samples, mode='loss'))
        loss.backward()
        finish(str(clips.device))

    model.train()
    return step


def table(result: dict) -> Table:
    """The result of :func:`compare` for the screen."""
    title = '{batch} clips of 3x{clip_len}x{size}x{size}, {device}, {threads} thread(s), {precision}, {rounds} rounds'
    shown = Table('forward + backward', title=title.format(**result['settings']))
    for column in ('parameters', 'GFLOP a clip', 'median', 'clips/s'):
        shown.add_column(column, justify='right')
    models = dict(zip(('full', 'plain', 'i3d'), result['models'], strict=True))
    for name, seconds in result['seconds'].items():
        which, _, how = name.partition('_')
        model, how = models[which], how.replace('_', ' ')
        cost = result['models'][model]
        counts = f'{cost["parameters"] / 1e6:.2f} M', f'{cost["flops_step"] / 1e9:.2f}'
        shown.add_row(f'{model}, {how}', *counts, f'{seconds * 1e3:.0f} ms', f'{result["clips_per_second"][name]:.1f}')
    sizes = result['size_ratios']
    for name, ratio in result['ratios'].items():
        size = sizes.get(name)
        counts = (f'{size["parameters"]:.2f}', f'{size["flops_step"]:.2f}') if size else ('', '')
        shown.add_row(f'ratio: {name}', *counts, '{median:.2f} ({min:.2f} to {max:.2f})'.format(**ratio), '')
    check = result['check']
    shown.caption = (
        f'{len(check["fp32_layers"])} layers in fp32, the others agree with it to {check["agreement"]:.4f}; '
        f'this check takes {check["seconds"]:.1f} s, {check["of_fold"]:.2%} of a fold of SMIC-HS'
    )
    return shown
