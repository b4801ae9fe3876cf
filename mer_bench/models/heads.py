"""Heads: maps -> losses, or predictions on the data samples.

The head of several outputs follows deeply-supervised nets, https://arxiv.org/abs/1409.5185. Beside the emotion, its
fused map can also predict facial action units, several of which may be shown at once.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model.weight_init import normal_init
from torch import nn

from mer_bench import compat
from mer_bench.clip_random import ClipDropout
from mer_bench.errors import InputError

compat.apply()  # before mmaction.models is imported

from mmaction.models.heads import BaseHead  # noqa: E402

LOSS = {'type': 'CrossEntropyLoss'}


class AsyncLossHead(BaseHead):
    """BaseHead that never waits for the device: MMAction2 copies all logits to NumPy for the accuracy of a step."""

    def loss_by_feat(self, cls_scores: torch.Tensor, data_samples: list) -> dict[str, torch.Tensor]:
        """Return losses and, of labels that are one class each, accuracies; see :meth:`losses_of`."""
        return self.losses_of(cls_scores, stack_labels(data_samples).to(cls_scores.device, non_blocking=True))

    def losses_of(self, logits: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``loss_cls``, or what a loss of several parts calls them, and ``top<k>_acc``.

        Args:
            logits: (N, num_classes).
            labels: (N,) classes, or (N, num_classes) shares of them.
        """
        losses = {}
        if labels.ndim == 1:
            ranked = logits.detach().topk(min(max(self.topk), self.num_classes)).indices == labels[:, None]
            losses = {f'top{k}_acc': ranked[:, :k].any(dim=1).float().mean() for k in self.topk}
        if self.label_smooth_eps:
            shares = F.one_hot(labels, self.num_classes) if labels.ndim == 1 else labels
            labels = (1 - self.label_smooth_eps) * shares + self.label_smooth_eps / self.num_classes
        weight = getattr(self.loss_cls, 'class_weight', None)
        if isinstance(weight, torch.Tensor):  # MMAction2 would copy them in every step
            self.loss_cls.class_weight = weight.to(logits.device)
        loss = self.loss_cls(logits, labels)
        return losses | (loss if isinstance(loss, dict) else {'loss_cls': loss})


def stack_labels(data_samples: list[ActionDataSample]) -> torch.Tensor:
    """Return (N,) classes, or (N, num_classes) where the label of a clip is a share of each class."""
    labels = torch.stack([sample.gt_label for sample in data_samples])
    return labels.squeeze(1) if labels.shape[1] == 1 else labels


@MODELS.register_module()
class FlatHead(AsyncLossHead):
    """Dropout and one linear layer on the flattened features, first weights as PyTorch draws them.

    Args:
        num_classes: Number of classes.
        in_channels: Features of a clip, all together.
        dropout_ratio: Dropout before the layer.
        average_clips, topk, **kwargs: As in BaseHead.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        dropout_ratio: float = 0.0,
        average_clips: str = 'prob',
        topk: int | tuple[int, ...] = (1,),
        **kwargs,
    ) -> None:
        super().__init__(num_classes, in_channels, average_clips=average_clips, topk=topk, **kwargs)
        self.dropout = ClipDropout(dropout_ratio)
        self.fc_cls = nn.Linear(in_channels, num_classes)

    def init_weights(self) -> None:
        """Keep PyTorch's own first weights."""

    def forward(self, x: torch.Tensor, **kwargs) -> torch.Tensor:
        """Classify.

        Args:
            x: (N, in_channels) features, or (N, C, T, H, W) maps with as many values a clip.
            **kwargs: loss_aux or fcn_test of Recognizer3D, not used.

        Returns:
            (N, num_classes) logits, float32 at least.
        """
        logits = self.fc_cls(self.dropout(x.flatten(1)))
        return logits.to(torch.promote_types(logits.dtype, torch.float32))


