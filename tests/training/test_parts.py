"""A batch that does not fit on the GPU: a forward pass that refuses more than some clips stands in for one."""

import copy
import json
from collections.abc import Callable
from functools import partial

import pandas as pd
import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper

from mer_bench.errors import InputError
from mer_bench.runs.run import RunSettings, run_folds
from mer_bench.training import parts
from mer_bench.training.fold_folder import note_batch
from tests.training.stacking.stack_experiment import stack_experiment

# SGD: Adam divides by gradients that are nearly zero, and so by rounding errors
SETTINGS = """
class_weight = 'balanced'
model = dict(data_preprocessor=dict(flip_prob=0.5, max_shift=0.1, mixup_alpha=0.4))
train_cfg = dict(max_epochs=2)
train_dataloader = dict(batch_size=6)
optim_wrapper = dict(optimizer=dict(_delete_=True, type='SGD', lr=0.05, momentum=0.9), clip_grad=dict(max_norm=0.5))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min_ratio=0.01, convert_to_iter_based=True)]
default_hooks = dict(checkpoint=dict(interval=1))
"""
FOLDS = ['smic/s01', 'casme2/s01']
HEAD = dict(type='MultiOutputHead', num_classes=3, in_channels=(2, 2), label_smooth_eps=0.1, dropout_ratio=0)
UNITS = dict(num_action_units=2, action_unit_weight=[2.0, 0.5])


@MODELS.register_module()
class Maps(torch.nn.Module):
    """Two maps of two channels without a weight or a norm in between."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv3d(2, 2, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.conv(x), self.conv(x).relu()


def room_for(clips: int, monkeypatch) -> list[int]:
    """Let no forward pass have more clips; return the list of those that it refuses."""
    recogniser = MODELS.get('Recognizer3D')
    refused, forward = [], recogniser.forward

    def limited(self, inputs, *args, **kwargs):
        if len(inputs) > clips:
            refused.append(len(inputs))
            raise torch.cuda.OutOfMemoryError('CUDA out of memory.')
        return forward(self, inputs, *args, **kwargs)

    monkeypatch.setattr(recogniser, 'forward', limited)
    return refused


@pytest.fixture
def whole(tmp_path, monkeypatch):
    """The folder of a fold in whole batches; it was stopped, and other folds went on with two clips meanwhile."""

    def stop_after_one(folder, epoch):
        if epoch == 2:
            raise KeyboardInterrupt

    experiment = stack_experiment(tmp_path, 'off_apexnet', SETTINGS, folds=FOLDS[:1])
    settings = RunSettings(0, tmp_path / 'whole', save_checkpoints=True, stack='off')
    monkeypatch.setattr('mer_bench.training.fold.report_epoch', stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        run_folds(experiment, settings)
    monkeypatch.undo()
    note_batch(tmp_path / 'whole', 2)
    assert 'batch' not in run_folds(experiment, settings)
    return tmp_path / 'whole/folds/smic_s01'


def test_a_batch_that_does_not_fit_trains_the_same_weights_in_parts(whole, tmp_path, monkeypatch, capsys):
    """With class weights, mixed labels, ClipDropout, clipped gradients, a schedule by steps and a short last batch."""
    experiment = stack_experiment(tmp_path, 'off_apexnet', SETTINGS, folds=FOLDS)
    refused = room_for(2, monkeypatch)
    record = run_folds(experiment, RunSettings(0, tmp_path / 'run', save_checkpoints=True, stack='off'))
    assert refused[:2] == [6, 3]
    said = capsys.readouterr().err
    assert 'smic/s01' in said
    assert 'computes 3 at a time, with the same steps of the optimiser\n' in said
    assert said.count('begins again') == 2  # of one fold; the other begins with two clips at once
    noted = dict(size=6, computed=[2], batch_norm=False)
    assert record['batch'] == noted
    for fold in FOLDS:
        folder = tmp_path / 'run/folds' / fold.replace('/', '_')
        assert json.loads((folder / 'fold.json').read_text())['batch'] == noted
    assert 'batches of 6 clips computed 2 at a time' in (tmp_path / 'run/train.log').read_text()
    folder = tmp_path / 'run/folds/smic_s01'
    states = [torch.load(place / 'checkpoint.pth')['state_dict'] for place in (folder, whole)]
    torch.testing.assert_close(*states, rtol=1e-4, atol=1e-6)
    tables = [pd.read_csv(place / 'predictions.csv') for place in (folder, whole)]
    pd.testing.assert_frame_equal(*tables, rtol=1e-4)


def gradients(model, step: Callable, counts: int = 1) -> tuple[dict, list[torch.Tensor]]:
    """Return what a step logs, and the gradients that it leaves."""
    model = copy.deepcopy(model)
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    monitored = OptimWrapper(optimiser, accumulative_counts=counts)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for _ in range(counts):
        log = step(model, optim_wrapper=monitored)
    assert monitored.inner_count == counts
    return log, [old - new for old, new in zip(before, model.parameters(), strict=True)]


@pytest.mark.parametrize('counts', [1, 2])
@pytest.mark.parametrize('class_weight', [None, [1.0, 5.0, 0.2]])
def test_each_part_has_its_share_in_every_mean_of_the_loss(class_weight, counts):
    """Also where some action units are unknown, and where the config accumulates by itself."""
    head = HEAD | UNITS | dict(loss_cls=dict(type='CrossEntropyLoss', class_weight=class_weight))
    described = dict(type='Recognizer3D', data_preprocessor=dict(type='BaseDataPreprocessor'), cls_head=head)
    model = MODELS.build(described | dict(backbone=dict(type='Maps'))).train()
    samples = [ActionDataSample().set_gt_label(label) for label in (0, 1, 1, 2, 0)]
    for sample, units in zip(samples, ([1, -1], [-1, -1], [0, 1], [1, 1], [0, -1]), strict=True):
        sample.set_metainfo(dict(action_unit_targets=units))
    data = dict(inputs=torch.randn(5, 1, 2, 1, 3, 3), data_samples=samples)
    whole = gradients(model, partial(BaseModel.train_step, data=data), counts)
    for clips in (4, 2, 1):
        step = partial(parts.train_step, clips=clips, data=data)
        log, grads = gradients(model, step, counts)
        torch.testing.assert_close(grads, whole[1])
        torch.testing.assert_close(dict(log), dict(whole[0]))


def test_batch_norm_never_gets_a_lone_clip():
    for clips in range(2, 20):
        for size in range(2, 20):
            lengths = [part.stop - part.start for part in parts.parts_of(clips, size, least=2)]
            assert sum(lengths) == clips
            assert min(lengths) >= 2
            assert max(lengths) <= max(size, 3)


def test_a_step_that_does_not_fit_at_all_is_one_sentence(tmp_path, monkeypatch, capsys):
    experiment = stack_experiment(tmp_path, 'ststnet', folds=FOLDS)
    room_for(1, monkeypatch)
    with pytest.raises(InputError, match=r'2 clips does not fit .*, and batch norm needs two; take fewer --jobs'):
        run_folds(experiment, RunSettings(0, tmp_path / 'run', stack='off'))
    assert 'batch norm sees 2 clips' in capsys.readouterr().err
