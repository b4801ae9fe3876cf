"""The full model against plain ResNet3d-50: parameters, FLOPs, and time of forward and backward in one run."""

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

from mer_bench.benchmarks.timing import interleave, pair_ratios
from mer_bench.errors import InputError
from mer_bench.models.backbones.multiscale_resnet3d import I3D_INFLATE
from mer_bench.models.complexity import complexity

# mmaction configs/_base_/models/i3d_r50.py, for three classes and without its checkpoint.
PLAIN = {
    'type': 'Recognizer3D',
    'backbone': {
        'type': 'ResNet3d',
        'depth': 50,
        'conv1_kernel': (5, 7, 7),
        'conv1_stride_t': 2,
        'pool1_stride_t': 2,
        'inflate': I3D_INFLATE,
        'zero_init_residual': False,
    },
    'cls_head': {'type': 'I3DHead', 'num_classes': 3, 'in_channels': 2048, 'topk': (1,)},
}


# Stock ResNet3d takes no fewer frames, and its batch norm no single value per channel.
SMALLEST = {'size': 28, 'clip_len': 5, 'batch': 2, 'rounds': 1, 'threads': 1}


@dataclass(frozen=True)
class Settings:
    """What is timed.

    Args:
        size: Height and width in pixels.
        clip_len: Frames of a clip.
        batch: Clips of a timed step.
        rounds: Timed steps of each model, the models in turns.
        threads: CPU threads of torch.
        device: ``cpu`` or ``cuda``.
    """

    size: int
    clip_len: int
    batch: int
    rounds: int
    threads: int
    device: str

    def __post_init__(self) -> None:
        for name, smallest in SMALLEST.items():
            if getattr(self, name) < smallest:
                raise InputError(f'expected {name} of at least {smallest}, got {getattr(self, name)}; raise it')


def compare(config: Path, settings: Settings) -> dict:
    """Cost of the configured model and of plain ResNet3d-50 on clips of 3 x clip_len x size x size.

    Args:
        config: File that sets ``method`` and ``model``; its data preprocessor is left out.
        settings: What is timed.

    Returns:
        settings; models {name: parameters, flops of one clip, seconds of a step (median)}, the configured one
        first; ratios of the first over the second: parameters, flops, time {median, min, max over the pairs}.
    """
    torch.set_num_threads(settings.threads)
    shape = (3, settings.clip_len, settings.size, settings.size)
    models = {name: model.to(settings.device) for name, model in build_models(config).items()}
    clips = torch.randn(settings.batch, 1, *shape, device=settings.device)
    seconds = interleave({name: training_step(m, clips) for name, m in models.items()}, settings.rounds)
    costs = {}
    for name, model in models.items():
        parameters, flops = complexity(model, shape)
        costs[name] = {'parameters': parameters, 'flops': flops, 'seconds': median(seconds[name])}
    full, plain = costs.values()
    ratios = {key: full[key] / plain[key] for key in ('parameters', 'flops')}
    ratios['time'] = pair_ratios(*seconds.values())
    return {'settings': asdict(settings), 'models': costs, 'ratios': ratios}


def build_models(config: Path) -> dict[str, torch.nn.Module]:
    """The configured model, then plain ResNet3d-50."""
    init_default_scope('mmaction')
    full = Config.fromfile(config)
    full.model.pop('data_preprocessor', None)
    full.model.cls_head.num_classes = PLAIN['cls_head']['num_classes']  # else said by the label scheme of the data
    return {full.method: MODELS.build(full.model), 'ResNet3d-50': MODELS.build(Config(PLAIN))}


def training_step(model: torch.nn.Module, clips: torch.Tensor) -> Callable[[], None]:
    """A function that runs forward, losses and backward once, and returns when the device is done."""
    samples = [ActionDataSample().set_gt_label(i % 3) for i in range(len(clips))]

    def step() -> None:
        model.zero_grad(set_to_none=True)
        loss, _ = model.parse_losses(model(clips, samples, mode='loss'))
        loss.backward()
        if clips.is_cuda:
            torch.cuda.synchronize()

    model.train()
    return step


def table(result: dict) -> Table:
    """The result of :func:`compare` for the screen."""
    title = '{batch} clips of 3x{clip_len}x{size}x{size}, {device}, {threads} thread(s), {rounds} rounds in turns'
    shown = Table('model', title=title.format(**result['settings']))
    for column in ('parameters', 'FLOPs (forward)', 'forward + backward'):
        shown.add_column(column, justify='right')
    for name, cost in result['models'].items():
        parameters, flops = f'{cost["parameters"] / 1e6:.2f} M', f'{cost["flops"] / 1e9:.2f} G'
        shown.add_row(name, parameters, flops, f'{cost["seconds"] * 1e3:.0f} ms')
    ratios = result['ratios']
    time = '{median:.2f} ({min:.2f} to {max:.2f})'.format(**ratios['time'])
    shown.add_row('ratio', f'{ratios["parameters"]:.2f}', f'{ratios["flops"]:.2f}', time)
    return shown
