"""Any image network of timm as an override: the network on every frame, as TSN does (https://arxiv.org/abs/1608.00859)."""

import timm
import torch

from mer_bench.errors import InputError, did_you_mean

PREFIX = 'timm_'
SIZE = 112


def timm_override(name: str, size: int = SIZE) -> dict:
    """Return what configs/baselines/<name>.py would hold for a network of timm.

    The network is trained from scratch on all frames of a clip; the mean of their features is classified. A
    transformer is built for the size of the input. A network that does not take this size gets that of its own images.

    Args:
        name: ``timm_<model>`` or ``<model>``, an architecture of ``timm.list_models()``.
        size: Height and width of the frames.

    Raises:
        InputError: timm has no such model, or it gives no single map or row of tokens.
    """
    model = name.removeprefix(PREFIX)
    check_model(model)
    for arguments, pixels in candidates(model, size):
        shape = feature_shape(model, arguments, pixels)
        if shape is not None:
            return override(model, arguments, pixels, *shape)
    raise InputError(
        f'{PREFIX}{model}: expected a network with one map or one row of tokens as its features, found none; '
        'take another model of timm'
    )


def check_model(model: str) -> None:
    """Refuse a name that timm does not list, with the nearest one."""
    known = timm.list_models()
    if model not in known:
        near = did_you_mean(PREFIX + model, [PREFIX + name for name in known])
        raise InputError(f'timm {timm.__version__} has no model {PREFIX}{model}{near}; see timm.list_models()')


def candidates(model: str, size: int) -> list[tuple[dict, int]]:
    """Return the arguments of the network and the size of its input to try, the best first."""
    own = timm.get_pretrained_cfg(model).input_size[-1]
    return [(dict(img_size=size), size), ({}, size), ({}, own)]


def feature_shape(model: str, arguments: dict, size: int) -> tuple[str, int] | None:
    """Return layout and channels of the features, None where the network does not work; nothing is computed."""
    try:
        with torch.device('meta'), torch.no_grad():
            network = timm.create_model(model, pretrained=False, num_classes=0, in_chans=3, **arguments).eval()
            shape = network.forward_features(torch.empty(2, 3, size, size)).shape
    except Exception:  # whatever a network raises that knows no img_size or takes no such picture
        return None
    if len(shape) == 3:
        return 'NLC', shape[2]
    if len(shape) == 4:
        last = shape[3] == network.num_features != shape[1]
        return ('NHWC', shape[3]) if last else ('NCHW', shape[1])
    return None


def override(model: str, arguments: dict, size: int, layout: str, channels: int) -> dict:
    """Return the override itself."""
    backbone = dict(type=f'timm.{model}', pretrained=False, feature_shape=layout, **arguments)
    head = dict(type='TSNHead', in_channels=channels, dropout_ratio=0.4, topk=(1,), average_clips='prob')
    preprocessor = dict(type='FlowDataPreprocessor', layout='frames', flip_prob=0.5)
    return dict(
        model=dict(
            _delete_=True,
            type='Recognizer2D',
            data_preprocessor=preprocessor,
            backbone=backbone,
            cls_head=head,
        ),
        input=dict(size=size),
    )
