"""SKD-TSTSAN: three streams on magnified motion that teach themselves, https://arxiv.org/abs/2406.17538.

Zhu et al., 2024; what the paper leaves open is from the authors' code, GuanghaoZhu663/SKD-TSTSAN. Motion magnification
follows Oh et al., https://arxiv.org/abs/1804.02684, the temporal shift Lin et al., https://arxiv.org/abs/1811.08383.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from mmaction.models.backbones.resnet_tsm import TemporalShift
from mmaction.models.heads import BaseHead
from mmaction.models.losses import BaseWeightedLoss
from mmaction.registry import MODELS
from torch import nn

from mer_bench.errors import InputError

SIZE = 48  # of what each stream sees
GRID = 4  # blocks of the face a side
ECA_KERNELS = {64: 3, 128: 5}  # kernel size by channels, as the authors' rule gives it
LOSS = {'type': 'SoftmaxFocalLoss'}


@MODELS.register_module()
class SKDTSTSAN(nn.Module):
    """Blocks of the face, the face, and its flow up to the apex and after it.

    Args:
        amp_factor: By how much the motion is magnified.
        flow_reference: Where the flow of the second frame, the offset, starts. `'previous'`: at the apex, as published.
            `'onset'`: at the onset; the flow of the apex is then subtracted from it.
    """

    def __init__(self, amp_factor: float = 2.0, flow_reference: str = 'onset') -> None:
        super().__init__()
        if flow_reference not in ('onset', 'previous'):
            raise InputError(f"flow_reference must be 'onset' or 'previous', got {flow_reference!r}; correct it")
        self.flow_reference = flow_reference
        self.blocks = nn.Sequential(Magnifier(GRID**2, amp_factor), Stream(attention=True))
        self.face = nn.Sequential(Magnifier(1, amp_factor), Stream())
        self.flow = nn.Sequential(Magnifier(2, amp_factor), Stream(shift=True))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the (N, 384) features of the last section and those of the two auxiliary classifiers.

        Args:
            x: (N, 4, 2, 192, 192): grey levels, their change since the onset, horizontal and vertical flow, at apex
                and offset.
        """
        side = SIZE * GRID
        if x.shape[1:] != (4, 2, side, side):
            raise InputError(
                f'SKDTSTSAN: expected grey, change, u and v of two frames of {side}x{side}, got '
                f'{"x".join(map(str, x.shape[1:]))} (channels, frames, height, width); set input = '
                f"dict(channels=['grey', 'change', 'u', 'v'], frames=2, size={side}, normalise=False)"
            )
        apex, onset = min_max(x[:, 0:1, 0]), min_max(x[:, 0:1, 0] - x[:, 1:2, 0])
        streams = (
            self.blocks(torch.stack([as_channels(onset), as_channels(apex)])),
            self.face(F.interpolate(torch.cat([onset, apex]), (SIZE, SIZE), mode='area').unflatten(0, (2, -1))),
            self.flow(self.flow_pair(x[:, 2:])),
        )
        last, first, second = (torch.cat(section, dim=1) for section in zip(*streams, strict=True))
        return last, first, second

    def flow_pair(self, flow: torch.Tensor) -> torch.Tensor:
        """(N, 2, 2, H, W) flow of apex and offset -> (2, 2 N, 2, 48, 48): nothing, and the flow in [0, 1]."""
        if self.flow_reference == 'onset':
            flow = torch.cat([flow[:, :, :1], flow[:, :, 1:] - flow[:, :, :1]], dim=2)
        flow = F.interpolate(rearrange(flow, 'n c t h w -> (n t) c h w'), (SIZE, SIZE), mode='area')
        return torch.stack([torch.zeros_like(flow), min_max(flow)])


def min_max(maps: torch.Tensor) -> torch.Tensor:
    """Bring each map (..., H, W) to [0, 1]; a constant one to 0."""
    low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    return (maps - low) / (high - low).clamp(min=1e-6)


def as_channels(picture: torch.Tensor) -> torch.Tensor:
    """(N, 1, 192, 192) pictures -> (N, 16, 48, 48) blocks, row by row."""
    return rearrange(picture, 'n 1 (a h) (b w) -> n (a b) h w', a=GRID, b=GRID)


