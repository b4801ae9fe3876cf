import pytest
import torch
from mmcv.cnn import ConvModule

from mer_bench.models import AttentionFusion
from mer_bench.models.necks.attention_fusion import AFF, FUSIONS, to_grid

CHANNELS = (8, 16, 32)
KINDS = list(FUSIONS)


def stage_maps(batch=2, clip_len=2, sizes=(8, 4, 2)):
    return tuple(torch.randn(batch, c, clip_len, s, s) for c, s in zip(CHANNELS, sizes, strict=True))


def by_hand(x, layers):
    """Bottleneck of two 1x1x1 convolutions and norms with plain matrix products, eval mode."""
    for layer in layers:
        bn = layer.bn
        x = torch.einsum('oc,ncthw->nothw', layer.conv.weight[:, :, 0, 0, 0], x)
        scale = (bn.weight / (bn.running_var + bn.eps).sqrt()).view(1, -1, 1, 1, 1)
        x = (x - bn.running_mean.view(1, -1, 1, 1, 1)) * scale + bn.bias.view(1, -1, 1, 1, 1)
        x = x.relu() if layer.with_activation else x
    return x


def aff_by_hand(aff, shallow, deep):
    total = shallow + deep
    pooled = total.mean((2, 3, 4), keepdim=True)
    context = by_hand(total, aff.attention.local_context) + by_hand(pooled, aff.attention.global_context)
    gate = 1 / (1 + torch.exp(-context))
    return 2 * gate * shallow + 2 * (1 - gate) * deep


def with_random_norms(module):
    for parameter in module.parameters():
        if parameter.dim() == 1:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return module.eval()


@pytest.mark.parametrize('kind', KINDS)
def test_maps_have_one_width_and_the_grid_of_the_chosen_stage(kind):
    maps, loss_aux = AttentionFusion(CHANNELS, channels=12, attention=kind, grid_index=0)(stage_maps())
    assert [tuple(m.shape) for m in maps] == [(2, 12, 2, 8, 8)] * 4
    assert loss_aux == {}


def test_aff_is_the_published_formula():
    aff = with_random_norms(AFF(8, 4))
    shallow, deep = torch.randn(2, 2, 8, 2, 3, 3)
    assert torch.allclose(aff(shallow, deep), aff_by_hand(aff, shallow, deep), atol=1e-5)


def test_iaff_integrates_the_maps_by_an_aff_first():
    iaff = with_random_norms(FUSIONS['iaff'](8, 4))
    shallow, deep = torch.randn(2, 2, 8, 2, 3, 3)
    gate = iaff.attention(aff_by_hand(iaff.integrate, shallow, deep))
    assert torch.allclose(iaff(shallow, deep), 2 * (gate * shallow + (1 - gate) * deep), atol=1e-5)


def test_squeeze_and_excitation_weighs_the_channels_of_the_deep_map():
    fusion = FUSIONS['se'](8, 4)
    shallow, deep = torch.randn(2, 2, 8, 2, 3, 3)
    fc1, fc2 = fusion.attention.fc1, fusion.attention.fc2
    squeezed = deep.mean((2, 3, 4))  # equation 2 of Hu et al.
    hidden = (squeezed @ fc1.weight.flatten(1).T + fc1.bias).relu()
    gate = torch.sigmoid(hidden @ fc2.weight.flatten(1).T + fc2.bias)  # equation 3
    assert torch.allclose(fusion(shallow, deep), shallow + gate[..., None, None, None] * deep, atol=1e-6)  # equation 4
    weights = sum(p.numel() for p in fusion.parameters() if p.dim() > 1)
    assert weights == 2 * 8**2 / 4  # 2 C^2 / r, section 4


def test_cbam_weighs_channels_and_then_pixels_of_the_deep_map():
    fusion = with_random_norms(FUSIONS['cbam'](8, 4))
    shallow, deep = torch.randn(2, 2, 8, 2, 9, 9)
    mlp = fusion.channel_attention

    def shared(pooled):
        return (pooled @ mlp.fc1.weight.flatten(1).T).relu() @ mlp.fc2.weight.flatten(1).T

    gate = torch.sigmoid(shared(deep.mean((2, 3, 4))) + shared(deep.amax((2, 3, 4))))  # equation 2 of Woo et al.
    x = gate[..., None, None, None] * deep
    frames = torch.stack([x.mean(1), x.amax(1)], dim=2).flatten(0, 1)  # equation 3, frame by frame
    conv, norm = fusion.spatial.conv, fusion.spatial.norm
    assert conv.weight.numel() == 2 * 7 * 7
    pixels = torch.nn.functional.conv2d(frames, conv.weight[:, :, 0], padding=3).view(2, 1, 2, 9, 9)
    expected = shallow + x * torch.sigmoid((pixels / (1 + norm.eps) ** 0.5) * norm.weight + norm.bias)
    assert torch.allclose(fusion(shallow, deep), expected, atol=1e-5)