@MODELS.register_module()
class MultiOutputHead(AsyncLossHead):
    """Global average pooling, dropout and a linear classifier on each map; one decision over all of them.

    The outputs are named ``scale0``, ``scale1``, ..., shallow to deep, and ``fused`` for the last map.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of each map, the fused one last; an int makes a plain head of one output.
        loss_cls: Loss of each output.
        outputs: ``'all'``, ``'fused'`` for the last map only, or a list of names, the fused one last.
        decision: Rule of the main prediction, a key of :data:`DECISIONS`.
        scale_loss_weight: Weight of each scale's loss; that of the fused output is 1.
        dropout_ratio: Dropout before each classifier.
        init_std: Standard deviation of the classifiers' first weights.
        topk: Training accuracies to log.
        average_clips: ``'prob'``: the probabilities of several clips of a sample are averaged.
        num_action_units: Number of action units to predict from the fused map; 0 for none.
        action_unit_weight: Weight of a clip that shows the unit, for each unit; None: 1.
        action_unit_loss_weight: Weight of the action units' loss beside the fused output's 1.
        **kwargs: Everything else of BaseHead: label_smooth_eps, multi_class, init_cfg.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int | Sequence[int],
        loss_cls: dict = LOSS,
        outputs: str | Sequence[str] = 'all',
        decision: str = 'mean',
        scale_loss_weight: float = 0.3,
        dropout_ratio: float = 0.5,
        init_std: float = 0.01,
        topk: int | tuple[int, ...] = (1,),
        average_clips: str = 'prob',
        num_action_units: int = 0,
        action_unit_weight: Sequence[float] | None = None,
        action_unit_loss_weight: float = 1.0,
        **kwargs,
    ) -> None:
        super().__init__(num_classes, in_channels, loss_cls, topk=topk, average_clips=average_clips, **kwargs)
        for name, value, known in (
            ('decision', decision, tuple(DECISIONS)),
            ('average_clips', average_clips, ('prob',)),
        ):
            if value not in known:
                raise InputError(f'{name} must be one of {known}, got {value!r}')
        channels = [in_channels] if isinstance(in_channels, int) else list(in_channels)
        names = [f'scale{i}' for i in range(len(channels) - 1)] + ['fused']
        chosen = choose_outputs(outputs, names)
        self.map_names = names
        self.decide = DECISIONS[decision]
        self.loss_weights = dict.fromkeys(names, scale_loss_weight) | {'fused': 1.0}
        self.init_std = init_std
        self.dropout = nn.Dropout(dropout_ratio)
        self.classifiers = nn.ModuleDict(
            {name: nn.Linear(c, num_classes) for name, c in zip(names, channels, strict=True) if name in chosen}
        )
        self.action_units = nn.Linear(channels[-1], num_action_units) if num_action_units else None
        self.action_unit_loss_weight = action_unit_loss_weight
        weight = None if action_unit_weight is None else torch.tensor(action_unit_weight, dtype=torch.float32)
        self.register_buffer('action_unit_weight', weight, persistent=False)

    def init_weights(self) -> None:
        for layer in (*self.classifiers.values(), self.action_units):
            if layer is not None:
                normal_init(layer, std=self.init_std)

    def forward(self, x: torch.Tensor | Sequence[torch.Tensor], **kwargs) -> dict[str, torch.Tensor]:
        """Classify.

        Args:
            x: (N, C_i, T_i, H_i, W_i) maps, the fused one last, or a single map.
            **kwargs: loss_aux or fcn_test of Recognizer3D, not used.

        Returns:
            (N, num_classes) float32 logits of each output, and (N, num_action_units) of ``action_units``, if any.
        """
        maps = [x] if isinstance(x, torch.Tensor) else x
        only_fused = list(self.classifiers) == ['fused']
        named = {'fused': maps[-1]} if only_fused else dict(zip(self.map_names, maps, strict=True))
        feats = {name: self.dropout(named[name].mean(dim=(2, 3, 4))) for name in self.classifiers}
        logits = {name: classifier(feats[name]).float() for name, classifier in self.classifiers.items()}
        if self.action_units is not None:
            logits['action_units'] = self.action_units(feats['fused']).float()
        return logits

    def loss_by_feat(self, cls_scores: dict[str, torch.Tensor], data_samples: list) -> dict[str, torch.Tensor]:
        """Weighted losses and accuracies by output, e.g. ``scale0_loss_cls`` and ``fused_top1_acc``.

        With labels that are one class each also ``top1_acc``, that of the decision.
        """
        losses = {}
        labels = stack_labels(data_samples).to(cls_scores['fused'].device, non_blocking=True)
        for name in self.classifiers:
            for key, value in self.losses_of(cls_scores[name], labels).items():
                losses[f'{name}_{key}'] = value * self.loss_weights[name] if 'loss' in key else value
        if labels.ndim == 1:
            probs = torch.stack([cls_scores[name].detach().softmax(1) for name in self.classifiers])
            losses['top1_acc'] = (self.decide(probs).argmax(1) == labels).float().mean()
        if self.action_units is not None:
            logits = cls_scores['action_units']
            targets = torch.tensor([sample.action_unit_targets for sample in data_samples])
            loss = masked_bce(logits, targets.to(logits.device, non_blocking=True), self.action_unit_weight)
            losses['action_units_loss'] = loss * self.action_unit_loss_weight
        return losses

    def predict_by_feat(self, cls_scores: dict[str, torch.Tensor], data_samples: list) -> list:
        """Set pred_score and pred_label to the decision, output_scores to {output: its probabilities}.

        With action units also action_unit_scores, the (num_action_units,) probability of each.
        """
        num_segs = len(cls_scores['fused']) // len(data_samples)
        probs = {name: self.average_clip(cls_scores[name], num_segs) for name in self.classifiers}
        scores = self.decide(torch.stack(list(probs.values())))
        for i, sample in enumerate(data_samples):
            sample.set_pred_score(scores[i])
            sample.set_pred_label(scores[i].argmax(dim=-1, keepdim=True))
            sample.set_field({name: prob[i] for name, prob in probs.items()}, 'output_scores')
        if self.action_units is not None:
            units = cls_scores['action_units'].sigmoid().unflatten(0, (-1, num_segs)).mean(1)
            for sample, unit_scores in zip(data_samples, units, strict=True):
                sample.set_field(unit_scores, 'action_unit_scores')
        return data_samples


def choose_outputs(outputs: str | Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the names of the outputs that `outputs` asks for; the fused one is always among them."""
    words = {'all': list(names), 'fused': ['fused']}
    chosen = words.get(outputs) if isinstance(outputs, str) else outputs
    in_order = [name for name in names if name in chosen] if isinstance(chosen, (list, tuple)) else []
    if 'fused' not in in_order or list(chosen) != in_order:
        raise InputError(
            f"outputs must be one of ('all', 'fused') or a list of some of {list(names)} in this order with 'fused', "
            f'got {outputs!r}; correct it'
        )
    return in_order


