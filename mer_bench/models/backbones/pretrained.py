"""Loads the weights of a local checkpoint into a network: the same one, or the 3D version of a 2D one.

A 2D kernel is repeated along time and divided by its length: a still clip gives the picture's response (I3D,
Carreira and Zisserman, CVPR 2017, https://arxiv.org/abs/1705.07750).
"""

import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from logging import Logger
from pathlib import Path

import torch
from torch import Tensor, nn

from mer_bench.errors import InputError

ADVICE = (
    'give a .pth or .safetensors file of the weights of the same network, as torch.save(model.state_dict(), path) '
    'writes it'
)
WRAPPERS = ('state_dict', 'state_dict_ema', 'model_state_dict', 'model', 'net')
# torchvision, timm and Hara et al. write layer1.0.bn1, mmaction writes layer1.0.conv1.bn.
RENAMES = (
    (re.compile(r'^((module|backbone|model|_orig_mod|encoder_q)\.)+'), ''),
    (re.compile(r'\.(net|block)\b'), ''),  # what mmaction's TSM wraps around a layer
    (re.compile(r'\bbn(\d)\.'), r'conv\1.bn.'),
    (re.compile(r'\bconv(\d)\.(weight|bias)$'), r'conv\1.conv.\2'),
    (re.compile(r'\bdownsample\.0\.'), 'downsample.conv.'),
    (re.compile(r'\bdownsample\.1\.'), 'downsample.bn.'),
    (re.compile(r'^norm\.'), 'norm3.'),  # the last norm of Swin, in 2D and in 3D
)
# absent from checkpoints for pictures or other clip sizes: tables of positions, lateral convolutions, our blocks
NOT_OF_THE_TRUNK = re.compile(r'rel_pos|pos_embed|relative_position|lateral|multiscale\.')
SHARE = 0.9  # of the trunk: half of the kernels of I3D have the shapes of those of Hara et al.


def load_pretrained(network: nn.Module, path: str | Path, logger: Logger | None = None) -> dict[str, list[str]]:
    """Copy every weight that fits into a network, and return which did.

    Three input channels (red, green, blue) are copied unchanged to three flow channels (u, v, strain). Checkpoints
    for another number of channels are refused, and files that fit less than nine tenths of the convolutions and
    matrices of the backbone.

    Args:
        network: A backbone, or a recogniser, whose head may keep its own weights.
        path: A checkpoint of the same network, of mmaction, torchvision, timm or Hara et al.
            (https://arxiv.org/abs/1711.09577), or of the 2D network that a 3D one is inflated from. Nothing is
            downloaded.
        logger: Gets one line per kind of result.

    Returns:
        Names of weights: matched, inflated, missing, unexpected, other_shape.

    Raises:
        InputError: The file cannot be read, holds code, or does not fit.
    """
    weights, own = read_weights(path), network.state_dict()
    weights = {plain: weights[name] for name, plain in plain_names(weights).items()}
    names = {plain: name for name, plain in plain_names(own).items()}
    target = {plain: own[name] for plain, name in names.items()}
    whole = hasattr(network, 'backbone')
    trunk = [
        plain
        for plain, name in names.items()
        if own[name].dim() > 1 and (name.startswith('backbone.') or not whole) and not NOT_OF_THE_TRUNK.search(name)
    ]
    _check_channels(path, weights, target, trunk)
    fitting, report = fit(weights, target)
    fitted = sum(name in fitting for name in trunk)
    if not fitting or fitted < SHARE * len(trunk):
        first = trunk[0] if trunk else next(iter(names), 'none')
        raise InputError(
            f'{path} fits only {fitted} of the {len(trunk)} convolutions and matrices of the backbone, which has e.g. '
            f'{names.get(first)} {tuple(target[first].shape) if first in target else ()}; {ADVICE}'
        )
    network.load_state_dict({names[plain]: weight for plain, weight in fitting.items()}, strict=False)
    report = {kind: [names.get(plain, plain) for plain in found] for kind, found in report.items()}
    if logger is not None:
        log_report(report, path, logger)
    return report


def _check_channels(path: str | Path, weights: dict[str, Tensor], target: dict[str, Tensor], trunk: list[str]) -> None:
    """Refuse a first convolution for another number of channels: picture kernels do not fit, for example, an angle."""
    first = next((name for name in trunk if target[name].dim() >= 4), None)
    if first not in weights or weights[first].dim() < 4:
        return
    found, own = weights[first].shape, target[first].shape
    if found[1] != own[1] and found[0] == own[0]:
        raise InputError(
            f'{path}: expected weights for the {own[1]} channels of the data, found {found[1]} input '
            'channels; prepare as many channels (three kernels of a picture go to --channels u v strain) or train '
            'without pretrained weights'
        )


def fit_pretrained(model: nn.Module, load_from: str | None) -> dict | None:
    """Read the weights that a training starts from into a recogniser, as the Runner does.

    Args:
        model: Built; the part of it that the weights are for keeps them.
        load_from: A checkpoint of the whole recogniser; None: the one that one of its parts names, if any.

    Returns:
        How many tensors of the part they fill (fitted), how many of these were inflated, and of how many in all (of);
        None without pretrained weights.
    """
    ours = [(part, part.checkpoint) for part in model.modules() if isinstance(getattr(part, 'checkpoint', None), str)]
    parts = [(model, load_from)] if load_from else ours + take_pretrained(model)
    if not parts:
        return None
    ((part, path),) = parts  # a config names one file at most
    report = load_pretrained(part, path)
    inflated = len(report['inflated'])
    return dict(fitted=len(report['matched']) + inflated, inflated=inflated, of=len(part.state_dict()))


