import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.optim import OptimWrapper

from mer_bench.errors import InputError
from mer_bench.models.baselines.causalnet import (
    CausalAttentionBlock,
    CausalNet,
    CrossLayer,
    TokenAttention,
    direction_map,
    to_levels,
    tokens_of,
)
from mer_bench.models.heads import FlatHead

OVERRIDE = Path(__file__).parents[3] / 'configs/baselines/causalnet.py'
SMALL = {'dim': 16, 'block_repeats': (1, 1, 2), 'out_channels': 20}


def htnet_layer(d, inner):
    """Two norms, q, k and v without bias, the projection, and the two layers of the feed-forward part."""
    return 2 * 2 * d + 3 * d * inner + inner * d + d + d * 4 * d + 4 * d + 4 * d * d + d


def test_the_parameters_are_those_of_the_authors_code():
    """Counted by hand in Models.py of tony19980810/CausalNet for the arguments of main_train.py.

    Each of the two HTNets (`to_patch_embedding` and `layers`, those with 1): a 1x1 convolution of 7 x 7 x 3 values; 3,
    3 and 9 layers of widths 256, 512 and 1024 with a number for the position each, whose 3, 6 and 12 heads are 85 wide;
    two 3x3 convolutions with a norm between. `CrossAttention`: 9 times a norm, q, k, v and the projection, and a
    feed-forward part, 256 wide (the 9 is left over from the loop before). `cab`: a norm, three such attentions (two of
    space and time, one of causal relation) and a feed-forward part. `mlp_head`: 12 x 256 to 2048 to 3.
    """
    with torch.device('meta'):
        network, classifier = CausalNet(), FlatHead(3, 2048)
    counted = sum(p.numel() for part in (network, classifier) for p in part.parameters())
    levels = 3 * htnet_layer(256, 3 * 85) + 3 * htnet_layer(512, 6 * 85) + 9 * htnet_layer(1024, 12 * 85) + 3
    aggregations = 9 * 256 * 512 + 512 + 2 * 512 + 9 * 512 * 1024 + 1024 + 2 * 1024
    htnet = 7 * 7 * 3 * 256 + 256 + levels + aggregations
    norm, attention, mlp = 2 * 256, 4 * (256 * 256 + 256), 2 * 4 * 256 * 256 + 4 * 256 + 256
    cross = 9 * (norm + attention + mlp)
    causal = norm + 3 * attention + mlp
    head = 12 * 256 * 2048 + 2048 + 2048 * 3 + 3
    assert counted == 2 * htnet + cross + causal + head == 276_590_089


def test_every_stage_has_the_shape_of_the_authors_code():
    network = CausalNet(**SMALL)
    x = torch.rand(3, 3, 2, 28, 28)
    rise, fall = tokens_of(network.flow, to_levels(x))
    assert rise.shape == fall.shape == (3, 4, 16)
    assert [part.shape for part in network.cross_layers[0](rise, fall)] == [(3, 4, 16)] * 2
    assert network.causal_attention(rise, fall).shape == (3, 12, 16)
    features = network(x)
    assert features.shape == (3, 20)
    features.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_a_token_is_a_quarter_of_every_fourth_feature():
    """`x.reshape(b, d // 4, 2, 2)` and then 'b c h w -> b (h w) c' in Models.py."""
    features = torch.arange(2 * 64.0).view(2, 64)
    rise, fall = tokens_of(lambda pictures: features, torch.zeros(1, 3, 2, 28, 28))
    for tokens, row in ((rise, features[0]), (fall, features[1])):
        assert torch.equal(tokens[0], row.reshape(16, 2, 2).permute(1, 2, 0).reshape(4, 16))


def attend(layer, query, key, value, scale, gamma=None):
    """Attention of 8 heads on (L, D) tokens, before the projection, one head and one token after the other.

    Tokens 1 and 4, and 2 and 3, are opposite corners of a square: with gamma the score of the j-th is -gamma j, and its
    weight is dropped after the softmax.
    """
    q, k, v = layer.q(query), layer.k(key), layer.v(value)
    out = torch.zeros_like(q)
    width = q.shape[1] // 8
    for head in range(8):
        part = slice(head * width, (head + 1) * width)
        for i in range(len(q)):
            opposite = {j for j in range(len(k)) if gamma is not None and i + j == 3}
            scores = [-gamma * (j + 1) if j in opposite else scale * q[i, part] @ k[j, part] for j in range(len(k))]
            total = sum(math.exp(score) for score in scores)
            for j in {*range(len(k))} - opposite:
                out[i, part] += math.exp(scores[j]) / total * v[j, part]
    return out


def feed_forward(mlp, x):
    return mlp.fc2(torch.nn.functional.gelu(mlp.fc1(x)))


