"""The model of a run: built once, measured, and refused before the first fold if it cannot be trained."""

import copy
import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from mer_bench.errors import InputError, in_one_line
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.provenance import describe_pretrained

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.model import BaseModel

    from mer_bench.models.backbones.multiscale_resnet3d import MultiScaleResNet3d


def build_model(cfg: 'Config') -> 'BaseModel':
    """Build the network of a config, in a process that :func:`activate` set up, with the same weights every time.

    Raises:
        InputError: A part or an argument is wrong.
    """
    import torch
    from mmaction.registry import MODELS

    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return MODELS.build(copy.deepcopy(cfg.model))  # a recogniser takes keys out of a backbone of timm
    except Exception as error:  # parts of any kind raise anything
        raise InputError(
            f'the model of this config cannot be built: {in_one_line(error)}; correct config or override'
        ) from error


def describe_model(experiment: Experiment, model: 'BaseModel') -> dict:
    """Return what a record holds of a model, and refuse one that cannot be trained before the first fold.

    The model keeps its pretrained weights, which are read into it.

    Returns:
        pretrained (None without), parameters, flops, and note_on_model (None if the clips fill every kernel).
    """
    from mer_bench.models.backbones.multiscale_resnet3d import MultiScaleResNet3d
    from mer_bench.models.complexity import complexity

    cfg, shape, backbone = experiment.method.cfg, experiment.data.shape, model.backbone
    check_optimiser(model, cfg.optim_wrapper)
    pretrained = fit_pretrained(model, cfg)
    ours = isinstance(backbone, MultiScaleResNet3d)
    try:
        with backbone.watch_blocks() if ours else nullcontext() as sizes:
            parameters, flops = complexity(model, shape)
    except Exception as error:  # parts of any kind raise anything
        raise InputError(
            f'the parts of this model, or its input of {by(shape)}, do not fit together: '
            f'{type(error).__name__}: {in_one_line(error)}; correct config or override'
        ) from error
    note = note_on_taps(backbone, sizes) if ours else None
    return dict(pretrained=pretrained, parameters=parameters, flops=flops, note_on_model=note)


def fit_pretrained(model: 'BaseModel', cfg: 'Config') -> dict | None:
    """Read the weights that a training starts from into the model, and count how many tensors of its part they fill."""
    from mer_bench.models.backbones.pretrained import load_pretrained, take_pretrained

    ours = [(part, part.checkpoint) for part in model.modules() if isinstance(getattr(part, 'checkpoint', None), str)]
    parts = [(model, cfg.load_from)] if cfg.get('load_from') else ours + take_pretrained(model)
    if not parts:
        return None
    ((part, path),) = parts  # see check_weights
    report = load_pretrained(part, path)
    fitted = len(report['matched']) + len(report['inflated'])
    return describe_pretrained(cfg) | dict(fitted=fitted, inflated=len(report['inflated']), of=len(part.state_dict()))


def check_optimiser(model: 'BaseModel', wrapper: Mapping) -> None:
    """Build the optimiser, so that a fault in it shows before the first fold."""
    from mmengine.optim import build_optim_wrapper

    from mer_bench.training.fold_config import plain_wrapper

    kind = wrapper.get('type', 'OptimWrapper')
    logging.disable(logging.INFO)  # one line for each parameter; the log of a fold has them
    try:
        # MMEngine's for mixed precision is built where its device is
        build_optim_wrapper(model, plain_wrapper(wrapper) if kind == 'AmpOptimWrapper' else copy.deepcopy(wrapper))
    except Exception as error:  # parts of any kind raise anything
        raise InputError(
            f'optim_wrapper cannot be built: {type(error).__name__}: {in_one_line(error)}; correct config or override'
        ) from error
    finally:
        logging.disable(logging.NOTSET)


def note_on_taps(backbone: 'MultiScaleResNet3d', sizes: Mapping[str, Sequence[int]]) -> str | None:
    """Return a sentence on the kernels of multi-scale blocks that are too large for the clips; None if all fit.

    Args:
        backbone: The one with the blocks.
        sizes: (T, H, W) of the maps that each block sees, by the name of the stage before it.
    """
    beyond = {name: backbone.multiscale[name].kernels_beyond(size) for name, size in sizes.items()}
    if not any(beyond.values()):
        return None
    listed = '; '.join(
        f'{", ".join(map(by, dict.fromkeys(kernels)))} on {by(sizes[name])} after stage {name.removeprefix("layer")}'
        for name, kernels in beyond.items()
        if kernels
    )
    return (
        'note: the clips are too small for some kernels of the multi-scale blocks, whose outer taps see only padding '
        f'(time x height x width): {listed}; model.backbone.max_kernel_t limits the kernels in time'
    )


def by(size: Sequence[int]) -> str:
    """(2, 7, 7) -> 2x7x7."""
    return 'x'.join(map(str, size))
