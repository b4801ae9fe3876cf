"""Checks the gradients of a network in mixed precision, layer by layer, and what is computed between the layers.

Some kernels are wrong for some shapes on some processors, so a batch of random clips goes through the network in fp32
and in mixed precision before a training. The gradients of the whole network cannot be compared: after fifty layers with
batch norm, the rounding of bf16 alone leaves a cosine near 0. So every layer is cut out. In both precisions it gets the
same input and the same random gradient of its output, and so does whatever is computed from one layer to the next.
"""

import copy
import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import torch
from mmengine.structures import BaseDataElement
from torch import nn
from torch.nn.modules.conv import _ConvNd

from mer_bench.training.fold_time import folds
from mer_bench.training.runner import DTYPES, accelerate

AGREE = 0.99
ROUNDS = 2  # in the second, the layers that the first found compute in fp32
LOSS_SCALE = 1024.0  # fp16 has no smaller numbers than 6e-8
NOTHING, NOISE = 1e-6, 1e-2  # gradients are of size 1: what is 0 in fp32 may be the noise of rounding in bf16
PERIOD = 100_003
LAYER_SEEDS = 10**6  # the first seed of gradients inside a layer; those between layers start at 0


@dataclass(frozen=True)
class Agreement:
    """The result of a comparison.

    Attributes:
        fp32_layers: Names of the layers that must compute in fp32, in the order of the network.
        layers: Smallest :func:`agreement` of a layer that computes in mixed precision.
        between: The place with the smallest agreement of what is computed between the layers, and that agreement.
        mended: Whether all gradients are right with these layers in fp32.
    """

    fp32_layers: tuple[str, ...]
    layers: float
    between: tuple[str, float]
    mended: bool


def compare_gradients(
    model: nn.Module,
    clips: torch.Tensor,
    data_samples: Sequence[BaseDataElement],
    precision: str,
    channels_last: str | bool,
) -> Agreement:
    """Compare a network in mixed precision, as :func:`accelerate` makes it, with the same network in fp32.

    Args:
        model: A recogniser on its device, built for this: weights of zero are drawn anew.
        clips: As the data preprocessor hands them to the network.
        data_samples: With their labels.
        precision: bf16 or fp16.
        channels_last: As for :func:`accelerate`.
    """
    prepare(model)
    calls = record_calls(model, DTYPES[precision], clips, data_samples)
    fp32_layers = {call.name for call in calls if call.overhangs}
    for _ in range(ROUNDS):
        fast = copy.deepcopy(model)
        accelerate(fast, precision, channels_last, fp32_layers)
        comparison = Comparison(model, calls, DTYPES[precision], fp32_layers)
        comparison.run(fast, clips, data_samples)
        found = comparison.faulty_layers()
        fp32_layers |= found
        if not found:
            break
    names = tuple(name for name, _ in model.named_modules() if name in fp32_layers)
    layers = min((value for name, value in comparison.layers.items() if name not in fp32_layers), default=1.0)
    between = min(comparison.between.items(), key=lambda item: item[1], default=('', 1.0))
    return Agreement(names, layers, between, mended=not found and between[1] >= AGREE)


def prepare(model: nn.Module) -> None:
    """Turn off what draws random numbers, and draw anew the weights of zero, behind which no gradient would be seen.

    Layers with weights or running statistics stay in training mode.
    """
    model.train()
    for module in model.modules():
        if not is_layer(module) or not (module._parameters or module._buffers):
            module.training = False  # of this module alone
        if getattr(module, 'with_cp', False):  # its layers would be called again in the backward pass
            module.with_cp = False
    with torch.no_grad():
        for seed, parameter in enumerate(model.parameters()):
            if not parameter.any() or not parameter.isfinite().all():  # the latter where nothing was drawn yet
                noise_like(parameter, seed).mul_(0.5)


def is_layer(module: nn.Module) -> bool:
    """Return whether a module consists of no others."""
    return next(module.children(), None) is None


def agreement(found: torch.Tensor | None, expected: torch.Tensor | None) -> float:
    """Return the cosine of two tensors of one length, less if their lengths differ, -1 if not all is finite.

    Of gradients that are None, both must be.
    """
    if found is None or expected is None:
        return float(found is expected)
    found, expected = found.detach().float().flatten(), expected.detach().float().flatten()
    ours, theirs = found.dot(found).item(), expected.dot(expected).item()
    if not math.isfinite(ours):
        return -1.0
    if theirs < len(found) * NOTHING**2:
        return 1.0 if ours < len(found) * NOISE**2 else 0.0
    return 2 * found.dot(expected).item() / (ours + theirs)


