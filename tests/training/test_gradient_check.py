"""Wrong gradients of mixed precision are found, wherever they arise, and right ones are not blamed for rounding."""

import functools

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn
from torch.nn.grad import conv3d_weight

import mer_bench.registry  # noqa: F401
from mer_bench.experiment.precision import mixed_precision
from mer_bench.training.gradient_check import AGREE, agreement, compare_gradients, prepare
from mer_bench.training.runner import accelerate
from tests.conftest import ROOT

WRONG = 'backbone.layers.3'  # what the tests replace


@pytest.fixture(autouse=True)
def _one_thread():
    init_default_scope('mmaction')
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Backbone(nn.Module):
    """A few layers, and a weight that belongs to none of them."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1, 3, 1, 1, 1))
        parts = [(nn.Conv3d(c, 16, 3, padding=1), nn.BatchNorm3d(16), nn.ReLU(inplace=True)) for c in (3, 16, 16)]
        self.layers = nn.Sequential(*sum(parts, ()), nn.MaxPool3d(2))

    def forward(self, x):
        return self.layers(x + self.shift)


class Attentive(nn.Module):
    """Torch's own attention, whose weights are those of no layer that is called, and which draws a dropout."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv3d(3, 16, 4, stride=4)
        self.attention = nn.MultiheadAttention(16, 2, dropout=0.5, batch_first=True)
        self.norm = nn.LayerNorm(16)

    def values(self, x):
        return x

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = x + self.attention(x, x, self.values(x))[0]
        return self.norm(x).transpose(1, 2)[..., None, None]


def network(backbone=Backbone):
    head = dict(type='I3DHead', num_classes=3, in_channels=16, topk=(1,), dropout_ratio=0.5)
    model = MODELS.build(
        dict(type='Recognizer3D', backbone=dict(type='ResNet3d', depth=18, base_channels=4), cls_head=head)
    )
    model.backbone = backbone()
    return model


def batch(frames=4, size=8):
    clips = torch.randn(4, 1, 3, frames, size, size, generator=torch.Generator().manual_seed(0))
    return clips, [ActionDataSample().set_gt_label(i % 3) for i in range(4)]


def compared(model, **shape):
    return compare_gradients(model, *batch(**shape), 'bf16', 'auto')


