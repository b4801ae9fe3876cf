from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.optim import OptimWrapper

from mer_bench.errors import InputError
from mer_bench.models.baselines.htnet import CENTRES, HTNet, face_areas, in_blocks
from mer_bench.models.heads import FlatHead

OVERRIDE = Path(__file__).parents[3] / 'configs/baselines/htnet.py'
SMALL = {'dim': 12, 'block_repeats': (1, 1, 2)}


def layer_parameters(d, inner):
    """Two norms, q, k and v without bias, the projection, and the two layers of the feed-forward part."""
    return 2 * 2 * d + 3 * d * inner + inner * d + d + d * 4 * d + 4 * d + 4 * d * d + d


def test_the_parameters_are_those_of_the_authors_code():
    """Counted by hand in Model.py of wangzhifengharrison/HTNet for the arguments of main_HTNet.py and three classes."""
    with torch.device('meta'):
        network, classifier = HTNet(), FlatHead(3, 1024)
    counted = sum(p.numel() for part in (network, classifier) for p in part.parameters())
    embedding = 7 * 7 * 3 * 256 + 256
    first = 1 + 2 * layer_parameters(256, 3 * (256 // 3))
    second = 1 + 2 * layer_parameters(512, 6 * (512 // 6))
    third = 1 + 10 * layer_parameters(1024, 12 * (1024 // 12))
    aggregations = 9 * 256 * 512 + 512 + 2 * 512 + 9 * 512 * 1024 + 1024 + 2 * 1024
    head = 2 * 1024 + 1024 * 3 + 3
    assert counted == embedding + first + second + third + aggregations + head == 139_582_982


def test_four_areas_around_eyes_and_lips_lie_side_by_side():
    picture = torch.arange(28 * 28.0).view(1, 1, 28, 28)  # the value tells the place: 28 row + column
    areas = face_areas(picture)[0, 0]
    assert areas.shape == (28, 28)
    middles = [areas[7, 7], areas[7, 21], areas[21, 7], areas[21, 21]]
    assert [divmod(int(m), 28) for m in middles] == list(CENTRES)
    assert divmod(int(areas[0, 0]), 28) == (2, 4)
    assert divmod(int(areas[27, 27]), 28) == (26, 27)


def test_a_level_sees_each_block_alone_and_the_aggregation_joins_them():
    network = HTNet(**SMALL).eval()
    x = torch.randn(1, 12, 4, 4)
    moved = x.clone()
    moved[..., 0, 0] += 1
    level, aggregate = network.levels[0], network.aggregations[0]
    before, after = in_blocks(level, x, 4), in_blocks(level, moved, 4)
    assert (before != after).any(dim=1).nonzero().tolist() == [[0, 0, 0]]
    assert (aggregate(before) != aggregate(after)).any(dim=1).sum() > 1


def test_widths_double_as_the_map_halves():
    network = HTNet(**SMALL)
    x = network.patch_embed(torch.randn(1, 147, 4, 4))
    shapes = [tuple(x.shape)]
    for aggregate in network.aggregations:
        x = aggregate(x)
        shapes.append(tuple(x.shape))
    assert shapes == [(1, 12, 4, 4), (1, 24, 2, 2), (1, 48, 1, 1)]


def test_attention_is_that_of_pytorch_where_the_heads_divide_the_width():
    attention = HTNet(**SMALL).levels[0].attentions[0][1]
    stock = torch.nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        stock.in_proj_weight.copy_(attention.qkv.weight[:, :, 0, 0])
        stock.in_proj_bias.zero_()
        stock.out_proj.weight.copy_(attention.proj.weight[:, :, 0, 0])
        stock.out_proj.bias.copy_(attention.proj.bias)
    x = torch.randn(2, 12, 2, 3)
    tokens = x.flatten(2).transpose(1, 2)
    expected = stock(tokens, tokens, tokens)[0].transpose(1, 2).view_as(x)
    torch.testing.assert_close(attention(x), expected)


def test_the_override_trains_and_predicts():
    cfg = Config.fromfile(OVERRIDE).model
    cfg.pop('_delete_', None)
    cfg.data_preprocessor = {'type': 'ActionDataPreprocessor'}
    cfg.backbone.update(SMALL)
    cfg.cls_head.update(in_channels=48, num_classes=3)
    model = MODELS.build(cfg)
    data = {
        'inputs': list(torch.randn(4, 1, 3, 1, 28, 28)),
        'data_samples': [ActionDataSample().set_gt_label(i % 3) for i in range(4)],
    }
    assert model.extract_feat(torch.randn(4, 1, 3, 1, 28, 28))[0].shape == (4, 48)
    log = model.train_step(data, OptimWrapper(torch.optim.Adam(model.parameters())))
    assert log['loss'].isfinite()
    assert all(sample.pred_score.shape == (3,) for sample in model.eval().test_step(data))


def test_another_size_is_refused():
    with pytest.raises(InputError, match='28x28'):
        HTNet(**SMALL)(torch.zeros(1, 3, 1, 56, 56))
    with pytest.raises(InputError, match='patch_size'):
        HTNet(patch_size=14)