class Magnifier(nn.Module):
    """Encode two pictures and enlarge the difference of the second from the first; it stays a feature map.

    Args:
        in_channels: Channels of a picture.
        amp_factor: By how much.
    """

    def __init__(self, in_channels: int, amp_factor: float) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Sequential(reflect_conv(in_channels, 16, 7), nn.ReLU()),
            nn.Sequential(reflect_conv(16, 32, 3, stride=2), nn.ReLU()),
            *(ResidualBlock() for _ in range(3)),
            nn.Sequential(reflect_conv(32, 32, 3), nn.ReLU()),
            *(ResidualBlock() for _ in range(2)),
        )
        self.difference = nn.Sequential(reflect_conv(32, 32, 7), nn.ReLU())
        self.correction = nn.Sequential(reflect_conv(32, 32, 3), ResidualBlock())
        self.amp_factor = amp_factor

    def forward(self, pair: torch.Tensor) -> torch.Tensor:
        """(2, N, C, 48, 48) pictures, the reference first -> (N, 32, 24, 24)."""
        first, second = self.encoder(pair.flatten(0, 1)).unflatten(0, (2, -1))
        return second + self.correction(self.amp_factor * self.difference(second - first))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions of 32 channels around a ReLU, added to their input."""

    def __init__(self) -> None:
        super().__init__()
        self.residual = nn.Sequential(reflect_conv(32, 32, 3), nn.ReLU(), reflect_conv(32, 32, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.residual(x)


def reflect_conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Conv2d:
    """Convolution without bias that mirrors the picture at its border."""
    pad = kernel_size // 2
    return nn.Conv2d(in_channels, out_channels, kernel_size, stride, pad, bias=False, padding_mode='reflect')


class Stream(nn.Module):
    """Three sections of convolutions, and a branch for an auxiliary classifier after each of the first two.

    Args:
        attention: Weigh channels after every convolution.
        shift: The maps are pairs of frames, which exchange an eighth of their channels each way before every
            convolution but the first; the features are their mean.
    """

    def __init__(self, attention: bool = False, shift: bool = False) -> None:
        super().__init__()
        self.frames = 2 if shift else 1

        def conv(in_channels: int, out_channels: int, **kwargs) -> nn.Sequential:
            return conv_norm_act(in_channels, out_channels, attention, **kwargs)

        self.first = nn.Sequential(conv(32, 64, kernel_size=5, padding=0), nn.MaxPool2d(5, stride=2, padding=2))
        self.second = nn.Sequential(
            conv(64, 64, shift=shift), conv(64, 64, shift=shift), nn.AvgPool2d(3, stride=2, padding=1)
        )
        self.ends = nn.ModuleList(  # of the stream, of the first and of the second auxiliary classifier
            nn.Sequential(conv(64, 128, shift=shift), conv(128, 128, shift=shift)) for _ in range(3)
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(N frames, 32, 24, 24) -> three times (N, 128): the stream's end, and those of the auxiliary classifiers."""
        first = self.first(x)
        second = self.second(first)
        last, auxiliary_1, auxiliary_2 = (end(x) for end, x in zip(self.ends, (second, first, second), strict=True))
        return self.pool(last), self.pool(auxiliary_1), self.pool(auxiliary_2)

    def pool(self, x: torch.Tensor) -> torch.Tensor:
        """Mean over place and frames."""
        return x.unflatten(0, (-1, self.frames)).mean(dim=(1, 3, 4))


def conv_norm_act(
    in_channels: int, out_channels: int, attention: bool, shift: bool = False, kernel_size: int = 3, padding: int = 1
) -> nn.Sequential:
    """Convolution, after a temporal shift if asked for, batch norm, ReLU, channel attention if asked for."""
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding)
    return nn.Sequential(
        TemporalShift(conv, num_segments=2, shift_div=8) if shift else conv,
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
        ChannelAttention(out_channels) if attention else nn.Identity(),
    )


