"""All clips of a run in the memory of a device, once per process, shared by all folds."""

from collections.abc import Sequence

import joblib
import psutil
import torch

from mer_bench.loading.clip_table import open_store, read_clip
from mer_bench.loading.input_spec import InputSpec

SHARE = 0.5  # of the free memory, for the clips of all processes together
Places = Sequence[tuple[str, int]]

_resident: dict[tuple, torch.Tensor] = {}  # one entry: a process trains on one set of clips at a time


def resident_clips(places: Places, view: InputSpec, device: str | torch.device = 'cpu') -> torch.Tensor:
    """Return clips as the network sees them, in the memory of a device.

    A second call for the same clips returns the same tensor, so do not write to it. A call for others forgets it.

    Args:
        places: Store and row of each clip.
        view: What is taken of it.
        device: Where to keep them.

    Returns:
        (N, C, T, H, W), float16 if the values are taken as stored, float32 if they are computed.
    """
    device, key = _key(places, view, device)
    if key not in _resident:
        _resident.clear()
        first = torch.from_numpy(read_clip(*places[0], view))
        clips = torch.empty((len(places), *first.shape), dtype=first.dtype, device=device)
        for i, place in enumerate(places):
            clips[i].copy_(torch.from_numpy(read_clip(*place, view)))
        _resident[key] = clips
    return _resident[key]


def fits(places: Places, view: InputSpec, device: str | torch.device = 'cpu') -> bool:
    """Return whether clips are in the memory of a device, or fit there beside what a training needs."""
    device, key = _key(places, view, device)
    if key in _resident:
        return True
    needed = len(places) * read_clip(*places[0], view).nbytes
    return needed * sharers(device) <= SHARE * free_memory(device)


def _key(places: Places, view: InputSpec, device: str | torch.device) -> tuple[torch.device, tuple]:
    """Return the device with its number, and the key of a set of clips."""
    device = torch.device(device)
    if device.type == 'cuda' and device.index is None:
        device = torch.device('cuda', torch.cuda.current_device())
    digests = tuple(open_store(store).info.get('data_digest') for store in dict.fromkeys(store for store, _ in places))
    return device, (tuple(places), view, digests, str(device))


def free_memory(device: torch.device) -> int:
    """Return the bytes that a process can still take on a device; 0 if unknown."""
    if device.type == 'cuda':
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available if device.type == 'cpu' else 0


def sharers(device: torch.device) -> int:
    """Return how many processes may want the same share of a device: one per core of a CPU, two on a GPU."""
    return joblib.cpu_count() if device.type == 'cpu' else 2
