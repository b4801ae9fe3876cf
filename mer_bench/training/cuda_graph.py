"""Replays backbone and neck of a network in training as CUDA graphs: two launches in place of a thousand.

A step of the full model launches some 1,400 kernels, which took the host three times as long as the GPU. A graph
launches the same kernels with the same numbers at once. `torch.compile` would also fuse kernels, but it needs a C
compiler and minutes wherever a network is trained, and changes the last digits.

A graph holds shapes, modes and addresses fixed, so these are compared before every replay, and a batch for which any of
them differs is computed the plain way: the last one of an epoch until it has a graph of its own, every test, and a
batch whose gradients are added to those of another. A graph is compared with the plain way before it is used.
"""

from collections.abc import Callable
from functools import partial

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import nn
from torch.utils._pytree import tree_leaves

from mer_bench.errors import InputError
from mer_bench.models.backbones.multiscale_resnet3d import MultiScaleResNet3d
from mer_bench.models.necks.attention_fusion import AttentionFusion

HOOKS = ('_forward_pre_hooks', '_forward_hooks', '_backward_pre_hooks', '_backward_hooks')  # a replay calls none
SHAPES = 2  # whole batches, and the last one of an epoch
ROOM = 4  # times the memory of plain steps: a graph keeps its own, and its capture needs both
# of the size of a number: what kernels may differ by that add in another order each time; wrong ones differ by 1
TOLERANCE, MOST = 0.02, 0.2


def replay_graphs(model: BaseModel, cfg: Config, log: Callable[[str], None]) -> None:
    """Let a network replay its backbone and neck in training, where that can be done on its device.

    Args:
        model: On its device, as :func:`mer_bench.training.runner.accelerate` left it.
        cfg: Of the fold; `cuda_graph=True` turns this on. It is off by default, as it never ran on a GPU yet.
        log: Is told, once a shape, what was captured, or why not.
    """
    # nothing that these compute depends on Python: a graph would repeat its random numbers, and see no other branch
    known = (MODELS.get('Recognizer3D'), MultiScaleResNet3d, AttentionFusion)
    parts = (model, getattr(model, 'backbone', None), getattr(model, 'neck', None))
    other = cfg.get('clips_at_a_time') or cfg.get('compile') or (cfg.get('train_dataloader') or {}).get('num_workers')
    if not cfg.get('cuda_graph') or other or not next(model.parameters()).is_cuda:
        return
    if tuple(map(type, parts)) == known:
        model.extract_feat = GraphedFeatures(model, log)


class GraphedFeatures:
    """Takes the place of `extract_feat` of a recogniser.

    A shape is captured when it comes a second time, since the first tells how much memory a step takes.

    Attributes:
        graphs: By shape, a captured :class:`Trunk`, and what :func:`taken_for_granted` returned of it.
        replays: How often one was used.
    """

    def __init__(self, model: BaseModel, log: Callable[[str], None]) -> None:
        self.model, self.log, self.plain = model, log, model.extract_feat
        self.graphs, self.met, self.failed, self.replays = {}, set(), False, 0

    def __call__(self, clips: torch.Tensor, *args, **kwargs) -> tuple:
        """See Recognizer3D.extract_feat."""
        in_training = {*kwargs} == {'data_samples'} and self.model.training and torch.is_grad_enabled()
        if args or not in_training or clips.requires_grad or not (trunk := self.find(clips)):
            return self.plain(clips, *args, **kwargs)
        self.replays += 1
        return trunk(clips)

    def find(self, clips: torch.Tensor) -> 'Trunk | None':
        """Return the captured trunk for a batch, if there is one and nothing differs from when it was captured."""
        key = clips.shape, clips.dtype
        if key in self.met and key not in self.graphs and len(self.graphs) < SHAPES and not self.failed:
            self.capture(key, clips)
        self.met.add(key)
        trunk, before = self.graphs.get(key, (None, None))
        # gradients lie in memory of the graph, where the next replay overwrites them: it must not add to others
        if trunk is None or any(parameter.grad is not None for parameter in trunk.parameters()):
            return None
        return trunk if taken_for_granted(trunk) == before else None

    def capture(self, key: tuple, clips: torch.Tensor) -> None:
        """Capture a graph for a shape, and say in the log whether it will be used."""
        stream = torch.cuda.current_stream(clips.device) if clips.is_cuda else None
        try:
            if stream:
                check_room(clips.device)
            trunk, found = capture_checked(self.model, clips)
        except Exception as error:  # a capture can raise any exception
            self.failed = True
            reason, *_ = str(error).splitlines() or [type(error).__name__]  # below it, CUDA gives advice
            self.log(f'no CUDA graph, each kernel is launched alone: {reason}')
            if stream:
                check_usable(stream)
            return
        self.graphs[key] = trunk, taken_for_granted(trunk)
        self.log(
            f'backbone and neck are replayed as a CUDA graph for batches of {len(clips)} clips; it differed from the '
            f'plain way by {found:.1e} of the numbers at most'
        )


class Trunk(nn.Module):
    """What is captured: from the clips of a batch to the maps that the head sees.

    Autocast is inside, without its cache, as torch wants it; the backward pass is outside, as in MMEngine's step.
    """

    def __init__(self, model: BaseModel, device: torch.device) -> None:
        super().__init__()
        self.backbone, self.neck = model.backbone, getattr(model, 'neck', None)
        self.extract = partial(type(model).extract_feat, model)
        enabled, dtype = torch.is_autocast_enabled(device.type), torch.get_autocast_dtype(device.type)
        self.autocast = partial(torch.autocast, device.type, dtype, enabled, cache_enabled=False)

    def forward(self, clips: torch.Tensor) -> tuple:
        """clips: (N, 1, C, T, H, W)."""
        with self.autocast():
            return self.extract(clips)


