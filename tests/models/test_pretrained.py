import pickle
from pathlib import Path

import pytest
import torch
import torchvision
from mmaction.models.backbones import ResNet3d
from mmaction.models.backbones.resnet3d_slowfast import ResNet3dPathway
from mmaction.registry import MODELS
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from safetensors.torch import save_file
from torchvision.models.resnet import Bottleneck

from mer_bench.errors import InputError
from mer_bench.models import MultiScaleResNet3d
from mer_bench.models.backbones.pretrained import load_pretrained, mmaction_name
from tests.models.test_multiscale_resnet3d import HARA, I3D, initialised

SMALL = {'base_channels': 8}


class Attack:
    """Unpickles into a call of ``print``."""

    def __reduce__(self):
        return print, ('code of the file was run',)


class SmallResNet50(torchvision.models.ResNet):
    """torchvision's ResNet-50 at an eighth of its width, with torchvision's names."""

    def __init__(self, in_channels=3):
        torch.nn.Module.__init__(self)
        self._norm_layer, self.inplanes, self.dilation = torch.nn.BatchNorm2d, 8, 1
        self.groups, self.base_width = 1, 64
        self.conv1 = torch.nn.Conv2d(in_channels, 8, 7, 2, 3, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(8)
        for i, blocks in enumerate((3, 4, 6, 3)):
            setattr(self, f'layer{i + 1}', self._make_layer(Bottleneck, 8 * 2**i, blocks, stride=min(i + 1, 2)))
        self.fc = torch.nn.Linear(256, 10)


class HaraBottleneck(torch.nn.Module):
    """1x1x1, 3x3x3 and 1x1x1 with the names of torchvision: Hara et al., https://arxiv.org/abs/1711.09577, table 1."""

    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1, self.bn1 = torch.nn.Conv3d(channels, width, 1, bias=False), torch.nn.BatchNorm3d(width)
        self.conv2 = torch.nn.Conv3d(width, width, 3, stride, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm3d(width)
        self.conv3, self.bn3 = torch.nn.Conv3d(width, 4 * width, 1, bias=False), torch.nn.BatchNorm3d(4 * width)
        if stride > 1 or channels != 4 * width:
            shortcut = torch.nn.Conv3d(channels, 4 * width, 1, stride, bias=False)
            self.downsample = torch.nn.Sequential(shortcut, torch.nn.BatchNorm3d(4 * width))

    def forward(self, x):
        out = self.bn1(self.conv1(x)).relu()
        out = self.bn2(self.conv2(out)).relu()
        out = self.bn3(self.conv3(out))
        return (out + (self.downsample(x) if hasattr(self, 'downsample') else x)).relu()


class HaraResNet50(torch.nn.Module):
    """Their 3D-ResNet50 (shortcuts of type B) with the names of their checkpoints; pooled as MMAction2 does."""

    def __init__(self, width=8):
        super().__init__()
        self.conv1 = torch.nn.Conv3d(3, width, 7, (1, 2, 2), 3, bias=False)
        self.bn1, channels = torch.nn.BatchNorm3d(width), width
        for stage, blocks in enumerate((3, 4, 6, 3)):
            layer = torch.nn.Sequential()
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                layer.append(HaraBottleneck(channels, width * 2**stage, stride))
                channels = 4 * width * 2**stage
            setattr(self, f'layer{stage + 1}', layer)
        self.fc = torch.nn.Linear(channels, 400)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = torch.nn.functional.max_pool3d(x, (1, 3, 3), 2, (0, 1, 1))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def picture_weights(in_channels=3):
    """A random state dict with torchvision's names; random norms too, so that a lost one is seen."""
    weights = SmallResNet50(in_channels).state_dict()
    return {name: torch.rand_like(w) + 0.5 if w.dim() == 1 else w for name, w in weights.items()}


def saved(tmp_path, content, name='weights.pth'):
    torch.save(content, tmp_path / name)
    return str(tmp_path / name)


def test_a_2d_checkpoint_is_inflated_as_mmaction_does_it(tmp_path):
    path = saved(tmp_path, picture_weights())
    stock = initialised(ResNet3d, **SMALL, **{**HARA, 'pretrained': path})
    ours = initialised(seed=1, **SMALL, pretrained=path, out_indices=(3,))
    for name, weight in stock.state_dict().items():
        assert torch.equal(ours.state_dict()[name], weight), name
    x = torch.randn(1, 3, 8, 32, 32)
    stock.eval()
    assert torch.equal(ours.eval()(x), stock(x))


def test_a_still_clip_gives_the_answer_of_the_picture(tmp_path):
    weights = picture_weights()
    backbone = initialised(**SMALL, pretrained=saved(tmp_path, weights))
    picture = torch.randn(1, 3, 28, 28)
    clip = picture.unsqueeze(2).expand(-1, -1, 9, -1, -1)
    middle = backbone.conv1.conv(clip)[:, :, 4]
    expected = torch.nn.functional.conv2d(picture, weights['conv1.weight'], stride=2, padding=3)
    assert torch.allclose(middle, expected, atol=1e-4)


def test_red_green_blue_go_one_to_one_onto_u_v_strain(tmp_path):
    weights = picture_weights()
    backbone = initialised(**SMALL, pretrained=saved(tmp_path, weights))
    for channel in range(3):
        expected = weights['conv1.weight'][:, channel] / 7
        assert torch.equal(backbone.conv1.conv.weight[:, channel, 3], expected)


@pytest.mark.parametrize('in_channels', [1, 5])
def test_another_number_of_channels_is_refused(tmp_path, in_channels):
    path = saved(tmp_path, picture_weights())
    with pytest.raises(InputError, match=f'for the {in_channels} channels of the data, found 3 input channels'):
        load_pretrained(MultiScaleResNet3d(**SMALL, in_channels=in_channels), path)


@pytest.mark.parametrize('prefix', ['', 'backbone.', 'module.backbone.', 'model.', '_orig_mod.'])
@pytest.mark.parametrize('wrapped', [True, False])
def test_a_3d_checkpoint_gives_the_network_it_came_from(tmp_path, prefix, wrapped):
    stock = initialised(ResNet3d, **SMALL, **HARA)
    weights = {prefix + name: weight for name, weight in stock.state_dict().items()}
    weights['cls_head.fc_cls.weight'] = torch.zeros(3, 256)
    path = saved(tmp_path, {'meta': {'epoch': 1}, 'state_dict': weights} if wrapped else weights)
    ours = initialised(seed=1, **SMALL, pretrained=path, out_indices=(3,))
    x = torch.randn(1, 3, 8, 32, 32)
    stock.eval()
    assert torch.equal(ours.eval()(x), stock(x))


def test_a_kinetics_checkpoint_of_hara_et_al_gives_the_network_it_came_from(tmp_path):
    theirs = HaraResNet50()
    for weight in theirs.state_dict().values():
        if weight.dim() == 1:
            weight.uniform_(0.5, 1.5)  # norms; a lost one is seen
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [50, 100])
    weights = {f'module.{name}': weight for name, weight in theirs.state_dict().items()}
    content = {'epoch': 200, 'arch': 'resnet-50', 'state_dict': weights, 'optimizer': optimizer.state_dict()}
    path = saved(tmp_path, content | {'scheduler': scheduler.state_dict()})
    ours = MultiScaleResNet3d(**SMALL, out_indices=(3,))
    report = load_pretrained(ours, path)
    trunk = [name for name in ours.state_dict() if not name.startswith('multiscale.')]
    assert report['matched'] == trunk
    assert report['inflated'] == report['other_shape'] == []
    assert report['unexpected'] == ['fc.bias', 'fc.weight']
    x = torch.randn(2, 3, 16, 48, 48)
    maps, expected = ours.eval()(x), theirs.eval()(x)
    assert expected.std() > 0.1
    assert torch.allclose(maps, expected, rtol=1e-4, atol=1e-4)


def test_the_trunk_has_the_46_million_parameters_of_the_published_one():
    with torch.device('meta'):
        theirs, ours = HaraResNet50(64), MultiScaleResNet3d(kernel_sizes=None)
    published = sum(w.numel() for name, w in theirs.named_parameters() if not name.startswith('fc.'))
    assert sum(w.numel() for w in ours.parameters()) == published == 46_198_976  # 47.0 M with 400 classes


def test_its_own_checkpoint_brings_the_blocks_back(tmp_path):
    first = initialised(**SMALL)
    torch.nn.init.normal_(first.multiscale['layer1'].mix.norm.weight)
    second = initialised(seed=1, **SMALL, pretrained=saved(tmp_path, first.state_dict()))
    for name, weight in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], weight), name


