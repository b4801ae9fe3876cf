"""The parts inside a stock Recognizer3D, together and exchanged with stock parts; the ablations."""

from pathlib import Path

import pytest
import torch
from mmaction.models.backbones import ResNet3d
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.optim import OptimWrapper

from tests.models.test_multiscale_resnet3d import HARA

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/_base_/models/multiscale_resnet3d50.py'
SMALL = {
    'backbone': {'base_channels': 4},
    'neck': {'in_channels': [32, 64, 128], 'channels': 8},
    'cls_head': {'in_channels': [8] * 4, 'num_classes': 3},
    'data_preprocessor': {'_delete_': True, 'type': 'ActionDataPreprocessor'},
}
OURS = {'type': 'MultiScaleResNet3d', 'base_channels': 4}
STOCK = {'type': 'ResNet3d', 'base_channels': 4, **HARA}
NECK = {'type': 'AttentionFusion', 'in_channels': [32, 64, 128], 'channels': 8}
COMBINATIONS = {
    'our backbone, stock head': {
        'backbone': {**OURS, 'out_indices': (3,)},
        'cls_head': {'type': 'I3DHead', 'num_classes': 3, 'in_channels': 128, 'average_clips': 'prob', 'topk': (1,)},
    },
    'stock backbone, our head': {
        'backbone': STOCK,
        'cls_head': {'type': 'MultiOutputHead', 'num_classes': 3, 'in_channels': 128},
    },
    'our neck, stock head': {
        'backbone': OURS,
        'neck': {**NECK, 'return_scales': False},
        'cls_head': {'type': 'I3DHead', 'num_classes': 3, 'in_channels': 8, 'average_clips': 'prob', 'topk': (1,)},
    },
    'stock backbone, our neck and head': {
        'backbone': {**STOCK, 'out_indices': (1, 2, 3)},
        'neck': NECK,
        'cls_head': {'type': 'MultiOutputHead', 'num_classes': 3, 'in_channels': [8] * 4},
    },
    'our backbone and head, no neck': {
        'backbone': OURS,
        'cls_head': {'type': 'MultiOutputHead', 'num_classes': 3, 'in_channels': [32, 64, 128]},
    },
}


def small_model(*overrides):
    """The full model at a sixteenth of its width, merged with files of ablations/."""
    cfg = Config.fromfile(CONFIG)
    for path in overrides:
        cfg.merge_from_dict(Config.fromfile(path).to_dict())
    cfg.merge_from_dict({'model': SMALL})
    return build(cfg.model)


def build(cfg):
    torch.manual_seed(0)
    model = MODELS.build(Config(cfg) if isinstance(cfg, dict) else cfg)
    model.init_weights()
    return model


def batch(n=2, clip_len=8, size=32):
    torch.manual_seed(n)
    clips = list(torch.randn(n, 1, 3, clip_len, size, size))
    return {'inputs': clips, 'data_samples': [ActionDataSample().set_gt_label(i % 3) for i in range(n)]}


def train_and_predict(model, data):
    # batch norm of two clips on a map of one place may give gradients of 1e6
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01), clip_grad=dict(max_norm=1.0))
    model.train()
    log = model.train_step(data, optimizer)
    model.eval()
    return log, model.test_step(data)


@pytest.mark.parametrize('data', [batch(), batch(1, 1, 28), batch(3, 2, 33)], ids=['8x32', 'one 1x28', '2x33'])
def test_the_full_model_trains_and_predicts(data):
    log, predicted = train_and_predict(small_model(), data)
    assert log['loss'].isfinite()
    assert {'scale0_loss_cls', 'scale1_loss_cls', 'scale2_loss_cls', 'fused_loss_cls'} <= set(log)
    assert all(sample.pred_score.sum().isclose(torch.tensor(1.0)) for sample in predicted)
    assert list(predicted[0].output_scores) == ['scale0', 'scale1', 'scale2', 'fused']


@pytest.mark.parametrize('name', COMBINATIONS)
def test_parts_are_exchangeable_with_stock_parts(name):
    log, predicted = train_and_predict(build({'type': 'Recognizer3D', **COMBINATIONS[name]}), batch())
    assert log['loss'].isfinite()
    assert predicted[0].pred_score.shape == (3,)


def test_the_full_model_learns_a_batch_by_heart():
    model, data = small_model(), batch(3, 4, 28)
    model.cls_head.dropout.p = 0
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=0.01))
    model.train()
    losses = [model.train_step(data, optimizer)['loss'].item() for _ in range(40)]
    assert losses[-1] < losses[0] / 2


def test_init_weights_of_the_recogniser_leaves_the_blocks_at_zero():
    model = small_model()
    assert len(model.backbone.multiscale) == 3
    for block in model.backbone.multiscale.values():
        assert block.mix.norm.weight.abs().sum() == 0


def test_no_multiscale_is_the_plain_trunk():
    full, ablated = small_model(), small_model(ROOT / 'ablations/no_multiscale.py')
    assert len(full.backbone.state_dict()) > len(ablated.backbone.state_dict())
    assert ablated.backbone.state_dict().keys() == ResNet3d(50, base_channels=4).state_dict().keys()


def test_no_attention_has_no_weights_to_fuse():
    full, ablated = small_model(), small_model(ROOT / 'ablations/no_attention.py')
    assert sum(p.numel() for p in full.neck.fusions.parameters()) > 0
    assert sum(p.numel() for p in ablated.neck.fusions.parameters()) == 0


def test_single_head_has_one_output():
    full, ablated = small_model(), small_model(ROOT / 'ablations/single_head.py')
    assert list(full.cls_head.classifiers) == ['scale0', 'scale1', 'scale2', 'fused']
    assert list(ablated.cls_head.classifiers) == ['fused']
    assert list(train_and_predict(ablated, batch())[1][0].output_scores) == ['fused']


def test_the_blocks_and_the_rest_add_few_parameters_to_the_plain_trunk():
    cfg = Config.fromfile(CONFIG).model
    cfg.pop('data_preprocessor')
    cfg.cls_head.num_classes = 3
    with torch.device('meta'):
        plain, full = ResNet3d(**HARA), MODELS.build(cfg)
    plain, backbone, model = (sum(p.numel() for p in part.parameters()) for part in (plain, full.backbone, full))
    assert plain == 46_198_976
    assert backbone / plain == pytest.approx(1.04, abs=0.005)
    assert model / plain < 1.07