def masked_bce(logits: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """Mean binary cross-entropy over the known targets; 0 where none is known.

    Args:
        logits: (N, K).
        targets: (N, K): 1, 0, or -1 for unknown.
        weight: (K,) weight of the positive targets.
    """
    known = targets >= 0
    loss = F.binary_cross_entropy_with_logits(logits, targets.clamp(min=0).float(), pos_weight=weight, reduction='none')
    return (loss * known).sum() / known.sum().clamp(min=1)


def mean(probs: torch.Tensor) -> torch.Tensor:
    """The mean probability."""
    return probs.mean(dim=0)


def last(probs: torch.Tensor) -> torch.Tensor:
    """The probabilities of the fused output."""
    return probs[-1]


def vote(probs: torch.Tensor) -> torch.Tensor:
    """Each output has one vote and the mean probability half of one, so that it only breaks ties."""
    votes = F.one_hot(probs.argmax(dim=-1), probs.shape[-1]).sum(dim=0)
    return (votes + probs.mean(dim=0) / 2) / (len(probs) + 0.5)


def max_confidence(probs: torch.Tensor) -> torch.Tensor:
    """The probabilities of the most confident output, sample by sample; the first of equals."""
    surest = probs.amax(dim=-1).argmax(dim=0)
    return probs[surest, torch.arange(probs.shape[1], device=probs.device)]


# (outputs, N, num_classes) probabilities -> (N, num_classes) that add to 1, largest at the decision.
DECISIONS = {'mean': mean, 'vote': vote, 'max_confidence': max_confidence, 'last': last}
