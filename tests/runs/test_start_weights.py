"""The weights that a run starts from: refused where they do not fit, counted in the record where they do."""

import pytest
import torch

from mer_bench.errors import InputError
from mer_bench.experiment.provenance import refuse_other_settings, start_record
from mer_bench.models import MultiScaleResNet3d
from mer_bench.results.record import write_record
from mer_bench.runs.run_folder import ADVICE
from mer_bench.training.fold import fold_config
from mer_bench.training.stacking.data import build_fresh_runner
from tests.conftest import ROOT
from tests.runs.test_model import described
from tests.training.test_fold_config import experiment_on

STOCK = """
model = dict(_delete_=True, type='Recognizer3D', data_preprocessor=dict(type='FlowDataPreprocessor'),
    backbone=dict(type='ResNet3d', depth=50, base_channels=8, conv1_kernel=(3, 7, 7), pretrained={!r}),
    cls_head=dict(type='I3DHead', in_channels=256, spatial_type='avg', topk=(1,)))
"""
STSTNET = str(ROOT / 'configs/baselines/ststnet.py')


@pytest.fixture
def pictures(tmp_path):
    """A checkpoint of a 2D ResNet-50, an eighth as wide."""
    trunk = MultiScaleResNet3d(base_channels=8, conv1_kernel=(3, 7, 7), inflate=0, kernel_sizes=None)
    weights = {name: weight[:, :, 0] if weight.dim() == 5 else weight for name, weight in trunk.state_dict().items()}
    torch.save(weights, tmp_path / 'r50.pth')
    return tmp_path / 'r50.pth'


def stock(prepared_data, path):
    (path.parent / 'stock.py').write_text(STOCK.format(str(path)))
    return experiment_on(prepared_data, overrides=[str(path.parent / 'stock.py')])


def test_a_stock_3d_backbone_starts_from_the_weights_of_pictures(prepared_data, pictures, tmp_path):
    experiment, weights = stock(prepared_data, pictures), torch.load(pictures)
    noted = described(experiment)['pretrained']
    assert noted['name'] == 'r50.pth'
    assert noted['inflated'] == 53
    assert noted['fitted'] == noted['of'] == len(weights)
    runner = build_fresh_runner(fold_config(experiment, experiment.folds[0], 0, tmp_path), tmp_path, torch.float32)
    kernel = runner.model.backbone.conv1.conv.weight
    assert torch.allclose(kernel.sum(2), weights['conv1.conv.weight'], atol=1e-6)  # a still clip gives its answer
    assert torch.equal(kernel[:, :, 0], kernel[:, :, 2])


def test_weights_of_another_network_are_refused_before_the_first_fold(prepared_data, pictures, tiny_override):
    torch.save({'encoder.weight': torch.zeros(3, 3)}, pictures)
    with pytest.raises(InputError, match=r'r50\.pth fits only 0 of the 53 convolutions'):
        described(stock(prepared_data, pictures))
    for override in (STSTNET, str(tiny_override)):
        other = experiment_on(prepared_data, overrides=[override], cfg_options=[f'load_from={pictures}'])
        with pytest.raises(InputError, match=r'r50\.pth fits only 0 of the \d+ convolutions and matrices'):
            described(other)


def test_load_from_takes_the_checkpoint_of_a_fold(prepared_data, finished_run, tiny_override, tmp_path):
    path = finished_run / 'folds/smic_s01/checkpoint.pth'
    experiment = experiment_on(prepared_data, overrides=[str(tiny_override)], cfg_options=[f'load_from={path}'])
    record, weights = start_record(experiment, 0) | described(experiment), torch.load(path)['state_dict']
    assert (record['pretrained']['fitted'], record['pretrained']['of']) == (len(weights), len(weights))
    runner = build_fresh_runner(fold_config(experiment, experiment.folds[0], 0, tmp_path), tmp_path, torch.float32)
    assert all(torch.equal(weight, weights[name]) for name, weight in runner.model.state_dict().items())
    record['pretrained'] = {key: record['pretrained'][key] for key in ('name', 'digest')}  # as earlier versions wrote
    write_record(tmp_path / 'record.json', record)
    refuse_other_settings(tmp_path, start_record(experiment, 0), ADVICE)
