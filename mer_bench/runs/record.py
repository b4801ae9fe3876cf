"""What record.json says of a run beside its scores."""

import copy
import logging
import platform
import shutil
import subprocess
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import cv2
import mmaction
import mmcv
import mmengine
import numpy
import sklearn
import torch
import torchvision
from mmaction.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper

import mer_bench
from mer_bench.errors import InputError
from mer_bench.experiment.config_values import weights_places
from mer_bench.experiment.data_notes import note_on_taps, notes_on_data
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.method import Method
from mer_bench.files import digest_file
from mer_bench.models.backbones.multiscale_resnet3d import MultiScaleResNet3d
from mer_bench.models.backbones.pretrained import is_file, load_pretrained, take_pretrained
from mer_bench.models.complexity import complexity
from mer_bench.protocols.folds import fold_title
from mer_bench.results.record import SCHEMA_VERSION
from mer_bench.training.fold_config import plain_wrapper

MODULES = dict(
    torch=torch,
    torchvision=torchvision,
    mmengine=mmengine,
    mmaction2=mmaction,
    mmcv=mmcv,
    numpy=numpy,
    sklearn=sklearn,
    opencv=cv2,
    mer_bench=mer_bench,
)


def start_record(experiment: Experiment, seed: int) -> dict:
    """Describe a run before its first fold: method, data, protocol, cost, and where it runs."""
    method, data, folds = experiment.method, experiment.data, experiment.folds
    clips = data.annotations
    info = data.info
    parameters = flops = note = pretrained = None
    if not method.is_estimator:
        model = build_model(method.cfg)
        pretrained = fit_pretrained(model, method.cfg)
        parameters, flops, note = measure(model, data.shape)
        check_optimiser(model, method.cfg.optim_wrapper)
    return dict(
        schema_version=SCHEMA_VERSION,
        method=method.name,
        config=dict(
            name=method.config_name,
            text=method.text,
            digest=method.digest,
            folds=method.cfg.folds.to_dict(),
            input=method.content.get('input'),
            data_variant=method.content.get('data_variant'),
            action_units=method.cfg.action_units and list(method.cfg.action_units),
        ),
        overrides=method.overrides,
        pretrained=pretrained,
        protocol=describe_protocol(method),
        label_scheme=dict(name=method.scheme.name, digest=method.scheme.digest),
        dataset=method.cfg.dataset,
        classes=list(method.cfg.classes),
        seed=seed,
        data=dict(**data.digests, store=info),
        notes=notes_on_data(data, method.scheme, folds, method.cfg.action_units),
        note_on_model=note,
        n_clips=len(clips),
        n_subjects=int(clips['subject'].nunique()),
        clips_per_class={name: int((clips['label'] == name).sum()) for name in method.cfg.classes},
        subjects_per_class={
            name: int(clips.loc[clips['label'] == name, 'subject'].nunique()) for name in method.cfg.classes
        },
        folds=dict(total=len(folds), done=0, missing=[fold.name for fold in folds]),
        complete=False,
        scores=None,
        parameters=parameters,
        flops=flops,
        seconds=dict(prepare=info['seconds'], train=None, test=None),
        **decided(experiment),
        source='reproduced',
        synthetic=bool(info['synthetic']),
        epoch_rule='last',
    )


def decided(experiment: Experiment) -> dict:
    """Return what is known of a run once its precision is decided: the precision, where and when it computes."""
    return dict(precision=experiment.check and experiment.check.record, **circumstances(experiment))


def describe_protocol(method: Method) -> str:
    """Name all that two runs must share to be compared: folds, label scheme and action units."""
    units = method.cfg.action_units
    scored = f', action units {" ".join(map(str, units))}' if units else ''
    return f'{fold_title(method.cfg.folds)}, {method.scheme.name}{scored}'


def build_model(cfg) -> BaseModel:
    """Build the model, so that what is wrong with it is told before the first fold."""
    try:
        model = MODELS.build(copy.deepcopy(cfg.model))  # a recogniser takes keys out of a backbone of timm
    except Exception as error:  # parts of any kind raise anything
        raise InputError(
            f'the model of this config cannot be built: {in_one_line(error)}; correct config or override'
        ) from error
    return model


