"""The hooks of our Runner, against those of MMEngine."""

import logging
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.hooks import RuntimeInfoHook
from mmengine.logging import MessageHub
from mmengine.model import BaseDataPreprocessor
from mmengine.optim import OptimWrapper
from torch import nn

from mer_bench import clip_random
from mer_bench.loading.flow_data_preprocessor import FlowDataPreprocessor
from mer_bench.models import MultiOutputHead
from mer_bench.training.runner import (
    DeferredLogHook,
    DeferredLogOptimWrapper,
    EpochHook,
    PredictionTable,
    SpacedCheckpointHook,
)

STEPS = 5
READINGS = ('item', 'tolist', 'numpy', 'cpu', '__float__', '__bool__')


def train(wrapper_type, hook, name):
    """Return what the log holds after an epoch of five steps, and the last weights."""
    torch.manual_seed(0)
    layer, hub = nn.Linear(3, 2), MessageHub.get_instance(name)
    wrapper = wrapper_type(torch.optim.SGD(layer.parameters(), lr=1.0), clip_grad=dict(max_norm=0.5))
    wrapper.message_hub = hub
    runner = SimpleNamespace(message_hub=hub, optim_wrapper=wrapper, train_dataloader=range(STEPS))
    for step in range(STEPS):
        loss = (layer(torch.full((4, 3), step + 1.0)) ** 2).mean()
        wrapper.update_params(loss)
        outputs = dict(loss=loss, top1_acc=torch.tensor(step / 4, dtype=torch.float64))
        hook.after_train_iter(runner, step, outputs=outputs)
    return {key: list(buffer.data[0]) for key, buffer in hub.log_scalars.items()}, layer.weight


@pytest.mark.parametrize('interval', [2, 10])
def test_the_log_has_the_numbers_of_mmengine(interval):
    deferred, weight = train(DeferredLogOptimWrapper, DeferredLogHook(interval), f'deferred{interval}')
    stock, expected = train(OptimWrapper, RuntimeInfoHook(), f'stock{interval}')
    assert torch.equal(weight, expected)
    assert deferred == stock
    assert {len(history) for history in deferred.values()} == {STEPS}
    assert {*deferred} == {'train/loss', 'train/top1_acc', 'train/grad_norm'}


def test_the_log_is_complete_where_a_line_is_written():
    hook, hub = DeferredLogHook(2), MessageHub.get_instance('lines')
    for step in range(STEPS):
        runner = SimpleNamespace(message_hub=hub, optim_wrapper=None, train_dataloader=range(STEPS))
        hook.after_train_iter(runner, step, outputs=dict(loss=torch.tensor(1.0)))
        counts = len(hub.log_scalars['train/loss'].data[0]) if 'train/loss' in hub.log_scalars else 0
        assert counts == [0, 2, 2, 4, 5][step]  # after steps 2 and 4, and at the end of the epoch


def test_no_training_step_reads_from_the_device(monkeypatch):
    head = MultiOutputHead(3, (5, 6), num_action_units=2)
    wrapper = DeferredLogOptimWrapper(torch.optim.SGD(head.parameters(), lr=0.1), clip_grad=dict(max_norm=1.0))
    samples = [ActionDataSample().set_gt_label(label) for label in (0, 2, 1)]
    for sample in samples:
        sample.set_metainfo({'action_unit_targets': [1, -1]})
    maps = [torch.randn(3, channels, 2, 3, 3) for channels in (5, 6)]
    hook = DeferredLogHook(10)
    runner = SimpleNamespace(message_hub=None, optim_wrapper=wrapper, train_dataloader=range(9))

    def refuse(*args):
        raise AssertionError('read from the device')

    for name in READINGS:
        monkeypatch.setattr(torch.Tensor, name, refuse)
    losses = head.loss(maps, samples)
    wrapper.update_params(sum(value for name, value in losses.items() if 'loss' in name))
    hook.after_train_iter(runner, 0, outputs=losses)
    monkeypatch.undo()
    assert hook.steps[0]['grad_norm'] > 0