def taken_for_granted(trunk: Trunk) -> list:
    """Return modes, hooks, and the places of weights and statistics: a graph is right as long as they stay the same."""
    found = []
    for module in trunk.modules():
        found += [module.training, *(len(getattr(module, hooks)) for hooks in HOOKS)]
        for tensor in (*module._parameters.values(), *module._buffers.values()):
            found += [] if tensor is None else [tensor.data_ptr(), tensor.requires_grad]
    return found


def capture_checked(model: BaseModel, clips: torch.Tensor) -> tuple[Trunk, float]:
    """Capture backbone and neck for batches like this one, and compare the result with the plain way on this batch.

    Weights, running statistics and the state of random numbers are afterwards what they were, bit for bit. The graph is
    captured with other clips and other weights than it is compared with, which shows whether it reads both anew. No
    weight is then zero, behind which no gradient would be seen.

    Returns:
        The captured trunk, and the largest :func:`difference`.

    Raises:
        RuntimeError: It computes something else, or has what no graph can hold.
    """
    trunk, plain = Trunk(model, clips.device), Trunk(model, clips.device)
    for module in trunk.modules():
        if getattr(module, 'with_cp', False) or any(getattr(module, hooks) for hooks in HOOKS):
            raise RuntimeError('the network has hooks, or computes parts again in the backward pass')
    weights, statistics = [*trunk.parameters()], [*trunk.buffers()]
    kept = [[tensor.detach().clone() for tensor in part] for part in (weights, statistics)]

    def numbers_of_a_step(way: Trunk) -> list[list[torch.Tensor | None]]:
        put(statistics, kept[1])
        return numbers_of(way, clips)

    devices = [clips.device] if clips.is_cuda else []
    with torch.random.fork_rng(devices), torch.autocast(clips.device.type, enabled=False):
        try:
            trunk = torch.cuda.make_graphed_callables(trunk, (torch.randn_like(clips),), allow_unused_input=True)
            put(weights, [value + 0.1 * torch.randn_like(value) for value in kept[0]])
            expected, again, found = map(numbers_of_a_step, (plain, plain, trunk))
        finally:
            put(weights, kept[0])
            put(statistics, kept[1])
    off, noise = difference(found, expected), difference(again, expected)
    if not off <= max(TOLERANCE, min(2 * noise, MOST)):  # also if it is not a number
        raise RuntimeError(f'it differed from the plain way by {off:.1e} of the numbers, the plain way by {noise:.1e}')
    return trunk, off


@torch.no_grad()
def put(tensors: list[torch.Tensor], values: list[torch.Tensor]) -> None:
    """Write values into tensors, where they are."""
    for tensor, value in zip(tensors, values, strict=True):
        tensor.copy_(value)


def numbers_of(trunk: Trunk, clips: torch.Tensor) -> list[list[torch.Tensor | None]]:
    """Return copies of the maps, the gradients of the weights for random ones of the maps, and the statistics."""
    torch.manual_seed(0)
    maps = tree_leaves(trunk(clips))
    noise = [torch.randn_like(x) for x in maps]
    weights = [weight for weight in trunk.parameters() if weight.requires_grad]
    gradients = torch.autograd.grad(maps, weights, noise, allow_unused=True) if weights else []
    return [[None if x is None else x.detach().clone() for x in part] for part in (maps, gradients, trunk.buffers())]


def difference(found: list[list[torch.Tensor | None]], expected: list[list[torch.Tensor | None]]) -> float:
    """Return the largest distance of two tensors of :func:`numbers_of` over the size of the numbers in them.

    That size is at least a tenth of the usual one of its list: what should be 0 is the noise of rounding.
    """
    largest = [torch.zeros(())]
    for ours, theirs in zip(found, expected, strict=True):
        if [x is None for x in ours] != [x is None for x in theirs]:
            return float('inf')
        pairs = [(x.float(), y.float()) for x, y in zip(ours, theirs, strict=True) if x is not None]
        if pairs:
            sizes = torch.stack([y.square().mean().sqrt() for _, y in pairs])
            off = torch.stack([(x - y).square().mean().sqrt() for x, y in pairs])
            largest.append((off / (sizes + sizes.mean() / 10 + 1e-30)).max().cpu())
    return float(torch.stack(largest).max())


def check_room(device: torch.device) -> None:
    """Refuse a capture where little memory is left, so that no later step lacks it."""
    free, total = torch.cuda.mem_get_info(device)
    room = min(torch.cuda.get_per_process_memory_fraction(device) * total, free + torch.cuda.memory_reserved(device))
    if (needed := ROOM * torch.cuda.max_memory_allocated(device)) > room:
        raise RuntimeError(f'it may need {needed / 2**30:.1f} GiB of memory, and {room / 2**30:.1f} GiB are there')


def check_usable(stream: torch.cuda.Stream) -> None:
    """Go back to a stream after a failed capture, which can also leave torch's random numbers unusable.

    Raises:
        InputError: This process cannot go on.
    """
    try:
        torch.cuda.set_stream(stream)
        torch.cuda.empty_cache()
        torch.rand(1, device=stream.device)
        torch.cuda.synchronize(stream.device)
    except RuntimeError as error:
        raise InputError(
            'the capture of a CUDA graph failed, and the GPU cannot be used any more by this process; run the same '
            'command again without cuda_graph=True'
        ) from error
