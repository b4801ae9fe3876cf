"""Whether a method can be trained from clips in memory, several folds at a time."""

import re
import warnings
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from mer_bench.clip_random import BatchDraws, ClipDropout, clip_keys
from mer_bench.experiment.experiment import Experiment
from mer_bench.loading.flow_data_preprocessor import FlowDataPreprocessor
from mer_bench.loading.flow_store_dataset import SAME_EVERY_TIME
from mer_bench.training.stacking.data import Batch
from mer_bench.training.stacking.network import STANDARD, SingleNetwork, StackedNetwork
from mer_bench.training.stacking.train import ELEMENTWISE

MOST_PARAMETERS = 10_000_000
MOST_FLOPS = 2 * 10**8  # of a clip, forward: such a step is launches and memory traffic more than arithmetic
LOADER_KEYS = {'batch_size', 'num_workers', 'persistent_workers', 'sampler', 'dataset', 'drop_last'}


def why_not_stackable(experiment: Experiment, model: nn.Module) -> str | None:
    """Return why a method cannot be stacked, or None if it can: then two copies in a stack compute what one does.

    Small plain networks can be: a Recognizer3D without a neck, a head with BaseHead's cross-entropy, no randomness but
    that of ClipDropout, and an optimiser that updates every weight independently.

    Args:
        experiment: Method and data.
        model: The method's network, built; left as it was.
    """
    return (
        unknown_setting(experiment.method.cfg, experiment.precision)
        or unknown_part(model)
        or too_large(*complexity(model, experiment.data.shape))
        or wrong_result(model, experiment)
    )


def unknown_setting(cfg: Config, precision: str) -> str | None:
    """Return a setting of the training that stacking does not support."""
    wrapper = cfg.optim_wrapper
    known = {
        f'the precision {precision}': precision == 'fp32',
        'its optim_wrapper': wrapper.get('type', 'OptimWrapper') == 'OptimWrapper',
        'custom_hooks': not cfg.get('custom_hooks'),
        'its train_cfg': cfg.train_cfg.get('type', 'EpochBasedTrainLoop') == 'EpochBasedTrainLoop',
        'its loader': {*cfg.train_dataloader} <= LOADER_KEYS and cfg.train_dataloader.sampler.type == 'DefaultSampler',
        'its pipeline': [step.type for step in cfg.train_dataloader.dataset.pipeline] == SAME_EVERY_TIME,
        'accumulative_counts': wrapper.get('accumulative_counts', 1) == 1,
        f'{wrapper.optimizer.type}': wrapper.optimizer.type in ELEMENTWISE,
        'action_units': not cfg.get('action_units'),
    }
    unknown = [name for name, is_known in known.items() if not is_known]
    return f'it has {unknown[0]}' if unknown else None


def unknown_part(model: nn.Module) -> str | None:
    """Return a part of the network that stacking does not support."""
    if type(model) is not MODELS.get('Recognizer3D') or model.with_neck:
        return 'it is no Recognizer3D of backbone and head alone'
    head, preprocessor = model.cls_head, model.data_preprocessor
    if type(preprocessor) is not FlowDataPreprocessor or preprocessor.layout != 'clip' or preprocessor.blending:
        return 'its data preprocessor is no plain FlowDataPreprocessor'
    if preprocessor.augmentation.mixup_alpha:
        return 'mixup takes its partners from one fold'
    if type(head.loss_cls) is not MODELS.get('CrossEntropyLoss') or head.label_smooth_eps or head.multi_class:
        return 'its loss is no plain cross-entropy'
    for module in model.modules():
        if isinstance(module, _BatchNorm) and not (
            type(module) in STANDARD and module.affine and module.track_running_stats and module.momentum
        ):
            return f'{type(module).__name__} is no plain batch norm'
        if isinstance(module, nn.modules.dropout._DropoutNd) and not isinstance(module, ClipDropout) and module.p:
            return f'{type(module).__name__} draws for a batch, not for a clip'
    return None


