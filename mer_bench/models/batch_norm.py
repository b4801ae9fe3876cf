"""Batch norm that survives a training batch of one clip with 1x1x1 maps."""

import torch
import torch.nn.functional as F
from torch import nn


class OneClipBatchNorm3d(nn.BatchNorm3d):
    """``nn.BatchNorm3d``, but with the running statistics where there is one value per channel, and that raises.

    The last batch of an epoch may hold a single clip, and a 28x28 input ends in 1x1x1 maps. Parameters, names
    and every other result are those of ``nn.BatchNorm3d``.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)
