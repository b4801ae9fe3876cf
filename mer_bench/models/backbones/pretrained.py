"""Weights of a 2D or 3D ResNet checkpoint -> an mmaction ResNet3d, from a file on this machine.

A 2D kernel is repeated along time and divided by its length: a still clip gives the picture's response (I3D,
Carreira and Zisserman, CVPR 2017, https://arxiv.org/abs/1705.07750).
"""

import re
from collections.abc import Mapping
from logging import Logger
from pathlib import Path

import torch
from torch import Tensor, nn

from mer_bench.errors import InputError

ADVICE = 'give a .pth or .safetensors file of ResNet weights, as torch.save(model.state_dict(), path) writes it'
WRAPPERS = ('state_dict', 'state_dict_ema', 'model_state_dict', 'model', 'net')
# torchvision, timm and Hara et al. write layer1.0.bn1, mmaction writes layer1.0.conv1.bn.
RENAMES = (
    (re.compile(r'^((module|backbone|model|_orig_mod|encoder_q)\.)+'), ''),
    (re.compile(r'\bbn(\d)\.'), r'conv\1.bn.'),
    (re.compile(r'\bconv(\d)\.(weight|bias)$'), r'conv\1.conv.\2'),
    (re.compile(r'\bdownsample\.0\.'), 'downsample.conv.'),
    (re.compile(r'\bdownsample\.1\.'), 'downsample.bn.'),
)


def load_pretrained(backbone: nn.Module, path: str | Path, logger: Logger | None = None) -> dict[str, list[str]]:
    """Copy every weight that fits into the backbone, and say which did.

    Three input channels (red, green, blue) go unchanged onto three flow channels (u, v, strain); another number of
    channels than the checkpoint has is refused.

    Args:
        backbone: A ResNet3d of mmaction or a subclass.
        path: A torchvision or timm ResNet, a Kinetics 3D ResNet of Hara et al. (https://arxiv.org/abs/1711.09577), or
            an mmaction 3D ResNet or recogniser. Nothing is downloaded.
        logger: Gets one line per kind of result.

    Returns:
        Names of weights: matched, inflated, missing, unexpected, other_shape.
    """
    weights = {mmaction_name(name): weight for name, weight in read_weights(path).items()}
    _check_channels(path, weights, backbone)
    fitting, report = fit(weights, backbone.state_dict())
    trunk = [n for n, w in backbone.state_dict().items() if w.dim() == 5 and not n.startswith('multiscale.')]
    fitted = sum(name in fitting for name in trunk)
    if fitted < 0.9 * len(trunk):  # half of the kernels of I3D have the shapes of those of Hara et al.
        raise InputError(
            f'{path} fits only {fitted} of the {len(trunk)} convolutions of the backbone, which has e.g. '
            f'conv1.conv.weight {tuple(backbone.conv1.conv.weight.shape)}; {ADVICE} for the same trunk'
        )
    backbone.load_state_dict(fitting, strict=False)
    if logger is not None:
        log_report(report, path, logger)
    return report


def _check_channels(path: str | Path, weights: dict[str, Tensor], backbone: nn.Module) -> None:
    """Refuse a first convolution of other input channels: no kernel of a picture means, say, an angle."""
    first, own = weights.get('conv1.conv.weight'), backbone.conv1.conv.weight
    if first is not None and first.dim() >= 4 and first.shape[1] != own.shape[1]:
        raise InputError(
            f'{path}: expected weights for the {own.shape[1]} channels of the data, found {first.shape[1]} input '
            'channels; prepare as many channels (three kernels of a picture go to --channels u v strain) or train '
            'without pretrained weights'
        )


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Tensors of a checkpoint by name. A file that holds code is refused, never run."""
    if re.match(r'\w+://', str(path)):
        raise InputError(
            f'expected the path of a checkpoint, got the address {path}; nothing is downloaded here, '
            f'so fetch the file and give its path'
        )
    if not Path(path).is_file():
        raise InputError(f'no checkpoint {path}; {ADVICE}')
    try:
        content = _read(Path(path))
    except Exception as error:  # a broken or hostile file can raise anything
        raise InputError(
            f'{path} cannot be read as plain weights: it is damaged or holds code '
            f'({type(error).__name__}), and is not run; {ADVICE}'
        ) from error
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    entries = content.items() if isinstance(content, Mapping) else ()
    weights = {name: w for name, w in entries if isinstance(name, str) and isinstance(w, Tensor)}
    if not weights:
        raise InputError(f'{path} holds no weights but a {type(content).__name__}; {ADVICE}')
    return weights


def _read(path: Path) -> object:
    if path.suffix == '.safetensors':
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location='cpu', weights_only=True)


def mmaction_name(name: str) -> str:
    """``module.backbone.layer1.0.bn1.bias`` -> ``layer1.0.conv1.bn.bias``; mmaction's own names stay."""
    for pattern, replacement in RENAMES:
        name = pattern.sub(replacement, name)
    return name


def fit(weights: dict[str, Tensor], target: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, list[str]]]:
    """The weights in the shapes of the target, and the names by what became of them."""
    fitting = {}
    report = {'matched': [], 'inflated': [], 'other_shape': [], 'missing': []}
    report['unexpected'] = sorted(weights.keys() - target)
    for name, to in target.items():
        if name not in weights:
            report['missing'].append(name)
            continue
        weight = weights[name]
        if weight.dim() == 4 and weight.shape == to.shape[:2] + to.shape[3:]:
            fitting[name] = (weight.unsqueeze(2) / to.shape[2]).expand_as(to)
            report['inflated'].append(name)
        elif weight.shape == to.shape:
            fitting[name] = weight
            report['matched'].append(name)
        else:
            report['other_shape'].append(name)
    return fitting, report


def log_report(report: dict[str, list[str]], path: str | Path, logger: Logger) -> None:
    """One line per kind of result: how many weights, and which."""
    logger.info(f'weights of {path}:')
    for kind, names in report.items():
        logger.info(f'{len(names)} {kind.replace("_", " ")}: {", ".join(names) or "none"}')