class ChannelAttention(nn.Module):
    """Efficient channel attention (Wang et al., https://arxiv.org/abs/1910.03151) of both the mean and the maximum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        kernel_size = ECA_KERNELS[channels]
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = sum(self.conv(pooled[:, None]) for pooled in (x.mean(dim=(2, 3)), x.amax(dim=(2, 3))))
        return x * logits.sigmoid()[:, 0, :, None, None]


@MODELS.register_module()
class SelfDistillationHead(BaseHead):
    """A classifier on the last section and one on each auxiliary branch, which also learn from the last; it decides.

    Args:
        num_classes: Number of classes.
        in_channels: Features of each section.
        dropout_ratio: Dropout before each classifier.
        distillation: Share of the auxiliary classifiers' loss that compares them with the last one.
        temperature: Of the probabilities that are compared.
        feature_weight: Weight of the squared distance of the auxiliary features from the last ones.
        loss_cls: Loss of each classifier.
        average_clips, topk, **kwargs: As in BaseHead.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 384,
        dropout_ratio: float = 0.2,
        distillation: float = 0.1,
        temperature: float = 3.0,
        feature_weight: float = 1e-6,
        loss_cls: dict = LOSS,
        average_clips: str = 'prob',
        topk: int | tuple[int, ...] = (1,),
        **kwargs,
    ) -> None:
        super().__init__(num_classes, in_channels, loss_cls, average_clips=average_clips, topk=topk, **kwargs)
        self.distillation = distillation
        self.temperature = temperature
        self.feature_weight = feature_weight
        self.dropout = nn.Dropout(dropout_ratio)
        self.fc_cls = nn.Linear(in_channels, num_classes)
        self.auxiliary = nn.ModuleList(nn.Linear(in_channels, num_classes) for _ in range(2))

    def init_weights(self) -> None:
        """Keep PyTorch's own first weights."""

    def forward(self, x: Sequence[torch.Tensor], **kwargs) -> torch.Tensor:
        """Return the (N, num_classes) float32 logits of the last section.

        Args:
            x: Three times (N, in_channels): the last section, then the auxiliary branches.
            **kwargs: loss_aux or fcn_test of Recognizer3D, not used.
        """
        return self.fc_cls(self.dropout(x[0])).float()

    def loss(self, feats: Sequence[torch.Tensor], data_samples: list, **kwargs) -> dict[str, torch.Tensor]:
        """Losses of the three classifiers, of what the auxiliary ones say, and of what they see."""
        last, *others = feats
        logits = self(feats)
        losses = self.loss_by_feat(logits, data_samples)
        target = (logits.detach() / self.temperature).softmax(dim=1)
        for i, (feat, classifier) in enumerate(zip(others, self.auxiliary, strict=True), 1):
            scores = classifier(self.dropout(feat)).float()
            loss_cls = self.loss_by_feat(scores, data_samples)['loss_cls']
            losses[f'auxiliary{i}_loss_cls'] = (1 - self.distillation) * loss_cls
            losses[f'auxiliary{i}_loss_distillation'] = self.distillation * self.divergence(scores, target)
            losses[f'auxiliary{i}_loss_features'] = self.feature_weight * feature_distance(feat, last.detach())
        return losses

    def divergence(self, scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Kullback-Leibler divergence of the target from the softened scores (N, M), times the squared temperature."""
        log_probs = (scores / self.temperature).log_softmax(dim=1)
        return self.temperature**2 * F.kl_div(log_probs, target, reduction='batchmean')


def feature_distance(feats: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Sum of squared differences over the batch, where one of the two is positive."""
    return ((feats - target) ** 2 * ((feats > 0) | (target > 0))).sum()


@MODELS.register_module()
class SoftmaxFocalLoss(BaseWeightedLoss):
    """Focal loss (Lin et al., https://arxiv.org/abs/1708.02002) over exclusive classes.

    Args:
        gamma: How much less a clip counts that is told well.
        class_weight: Weight of each class in the mean over the clips; None: 1.
        loss_weight: As in BaseWeightedLoss.
    """

    def __init__(self, gamma: float = 2.0, class_weight: list[float] | None = None, loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight)
        self.gamma = gamma
        self.class_weight = class_weight

    def _forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Weighted mean over the clips. logits: (N, M); labels: (N,)."""
        log_probs = logits.log_softmax(dim=1)
        weight = None if self.class_weight is None else logits.new_tensor(self.class_weight)
        return F.nll_loss((1 - log_probs.exp()) ** self.gamma * log_probs, labels, weight)
