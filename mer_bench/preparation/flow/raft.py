"""RAFT flow (Teed and Deng, ECCV 2020, https://arxiv.org/abs/2003.12039) by torchvision, with weights from a file.

Torch is imported only when a function is called. The pictures are padded by repeating their edge, as in the authors'
code: to a multiple of 8, and to the 128 pixels that the correlation pyramid needs.
"""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mer_bench.errors import InputError
from mer_bench.files import digest_file

if TYPE_CHECKING:
    from torch import Tensor, nn

ADVICE = "give a .pth file with the state dict of torchvision's raft_small or raft_large"
FLOW_UPDATES = 12  # torchvision's default; its published scores use 12 to 32
MIN_SIDE = 128


def raft_parameters(weights: str | Path) -> dict:
    """Return what decides the flow, for store.json; a file that does not fit is refused here, before the work."""
    import torch

    return {
        'architecture': load_raft(str(weights))[0],
        'weights': Path(weights).name,
        'weights_sha256': digest_file(weights),
        'flow_updates': FLOW_UPDATES,
        'torchvision': version('torchvision'),
        'torch': str(torch.__version__),
        'device': raft_device(),
    }


def raft_flow(first: np.ndarray, second: np.ndarray, weights: str | Path) -> np.ndarray:
    """Return the motion from `first` to `second`, (2, H, W) float32 in pixels.

    Args:
        first: grey picture, (H, W) uint8; the network gets it as red, green and blue alike.
        second: grey picture of the same size.
        weights: file of :func:`read_state`.
    """
    import torch

    _, model = load_raft(str(weights))
    (top, bottom), (left, right) = (padding(side) for side in first.shape)
    pair = torch.from_numpy(np.stack([first, second])).to(next(model.parameters()).device)
    pair = (pair / 127.5 - 1)[:, None].expand(-1, 3, -1, -1)  # (2, 3, H, W) from -1 to 1, as the weights expect
    pair = torch.nn.functional.pad(pair, (left, right, top, bottom), mode='replicate')
    with torch.inference_mode():
        flow = model(pair[:1], pair[1:], num_flow_updates=FLOW_UPDATES)[-1][0]
    height, width = first.shape
    return flow[:, top : top + height, left : left + width].cpu().numpy()


def padding(side: int) -> tuple[int, int]:
    """Return the pixels to add before and after `side`."""
    missing = max(MIN_SIDE, -(-side // 8) * 8) - side
    return missing // 2, missing - missing // 2


@cache
def load_raft(weights: str) -> tuple[str, 'nn.Module']:
    """Return torchvision's name of the model and the model, on the GPU if there is one; once per process."""
    import torch
    from torchvision.models import optical_flow

    state = read_state(weights)
    name = architecture(state)
    model = getattr(optical_flow, name)()
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(f'{weights}: the weights do not fit {name} of torchvision; {ADVICE}') from error
    torch.set_num_threads(1)  # as OpenCV in a worker: the processes share the cores
    return name, model.to(raft_device()).eval()


def raft_device() -> str:
    """Return the kind of device that computes the flow, cuda or cpu."""
    import torch

    return 'cuda' if torch.cuda.is_available() else 'cpu'


def architecture(state: dict[str, 'Tensor']) -> str:
    """Return torchvision's name of the model: only the large one learns how to upsample its flow."""
    return 'raft_large' if any(name.startswith('mask_predictor.') for name in state) else 'raft_small'


def read_state(weights: str | Path) -> dict[str, 'Tensor']:
    """Return the tensors of a file by name, from a state dict or a checkpoint of torchvision's training script.

    A file that holds code is refused, never run.
    """
    import torch

    if not Path(weights).is_file():
        raise InputError(f'{weights}: no such file of RAFT weights; {ADVICE}')
    try:
        content = torch.load(weights, map_location='cpu', weights_only=True)
    except Exception as error:  # a broken or hostile file can raise anything
        raise InputError(f'{weights}: it is damaged or holds code and cannot be read; {ADVICE}') from error
    if isinstance(content, Mapping):
        content = content.get('model', content)
    if not isinstance(content, Mapping) or 'update_block.flow_head.conv1.weight' not in content:
        raise InputError(f'{weights}: expected the weights of RAFT, found something else; {ADVICE}')
    return dict(content)
