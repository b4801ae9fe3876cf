import math
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.optim import OptimWrapper

from mer_bench.errors import InputError
from mer_bench.models.baselines.skd_tstsan import (
    SKDTSTSAN,
    ChannelAttention,
    SelfDistillationHead,
    SoftmaxFocalLoss,
    Stream,
    as_channels,
    feature_distance,
    min_max,
)

OVERRIDE = Path(__file__).parents[3] / 'configs/baselines/skd_tstsan.py'


def samples(labels):
    return [ActionDataSample().set_gt_label(label) for label in labels]


def test_the_parameters_are_those_of_the_authors_code():
    """Counted by hand in all_model.py and magnet.py of GuanghaoZhu663/SKD-TSTSAN for five classes."""
    with torch.device('meta'):
        network, head = SKDTSTSAN(), SelfDistillationHead(5)
    counted = sum(p.numel() for part in (network, head) for p in part.parameters())
    encoders = (16 + 1 + 2) * 7 * 7 * 16 + 3 * (9 * 16 * 32 + (3 * 2 + 1 + 2 * 2) * 9 * 32 * 32)
    manipulators = 3 * (49 * 32 * 32 + 3 * 9 * 32 * 32)
    narrow, widening, wide = (9 * i * o + o + 2 * o for i, o in ((64, 64), (64, 128), (128, 128)))
    stream = (25 * 32 * 64 + 64 + 2 * 64) + 2 * narrow + 3 * (widening + wide)
    attention = 3 * 3 + 6 * 5  # three times on 64 channels, six times on 128
    classifiers = 3 * (384 * 5 + 5)
    assert counted == encoders + manipulators + 3 * stream + attention + classifiers == 2_946_214


@pytest.mark.parametrize('channels', [64, 128])
def test_the_kernel_of_the_attention_follows_the_authors_rule(channels):
    kernel = int(abs(math.log2(channels) + 1) / 2)
    kernel += 1 - kernel % 2
    assert ChannelAttention(channels).conv.kernel_size == (kernel,)


def test_the_sections_have_384_features_each():
    with torch.device('meta'):
        features = SKDTSTSAN()(torch.zeros(3, 4, 2, 192, 192))
    assert [tuple(feat.shape) for feat in features] == [(3, 384)] * 3


def test_the_blocks_of_the_face_are_taken_row_by_row():
    picture = torch.arange(4.0).repeat_interleave(48)
    picture = (10 * picture[:, None] + picture)[None, None]
    assert as_channels(picture)[0].amax(dim=(1, 2)).tolist() == [10 * row + c for row in range(4) for c in range(4)]


def test_the_second_flow_starts_at_the_apex():
    flow = torch.rand(1, 2, 2, 192, 192)
    from_apex = torch.stack([flow[:, :, 0], flow[:, :, 1] - flow[:, :, 0]], dim=2)
    with torch.device('meta'):
        onset, previous = SKDTSTSAN(), SKDTSTSAN(flow_reference='previous')
    assert torch.equal(onset.flow_pair(flow), previous.flow_pair(from_apex))
    still, moved = previous.flow_pair(flow)
    assert moved.shape == (2, 2, 48, 48)
    assert still.abs().max() == 0
    assert moved.amin(dim=(2, 3)).tolist() == [[0, 0], [0, 0]]
    assert moved.amax(dim=(2, 3)).tolist() == [[1, 1], [1, 1]]


def test_each_map_fills_the_range_from_0_to_1():
    maps = torch.stack([torch.tensor([[1.0, 3], [2, 5]]), torch.full((2, 2), 7.0)])
    assert min_max(maps).tolist() == [[[0, 0.5], [0.25, 1]], [[0, 0], [0, 0]]]


def test_frames_meet_in_the_stream_with_shift_only():
    maps = torch.randn(2, 32, 24, 24)
    swapped = maps.flip(0)
    plain, shifted = Stream().eval(), Stream(shift=True).eval()
    with torch.no_grad():
        alone = [plain(x)[0] for x in (maps, swapped)]
        together = [shifted(x)[0] for x in (maps, swapped)]
    assert torch.allclose(alone[0], alone[1].flip(0), atol=1e-6)
    assert together[0].shape == (1, 128)
    assert not torch.allclose(*together, atol=1e-6)  # which frame comes first matters


def test_the_focal_loss_is_cross_entropy_without_its_exponent():
    logits, labels, weight = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 0]), [1.0, 2.0, 3.0]
    expected = torch.nn.functional.cross_entropy(logits, labels, torch.tensor(weight))
    torch.testing.assert_close(SoftmaxFocalLoss(0.0, weight)(logits, labels), expected)


def test_a_clip_told_with_probability_half_counts_a_quarter():
    assert SoftmaxFocalLoss()(torch.zeros(1, 2), torch.tensor([1])).item() == pytest.approx(math.log(2) / 4)


def test_features_are_compared_where_one_of_them_is_positive():
    assert feature_distance(torch.tensor([[1.0, -1, -2]]), torch.tensor([[3.0, 1, -1]])).item() == 4 + 4


def test_the_auxiliary_classifiers_learn_from_the_last_which_does_not_learn_from_them():
    head = SelfDistillationHead(3, in_channels=4, dropout_ratio=0)
    feats = [torch.rand(2, 4, requires_grad=True) for _ in range(3)]
    losses = head.loss(feats, samples([0, 2]))
    names = [f'auxiliary{i}_loss_{kind}' for i in (1, 2) for kind in ('cls', 'distillation', 'features')]
    assert set(losses) == {'top1_acc', 'loss_cls', *names}
    sum(losses[name] for name in names).backward()
    assert feats[0].grad is None
    assert head.fc_cls.weight.grad is None
    assert all(feat.grad.abs().sum() > 0 for feat in feats[1:])


def test_classifiers_that_agree_have_nothing_to_distil():
    head = SelfDistillationHead(3, in_channels=4)
    scores = torch.randn(2, 3)
    assert head.divergence(scores, (scores / 3).softmax(dim=1)).item() == pytest.approx(0, abs=1e-6)


def test_the_override_trains_and_predicts():
    cfg = Config.fromfile(OVERRIDE).model
    cfg.pop('_delete_', None)
    cfg.data_preprocessor = {'type': 'ActionDataPreprocessor'}
    cfg.cls_head.update(num_classes=3)
    model = MODELS.build(cfg)
    model.init_weights()
    data = {'inputs': list(torch.rand(2, 1, 4, 2, 192, 192)), 'data_samples': samples([0, 2])}
    log = model.train_step(data, OptimWrapper(torch.optim.Adam(model.parameters())))
    assert log['loss'].isfinite()
    assert all(sample.pred_score.shape == (3,) for sample in model.eval().test_step(data))


def test_another_input_is_refused():
    with torch.device('meta'), pytest.raises(InputError, match='two frames of 192x192'):
        SKDTSTSAN()(torch.zeros(1, 4, 1, 192, 192))
    with pytest.raises(InputError, match='flow_reference'):
        SKDTSTSAN(flow_reference='apex')