def test_safetensors_are_read(tmp_path):
    weights = picture_weights()
    save_file(weights, tmp_path / 'weights.safetensors')
    report = load_pretrained(MultiScaleResNet3d(**SMALL), tmp_path / 'weights.safetensors')
    assert len(report['inflated']) == 53


def test_the_report_names_every_weight(tmp_path):
    weights = picture_weights()
    del weights['layer1.0.bn2.bias']
    weights['layer2.0.conv1.weight'] = torch.zeros(3, 3, 1, 1)
    report = load_pretrained(MultiScaleResNet3d(**SMALL), saved(tmp_path, weights))
    assert len(report['inflated']) == 52
    assert report['other_shape'] == ['layer2.0.conv1.conv.weight']
    assert report['unexpected'] == ['fc.bias', 'fc.weight']
    assert [name for name in report['missing'] if not name.startswith('multiscale.')] == ['layer1.0.conv2.bn.bias']
    assert 'layer4.2.conv3.bn.running_var' in report['matched']


def test_the_log_tells_which_weights_matched(tmp_path, monkeypatch):
    lines = []
    logger = MMLogger.get_instance('test_pretrained')
    monkeypatch.setattr(logger, 'info', lines.append)
    load_pretrained(MultiScaleResNet3d(**SMALL), saved(tmp_path, picture_weights()), logger)
    text = '\n'.join(lines)
    assert '53 inflated: conv1.conv.weight, layer1.0.conv1.conv.weight, ' in text
    assert '144 missing: multiscale.layer1.branches.0.0.conv.weight, ' in text
    assert '2 unexpected: fc.bias, fc.weight' in text
    assert '0 other shape: none' in text


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('conv1.weight', 'conv1.conv.weight'),
        ('bn1.running_mean', 'conv1.bn.running_mean'),
        ('layer1.0.bn3.bias', 'layer1.0.conv3.bn.bias'),
        ('layer1.0.downsample.0.weight', 'layer1.0.downsample.conv.weight'),
        ('module.backbone.layer1.0.downsample.1.bias', 'layer1.0.downsample.bn.bias'),
        ('backbone.layer1.0.conv1.conv.weight', 'layer1.0.conv1.conv.weight'),
        ('conv1.bn.weight', 'conv1.bn.weight'),
    ],
)
def test_names_are_turned_into_those_of_mmaction(name, expected):
    assert mmaction_name(name) == expected