def complexity(model: nn.Module, input_shape: Sequence[int]) -> tuple[int, int]:
    """Count parameters, and the FLOPs of one forward pass of one clip through backbone, neck and head.

    A multiply and an add are 2 FLOPs. Convolutions and matrix products count; norms, activations and pooling do not.

    Args:
        model: A built Recognizer3D or Recognizer2D; left unchanged, each module in its mode.
        input_shape: (C, T, H, W) of the clip.

    Returns:
        parameters, flops.
    """
    modes = [(module, module.training) for module in model.modules()]
    clip = torch.zeros(1, 1, *input_shape, device=next(model.parameters()).device)
    if hasattr(model.data_preprocessor, 'arrange'):
        clip = model.data_preprocessor.arrange(clip)
    model.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(clip, stage='head')
    for module, training in modes:
        module.training = training
    return sum(parameter.numel() for parameter in model.parameters()), counter.get_total_flops()


def too_large(parameters: int, flops: float) -> str | None:
    """Return the size of a network that is too large to gain from stacking."""
    if parameters > MOST_PARAMETERS or flops > MOST_FLOPS:
        return (
            f'it has {parameters / 1e6:.1f} million parameters and {flops / 1e9:.2f} GFLOP a clip, more than '
            f'{MOST_PARAMETERS / 1e6:.0f} and {MOST_FLOPS / 1e9:.1f}'
        )
    return None


def wrong_result(model: nn.Module, experiment: Experiment) -> str | None:
    """Compare the logits and the loss of a stack of two folds with those of each fold alone."""
    clips, batch, moments, draws = step_of_two(experiment)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            stacked = StackedNetwork(model, 2)(clips, batch, moments, draws)
    except RuntimeError as error:  # of vmap, about what it cannot do
        return f'torch.func cannot stack it ({str(error).splitlines()[0]})'
    for fold, rows in enumerate((batch.rows[:1], batch.rows[1:, :2])):
        (alone,) = SingleNetwork(model)(clips, Batch(rows), moments[fold:], draws)
        if not torch.allclose(alone, stacked[fold, : rows.shape[1]], rtol=1e-3, atol=1e-4):
            return 'a stack computes other logits'
    head, logits = model.cls_head, alone
    labels = torch.arange(len(logits)) % logits.shape[1]
    losses = head.loss_by_feat(logits, [ActionDataSample().set_gt_label(label) for label in labels])
    expected = head.loss_cls.loss_weight * F.cross_entropy(logits, labels, head.loss_cls.class_weight)
    parts = [value for name, value in losses.items() if 'loss' in name]
    return None if len(parts) == 1 and torch.allclose(parts[0], expected) else 'its head has a loss of its own'


def step_of_two(experiment: Experiment) -> tuple[torch.Tensor, Batch, torch.Tensor, BatchDraws]:
    """Return the arguments of a step of two folds, of three and two random clips."""
    channels = experiment.data.shape[0]
    clips = torch.randn(3, *experiment.data.shape, generator=torch.Generator().manual_seed(0))
    batch = Batch(torch.tensor([[0, 1, 2], [1, 0, 1]]), torch.tensor([[1, 1, 1], [1, 1, 0]], dtype=torch.bool))
    return clips, batch, torch.tensor([[[0.0] * channels, [1.0] * channels]] * 2), BatchDraws(clip_keys('abc'), 0, 0)


def done_in_turns(model: nn.Module, experiment: Experiment) -> str | None:
    """Return the operation, such as attention, that torch.func computes for one fold of a stack after another.

    Such a stack is not faster than its folds alone. torch.func warns of an operation without a batching rule.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        StackedNetwork(model, 2)(*step_of_two(experiment))
    found = [re.search(r'batching rule for ([\w:.]+\w)', str(warning.message)) for warning in caught]
    return next((match[1] for match in found if match), None)
