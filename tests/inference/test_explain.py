"""Explanations depend on the network and on the clip: the checks of Adebayo et al., NeurIPS 2018, arXiv 1810.03292."""

import json

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from mer_bench.cli.trained.explain import main
from mer_bench.errors import InputError
from mer_bench.experiment.experiment import RunOptions, open_experiment
from mer_bench.experiment.recorded import read_text
from mer_bench.inference.explain import evidence, explain
from mer_bench.inference.model import TrainedModel, build

pytest.importorskip('captum')

TINY = {
    'model.backbone.base_channels': 4,
    'model.neck.in_channels': [32, 64, 128],
    'model.neck.channels': 8,
    'model.cls_head.in_channels': [8] * 4,
    'amp': False,
}


@pytest.fixture(scope='module')
def scales(drawn):
    """The full model, narrow and untrained, on the drawn clips."""
    options = RunOptions('mer_casme2_3class', [], TINY, [str(drawn.data)], device='cpu')
    method, data = (experiment := open_experiment(options)).method, experiment.data
    info = dict(prepare=data.info, mean=[0.0] * 3, std=[1.0] * 3, calibration=None)
    info['classes'] = list(method.cfg.classes)
    torch.manual_seed(0)
    network, view = build(read_text(method.text, 'config'), info)
    return TrainedModel(drawn.model, network.eval(), list(method.cfg.classes), data.info, view, info)


def randomise(network, seed):
    torch.manual_seed(seed)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)


def test_with_random_weights_the_evidence_is_another(model, drawn):
    clips = np.load(drawn.data / 'store/flow.npy')
    tensors = [model.tensor(clip) for clip in clips]
    trained = [evidence(model, tensor, 0) for tensor in tensors]
    again = [evidence(model, tensor, 0) for tensor in tensors]
    randomise(model.network, 1)
    changed = [evidence(model, tensor, 0) for tensor in tensors]
    assert all(np.array_equal(one, other) for one, other in zip(trained, again, strict=True))
    pairs = [(one, other) for one, other in zip(trained, changed, strict=True) if one.any() and other.any()]
    assert len(pairs) >= 3
    assert np.mean([spearmanr(one.ravel(), other.ravel())[0] for one, other in pairs]) < 0.7


@pytest.mark.parametrize('corner', [(slice(0, 8), slice(0, 8)), (slice(20, 28), slice(0, 8))])
def test_the_evidence_is_where_the_motion_is(model, corner):
    network = model.network
    with torch.no_grad():  # set by hand: every filter adds up the strength of the motion, and class 0 is for motion
        for stream in network.backbone.streams:
            stream[0].weight.fill_(0.1)
            stream[0].bias.zero_()
        network.cls_head.fc_cls.weight.zero_()
        network.cls_head.fc_cls.weight[0] = 1
    clip = torch.zeros(1, 3, 1, 28, 28)
    clip[(..., *corner)] = 3
    heat = evidence(model, clip, 0)
    assert heat.shape == (1, 28, 28)
    outside = heat.copy()
    outside[(..., *(slice(max(part.start - 6, 0), part.stop + 6) for part in corner))] = 0
    assert heat[(..., *corner)].mean() > 0.5
    assert outside.sum() < 0.05 * heat.sum()


def test_scales_are_fused_and_vote(scales, clip_args):
    found = explain(scales, scales.clip(**clip_args))
    assert found.evidence.shape == (4, 28, 28)
    assert found.evidence.max() == 1
    assert list(found.votes) == ['scale0', 'scale1', 'scale2', 'fused']
    assert np.mean([[*vote.values()] for vote in found.votes.values()], axis=0) == pytest.approx(
        [*found.scores.values()]
    )
    assert len(found.gates) == 2
    assert all(0 < gate.min() <= gate.max() < 1 for gate in found.gates)
    assert 'outputs vote for it' in found.sentence
    assert not found.notes


def test_the_command_writes_a_picture_and_says_what_a_network_lacks(drawn, clip_args, tmp_path, capsys):
    place = tmp_path / 'why.png'
    spans = [f'--{name}={clip_args[name]}' for name in ('onset', 'apex', 'offset')]
    main([str(drawn.model), str(clip_args['path']), *spans, '--label', 'surprise', '--out', str(place), '--json'])
    found = json.loads(capsys.readouterr().out)
    assert found['label'] == 'surprise'
    assert found['notes'] == ['this network has no attention that fuses scales', 'this network has one output']
    assert list(found['evidence_over_time']) == [str(clip_args['apex'])]
    assert place.read_bytes().startswith(b'\x89PNG')


def test_an_unknown_class_is_named(model, clip_args):
    with pytest.raises(InputError, match=r'--label supprise: expected a class .* \(did you mean surprise\?\)'):
        explain(model, model.clip(**clip_args), 'supprise')
