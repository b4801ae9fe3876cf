"""Forward and backward of the full model, as trainings run it and in plain fp32, and of two other networks.

These are MMAction2's ResNet3d-50 with the same trunk, without blocks, neck and extra outputs, and the full model on an
I3D trunk.
"""

import argparse
import copy
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.arguments import add_device, add_numbers
from benchmarks.machine import convolution_precision, finish
from mer_bench.experiment.config_files import arguments_of
from mer_bench.experiment.precision import mixed_precision
from mer_bench.processes import keep_freed_memory
from mer_bench.runs.model import CLIPS, random_batch
from mer_bench.training.gradient_check import compare_gradients
from mer_bench.training.runner import DTYPES, accelerate
from mer_bench.training.stacking.eligibility import complexity
from mer_bench.training.stacking.timing import interleave, pair_ratios

HELP = 'forward and backward of the full model, against fp32, its plain trunk, and an I3D trunk'
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    words = 'sets method and model (default: the full model)'
    parser.add_argument('--config', type=Path, default=CONFIG, metavar='FILE', help=words)
    add_numbers(  # the least: stock ResNet3d takes no fewer frames, and its batch norm no single value per channel
        parser,
        size=(112, 28, 'height and width in pixels'),
        clip_len=(16, 5, 'frames of a clip'),
        batch=(16, 2, 'clips of a timed step'),
        rounds=(5, 1, 'timed steps of each alternative'),
        threads=(1, 1, 'CPU threads of torch'),
    )
    add_device(parser)
    add = parser.add_argument
    add('--precision', choices=('auto', *DTYPES), default='auto', help='auto: as trainings choose it (default)')
    add('--channels-last', choices=LAYOUTS, default='auto', help='auto: as trainings choose it (default)')