def test_selective_kernels_choose_between_the_maps_channel_by_channel():
    fusion = with_random_norms(FUSIONS['sk'](8, 4))
    shallow, deep = torch.randn(2, 2, 8, 2, 3, 3)
    pooled = (shallow + deep).mean((2, 3, 4), keepdim=True)  # equations 1 and 2 of Li et al.
    compact = by_hand(pooled, [fusion.squeeze])  # equation 3
    a, b = torch.einsum('oc,ncthw->nothw', fusion.select.weight[:, :, 0, 0, 0], compact).exp().chunk(2, dim=1)
    expected = 2 * (a * shallow + b * deep) / (a + b)  # equations 5 and 6, times 2
    assert torch.allclose(fusion(shallow, deep), expected, atol=1e-5)


@pytest.mark.parametrize(('channels', 'width'), [(64, 32), (256, 32), (1024, 64)])
def test_selective_kernels_have_the_published_compact_width(channels, width):
    assert FUSIONS['sk'](channels, 16).squeeze.out_channels == width  # max(C / r, L), r = 16, L = 32: equation 4


def test_even_selective_weights_are_the_plain_sum():
    fusion = FUSIONS['sk'](8, 4)
    torch.nn.init.zeros_(fusion.select.weight)
    shallow, deep = torch.randn(2, 2, 8, 2, 3, 3)
    assert torch.allclose(fusion(shallow, deep), shallow + deep, atol=1e-6)


def test_no_attention_is_the_plain_sum():
    (*scales, fused), _ = AttentionFusion(CHANNELS, channels=12, attention=None)(stage_maps())
    assert torch.equal(fused, scales[0] + (scales[1] + scales[2]))


def test_an_even_gate_is_the_plain_sum():
    neck = AttentionFusion(CHANNELS, channels=12)
    for fusion in neck.fusions:
        for context in (fusion.attention.local_context, fusion.attention.global_context):
            torch.nn.init.zeros_(context[-1].norm.weight)
    (*scales, fused), _ = neck(stage_maps())
    assert torch.allclose(fused, sum(scales), atol=1e-6)


def test_fusion_goes_from_deep_to_shallow():
    neck = AttentionFusion(CHANNELS, channels=12).eval()
    (shallow, middle, deep, fused), _ = neck(stage_maps())
    expected = neck.fusions[1](shallow, neck.fusions[0](middle, deep))
    assert torch.equal(fused, expected)


@pytest.mark.parametrize('kind', KINDS)
def test_the_fused_map_alone_can_be_returned(kind):
    neck = AttentionFusion(CHANNELS, channels=12, attention=kind, return_scales=False)
    fused, _ = neck(stage_maps(), data_samples=[])
    assert fused.shape == (2, 12, 2, 4, 4)


def test_a_single_map_is_only_projected():
    neck = AttentionFusion(16, channels=12)
    (scale, fused), _ = neck(torch.randn(2, 16, 2, 4, 4))
    assert torch.equal(scale, fused)
    assert isinstance(neck.projections[0], ConvModule)
    assert len(neck.fusions) == 0


def test_another_number_of_maps_than_announced_is_an_error():
    with pytest.raises(ValueError, match='zip'):
        AttentionFusion(CHANNELS)(stage_maps()[:2])


@pytest.mark.parametrize('kind', KINDS)
def test_one_clip_of_one_pixel_can_be_trained_on(kind):
    neck = AttentionFusion(CHANNELS, channels=12, attention=kind, return_scales=False)
    neck.train()(stage_maps(1, 1, (1, 1, 1)))[0].sum().backward()
    assert all(p.grad.isfinite().all() for p in neck.parameters())


def test_an_unknown_attention_names_the_known_ones():
    with pytest.raises(ValueError, match=r"None, 'aff', 'iaff'.*'cbma'"):
        AttentionFusion(CHANNELS, attention='cbma')


def test_a_coarser_grid_averages_and_a_finer_one_repeats():
    line = torch.tensor([1.0, 3.0, 5.0, 7.0]).view(1, 1, 1, 1, 4)
    assert to_grid(line, (1, 1, 2)).flatten().tolist() == [2, 6]
    assert to_grid(line, (2, 1, 8)).flatten().tolist() == [1, 1, 3, 3, 5, 5, 7, 7] * 2
