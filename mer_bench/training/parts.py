"""A batch that does not fit into the memory of the GPU, computed in parts: the step of the optimiser stays the same.

Loader, augmentation, dropout, steps of an epoch and schedules are those of the whole batch. Forward and backward pass
see some clips at a time, and their gradients add up, each part with its share of the loss. MMEngine's
`accumulative_counts` is no way to this: there each part is an iteration, so that schedules by iteration run faster, a
step can mix clips of two epochs, and a short part counts as much as a full one.

Only batch norm sees another batch, and dropout of torch (not ClipDropout) draws other numbers.
"""

import re
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mer_bench.clip_random import part_of_draws
from mer_bench.errors import InputError, visible
from mer_bench.models.heads import stack_labels

# what cuBLAS, cuDNN and CUDA itself raise, in place of torch.cuda.OutOfMemoryError
NO_MEMORY = re.compile(r'(CUBLAS|CUDNN)_STATUS_ALLOC_FAILED|CUDA error: out of memory')
ROOM = 'take fewer --jobs, a smaller input.size or network, a GPU with more memory, or --device cpu'


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of a GPU ran out."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or bool(NO_MEMORY.search(str(error)))


@cache
def tell(line: str) -> None:
    """Print a line on stderr, once a process."""
    print(visible(line), file=sys.stderr, flush=True)


class BatchTooLarge(Exception):
    """A training step of a network does not fit into the memory of the GPU.

    Attributes:
        clips: How many it computed at a time.
        fewer: How many to try next; None where the network cannot be trained on fewer.
        batch_norm: Whether these are what it normalises by.
    """

    def __init__(self, clips: int, model: nn.Module) -> None:
        self.clips, self.batch_norm = clips, has_batch_norm(model)
        fewer = (clips + 1) // 2
        self.fewer = fewer if 1 + self.batch_norm <= fewer < clips else None


def has_batch_norm(model: nn.Module) -> bool:
    """Whether a network normalises by the clips of a batch."""
    return any(isinstance(module, _BatchNorm) for module in model.modules())


def compute_in_parts(model: BaseModel, clips: int | None) -> None:
    """Let a network train on so many clips at a time (None: the whole batch), and test on as many as fit."""
    model.test_step = partial(test_step, model)
    if clips:
        model.train_step = partial(train_step, model, clips)


def train_step(model: BaseModel, clips: int, data: dict, optim_wrapper: OptimWrapper) -> dict[str, torch.Tensor]:
    """Do what BaseModel.train_step does, on parts of the batch.

    Args:
        model: The network.
        clips: Of a part, at most; where batch norm would be left with a single clip, a part has one more.
        data: A batch of the loader.
        optim_wrapper: Whose count of iterations grows by one.

    Returns:
        The losses and accuracies of the whole batch.
    """
    with optim_wrapper.optim_context(model):
        data = model.data_preprocessor(data, True)
    inputs, samples = data['inputs'], data['data_samples']
    done, log = optim_wrapper.inner_count, {}
    weights = weights_of(samples, model.cls_head)
    for part in parts_of(len(samples), clips, least=1 + has_batch_norm(model)):
        with part_of_draws(part), optim_wrapper.optim_context(model):
            losses = model._run_forward(dict(inputs=inputs[part], data_samples=samples[part]), mode='loss')
        shares = {name: share_of(part, weights, name) for name in losses}
        loss, noted = model.parse_losses({name: value.mean() * shares[name] for name, value in losses.items()})
        optim_wrapper.backward(optim_wrapper.scale_loss(loss))
        optim_wrapper._inner_count = done
        log = {name: value.detach() + log.get(name, 0) for name, value in noted.items()}
    optim_wrapper._inner_count = done + 1
    if optim_wrapper.should_update():
        optim_wrapper.step()
        optim_wrapper.zero_grad()
    return log


def parts_of(clips: int, size: int, least: int) -> Iterator[slice]:
    """Yield the parts of a batch, of nearly the same length: `size` at most, if that leaves none with under `least`."""
    count = max(1, min(-(-clips // size), clips // least))
    ends = [clips * number // count for number in range(count + 1)]
    return map(slice, ends[:-1], ends[1:])


def weights_of(samples: list, head: nn.Module) -> dict[str, torch.Tensor]:
    """Return how much each clip counts in the means of a batch, (N,), by the end of the name of a loss or an accuracy.

    The cross-entropy of MMAction2 divides by the sum of the class weights, and that of action units by the number of
    known ones; all others are means over the clips.
    """
    weights, loss = {}, getattr(head, 'loss_cls', None)
    if isinstance(loss, MODELS.get('CrossEntropyLoss')) and loss.class_weight is not None:
        labels = stack_labels(samples).cpu()
        shares = nn.functional.one_hot(labels, head.num_classes) if labels.ndim == 1 else labels
        shares = (1 - head.label_smooth_eps) * shares + head.label_smooth_eps / head.num_classes
        weights['loss_cls'] = shares @ loss.class_weight.cpu()
    if getattr(head, 'action_units', None) is not None:
        known = torch.tensor([sample.action_unit_targets for sample in samples]) >= 0
        weights['action_units_loss'] = known.sum(1).float()
    return weights | {'': torch.ones(len(samples))}


def share_of(part: slice, weights: dict[str, torch.Tensor], name: str) -> float:
    """Return the share of a part in a loss or an accuracy of the batch."""
    counts = next(counts for end, counts in weights.items() if name.endswith(end))
    return float(counts[part].sum() / counts.sum().clamp(min=1e-12))


def test_step(model: BaseModel, data: dict) -> list:
    """Do what BaseModel.test_step does, on halves of a batch that does not fit."""

    def predicted(clips: list[int]) -> list:
        return type(model).test_step(model, {name: [values[i] for i in clips] for name, values in data.items()})

    return in_halves(predicted, [*range(len(data['data_samples']))])


def in_halves(predict: Callable[[list[int]], list], clips: list[int]) -> list:
    """Predict clips together, or each half of them alone where they do not fit; only the last digits may differ.

    Args:
        predict: Returns the predictions of some clips, behind them those of their mirrored copies, if any.
        clips: Their numbers.
    """
    try:
        return predict(clips)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    if len(clips) == 1:
        raise InputError(f'the test of a single clip does not fit into the memory of the GPU; {ROOM}')
    tell(f'{len(clips)} clips to test do not fit into the memory of the GPU; they are tested in halves')
    half = len(clips) // 2
    first, second = in_halves(predict, clips[:half]), in_halves(predict, clips[half:])
    return [*first[:half], *second[: len(clips) - half], *first[half:], *second[len(clips) - half :]]