def measure(args: argparse.Namespace) -> dict:
    """Time the configured model, its plain trunk, and the full model on I3D, for 3 x clip_len x size x size.

    Returns:
        settings: precision and channels_last as used; models {name: parameters, flops of the forward pass of one clip,
        flops_step of forward and backward}, the configured one first; seconds of a step {alternative: median};
        clips_per_second; ratios {median, min, max over the rounds}: `speedup` of fp32 in contiguous memory over the
        step as trainings run it, `blocks` and `trunk` of the configured model over the other two; work {alternative:
        flops, precision}: of the step that is timed, which multiplies less padding than the model does; notes:
        parameters and flops, what :func:`checked` found of the configured model, and :func:`outside_products`; against:
        what each ratio compares.
    """
    precision = mixed_precision(args.device) if args.precision == 'auto' else args.precision
    layout = LAYOUTS[args.channels_last]
    keep_freed_memory()  # this and the next as in a training
    torch.set_num_threads(args.threads)
    shape = (3, args.clip_len, args.size, args.size)
    models = {name: model.to(args.device) for name, model in build_models(args.config).items()}
    costs = {name: count(model, shape) for name, model in models.items()}
    full, plain, i3d = models.values()
    reference = copy.deepcopy(full)
    checks = {name: checked(model, shape, precision, layout) for name, model in models.items()}
    for name, model in models.items():
        accelerate(model, precision if checks[name]['right'] else 'fp32', layout, checks[name]['fp32_layers'])
    clips = torch.randn(args.batch, 1, *shape, device=args.device)
    networks = {
        'full_fp32_contiguous': reference,
        'full_as_trained': full,
        'plain_as_trained': plain,
        'i3d_as_trained': i3d,
    }
    seconds = interleave({name: training_step(model, clips) for name, model in networks.items()}, args.rounds)
    medians = {name: median(runs) for name, runs in seconds.items()}
    flops = {name: count_step(model, shape) for name, model in networks.items()}
    used = {name: 'fp32' if model is reference else precision for name, model in networks.items()}
    check = next(iter(checks.values()))
    of_fold = check['seconds'] / (medians['full_as_trained'] / args.batch * FOLD)
    return {
        'settings': {'precision': precision, 'channels_last': is_channels_last(full)},
        'models': costs,
        'seconds': medians,
        'clips_per_second': {name: args.batch / value for name, value in medians.items()},
        'ratios': {
            'speedup': pair_ratios(seconds['full_fp32_contiguous'], seconds['full_as_trained']),
            'blocks': pair_ratios(seconds['full_as_trained'], seconds['plain_as_trained']),
            'trunk': pair_ratios(seconds['full_as_trained'], seconds['i3d_as_trained']),
        },
        'work': {
            name: {
                'flops': args.batch * flops[name],
                'precision': convolution_precision(used[name], args.device),
            }
            for name in networks
        },
        'notes': [
            *(
                f'{name}: {cost["parameters"] / 1e6:.2f} M parameters, {cost["flops_step"] / 1e9:.2f} GFLOP a clip '
                'forward and backward'
                for name, cost in costs.items()
            ),
            f'{len(check["fp32_layers"])} layers in fp32, the others agree with it to {check["agreement"]:.4f}; this '
            f'check takes {check["seconds"]:.1f} s, {of_fold:.2%} of a fold of SMIC-HS',
            f'full as trained computes {flops["full_as_trained"] / 1e9:.2f} GFLOP a clip: the rest multiplies padding',
            *(
                f'{name}: {outside_products(training_step(networks[name], clips)):.1%} of a step outside convolutions '
                'and matrix products'
                for name in ('full_fp32_contiguous', 'full_as_trained')
                if args.device == 'cpu'
            ),
        ],
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


def is_channels_last(model: torch.nn.Module) -> bool:
    """Return whether the kernels of a network's 3D convolutions are stored channels-last."""
    kernels = [module.weight for module in model.modules() if isinstance(module, torch.nn.Conv3d)]
    return max(kernels, key=torch.numel).is_contiguous(memory_format=torch.channels_last_3d)


def build_models(config: Path) -> dict[str, torch.nn.Module]:
    """Build the configured model, the plain ResNet3d-50 trunk of the full model, and the full model on I3D."""
    init_default_scope('mmaction')
    given, full, i3d = (Config.fromfile(path) for path in (config, CONFIG, CONFIG))
    i3d.merge_from_dict(Config.fromfile(I3D_TRUNK).to_dict())
    for cfg in (given, i3d):
        cfg.model.pop('data_preprocessor', None)
        cfg.model.cls_head.num_classes = CLASSES  # otherwise set from the label scheme of the data
    trunk = {key: value for key, value in full.model.backbone.items() if key in arguments_of('ResNet3d')}
    backbone = {**trunk, 'type': 'ResNet3d', 'out_indices': (3,), 'zero_init_residual': False}
    head = {'type': 'I3DHead', 'num_classes': CLASSES, 'in_channels': 2048, 'topk': (1,)}
    return {
        given.method: MODELS.build(given.model),
        'ResNet3d-50': MODELS.build({'type': 'Recognizer3D', 'backbone': backbone, 'cls_head': head}),
        f'{full.method}+{I3D_TRUNK.stem}': MODELS.build(i3d.model),
    }


def count(model: torch.nn.Module, shape: tuple[int, ...]) -> dict:
    """Return the parameters, and the FLOPs of one clip: forward, and forward with backward (counted by torch).

    Args:
        model: A recogniser on its device.
        shape: (C, T, H, W) of a clip.
    """
    parameters, flops = complexity(model, shape)
    return {'parameters': parameters, 'flops': flops, 'flops_step': count_step(model, shape)}


def count_step(model: torch.nn.Module, shape: tuple[int, ...]) -> int:
    """Return the FLOPs of forward and backward of one clip, counted by torch as the model computes now."""
    clips = torch.zeros(2, 1, *shape, device=next(model.parameters()).device)  # batch norm needs two
    with FlopCounterMode(display=False) as counter:
        training_step(model, clips)()
    return counter.get_total_flops() // len(clips)


class ProductTime(TorchDispatchMode):
    """Adds up the seconds of convolutions and matrix products on a CPU."""

    seconds = 0.0

    def __torch_dispatch__(self, func: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None) -> object:
        start = time.perf_counter()
        result = func(*args, **(kwargs or {}))
        if 'convolution' in (name := func.overloadpacket.__name__) or name.endswith('mm'):
            self.seconds += time.perf_counter() - start
        return result


def outside_products(step: Callable[[], None]) -> float:
    """Return the share of a step on a CPU that is neither a convolution nor a matrix product."""
    start = time.perf_counter()
    with ProductTime() as products:
        step()
    return 1 - products.seconds / (time.perf_counter() - start)


def training_step(model: torch.nn.Module, clips: torch.Tensor) -> Callable[[], None]:
    """Return a function that runs forward, losses and backward once, and waits for the device.

    Args:
        model: A recogniser on its device; is set to training mode.
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
