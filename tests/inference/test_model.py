import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from scipy.special import softmax

import mer_bench
from mer_bench.errors import InputError
from mer_bench.files import sealed
from mer_bench.loading import FlowStoreDataset

PIPELINE = [dict(type='LoadFlowClip', frames='apex', size=28), dict(type='PackActionInputs', meta_keys=('sample_id',))]


def of_the_runner(model, drawn, row):
    """Return the scores that the network gives a clip of the store by the way of a test in MMEngine's Runner."""
    clips = FlowStoreDataset(str(drawn.data), label_scheme='megc2019_3class', pipeline=PIPELINE, resident=False)
    clip = clips[row]
    with torch.no_grad(), DefaultScope.overwrite_default_scope('mmaction'):
        samples = model.network.test_step(dict(inputs=[clip['inputs']], data_samples=[clip['data_samples']]))
    return np.stack([sample.pred_score.numpy() for sample in samples])


@pytest.mark.parametrize('row', [0, 4])
def test_probabilities_of_a_stored_clip_are_those_of_a_test_by_the_runner(drawn, model, row):
    flow = np.load(drawn.data / 'store/flow.npy')[row]
    np.testing.assert_allclose(model.scores(model.tensor(flow)), of_the_runner(model, drawn, row), atol=1e-7)


def test_scores_are_averaged_over_the_mirrored_clip_where_the_test_was(drawn, model):
    flow = np.load(drawn.data / 'store/flow.npy')[0]
    mirroring = replace(model, input=replace(model.input, mirror_test=True))
    model.network.data_preprocessor.mirror_test = True
    both = of_the_runner(model, drawn, 0)
    assert abs(both[0] - both[1]).max() > 1e-4
    np.testing.assert_allclose(mirroring.scores(model.tensor(flow))[0], both.mean(0), atol=1e-6)


def test_a_temperature_divides_the_logarithms_of_the_probabilities(drawn, model):
    tensor = model.tensor(np.load(drawn.data / 'store/flow.npy')[1])
    heated = replace(model, info=model.info | dict(calibration=dict(value=3.0, of='probabilities')))
    expected = softmax(np.log(model.scores(tensor)) / 3, axis=1)
    np.testing.assert_allclose(heated.scores(tensor), expected, atol=1e-6)


def test_outputs_have_gradients_for_explanations(drawn, model):
    tensor = model.tensor(np.load(drawn.data / 'store/flow.npy')[0]).requires_grad_()
    model.outputs(tensor)[0].pred_score.max().backward()
    assert tensor.grad.abs().sum() > 0


def test_a_network_whose_weights_are_no_numbers_is_refused(model):
    next(model.network.parameters()).data.fill_(torch.nan)
    with pytest.raises(InputError, match='expected finite scores'):
        model.scores(torch.zeros(1, *model.shape))


@pytest.fixture
def copied(drawn, tmp_path):
    return shutil.copytree(drawn.model, tmp_path / 'model')


def change(folder, keep_seal=False, **keys):
    """Change settings of a model, as a stranger does who also renews the digest, or as damage does."""
    info = json.loads((folder / 'model.json').read_text()) | keys
    (folder / 'model.json').write_text(json.dumps(info if keep_seal else sealed(info)))


def append(path):
    path.write_bytes(path.read_bytes() + b'x')


@pytest.mark.parametrize(
    ('damage', 'what'),
    [
        (lambda f: append(f / 'model.safetensors'), 'expected the weights that model.json names, found another file'),
        (lambda f: (f / 'model.safetensors').unlink(), 'found none'),
        (lambda f: (f / 'model.json').unlink(), 'expected a model, a folder with model.json'),
        (lambda f: (f / 'model.json').write_text('{'), 'expected JSON'),
        (lambda f: change(f, keep_seal=True, classes=['a', 'b', 'c']), 'they were changed'),
        (lambda f: change(f, classes=['a']), 'classes'),
        (lambda f: change(f, mean=[1.0]), 'mean'),
        (lambda f: change(f, std=[0.0, 1.0, 1.0]), 'std'),
        (lambda f: change(f, digest=None, keep_seal=True), 'digest'),
    ],
)
def test_a_damaged_or_changed_folder_is_refused_in_one_sentence(copied, damage, what):
    damage(copied)
    with pytest.raises(InputError, match=what) as error:
        mer_bench.load_model(copied)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ("type='STSTNet'", "type='os.system'"),
        ("type='STSTNet'", "type=__import__('os').mkdir('ran')"),
        ("type='STSTNet'", "type='NoSuchBackbone'"),
        ("type='STSTNet'", "type='OFFApexNet'"),  # other weights
        ("type='FlowDataPreprocessor'", "type='ActionDataPreprocessor'"),
        ('model = dict(', 'other = dict('),
    ],
)
def test_a_changed_config_runs_nothing_and_is_refused(copied, old, new, monkeypatch):
    monkeypatch.chdir(copied)
    config = json.loads((copied / 'model.json').read_text())['config']
    assert old in config['text']
    change(copied, config=config | dict(text=config['text'].replace(old, new)))
    with pytest.raises(InputError):
        mer_bench.load_model(copied)
    assert not (copied / 'ran').exists()