@torch.no_grad()
def test_the_directions_of_rise_and_fall_attend_to_each_other_in_turn():
    layer, scale = CrossLayer(16, gamma=0.5), 1 / 4
    rise, fall = torch.randn(2, 4, 16)
    attention = layer.attention
    new_rise = rise + attention.proj(attend(attention, layer.norm(rise), fall, fall, scale, 0.5))
    new_fall = fall + attention.proj(attend(attention, layer.norm(fall), new_rise, new_rise, scale, 0.5))
    expected = [x + feed_forward(layer.mlp, x) for x in (new_rise, new_fall)]
    for found, wanted in zip(layer(rise[None], fall[None]), expected, strict=True):
        torch.testing.assert_close(found[0], wanted)


@torch.no_grad()
def test_causal_attention_goes_both_ways_in_time():
    block, scale = CausalAttentionBlock(16, gamma=0.3), 1 / math.sqrt(2)
    rise, fall = torch.randn(2, 4, 16)

    def one_way(first, second):
        spatial, temporal = block.spatial, block.temporal
        first, second = (
            x + spatial.proj(attend(spatial, x, x, x, scale, 0.3)) for x in (block.norm(first), block.norm(second))
        )
        pairs = zip(first, second, strict=True)
        seen = [attend(temporal, b[None], torch.stack([a, b]), torch.stack([a, b]), scale)[0] for a, b in pairs]
        second = second + temporal.proj(torch.stack(seen))
        return [x + feed_forward(block.mlp, x) for x in (first, second)]

    (early, late), (early_back, late_back) = one_way(rise, fall), one_way(fall, rise)
    both = late + late_back
    relation = block.relation.proj(attend(block.relation, late, late_back, both, scale) + both)
    torch.testing.assert_close(block(rise[None], fall[None])[0], torch.cat([relation, early, early_back]))


def test_opposite_corners_do_not_see_each_other():
    attention = TokenAttention(16, 0.25, gamma=0.5)
    x = torch.randn(1, 4, 16)
    for j in range(4):
        moved = x.clone()
        moved[:, j] += 1
        change = (attention(x, moved, moved) - attention(x, x, x)).abs().sum(dim=2)[0]
        assert (change == 0).nonzero().flatten().tolist() == [3 - j]


def test_the_direction_map_is_opencvs_colour_of_the_half_angle():
    """Read with OpenCV in the authors' pictures: hue of half the angle of the levels, saturation and value 255."""
    u, v = np.meshgrid(np.arange(0, 256, 5), np.arange(0, 256, 5))
    angle = np.degrees(np.arctan2(v.astype(np.float32), u.astype(np.float32)))
    hsv = np.stack([np.floor(angle / 2), np.full_like(angle, 255), np.full_like(angle, 255)], axis=-1).astype(np.uint8)
    expected = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).transpose(2, 0, 1)
    levels = torch.from_numpy(np.stack([u, v, 0 * u])).float()[None, :, None]
    found = direction_map(levels)[0, :, 0].numpy()
    assert np.abs(found - expected).max() <= 0.51  # half a level by OpenCV's rounding


def test_stored_pictures_become_the_published_levels_again():
    levels = torch.arange(256.0).expand(1, 3, 1, 1, 256)
    stored = torch.cat([(2 * levels[:, :2] - 255) / 255, levels[:, 2:] / 255], dim=1).half().float()
    assert torch.equal(to_levels(stored), levels)


def test_flow_in_pixels_is_stretched_picture_by_picture():
    x = torch.tensor([[-0.2, 0.0, 0.3], [1.0, 1.0, 1.0]]).view(1, 1, 2, 1, 3).expand(1, 3, 2, 1, 3)
    levels = to_levels(x, rescale=True)
    assert levels[0, 0].squeeze(1).tolist() == [[0, 102, 255], [0, 0, 0]]


def test_the_override_trains_and_predicts():
    cfg = Config.fromfile(OVERRIDE).model
    cfg.pop('_delete_', None)
    cfg.data_preprocessor = {'type': 'ActionDataPreprocessor'}
    cfg.backbone.update(SMALL)
    cfg.cls_head.update(in_channels=20, num_classes=3)
    model = MODELS.build(cfg)
    data = {
        'inputs': list(torch.rand(4, 1, 3, 2, 28, 28)),
        'data_samples': [ActionDataSample().set_gt_label(i % 3) for i in range(4)],
    }
    log = model.train_step(data, OptimWrapper(torch.optim.Adam(model.parameters())))
    assert log['loss'].isfinite()
    assert all(sample.pred_score.shape == (3,) for sample in model.eval().test_step(data))


def test_other_clips_and_widths_are_refused():
    with pytest.raises(InputError, match='frames=2'):
        CausalNet(**SMALL)(torch.zeros(1, 3, 1, 28, 28))
    with pytest.raises(InputError, match='dim 20'):
        CausalNet(dim=20)
    with pytest.raises(InputError, match='2 levels'):
        CausalNet(block_repeats=(1, 1))