def refused(path, pattern):
    with pytest.raises(InputError, match=pattern) as caught:
        load_pretrained(MultiScaleResNet3d(**SMALL), path)
    assert '\n' not in str(caught.value)


@pytest.mark.filterwarnings('ignore:Detected pickle protocol')
@pytest.mark.parametrize('as_zip', [True, False])
def test_a_file_that_holds_code_is_refused_and_not_run(tmp_path, capsys, as_zip):
    torch.save({'state_dict': Attack()}, tmp_path / 'evil.pth', _use_new_zipfile_serialization=as_zip)
    refused(tmp_path / 'evil.pth', 'holds code')
    (tmp_path / 'evil.pkl').write_bytes(pickle.dumps(Attack()))
    refused(tmp_path / 'evil.pkl', 'holds code')
    assert 'code of the file was run' not in capsys.readouterr().out


def test_a_broken_file_is_refused(tmp_path):
    path = saved(tmp_path, picture_weights())
    content = Path(path).read_bytes()
    for name, part in (('half.pth', content[: len(content) // 2]), ('empty.pth', b''), ('text.pth', b'weights')):
        (tmp_path / name).write_bytes(part)
        refused(tmp_path / name, 'damaged')
    (tmp_path / 'half.safetensors').write_bytes(content[:100])
    refused(tmp_path / 'half.safetensors', 'damaged')


def test_a_missing_file_an_address_and_a_folder_are_refused(tmp_path):
    refused(tmp_path / 'none.pth', 'no checkpoint')
    refused(tmp_path, 'no checkpoint')
    refused('torchvision://resnet50', 'nothing is downloaded')
    refused('https://example.org/resnet50.pth', 'nothing is downloaded')


@pytest.mark.parametrize('content', [[1, 2], {'epoch': 3}, {'state_dict': {}}, torch.zeros(3)])
def test_a_file_without_weights_is_refused(tmp_path, content):
    refused(saved(tmp_path, content), 'holds no weights')


def test_a_checkpoint_in_which_nothing_fits_is_refused(tmp_path):
    wider = dict(ResNet3d(**HARA, base_channels=16).state_dict())
    refused(saved(tmp_path, wider), 'fits only 0 of the 53 convolutions')
    refused(saved(tmp_path, {'encoder.weight': torch.zeros(3)}), 'fits only 0 of the 53 convolutions')


def test_the_checkpoint_of_another_trunk_is_refused(tmp_path):
    refused(
        saved(tmp_path, ResNet3d(**I3D, **SMALL).state_dict()), 'fits only 27 of the 53 convolutions'
    )  # not 1 + 9 + 16


STOCK = {
    'slow_pathway': dict(
        type=ResNet3dPathway, lateral=True, conv1_kernel=(5, 7, 7), fusion_kernel=5, depth=50, base_channels=8
    ),
    'swin': dict(
        type='SwinTransformer3D',
        arch=dict(embed_dims=8, depths=[1, 1], num_heads=[1, 2]),
        window_size=(4, 7, 7),
        out_indices=(1,),
    ),
}


def checkpoint_2d(kind, backbone):
    """The 2D twin's state dict: torchvision's ResNet-50, or Swin with kernels and tables of one step of time."""
    if kind != 'swin':
        return picture_weights()
    weights = {name: weight.clone() for name, weight in backbone.state_dict().items() if 'norm1.' not in name[:6]}
    weights['patch_embed.proj.weight'] = torch.randn(8, 3, 4, 4)
    for name in [name for name in weights if name.endswith('bias_table')]:
        weights[name] = torch.randn(13 * 13, weights[name].shape[1])
    return {'model': weights}


@pytest.mark.parametrize('kind', STOCK)
def test_a_stock_3d_backbone_is_inflated_as_mmaction_does_it(tmp_path, kind):
    init_default_scope('mmaction')
    plain = MODELS.build(dict(STOCK[kind], pretrained=None, pretrained2d=False))
    path = saved(tmp_path, checkpoint_2d(kind, plain))
    expected = MODELS.build(dict(STOCK[kind], pretrained=path, pretrained2d=True))
    expected.init_weights()
    report = load_pretrained(plain, path)
    assert report['inflated']
    for name in (*report['matched'], *report['inflated']):
        assert torch.equal(plain.state_dict()[name], expected.state_dict()[name]), name
    left = {name for name, weight in plain.state_dict().items() if weight.dim() > 1} - {*report['inflated']}
    assert all('lateral' in name or name in report['matched'] for name in left)


def test_what_tsm_wraps_around_a_layer_hides_no_weight(tmp_path):
    init_default_scope('mmaction')
    weights = torchvision.models.resnet18().state_dict()
    backbone = MODELS.build(dict(type='ResNetTSM', depth=18, pretrained=None, pretrained2d=False))
    load_pretrained(backbone, saved(tmp_path, weights))
    assert torch.equal(backbone.layer1[0].conv1.conv.net.weight, weights['layer1.0.conv1.weight'])


def test_a_recogniser_of_which_the_head_alone_fits_is_refused(tmp_path):
    init_default_scope('mmaction')
    head = dict(type='FlatHead', in_channels=400, num_classes=3)
    model = MODELS.build(dict(type='Recognizer3D', backbone=dict(type='STSTNet'), cls_head=head))
    weights = {f'cls_head.{name}': weight for name, weight in model.cls_head.state_dict().items()}
    with pytest.raises(InputError, match='fits only 0 of the 3 convolutions and matrices of the backbone'):
        load_pretrained(model, saved(tmp_path, weights))
    report = load_pretrained(model, saved(tmp_path, model.backbone.state_dict()))
    assert {name.split('.')[0] for name in report['matched']} == {'backbone'}


def test_weights_that_a_disk_lost_are_refused(tmp_path):
    path = Path(saved(tmp_path, picture_weights()))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40_000] = bytes(40_000)
    path.write_bytes(content)
    refused(path, 'damaged')


def test_tensors_without_numbers_are_no_weights(tmp_path):
    hollow = {name: weight.to('meta') for name, weight in picture_weights().items()}
    refused(saved(tmp_path, hollow), 'holds no weights')
    refused('\0.pth', 'no checkpoint')
    refused('a' * 5000, 'no checkpoint')