def test_on_a_gpu_a_minute_passes_before_a_checkpoint_is_written(monkeypatch, tmp_path):
    clock, saved = SimpleNamespace(now=0), []
    hook = SpacedCheckpointHook(interval=2, save_last=False)
    monkeypatch.setattr('mer_bench.training.runner.time.monotonic', lambda: clock.now)
    runner = SimpleNamespace(work_dir=str(tmp_path), epoch=0, iter=0, message_hub=MessageHub.get_instance('saved'))
    runner.logger = logging.getLogger(__name__)
    runner.save_checkpoint = lambda *args, **kwargs: saved.append(clock.now)
    hook.before_train(runner)
    for runner.epoch in range(8):
        clock.now += 25
        hook.after_train_epoch(runner)
    assert saved == [100, 200]  # every second epoch ends after 50, 100, 150 and 200 seconds


def begin_epoch(preprocessor, epoch: int) -> object:
    """Return the data set of a runner whose epoch begins."""
    dataset = object()
    model = SimpleNamespace(data_preprocessor=preprocessor)
    loader = SimpleNamespace(dataset=dataset)
    EpochHook(5, print).before_train_epoch(SimpleNamespace(model=model, epoch=epoch, train_dataloader=loader))
    return dataset


def test_a_flow_preprocessor_gets_seed_epoch_and_the_clips_of_the_fold():
    preprocessor = FlowDataPreprocessor()
    dataset = begin_epoch(preprocessor, 2)
    assert preprocessor.epoch == (5, 2)
    assert preprocessor.training_clips is dataset


def test_no_dropout_draws_from_the_clips_of_another_training():
    clip_random.set_draws(clip_random.BatchDraws(torch.zeros(1, dtype=torch.int32), 0, 0))
    begin_epoch(BaseDataPreprocessor(), 0)
    assert clip_random._current is None


def test_torch_is_seeded_by_the_number_of_the_epoch():
    drawn = []
    for epoch in (0, 1, 0):
        begin_epoch(BaseDataPreprocessor(), epoch)
        drawn.append(float(torch.rand(())))
    assert drawn[0] == drawn[2] != drawn[1]


def predicted(name, scores, output_scores, units):
    """What a network leaves of a clip of class a, with its decision, one output and one action unit."""
    scores, output_scores, units = map(torch.tensor, (scores, output_scores, units))
    return dict(
        sample_id=f'smic/s01/{name}',
        subject='smic/s01',
        gt_label=torch.tensor([0]),
        pred_label=scores.argmax(keepdim=True),
        pred_score=scores,
        output_scores=dict(fused=output_scores),
        action_units='4',
        action_unit_scores=units,
    )


def test_scores_of_mirrored_copies_are_averaged_and_the_highest_mean_is_predicted(tmp_path):
    table = PredictionTable(str(tmp_path / 'predictions.csv'), 'smic/s01', 0)
    table.dataset_meta = dict(classes=('a', 'b'), action_units=(4,))
    one = predicted('one', [0.5, 0.5], [1.0, 0.0], [0.75]), predicted('one', [0.25, 0.75], [0.5, 0.5], [0.25])
    two = predicted('two', [0.25, 0.75], [0.0, 1.0], [0.0]), predicted('two', [1.0, 0.0], [0.5, 0.5], [0.5])
    table.process({}, [one[0], two[0], one[1], two[1]])
    table.process({}, [predicted('three', [0.0, 1.0], [0.0, 1.0], [1.0])])  # a batch without copies
    table.compute_metrics(table.results)
    rows = pd.read_csv(tmp_path / 'predictions.csv', index_col='sample_id').loc[
        ['smic/s01/one', 'smic/s01/two', 'smic/s01/three']
    ]
    assert rows['y_pred'].tolist() == ['b', 'a', 'b']
    assert rows['score_a'].tolist() == [0.375, 0.625, 0.0]
    assert rows['fused_score_b'].tolist() == [0.25, 0.75, 1.0]
    assert rows['action_units_score_4'].tolist() == [0.5, 0.25, 1.0]
