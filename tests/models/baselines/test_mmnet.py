from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS
from torchvision.transforms.v2 import functional as T

from mer_bench.errors import InputError
from mer_bench.models.baselines.mmnet import ContinuousAttention, MMNet
from mer_bench.models.heads import FlatHead

OVERRIDE = Path(__file__).parents[3] / 'configs/baselines/mmnet.py'
SMALL = {'widths': (4, 4, 8, 8), 'stem_width': 4}


def frames(onset, apex):
    """Channels grey and change of the apex frame."""
    return torch.stack([apex, apex - onset], dim=1)[:, :, None]


def test_the_parameters_are_those_of_the_authors_code():
    """Counted by hand in CA_block.py, PC_module.py and CASME2_5.py of muse1998/MMNet, five classes, without the parts
    that its forward pass does not use (pos, head, timeembed; cls_token, head and to_Mask of the transformer)."""
    with torch.device('meta'):
        network, classifier = MMNet(), FlatHead(5, 512 * 14 * 14)
    counted = sum(p.numel() for part in (network, classifier) for p in part.parameters())
    stem = 3 * 180 * 9 + 2 * 180 + 180 * 128 * 9 + 2 * 128

    def block(i, o, downsample):
        return 9 * i * o + 2 * o + o * o + 2 * o + (2 + 2) + (i * o + 2 * o if downsample else 0)

    main = block(128, 128, False) + block(128, 128, True) + block(128, 256, True) + block(256, 512, True)
    layer = 4 * 512 + (512 * 3 * 512 + 3 * 512) + (512 * 512 + 512) + (512 * 2048 + 2048) + (2048 * 512 + 512)
    positions = (3 * 512 + 512) + 196 * 512 + 2 * layer + 2 * 512
    assert counted == stem + main + positions + 512 * 14 * 14 * 5 + 5 == 9_438_841


def test_both_branches_meet_on_a_grid_of_14():
    with torch.device('meta'):
        assert MMNet()(torch.zeros(2, 2, 1, 224, 224)).shape == (2, 512, 14, 14)


class Inputs(MMNet):
    """What the two branches are given, in place of what they make of it."""

    def motion(self, change):
        return torch.stack([change, torch.zeros_like(change)])

    def position(self, onset):
        return torch.stack([torch.zeros_like(onset), onset])


def test_the_branches_see_change_and_onset_normalised_as_pictures_of_imagenet():
    onset, apex = torch.randint(0, 256, (2, 1, 224, 224)).float()
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    pictures = [T.normalize(picture[None].expand(-1, 3, -1, -1) / 255, mean, std) for picture in (onset, apex)]
    change, start = Inputs(**SMALL)(frames(onset, apex))
    torch.testing.assert_close(change, pictures[1] - pictures[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(start, pictures[0], atol=1e-5, rtol=1e-5)


def test_two_faces_that_do_not_move_differ_by_their_positions_only():
    network = MMNet(**SMALL).eval()
    faces = torch.randint(0, 256, (2, 224, 224)).float()
    onsets = (faces[:, None].expand(-1, 3, -1, -1) / 255 - network.mean) / network.std
    with torch.no_grad():
        features, positions = network(frames(faces, faces)), network.position(onsets)
    torch.testing.assert_close(features, positions, atol=1e-5, rtol=1e-5)
    assert (positions[0] - positions[1]).abs().max() > 0.1


def test_attention_is_continued_from_block_to_block():
    """Where the block before saw nothing, this one sees nothing: the attentions are multiplied."""
    block = ContinuousAttention(3, 5, stride=2).eval()
    x, prior = torch.randn(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
    free, own = block(x, None)
    prior[..., 4:] = 0
    attended, attention = block(x, prior)
    assert attention.shape == (1, 1, 4, 4)
    assert torch.equal(attention[..., :2], own[..., :2])
    assert attention[..., 3].abs().sum() == 0
    assert attended[..., 3].abs().sum() == 0
    assert free[..., 3].abs().sum() > 0


def test_the_override_trains_and_predicts():
    cfg = Config.fromfile(OVERRIDE).model
    cfg.pop('_delete_', None)
    cfg.data_preprocessor = {'type': 'ActionDataPreprocessor'}
    cfg.backbone.update(SMALL)
    cfg.cls_head.update(in_channels=8 * 14 * 14, num_classes=3)
    model = MODELS.build(cfg)
    model.init_weights()
    data = {
        'inputs': list(torch.randint(0, 256, (2, 1, 2, 1, 224, 224))),
        'data_samples': [ActionDataSample().set_gt_label(i) for i in range(2)],
    }
    log = model.train_step(data, OptimWrapper(torch.optim.AdamW(model.parameters())))
    assert log['loss'].isfinite()
    assert all(sample.pred_score.shape == (3,) for sample in model.eval().test_step(data))


def test_the_rate_falls_after_each_of_the_first_50_epochs():
    cfg = Config.fromfile(OVERRIDE)
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=8e-4)
    scheduler = PARAM_SCHEDULERS.build(dict(cfg.param_scheduler[0], optimizer=optimizer))
    for _ in range(cfg.train_cfg.max_epochs):
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[0]['lr'] == pytest.approx(8e-4 * 0.987**50)


def test_another_size_is_refused():
    with pytest.raises(InputError, match='224x224'):
        MMNet(**SMALL)(torch.zeros(1, 2, 1, 112, 112))
