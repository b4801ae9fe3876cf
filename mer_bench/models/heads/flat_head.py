"""A linear classifier on all features: the last layer of the small networks of the field."""

import torch
from mmaction.registry import MODELS
from torch import nn

from mer_bench.models.clip_dropout import ClipDropout
from mer_bench.models.heads.async_loss_head import AsyncLossHead


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
