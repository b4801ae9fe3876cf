from dataclasses import replace

import pytest
import torch
from mmaction.registry import MODELS

from mer_bench.errors import InputError
from mer_bench.training.stacking import eligibility as stack_rule
from mer_bench.training.stacking.eligibility import complexity, why_not_stackable
from mer_bench.training.stacking.strategy import StackChoice, choose, group_by_steps, plan_groups
from tests.training.stacking.stack_experiment import EVERYTHING, build_model, stack_experiment
from tests.training.test_fold_config import experiment_on


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('stack')


@pytest.mark.parametrize('network', ['ststnet', 'off_apexnet', 'dual_inception', 'rcn_a', 'rcn_w', 'one_hidden_layer'])
def test_small_networks_of_the_field_can_be_stacked(folder, network):
    experiment = stack_experiment(folder, network)
    model = build_model(experiment)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert why_not_stackable(experiment, model) is None
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ('network', 'change', 'why'),
    [
        ('ststnet', "optim_wrapper = dict(optimizer=dict(type='LBFGS', lr=0.1))", 'it has LBFGS'),
        ('ststnet', "custom_hooks = [dict(type='EMAHook')]", 'it has custom_hooks'),
        ('ststnet', 'optim_wrapper = dict(accumulative_counts=2)', 'it has accumulative_counts'),
        ('ststnet', 'model = dict(data_preprocessor=dict(mixup_alpha=0.2))', 'mixup takes its partners from one fold'),
        ('ststnet', 'model = dict(cls_head=dict(label_smooth_eps=0.1))', 'its loss is no plain cross-entropy'),
        ('ststnet', "model = dict(cls_head=dict(loss_cls=dict(type='BCELossWithLogits')))", 'its loss is no plain'),
    ],
)
def test_what_a_stack_does_not_know_is_named(folder, network, change, why):
    experiment = stack_experiment(folder, network, change)
    model = build_model(experiment)
    assert why_not_stackable(experiment, model).startswith(why)


def test_attention_that_a_stack_computes_fold_by_fold_is_not_timed(folder):
    # torch.func has no batching rule for scaled_dot_product_attention: a stack would save nothing
    narrow = 'model = dict(backbone=dict(dim=6, block_repeats=(1, 1, 1)), cls_head=dict(in_channels=24))'
    experiment = stack_experiment(folder, 'htnet', narrow + '\namp = False')
    model = build_model(experiment)
    choice = choose(experiment, model, 0, 'auto')
    assert (choice.way, choice.asked, choice.seconds) == ('sequential', 'auto', {})
    assert choice.why.startswith('torch.func has no batching rule for aten::_scaled_dot_product')
    plain = stack_experiment(folder, 'off_apexnet')
    assert stack_rule.done_in_turns(build_model(plain), plain) is None


def test_a_network_that_is_too_large_is_not_stacked(folder, monkeypatch):
    experiment = stack_experiment(folder, 'off_apexnet')
    monkeypatch.setattr(stack_rule, 'MOST_PARAMETERS', 2_000_000)
    model = build_model(experiment)
    why = why_not_stackable(experiment, model)
    assert why.startswith('it has 2.7 million parameters and 0.01 GFLOP a clip, more than 2 ')


def test_the_full_model_is_trained_by_the_runner_and_cannot_be_stacked(prepared_data, tiny_override):
    experiment = experiment_on(prepared_data, overrides=[str(tiny_override)])
    model = build_model(experiment)
    assert choose(experiment, model, 0, 'auto').way == 'off'
    with pytest.raises(
        InputError, match=r'--stack 2: multiscale.* cannot be stacked: it is no Recognizer3D of backbone'
    ):
        choose(experiment, model, 0, 2)


def test_folds_with_other_steps_an_epoch_are_not_in_one_stack(folder):
    experiment = stack_experiment(folder, 'ststnet', EVERYTHING.replace('batch_size=6', 'batch_size=14'))
    groups = group_by_steps(
        experiment, experiment.folds
    )  # without a subject of casme2 16 clips, without one of smic 14
    assert [[fold.name for fold in group] for group in groups] == [
        ['casme2/s01', 'casme2/s02'],
        ['smic/s01', 'smic/s02'],
    ]
    model = build_model(experiment)
    choice = choose(experiment, model, 0, 3)
    assert plan_groups(experiment, experiment.folds, choice) == groups
    assert [*map(len, plan_groups(experiment, experiment.folds, StackChoice('stacked', 1)))] == [1, 1, 1, 1]
    assert [*map(len, plan_groups(experiment, experiment.folds, StackChoice('off')))] == [1, 1, 1, 1]


def test_a_fold_that_drops_a_lone_last_clip_is_in_another_stack_than_one_that_does_not(folder):
    """Of 16 clips a batch of 15 leaves one, which is dropped; 14 are one batch: a step an epoch in both cases."""
    experiment = stack_experiment(folder, 'ststnet', EVERYTHING.replace('batch_size=6', 'batch_size=15'))
    groups = group_by_steps(experiment, experiment.folds)
    assert [[fold.name for fold in group] for group in groups] == [
        ['casme2/s01', 'casme2/s02'],
        ['smic/s01', 'smic/s02'],
    ]


def test_a_gpu_of_another_machine_than_the_driver_needs_no_gpu_here(folder, monkeypatch):
    monkeypatch.setattr('torch.cuda.device_count', lambda: 0)
    experiment = replace(stack_experiment(folder, 'ststnet'), device='cuda')
    monkeypatch.setattr(stack_rule, 'why_not_stackable', lambda *method: None)
    assert choose(experiment, None, 0, 'auto').folds == len(experiment.folds)


HEAD = {'type': 'MultiOutputHead', 'num_classes': 3, 'in_channels': [8, 8]}
NECK = {'type': 'AttentionFusion', 'in_channels': [3], 'channels': 8}


class Eye(torch.nn.Module):
    """A backbone that does nothing."""

    def forward(self, x):
        return x


def eye_model():
    MODELS.register_module('Eye', module=Eye, force=True)
    return MODELS.build({'type': 'Recognizer3D', 'backbone': {'type': 'Eye'}, 'neck': NECK, 'cls_head': HEAD})


def test_parameters_and_flops_of_neck_and_head_are_counted_by_hand():
    parameters, flops = complexity(eye_model(), (3, 4, 5, 6))
    assert parameters == 3 * 8 + 2 * 8 + 2 * (8 * 3 + 3)
    assert flops == 2 * (4 * 5 * 6 * 3 * 8 + 2 * 8 * 3)


def test_the_model_stays_in_its_modes():
    model = eye_model().train()
    model.neck.eval()
    model.neck.projections.train()
    complexity(model, (3, 1, 4, 4))
    assert (model.training, model.neck.training, model.neck.projections.training) == (True, False, True)
    assert model.neck.projections[0].bn.num_batches_tracked == 0