class Scaled(torch.autograd.Function):
    """The identity, with a gradient that is multiplied by a factor."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.factor, None


def wrong_in_bf16(x, factor):
    return Scaled.apply(x, factor) if torch.is_autocast_enabled('cpu') else x


class WrongConv3d(nn.Conv3d):
    """A convolution whose gradient of the weights is wrong under autocast."""

    factor = -1.0

    def forward(self, x):
        return self._conv_forward(x, wrong_in_bf16(self.weight, self.factor), self.bias)


class WrongBackbone(Backbone):
    """Its output is handed on by something wrong, which is no layer."""

    def forward(self, x):
        return wrong_in_bf16(super().forward(x), -1.0)


class WrongShift(Backbone):
    def forward(self, x):
        return self.layers(x + wrong_in_bf16(self.shift, -1.0))


class WrongAttention(Attentive):
    def values(self, x):
        return wrong_in_bf16(x, -1.0)


def with_wrong_layer(factor):
    model = network()
    layer = model.get_submodule(WRONG)
    layer.__class__, layer.factor = WrongConv3d, factor
    return model


@pytest.mark.parametrize('backbone', [Backbone, Attentive])
def test_a_network_with_right_gradients_keeps_its_precision(backbone):
    found = compared(network(backbone))
    assert (found.fp32_layers, found.mended) == ((), True)
    assert min(found.layers, found.between[1]) >= AGREE


@pytest.mark.parametrize('factor', [-1.0, 0.5, 0.0, float('nan')])
def test_a_convolution_with_a_wrong_gradient_is_caught_and_computes_in_fp32(factor):
    found = compared(with_wrong_layer(factor))
    assert (found.fp32_layers, found.mended) == ((WRONG,), True)
    assert found.layers >= AGREE
    model, dtypes = with_wrong_layer(factor), {}
    accelerate(model, 'bf16', 'auto', found.fp32_layers)
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv3d):
            layer.register_forward_hook(lambda layer, inputs, out, name=name: dtypes.update({name: out.dtype}))
    model.parse_losses(model(*batch(), mode='loss'))[0].backward()
    assert {name for name, dtype in dtypes.items() if dtype == torch.float32} == {WRONG}
    assert model.get_submodule(WRONG).weight.grad.abs().sum() > 0  # neither 0 nor NaN


def test_a_layer_in_fp32_has_the_gradient_of_fp32():
    plain, guarded, x = with_wrong_layer(-1.0), with_wrong_layer(-1.0), torch.randn(2, 16, 4, 8, 8)
    guarded.load_state_dict(plain.state_dict())
    accelerate(guarded, 'bf16', False, (WRONG,))
    plain.get_submodule(WRONG)(x).sum().backward()
    with torch.autocast('cpu', torch.bfloat16):
        guarded.get_submodule(WRONG)(x).sum().backward()
    assert torch.equal(*(model.get_submodule(WRONG).weight.grad for model in (plain, guarded)))


@pytest.mark.parametrize('backbone', [WrongBackbone, WrongShift, WrongAttention])
def test_what_is_wrong_between_the_layers_cannot_be_mended(backbone):
    found = compared(network(backbone))
    assert not found.mended
    assert found.between[1] < AGREE


def test_all_layers_of_the_kind_of_a_wrong_one_compute_in_fp32():
    model = with_wrong_layer(1.0)
    model.backbone.layers[6].__class__ = WrongConv3d
    assert compared(model).fp32_layers == ('backbone.layers.3', 'backbone.layers.6')


@pytest.fixture
def convolved(monkeypatch):
    """(T, H, W) of what torch convolves in 3D, and whether under autocast."""
    seen, convolve = set(), F.conv3d

    def watched(x, *args):
        seen.add((*x.shape[2:], torch.is_autocast_enabled('cpu')))
        return convolve(x, *args)

    monkeypatch.setattr(F, 'conv3d', watched)
    return seen


def test_a_kernel_that_is_longer_than_its_input_is_not_even_tried(convolved):
    found = compared(network(), size=2)
    assert found.mended
    assert found.fp32_layers == ('backbone.layers.0', 'backbone.layers.3', 'backbone.layers.6')
    assert convolved == {(4, 2, 2, False)}


def test_a_kernel_that_is_longer_than_the_clip_is_tried_without_its_time(convolved):
    found = compared(network(), frames=2)
    assert found.mended
    assert convolved == {(2, 8, 8, False)}  # the step in fp32


def test_rounding_is_no_disagreement():
    x = torch.randn(1000)
    assert agreement(x.bfloat16(), x) > 0.9999


@pytest.mark.parametrize(
    ('found', 'expected', 'value'),
    [
        ([1.0, 2.0], [1.0, 2.0], 1.0),
        ([-1.0, -2.0], [1.0, 2.0], -1.0),
        ([2.0, -1.0], [1.0, 2.0], 0.0),
        ([0.5, 1.0], [1.0, 2.0], 0.8),  # 2 * 0.5 / (0.25 + 1)
        ([float('nan'), 2.0], [1.0, 2.0], -1.0),
        ([1e-3, 0.0], [0.0, 0.0], 1.0),  # the noise of rounding, where there is nothing
        ([1.0, 0.0], [0.0, 0.0], 0.0),
    ],
)
def test_agreement_by_hand(found, expected, value):
    assert agreement(torch.tensor(found), torch.tensor(expected)) == pytest.approx(value)


def test_no_random_number_is_taken_from_anybody():
    model = network()
    before = torch.get_rng_state()
    compared(model)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
@pytest.mark.skipif(mixed_precision('cpu') != 'bf16', reason='no instructions for bf16, or they are hidden')
def test_every_convolution_of_the_full_model_has_right_gradients_in_a_step_in_bf16():
    model = Config.fromfile(ROOT / 'configs/_base_/models/multiscale_resnet3d50.py').model
    model.cls_head.num_classes = 3
    build = functools.partial(MODELS.build, model)
    clips, samples = (part[:2] for part in batch(frames=16, size=112))
    found = compare_gradients(build(), clips, samples, 'bf16', 'auto')
    assert found.mended
    model = build()
    prepare(model)  # no norm starts at zero, and lets no gradient through
    accelerate(model, 'bf16', 'auto', found.fp32_layers)
    steps = {}

    def keep(layer, inputs, out):
        out.register_hook(lambda gradient: steps.update({layer: (inputs[0].detach().float(), gradient.float())}))

    for layer in model.modules():
        if isinstance(layer, nn.Conv3d):
            layer.register_forward_hook(keep)
    model.parse_losses(model(clips, samples, mode='loss'))[0].backward()
    assert len(steps) == sum(isinstance(layer, nn.Conv3d) for layer in model.modules())
    for layer, (x, gradient) in steps.items():
        expected = conv3d_weight(x, layer.weight.shape, gradient, layer.stride, layer.padding)
        assert F.cosine_similarity(layer.weight.grad.flatten(), expected.flatten(), dim=0) >= 0.99
