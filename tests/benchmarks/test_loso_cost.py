from types import SimpleNamespace

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope

import mer_bench.registry  # noqa: F401 (registers the parts of the configs)
from benchmarks import loso_cost
from benchmarks.loso_cost import CONFIGS, SIZES, measure
from benchmarks.plain_loop import PlainSTSTNet, plain_network
from mer_bench.errors import InputError
from mer_bench.experiment.method import load_method
from mer_bench.models.baselines.ststnet import STSTNet


def test_the_plain_loop_trains_the_same_network():
    ours, plain = STSTNet(), PlainSTSTNet()
    parts = zip((plain.conv1, plain.conv2, plain.conv3), (plain.bn1, plain.bn2, plain.bn3), strict=True)
    for stream, (conv, norm) in zip(ours.streams, parts, strict=True):
        conv.load_state_dict(stream[0].state_dict())
        norm.load_state_dict(stream[2].state_dict())
    clips = torch.randn(2, 3, 28, 28)
    logits = plain.fc(ours.eval()(clips[:, :, None]).flatten(1))
    torch.testing.assert_close(plain.eval()(clips), logits)


@pytest.mark.parametrize('method', ['off_apexnet', 'rcn_f'])
def test_the_plain_loop_of_other_methods_trains_the_network_of_the_config(method):
    cfg = load_method(str(CONFIGS / 'mer_smic.py'), [str(CONFIGS / f'baselines/{method}.py')]).cfg
    init_default_scope('mmaction')
    plain, ours = plain_network(cfg), MODELS.build(cfg.model)
    plain.backbone.load_state_dict(ours.backbone.state_dict())
    plain.head.load_state_dict(ours.cls_head.state_dict())
    clips = torch.randn(2, len(cfg.input.channels), 28, 28)
    logits, _ = ours.eval()(clips[:, None, :, None], stage='head'), plain.eval()
    torch.testing.assert_close(plain(clips), logits)


def test_the_folds_are_those_of_the_composite():
    assert (len(SIZES), sum(SIZES)) == (68, 442)


def test_every_way_is_timed(monkeypatch):
    monkeypatch.setattr(loso_cost, 'SIZES', [6, 4, 5])
    monkeypatch.setattr(loso_cost.joblib, 'cpu_count', lambda: 1)  # no other processes
    settings = dict(method='ststnet', folds=2, epochs=1, rounds=1, run_folds=2, run_epochs=2, device='cpu', stack=0)
    result = measure(SimpleNamespace(**settings))
    measured = {'plain', 'plain_1_thread', 'runner', 'sequential', 'stacked', 'compiled', 'run'} - {*result['missing']}
    assert {*result['seconds']} == measured
    seconds, ratio = result['seconds'], result['ratios']['sequential']['median']
    assert ratio == pytest.approx(seconds['plain'] / seconds['sequential'])
    assert {*result['ratios']} == {*result['against']}
    assert '2 folds of 2 epochs took' in result['notes'][1]
    assert '2 folds of 1 epochs were timed' in result['notes'][1]
    assert 0 < result['beside_ms']['median'] <= result['beside_ms']['max']
    # 16 filters of 3x3x3 at 900 places, forward and for the weights, and a classifier of 400 x 3 with its two gradients
    assert result['work']['sequential']['flops'] == 2 * (15 - 6) * (2 * 16 * 27 * 900 + 3 * 400 * 3)


def test_more_folds_than_there_are_is_one_sentence():
    with pytest.raises(InputError, match='expected at most 68 folds, got 69; lower --folds or --run-folds'):
        measure(SimpleNamespace(folds=69, run_folds=2))