def take_pretrained(model: nn.Module) -> list[tuple[nn.Module, str]]:
    """Return the parts of mmaction in a model that start from a checkpoint, each with its path.

    The path is removed from them: mmaction's own loaders start from random weights if nothing fits.
    """
    found = []
    for part in model.modules():
        init_cfg = getattr(part, 'init_cfg', None)
        if isinstance(path := getattr(part, 'pretrained', None), str):
            part.pretrained = None
        elif isinstance(init_cfg, Mapping) and init_cfg.get('type') == 'Pretrained':
            part.init_cfg, path = None, init_cfg.get('checkpoint')
        else:
            continue
        part.pretrained2d = False
        found.append((part, path))
    return found


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name. A file that holds code is refused, never run."""
    if re.match(r'\w+://', str(path)):
        raise InputError(
            f'expected the path of a checkpoint, got the address {path}; nothing is downloaded here, '
            f'so fetch the file and give its path'
        )
    if not is_file(path):
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
    weights = {name: w for name, w in entries if isinstance(name, str) and isinstance(w, Tensor) and is_plain(w)}
    if not weights:
        raise InputError(f'{path} holds no weights but a {type(content).__name__}; {ADVICE}')
    return weights


def _read(path: Path) -> object:
    if path.suffix == '.safetensors':
        from safetensors.torch import load_file

        return load_file(path)
    if zipfile.is_zipfile(path) and not is_whole(path):
        raise ValueError('its checksums differ')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # about a file that is refused anyway
        return torch.load(path, map_location='cpu', weights_only=True)


def is_file(path: str | Path) -> bool:
    """Return whether there is such a file; a name that the system does not accept has none."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def is_whole(path: str | Path) -> bool:
    """Return whether a file of torch.save is intact: it has a CRC-32 of every part, which torch does not check.

    That takes 0.03 s for 100 MB. Compressed parts are refused, so that no small file can unpack to a large one.
    """
    try:
        with zipfile.ZipFile(path) as file:
            parts = file.infolist()
            if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
                return False
            return sum(part.file_size for part in parts) <= Path(path).stat().st_size and file.testzip() is None
    except Exception:  # a damaged file can raise anything
        return False


def is_plain(tensor: Tensor) -> bool:
    """Return whether a tensor is dense and in memory."""
    return tensor.layout is torch.strided and tensor.device.type == 'cpu' and not tensor.is_quantized


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Return the name in mmaction's ResNets for each name, and the name itself if two would become the same."""
    names = {name: mmaction_name(name) for name in names}
    count = Counter(names.values())
    return {name: plain if count[plain] == 1 else name for name, plain in names.items()}


def mmaction_name(name: str) -> str:
    """``module.backbone.layer1.0.bn1.bias`` -> ``layer1.0.conv1.bn.bias``; mmaction's own names stay."""
    for pattern, replacement in RENAMES:
        name = pattern.sub(replacement, name)
    return name


def fit(weights: dict[str, Tensor], target: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, list[str]]]:
    """Return the weights in the shapes of the target, and the names of all weights by result."""
    fitting = {}
    report = {'matched': [], 'inflated': [], 'other_shape': [], 'missing': []}
    report['unexpected'] = sorted(weights.keys() - target)
    lateral = any('lateral' in name for name in target)
    for name, to in target.items():
        if name not in weights:
            report['missing'].append(name)
            continue
        weight = weights[name]
        if weight.is_floating_point() != to.is_floating_point() or weight.is_complex():
            report['other_shape'].append(name)
        elif weight.shape == to.shape:
            fitting[name] = weight
            report['matched'].append(name)
        elif (inflated := inflate(name, weight, to.shape, lateral)) is not None:
            fitting[name] = inflated
            report['inflated'].append(name)
        else:
            report['other_shape'].append(name)
    return fitting, report


def inflate(name: str, weight: Tensor, shape: torch.Size, lateral: bool) -> Tensor | None:
    """Return a weight of a 2D network for the 3D network of the same kind, as mmaction does; None if there is none.

    Args:
        name: Name of the weight.
        weight: Weight of the 2D network.
        shape: Shape in the 3D network.
        lateral: Whether its convolutions may have more input channels, from the other pathway of SlowFast: their
            kernels are zero.
    """
    if name.endswith('relative_position_bias_table') and weight.dim() == len(shape) == 2:  # of Swin: one for each step
        steps, rest = divmod(shape[0], max(len(weight), 1))
        return None if rest or weight.shape[1] != shape[1] else weight.repeat(steps, 1)
    if weight.dim() != 4 or len(shape) != 5 or weight.shape[2:] != shape[3:] or len(weight) != shape[0]:
        return None
    more = shape[1] - weight.shape[1]
    if more < 0 or (more and not lateral):
        return None
    padded = torch.cat([weight, weight.new_zeros(shape[0], more, *shape[3:])], dim=1) if more else weight
    return (padded.unsqueeze(2) / shape[2]).expand(shape)


def log_report(report: dict[str, list[str]], path: str | Path, logger: Logger) -> None:
    """Log one line per kind of result: how many weights, and which."""
    logger.info(f'weights of {path}:')
    for kind, names in report.items():
        logger.info(f'{len(names)} {kind.replace("_", " ")}: {", ".join(names) or "none"}')
