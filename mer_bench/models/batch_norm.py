"""Batch norm that survives a training batch of one clip with 1x1x1 maps, and is fast where channels come last."""

import torch
import torch.nn.functional as F
from torch import nn


class OneClipBatchNorm3d(nn.BatchNorm3d):
    """``nn.BatchNorm3d``, but with the running statistics if there is one value per channel, where that raises.

    The last batch of an epoch may hold a single clip, and a 28x28 input ends in 1x1x1 maps. Parameters, names
    and every other result are those of ``nn.BatchNorm3d``; only its count of batches, which a fixed momentum does not
    use, stays where it is: counting would be one more launch on a GPU for every norm.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.momentum is None:
            return super().forward(x)
        self._check_input_dim(x)
        if x.is_contiguous(memory_format=torch.channels_last_3d):
            # to a norm time and height are alike, and torch's fast kernels for channels_last are those of pictures;
            # a plain view would let the ReLU in place behind it copy all gradients
            return torch.ops.aten._unsafe_view(self.normalise(x.flatten(2, 3)), x.shape)
        return self.normalise(x)

    def normalise(self, x: torch.Tensor) -> torch.Tensor:
        """x, out: (N, C, ...)."""
        by_batch = (self.training and x.numel() > x.shape[1]) or self.running_mean is None
        mean, var = (self.running_mean, self.running_var) if self.track_running_stats or not by_batch else (None, None)
        return F.batch_norm(x, mean, var, self.weight, self.bias, by_batch, self.momentum, self.eps)
