from pathlib import Path

import pytest
import torch
import torchvision
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.optim import OptimWrapper

from mer_bench.errors import InputError
from mer_bench.models.baselines.capsulenet import CapsuleHead, CapsuleMarginLoss, CapsuleNet, route, squash

OVERRIDE = Path(__file__).parents[3] / 'configs/baselines/capsulenet.py'


def test_the_parameters_are_those_of_the_authors_code():
    """Counted by hand in capsule/modules of davidnvq/me_recognition; torchvision states 11,689,512 for ResNet-18."""
    with torch.device('meta'):
        network, head = CapsuleNet(), CapsuleHead(3)
    counted = sum(p.numel() for part in (network, head) for p in part.parameters())
    layer4 = 256 * 512 * 9 + 3 * 512 * 512 * 9 + 256 * 512 + 5 * 2 * 512
    resnet = 11_689_512 - layer4 - (512 * 1000 + 1000)
    convolutions = 2 * (256 * 256 * 9 * 9 + 256)
    capsules = 3 * 1152 * 16 * 8
    assert counted == resnet + convolutions + capsules == 13_842_496


def test_a_picture_of_224_gives_1152_capsules_shorter_than_one():
    with torch.device('meta'):
        assert CapsuleNet()(torch.zeros(1, 1, 1, 224, 224)).shape == (1, 32 * 6 * 6, 8)
    with torch.no_grad():
        capsules = CapsuleNet().eval()(255 * torch.rand(1, 1, 1, 144, 144))
    assert capsules.shape == (1, 32, 8)  # 18 / 10 / 1 positions a side
    assert (capsules.norm(dim=-1) < 1).all()


def test_a_capsule_holds_one_place_of_eight_neighbouring_channels():
    network = CapsuleNet().eval()
    with torch.no_grad():
        network.primary.weight.zero_()
        network.primary.bias.copy_(torch.arange(256.0))
        capsules = network(torch.rand(1, 1, 1, 144, 144))
    expected = squash(torch.arange(256.0).view(32, 8))
    torch.testing.assert_close(capsules[0], expected)


def test_squash_keeps_the_direction_and_bounds_the_length():
    assert torch.allclose(squash(torch.tensor([3.0, 4.0])), torch.tensor([0.6, 0.8]) * 25 / 26)
    assert squash(torch.zeros(2)).tolist() == [0, 0]


def test_the_first_round_shares_every_vote_equally():
    votes = torch.randn(2, 3, 5, 4)
    assert torch.allclose(route(votes, 1), squash(votes.sum(dim=2) / 3))


def test_routing_follows_agreement():
    """Two classes, three capsules: two agree on class 0 and contradict each other on class 1."""
    votes = torch.tensor([[[[1.0, 0], [1, 0], [0, 1]], [[1, 0], [-1, 0], [0, 1]]]])
    lengths = [route(votes, rounds)[0].norm(dim=-1) for rounds in (1, 3)]
    assert lengths[1][0] > lengths[0][0]
    assert lengths[1][0] > lengths[1][1]


def test_two_rounds_are_those_of_procedure_1():
    """One number a vote: class 0 is told 2, class 1 is told 0; the second coupling is softmax of the agreement."""
    votes = torch.tensor([2.0, 0.0]).view(1, 2, 1, 1)
    first = 0.5 * 2  # the half of the vote, squashed to 1 / (1 + 1)
    agreement = 2 * (first**2 / (1 + first**2))
    second = 2 * torch.tensor([agreement, 0.0]).softmax(0)[0]
    expected = second**2 / (1 + second**2)
    assert torch.allclose(route(votes, 2).flatten(), torch.stack([expected, torch.tensor(0.0)]))


def test_the_margin_loss_is_zero_within_the_margins_only():
    loss = CapsuleMarginLoss()
    assert loss(torch.tensor([[0.99, 0.01, 0.0]]), torch.tensor([0])) == 0
    wrong = loss(torch.tensor([[0.49, 0.51, 0.0]]), torch.tensor([0]))
    assert wrong.item() == pytest.approx(0.5**2 + 0.5 * 0.5**2)
    weighted = CapsuleMarginLoss(class_weight=[2.0, 1.0, 1.0])
    assert weighted(torch.tensor([[0.49, 0.01, 0.0]]), torch.tensor([0])).item() == pytest.approx(2 * 0.5**2)


def test_scores_are_lengths_over_their_sum():
    head = CapsuleHead(3, in_channels=4)
    lengths = torch.tensor([[0.2, 0.6, 0.0]])
    sample = head.predict_by_feat(lengths, [ActionDataSample()])[0]
    assert torch.allclose(sample.pred_score, torch.tensor([0.25, 0.75, 0.0]), atol=1e-6)
    assert sample.pred_label.item() == 1


def test_the_override_trains_and_predicts():
    cfg = Config.fromfile(OVERRIDE).model
    cfg.pop('_delete_', None)
    cfg.data_preprocessor = {'type': 'ActionDataPreprocessor'}
    cfg.cls_head.update(in_channels=32, num_classes=3)
    model = MODELS.build(cfg)
    model.init_weights()
    data = {
        'inputs': list(torch.randint(0, 256, (2, 1, 1, 1, 144, 144))),
        'data_samples': [ActionDataSample().set_gt_label(i) for i in range(2)],
    }
    log = model.train_step(data, OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01)))
    assert log['loss'].isfinite()
    predicted = model.eval().test_step(data)
    assert all(sample.pred_score.sum().item() == pytest.approx(1, abs=1e-5) for sample in predicted)


def test_the_trunk_starts_from_a_checkpoint_of_torchvision(tmp_path):
    weights = torchvision.models.resnet18().state_dict()
    torch.save(weights, tmp_path / 'resnet18.pth')
    trunk = CapsuleNet(pretrained=str(tmp_path / 'resnet18.pth')).trunk
    assert all(torch.equal(weight, weights[name]) for name, weight in trunk.state_dict().items())


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    torch.save({'conv1.weight': torch.zeros(8, 3, 7, 7)}, tmp_path / 'other.pth')
    with pytest.raises(InputError, match=r'conv1\.weight \(64, 3, 7, 7\)'):
        CapsuleNet(pretrained=str(tmp_path / 'other.pth'))


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(InputError, match='expected 1152 primary capsules, got 32'):
        CapsuleHead(3)(torch.zeros(1, 32, 8))