@dataclass
class Call:
    """A call of a layer in fp32, whose numbers the other precision gets too.

    Attributes:
        name: Name of the layer.
        kind: Its class, settings and shape of input: a fault is of the kind.
        overhangs: Whether it must not even be tried, see :func:`overhangs`.
        x: Its input; None if that is not one tensor: the layer then counts as something between the others.
        gradient: The gradient that arrived for its output, if any.
    """

    name: str
    kind: tuple[str, ...] = ()
    overhangs: bool = False
    x: torch.Tensor | None = None
    gradient: torch.Tensor | None = None


class Cut(torch.autograd.Function):
    """Replaces a layer in the graph of the network: a known output, and backwards a random gradient of a known seed."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, give: Callable[[], torch.Tensor], keep: Callable, seed: int) -> torch.Tensor:
        ctx.like, ctx.device, ctx.keep, ctx.seed = x.to('meta'), x.device, keep, seed
        return give()

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple:
        ctx.keep(gradient)
        return noise_like(torch.empty_like(ctx.like, device=ctx.device), ctx.seed), None, None, None


def cut_out(x: torch.Tensor, y: torch.Tensor, keep: Callable[[torch.Tensor], None], seed: int) -> torch.Tensor:
    """Return y as the output of a layer for x, and let `keep` have the gradient that arrives for it."""
    x = x if x.requires_grad else x.detach().requires_grad_()
    return Cut.apply(x, lambda: y, keep, seed)


def noise_like(x: torch.Tensor, seed: int) -> torch.Tensor:
    """Fill x with normal random numbers that every precision can hold; they repeat after a prime number of them."""
    generator = torch.Generator(x.device).manual_seed(seed)
    numbers = torch.randn(min(x.numel(), PERIOD), generator=generator, device=x.device).bfloat16().half()
    return x.copy_(numbers.repeat(-(-x.numel() // PERIOD))[: x.numel()].view(x.shape))


def run_step(model: nn.Module, call: Callable, clips: torch.Tensor, data_samples: Sequence[BaseDataElement]) -> None:
    """Run forward, losses and backward of a training step, with `call` in place of the call of every layer.

    Args:
        model: On its device.
        call: Called with name, layer, the layer's own forward, and the arguments of the call.
        clips, data_samples: As for :func:`compare_gradients`.
    """
    with ExitStack() as stack:
        for name, layer in [*model.named_modules()]:
            if is_layer(layer):
                own = layer.__dict__.get('forward')  # what accelerate() put there
                stack.callback(layer.__dict__.pop if own is None else layer.__dict__.__setitem__, 'forward', own)
                layer.forward = partial(call, name, layer, layer.forward)
        losses = model(clips.clone(), copy.deepcopy(data_samples), mode='loss')
        (model.parse_losses(losses)[0] * LOSS_SCALE).backward()


def record_calls(
    model: nn.Module, dtype: torch.dtype, clips: torch.Tensor, data_samples: Sequence[BaseDataElement]
) -> list[Call]:
    """Run a step in fp32 and contiguous memory, and return the calls of its layers in their order.

    What enters and leaves a layer is rounded to `dtype`, so that both precisions continue with the same numbers.
    """
    calls = []

    def call(name: str, layer: nn.Module, compute: Callable, *args, **kwargs) -> object:
        noted, seed = Call(name), len(calls)
        calls.append(noted)
        if len(args) != 1 or kwargs or not is_floating(args[0]):
            return compute(*args, **kwargs)
        x = args[0].detach().to(dtype, copy=True)
        with torch.no_grad():
            y = compute(x.float())
        if not is_floating(y):
            return compute(*args)
        noted.x, noted.kind = x, (type(layer).__name__, layer.extra_repr(), str(tuple(x.shape)))
        noted.overhangs = overhangs(layer, x)

        def keep(gradient: torch.Tensor) -> None:
            noted.gradient = gradient.to(dtype)

        return cut_out(args[0], y.to(dtype).float(), keep, seed)

    run_step(model, call, clips, data_samples)
    return calls


class Comparison:
    """The step in mixed precision, with the inputs and outputs that layers had in fp32.

    Args:
        plain: The network in fp32, with the gradients of its step.
        calls: Of its layers.
        dtype: Of the mixed precision.
        fp32_layers: Layers that are not compared.

    Attributes:
        layers: Smallest agreement of each layer alone: of its output and of the gradients of weights and input.
        between: Smallest agreement of what arrives at each layer, forward and backward, and of the gradients of
            weights that belong to no layer.
    """

    def __init__(self, plain: nn.Module, calls: list[Call], dtype: torch.dtype, fp32_layers: set[str]) -> None:
        self.plain, self.calls, self.dtype, self.fp32_layers = plain, calls, dtype, fp32_layers
        self.count = 0
        self.layers: dict[str, float] = {}
        self.between: dict[str, float] = {}

    def run(self, fast: nn.Module, clips: torch.Tensor, data_samples: Sequence[BaseDataElement]) -> None:
        """Run a step of the network as :func:`accelerate` made it, and compare."""
        run_step(fast, self.call, clips, data_samples)
        found = dict(fast.named_parameters())
        for name, parameter in self.plain.named_parameters():
            note(self.between, name, agreement(found[name].grad, parameter.grad))

    def call(self, name: str, layer: nn.Module, compute: Callable, *args, **kwargs) -> object:
        """Compare a layer alone, and return what it returned in fp32."""
        call, seed = self.calls[self.count], self.count
        self.count += 1
        if call.x is None:
            return compute(*args, **kwargs)
        x = args[0]
        note(self.between, name, agreement(x, call.x))
        y = self.compare(name, layer, compute, torch.empty_like(x).copy_(call.x), seed + LAYER_SEEDS)

        def keep(gradient: torch.Tensor) -> None:
            if call.gradient is not None:
                note(self.between, name, agreement(gradient, call.gradient))

        return cut_out(x, y, keep, seed)

    def compare(self, name: str, layer: nn.Module, compute: Callable, x: torch.Tensor, seed: int) -> torch.Tensor:
        """Compare a layer for the input x, unless it computes in fp32; return the output of fp32."""
        plain, dtype = self.plain.get_submodule(name), self.dtype
        if name in self.fp32_layers:
            with torch.no_grad():
                return compute(x).to(dtype).float()
        with torch.autocast(x.device.type, enabled=False):
            expected = with_gradients(plain, plain, x.float().contiguous(), seed)
        spoil_free_memory(x, expected[0], *layer.parameters())
        with torch.autocast(x.device.type, dtype, cache_enabled=False):
            found = with_gradients(layer, compute, x, seed)
        note(self.layers, name, min(agreement(*pair) for pair in zip(found, expected, strict=True)))
        return torch.empty_like(found[0]).copy_(expected[0].to(dtype))

    def faulty_layers(self) -> set[str]:
        """Return the layers that disagree, and all of their kind: a kernel that reads unwritten memory may be right."""
        kinds = {call.kind for call in self.calls if self.layers.get(call.name, 1.0) < AGREE}
        return {call.name for call in self.calls if call.kind in kinds} - self.fp32_layers


def with_gradients(layer: nn.Module, compute: Callable, x: torch.Tensor, seed: int) -> list[torch.Tensor | None]:
    """Return the output of a layer, and the gradients of its input and weights for a random one of its output."""
    x = x.detach().requires_grad_()
    weights = [parameter for parameter in layer.parameters() if parameter.requires_grad]
    with torch.enable_grad():
        y = compute(x.clone())  # it may work in place
    gradient = noise_like(torch.empty_like(y), seed)
    return [y.detach(), *torch.autograd.grad(y, [x, *weights], gradient, allow_unused=True)]


def spoil_free_memory(*tensors: torch.Tensor) -> None:
    """Leave NaN in memory that is free, where a kernel that does not write all of its result would find it."""
    _ = [torch.full_like(x, torch.nan, dtype=dtype) for x in tensors for dtype in (torch.float32, torch.bfloat16)]


def note(smallest: dict[str, float], name: str, value: float) -> None:
    """Keep the smallest value of each name."""
    smallest[name] = min(value, smallest.get(name, value))


def is_floating(x: object) -> bool:
    """Return whether x is a tensor of real numbers."""
    return isinstance(x, torch.Tensor) and x.is_floating_point()


def overhangs(layer: nn.Module, x: torch.Tensor) -> bool:
    """Return whether a convolution must not even be tried in bf16: its kernel is longer than its input, on a CPU.

    There oneDNN 3.12 writes beyond the gradient of the weights, and may end the process. It never sees the time of a
    convolution that :func:`folds`.
    """
    if not isinstance(layer, _ConvNd) or x.device.type != 'cpu':
        return False
    lengths = [*zip(layer.kernel_size, layer.dilation, x.shape[2:], strict=True)][folds(layer, x) :]
    return any(dilation * (kernel - 1) + 1 > size for kernel, dilation, size in lengths)
