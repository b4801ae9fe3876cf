"""CapsuleNet: capsules on a ResNet-18 for the apex frame, https://doi.org/10.1109/FG.2019.8756544.

Quang, Chun and Tokuyama, FG 2019; what the paper leaves open is from the authors' code, davidnvq/me_recognition.
Capsules, routing and margin loss are those of Sabour et al., https://arxiv.org/abs/1710.09829.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from mmaction.models.heads import BaseHead
from mmaction.models.losses import BaseWeightedLoss
from mmaction.registry import MODELS
from torch import nn

from mer_bench.errors import InputError
from mer_bench.models.backbones.pretrained import load_pretrained

TRUNK = ('conv1', 'bn1', 'relu', 'layer1', 'layer2', 'layer3')  # of ResNet-18; the authors leave the max pooling out
CAPSULE_LEN = 8
LOSS = {'type': 'CapsuleMarginLoss'}


@MODELS.register_module()
class CapsuleNet(nn.Module):
    """ResNet-18 to its third stage, a 9x9 convolution, and primary capsules.

    Args:
        pretrained: Path of a ResNet-18 checkpoint with torchvision's names for the trunk, such as that of ImageNet;
            None: random weights. Nothing is downloaded.
    """

    def __init__(self, pretrained: str | None = None) -> None:
        from torchvision.models import resnet18  # takes a second to import

        super().__init__()
        resnet = resnet18()
        self.trunk = nn.Sequential()
        for name in TRUNK:
            self.trunk.add_module(name, getattr(resnet, name))
        self.conv = nn.Conv2d(256, 256, kernel_size=9)
        self.primary = nn.Conv2d(256, 32 * CAPSULE_LEN, kernel_size=9, stride=2)
        if pretrained is not None:
            self.trunk.checkpoint = pretrained
            load_pretrained(self.trunk, pretrained)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the primary capsules of a frame.

        Args:
            x: (N, 1, 1, H, W) grey levels from 0 to 255, as red, green and blue alike; 224x224 in the paper.

        Returns:
            (N, K, 8) capsules, shorter than 1; K is 1152 for 224x224.
        """
        frame = x.squeeze(2).expand(-1, 3, -1, -1) / 255
        maps = self.primary(F.relu(self.conv(self.trunk(frame))))
        return squash(rearrange(maps, 'n (k d) h w -> n (h w k) d', d=CAPSULE_LEN))


def squash(capsules: torch.Tensor) -> torch.Tensor:
    """Keep the direction of the vectors (..., D); their length l becomes l^2 / (1 + l^2)."""
    length = capsules.norm(dim=-1, keepdim=True)
    return capsules * length / (1 + length**2)


@MODELS.register_module()
class CapsuleHead(BaseHead):
    """One capsule a class, fed by routing-by-agreement; its length is the confidence in the class.

    Args:
        num_classes: Number of classes.
        in_channels: Number of primary capsules: 1152 for pictures of 224x224.
        out_len: Length of a class capsule.
        routings: Rounds of routing.
        loss_cls: Loss on the lengths.
        average_clips, topk, **kwargs: As in BaseHead.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 1152,
        out_len: int = 16,
        routings: int = 3,
        loss_cls: dict = LOSS,
        average_clips: str = 'prob',
        topk: int | tuple[int, ...] = (1,),
        **kwargs,
    ) -> None:
        super().__init__(num_classes, in_channels, loss_cls, average_clips=average_clips, topk=topk, **kwargs)
        self.weight = nn.Parameter(0.01 * torch.randn(num_classes, in_channels, out_len, CAPSULE_LEN))
        self.routings = routings

    def init_weights(self) -> None:
        """Keep the first weights of the constructor."""

    def forward(self, x: torch.Tensor, **kwargs) -> torch.Tensor:
        """Return the lengths of the class capsules.

        Args:
            x: (N, in_channels, 8) primary capsules.
            **kwargs: loss_aux or fcn_test of Recognizer3D, not used.

        Returns:
            (N, num_classes) float32 in [0, 1).
        """
        if x.shape[1] != self.in_channels:
            raise InputError(
                f'CapsuleHead: expected {self.in_channels} primary capsules, got {x.shape[1]}; set '
                f'cls_head.in_channels to {x.shape[1]} or another input.size'
            )
        votes = torch.einsum('mkod,nkd->nmko', self.weight, x)
        return route(votes, self.routings).norm(dim=-1).float()

    def predict_by_feat(self, cls_scores: torch.Tensor, data_samples: list) -> list:
        """Set pred_score to the lengths over their sum, which is the softmax of their logarithms, and pred_label."""
        return super().predict_by_feat(cls_scores.clamp(min=1e-12).log(), data_samples)


def route(votes: torch.Tensor, rounds: int) -> torch.Tensor:
    """Route each capsule to the classes that agree with it (Sabour et al., procedure 1).

    Only the last round passes gradients to the votes, as in the authors' code.

    Args:
        votes: (N, M, K, D): the vote of each of K capsules for each of M classes.
        rounds: Number of rounds of routing.

    Returns:
        (N, M, D) class capsules.
    """
    fixed = votes.detach()
    logits = votes.new_zeros(votes.shape[:-1])
    for _ in range(rounds - 1):
        capsules = squash(torch.einsum('nmk,nmkd->nmd', logits.softmax(dim=1), fixed))
        logits = logits + torch.einsum('nmd,nmkd->nmk', capsules, fixed)
    return squash(torch.einsum('nmk,nmkd->nmd', logits.softmax(dim=1), votes))


@MODELS.register_module()
class CapsuleMarginLoss(BaseWeightedLoss):
    """Margin loss on the lengths of the class capsules (Sabour et al., equation 4, with the authors' margins).

    Args:
        upper: The capsule of the true class should be at least as long.
        lower: The others should be at most as long.
        others_weight: Weight of the others.
        class_weight: Weight of each class's term; None: 1.
        loss_weight: As in BaseWeightedLoss.
    """

    def __init__(
        self,
        upper: float = 0.99,
        lower: float = 0.01,
        others_weight: float = 0.5,
        class_weight: list[float] | None = None,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(loss_weight)
        self.upper, self.lower, self.others_weight = upper, lower, others_weight
        self.class_weight = class_weight

    def _forward(self, lengths: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean over the clips. lengths: (N, M); labels: (N,) classes, or (N, M) shares of them."""
        targets = labels if labels.shape == lengths.shape else F.one_hot(labels, lengths.shape[1])
        true = targets * (self.upper - lengths).clamp(min=0) ** 2
        others = (1 - targets) * (lengths - self.lower).clamp(min=0) ** 2
        terms = true + self.others_weight * others
        if self.class_weight is not None:
            terms = terms * terms.new_tensor(self.class_weight)
        return terms.sum(dim=1).mean()