def check_optimiser(model: BaseModel, wrapper: ConfigDict) -> None:
    """Build the optimiser, so that what is wrong with it is said before the first fold."""
    kind = wrapper.get('type', 'OptimWrapper')
    logging.disable(logging.INFO)  # a line for each parameter, which the log of a fold has
    try:
        # MMEngine's for mixed precision is built where its device is
        build_optim_wrapper(model, plain_wrapper(wrapper) if kind == 'AmpOptimWrapper' else copy.deepcopy(wrapper))
    except Exception as error:  # parts of any kind raise anything
        raise InputError(
            f'optim_wrapper cannot be built: {type(error).__name__}: {in_one_line(error)}; correct config or override'
        ) from error
    finally:
        logging.disable(logging.NOTSET)


def fit_pretrained(model: BaseModel, cfg) -> dict | None:
    """Describe the weights that a training starts from, and count how many of the tensors of its part they fill.

    The file is read into the model, so that what is wrong with it is told before the first fold.
    """
    ours = [(part, part.checkpoint) for part in model.modules() if isinstance(getattr(part, 'checkpoint', None), str)]
    parts = [(model, cfg.load_from)] if cfg.get('load_from') else ours + take_pretrained(model)
    if not parts:
        return None
    ((part, path),) = parts  # see check_weights
    report = load_pretrained(part, path)
    fitted = len(report['matched']) + len(report['inflated'])
    return describe_pretrained(cfg) | dict(fitted=fitted, inflated=len(report['inflated']), of=len(part.state_dict()))


def measure(model: BaseModel, shape: tuple[int, ...]) -> tuple[int, int, str | None]:
    """Return parameters, FLOPs, and a sentence on kernels that are too large for the clips, if there are any.

    The forward pass that this takes also finds out whether the parts fit together.
    """
    backbone = model.backbone
    ours = isinstance(backbone, MultiScaleResNet3d)
    try:
        with backbone.watch_blocks() if ours else nullcontext() as sizes:
            parameters, flops = complexity(model, shape)
    except Exception as error:  # parts of any kind raise anything
        raise InputError(
            f'the parts of this model, or its input of {"x".join(map(str, shape))}, do not fit together: '
            f'{type(error).__name__}: {in_one_line(error)}; correct config or override'
        ) from error
    return parameters, flops, note_on_taps(backbone, sizes) if ours else None


def in_one_line(error: Exception) -> str:
    """The message of a library's error without its line breaks."""
    return ' '.join(str(error).split())


def describe_pretrained(cfg) -> dict | None:
    """Name and digest of the weights that a training starts from: another file of the same name is another method."""
    path = next((part[key] for part, key in weights_places(cfg)), None)
    if not path or not is_file(path):
        return None
    return dict(name=Path(path).name, digest=digest_file(path))


def circumstances(experiment: Experiment) -> dict:
    """Where and when: a fold keeps its own, since the folds of a run may be trained at different times."""
    return dict(device=describe_device(experiment), versions=versions(), commit=commit(), date=date.today().isoformat())


def describe_device(experiment: Experiment, gpu: str | None = None) -> str:
    """Name the device with the threads or the precision of a training: they decide the last digits.

    Args:
        gpu: Name of the GPU, where it is not one of this machine.
    """
    if experiment.method.is_estimator:
        return 'cpu'
    if experiment.device == 'cpu':
        threads = f'cpu, {experiment.threads} thread{"s" * (experiment.threads > 1)} a training'
        return threads if experiment.precision == 'fp32' else f'{threads}, {experiment.precision}'
    return f'{gpu or torch.cuda.get_device_name()}, {experiment.precision}'


def _processor() -> str:
    """The name of the processor; Linux tells it in a file only."""
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


def versions() -> dict:
    """The processor and the versions of what computes."""
    names = dict(processor=_processor(), python=platform.python_version())
    return dict(names, **{name: module.__version__ for name, module in MODULES.items()})


def commit() -> str | None:
    """Return the commit of the clone, with `+changes` where it is not clean; None outside a clone or without git."""
    root = Path(mer_bench.__file__).parents[1]
    if not (root / '.git').exists() or shutil.which('git') is None:
        return None
    command = ['git', 'describe', '--always', '--abbrev=12', '--exclude=*', '--dirty=+changes']
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False).stdout.strip() or None
