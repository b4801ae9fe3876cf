import pytest
import torch
from mmaction.models.backbones import ResNet3d

from mer_bench.errors import InputError
from mer_bench.models import MultiScaleResNet3d
from mer_bench.models.backbones.multiscale_resnet3d import MultiScaleBlock

HARA = {  # Hara et al., https://arxiv.org/abs/1711.09577, section 3.1 and table 1
    'depth': 50,
    'pretrained': None,
    'conv1_kernel': (7, 7, 7),
    'conv1_stride_t': 1,
    'pool1_stride_t': 2,
    'with_pool2': False,
    'temporal_strides': (1, 2, 2, 2),
    'inflate': 1,
    'inflate_style': '3x3x3',
    'zero_init_residual': False,
}
I3D = {  # mmaction2 configs/_base_/models/i3d_r50.py
    **HARA,
    'conv1_kernel': (5, 7, 7),
    'conv1_stride_t': 2,
    'with_pool2': True,
    'temporal_strides': (1, 1, 1, 1),
    'inflate': ((1, 1, 1), (1, 0, 1, 0), (1, 0, 1, 0, 1, 0), (0, 1, 0)),
    'inflate_style': '3x1x1',
}
OF_I3D = {name: I3D[name] for name in I3D if I3D[name] != HARA[name]}


def initialised(backbone_type=MultiScaleResNet3d, seed=0, **kwargs):
    torch.manual_seed(seed)
    backbone = backbone_type(**kwargs)
    backbone.init_weights()
    return backbone


def test_without_kernel_sizes_it_is_resnet3d_50():
    stock = ResNet3d(**HARA)
    ours = MultiScaleResNet3d(kernel_sizes=None, out_indices=(3,))
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in stock.state_dict().items()}
    ours.load_state_dict(stock.state_dict())
    x = torch.randn(2, 3, 8, 32, 32)
    assert torch.equal(ours(x), stock(x))
    ours.eval(), stock.eval()
    assert torch.equal(ours(x), stock(x))


@pytest.mark.parametrize('training', [True, False])
def test_fresh_blocks_change_no_output(training):
    stock = initialised(ResNet3d, base_channels=8, out_indices=(0, 1, 2, 3), **HARA)
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
    halved = [-(-clip_len // by) for by in (4, 8, 16)]
    assert [m.shape[:3] for m in maps] == [(1, c, t) for c, t in zip((16, 32, 64), halved, strict=True)]
    assert all(m.isfinite().all() for m in maps)


@pytest.mark.parametrize('clip_len', [5, 6, 9, 12, 16, 17])
def test_time_is_pooled_wherever_resnet3d_can(clip_len):
    stock = initialised(ResNet3d, base_channels=2, **I3D)
    ours = initialised(base_channels=2, out_indices=(3,), **OF_I3D)
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


def test_the_kernels_of_a_stage_are_no_longer_in_time_than_its_limit():
    backbone = MultiScaleResNet3d(base_channels=8, kernel_sizes=(1, 3, 7), multiscale_stages=(0, 1, 2, 3))
    kernels = [[layer.conv.kernel_size for layer in branch][1:] for branch in backbone.multiscale['layer3'].branches]
    assert kernels == [[], [(1, 3, 3), (3, 1, 1)], [(1, 7, 7), (3, 1, 1)]]
    in_time = [block.branches[2][-1].conv.kernel_size[0] for block in backbone.multiscale.values()]
    assert in_time == [7, 7, 3, 1]


@pytest.mark.parametrize('wrong', [{'kernel_sizes': (2, 3)}, {'max_kernel_t': (15, 6, 3, 1)}])
def test_even_kernels_are_refused(wrong):
    with pytest.raises(InputError, match='odd'):
        MultiScaleResNet3d(base_channels=8, **wrong)


def test_a_stage_without_a_limit_is_refused():
    with pytest.raises(InputError, match='one value for each of the 4 stages'):
        MultiScaleResNet3d(base_channels=8, max_kernel_t=(15, 7, 3))


def test_other_depths_work():
    maps = initialised(depth=18, base_channels=4)(torch.randn(1, 3, 4, 32, 32))
    assert [m.shape[1] for m in maps] == [8, 16, 32]


def test_train_and_eval_return_the_backbone():
    backbone = MultiScaleResNet3d(base_channels=4, frozen_stages=1)
    assert backbone.train() is backbone
    assert not backbone.layer1[0].conv1.bn.training
    assert backbone.eval() is backbone
