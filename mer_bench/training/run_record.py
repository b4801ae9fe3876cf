"""The part of record.json that is known before the first fold."""

import logging
import platform
import subprocess
from datetime import date
from pathlib import Path

import cv2
import mmaction
import mmengine
import numpy
import torch
from mmaction.registry import MODELS

import mer_bench
from mer_bench.files import digest_of
from mer_bench.models.backbones.pretrained import load_pretrained
from mer_bench.models.complexity import complexity
from mer_bench.training.experiment import Experiment


def start_record(experiment: Experiment, seed: int) -> dict:
    """Describe a run: method, data, protocol, cost, versions. Building the model also tells wrong arguments at once."""
    method, data, folds = experiment.method, experiment.data, experiment.folds
    clips = data.annotations
    info = data.store.info
    model = MODELS.build(method.cfg.model)
    if path := method.cfg.model.backbone.get('pretrained'):
        load_pretrained(model.backbone, path, logging.getLogger(__name__))  # tells a wrong file before the first fold
    parameters, flops = complexity(model, tuple(data.store.clips.shape[1:]))
    text = method.text
    return dict(
        schema_version=1,
        method=method.name,
        config=dict(name=method.config_name, text=text, digest=digest_of(text)),
        overrides=method.overrides,
        protocol=f'{method.cfg.protocol}, {len(method.cfg.classes)} classes',
        dataset=method.cfg.dataset,
        classes=list(method.cfg.classes),
        seed=seed,
        data=dict(**data.digests, store=info),
        n_clips=len(clips),
        n_subjects=int(clips['subject'].nunique()),
        clips_per_class={name: int((clips['emotion'] == name).sum()) for name in method.cfg.classes},
        subjects_per_class={
            name: int(clips.loc[clips['emotion'] == name, 'subject'].nunique()) for name in method.cfg.classes
        },
        folds=dict(total=len(folds), done=0, missing=[fold.name for fold in folds]),
        complete=False,
        scores=None,
        parameters=parameters,
        flops=flops,
        seconds=dict(prepare=info['seconds'], train=None, test=None),
        device=describe_device(experiment.device),
        versions=versions(),
        commit=commit(),
        date=date.today().isoformat(),
        source='reproduced',
        synthetic=bool(info['synthetic']),
        epoch_rule='last',
    )


def describe_device(device: str) -> str:
    """Name the processor, and on the CPU the number of threads: they decide the last bit of a sum."""
    if device == 'cpu':
        return f'cpu, {torch.get_num_threads()} threads'
    return torch.cuda.get_device_name()


def versions() -> dict:
    """Versions of what computes."""
    modules = dict(torch=torch, mmengine=mmengine, mmaction2=mmaction, numpy=numpy, opencv=cv2, mer_bench=mer_bench)
    return dict(python=platform.python_version(), **{name: module.__version__ for name, module in modules.items()})


def commit() -> str | None:
    """Return the commit of the source tree, with `+changes` where it is not clean; None outside a clone."""
    described = subprocess.run(
        ['git', 'describe', '--always', '--abbrev=12', '--exclude=*', '--dirty=+changes'],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or None
