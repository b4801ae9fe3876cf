import pytest
import torch
from mmaction.models.backbones import ResNet3d

from mer_bench.models import MultiScaleResNet3d
from mer_bench.models.backbones.multiscale_resnet3d import I3D_INFLATE, MultiScaleBlock

I3D = {
    'depth': 50,
    'pretrained': None,
    'conv1_kernel': (5, 7, 7),
    'conv1_stride_t': 2,
    'pool1_stride_t': 2,
    'inflate': I3D_INFLATE,
    'zero_init_residual': False,
}


def initialised(backbone_type=MultiScaleResNet3d, seed=0, **kwargs):
    torch.manual_seed(seed)
    backbone = backbone_type(**kwargs)
    backbone.init_weights()
    return backbone


def test_without_kernel_sizes_it_is_resnet3d_50():
    stock = ResNet3d(**I3D)
    ours = MultiScaleResNet3d(kernel_sizes=None, out_indices=(3,))
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in stock.state_dict().items()}
    ours.load_state_dict(stock.state_dict())
    x = torch.randn(2, 3, 8, 32, 32)
    assert torch.equal(ours(x), stock(x))
    ours.eval(), stock.eval()
    assert torch.equal(ours(x), stock(x))


@pytest.mark.parametrize('training', [True, False])
def test_fresh_blocks_change_no_output(training):
    stock = initialised(ResNet3d, base_channels=8, out_indices=(0, 1, 2, 3), **I3D)
    ours = initialised(seed=1, base_channels=8, out_indices=(0, 1, 2, 3), multiscale_stages=(0, 1, 2, 3))
    missing, unexpected = ours.load_state_dict(stock.state_dict(), strict=False)
    assert len(missing) > 0
    assert all(name.startswith('multiscale.') for name in missing)
    assert unexpected == []
    stock.train(training)
    ours.train(training)
    x = torch.randn(2, 3, 16, 48, 48)
    for a, b in zip(ours(x), stock(x), strict=True):
        assert torch.equal(a, b)


def test_every_weight_of_a_block_learns_once_its_zero_norm_has_moved():
    backbone = initialised(base_channels=8)
    optimizer = torch.optim.SGD(backbone.parameters(), lr=0.1)
    x = torch.randn(2, 3, 8, 32, 32)
    for _ in range(2):
        optimizer.zero_grad()
        sum(feat.square().mean() for feat in backbone(x)).backward()
        optimizer.step()
    for name, parameter in backbone.multiscale.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize('size', [28, 33, 112])
@pytest.mark.parametrize('clip_len', [1, 2, 3, 4, 5, 9, 16])
def test_any_clip_length_and_size_from_28_works(clip_len, size):
    backbone = initialised(base_channels=2)
    maps = backbone(torch.randn(1, 3, clip_len, size, size))
    halved = -(-clip_len // 4) // 2 if clip_len > 4 else 1
    assert [m.shape[:3] for m in maps] == [(1, channels, halved) for channels in (16, 32, 64)]
    assert all(m.isfinite().all() for m in maps)


@pytest.mark.parametrize('clip_len', [5, 6, 9, 12, 16, 17])
def test_time_is_pooled_wherever_resnet3d_can(clip_len):
    stock, ours = initialised(ResNet3d, base_channels=2, **I3D), initialised(base_channels=2, out_indices=(3,))
    ours.load_state_dict(stock.state_dict(), strict=False)
    x = torch.randn(2, 3, clip_len, 40, 40)
    assert torch.equal(ours(x), stock(x))


def test_small_inputs_can_keep_their_resolution():
    backbone = initialised(base_channels=4, conv1_stride_s=1, pool1_stride_s=1)
    maps = backbone(torch.randn(2, 3, 1, 28, 28))
    assert [tuple(m.shape[2:]) for m in maps] == [(1, 14, 14), (1, 7, 7), (1, 4, 4)]


def test_blocks_stand_after_the_chosen_stages_with_a_branch_per_kernel():
    backbone = MultiScaleResNet3d(base_channels=8, kernel_sizes=(1, 3, 5, 7), multiscale_stages=(1, 3))
    assert list(backbone.multiscale) == ['layer2', 'layer4']
    assert len(backbone.multiscale['layer2'].branches) == 4


def test_the_branches_of_a_block_see_as_far_as_their_kernels():
    layers = {'conv_cfg': {'type': 'Conv3d'}, 'norm_cfg': {'type': 'BN3d'}, 'act_cfg': None}
    block = MultiScaleBlock(8, (1, 3, 5), 2, **layers).eval()
    for k, branch in zip((1, 3, 5), block.branches, strict=True):
        x = torch.randn(1, 8, 9, 9, 9, requires_grad=True)
        branch(x)[:, :, 4, 4, 4].sum().backward()
        for dims in ((0, 1, 3, 4), (0, 1, 2, 4), (0, 1, 2, 3)):  # all but time, height, width
            assert (x.grad.abs().sum(dims) > 0).sum() == k


def test_even_kernels_are_refused():
    with pytest.raises(ValueError, match='odd'):
        MultiScaleResNet3d(base_channels=8, kernel_sizes=(2, 3))


def test_other_depths_take_another_inflation():
    maps = initialised(depth=18, inflate=1, base_channels=4)(torch.randn(1, 3, 4, 32, 32))
    assert [m.shape[1] for m in maps] == [8, 16, 32]


def test_train_and_eval_return_the_backbone():
    backbone = MultiScaleResNet3d(base_channels=4, frozen_stages=1)
    assert backbone.train() is backbone
    assert not backbone.layer1[0].conv1.bn.training
    assert backbone.eval() is backbone
