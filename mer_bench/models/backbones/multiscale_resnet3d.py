"""3D ResNet with multi-scale blocks between its stages, our reading of Jin et al., doi 10.3934/mbe.2024221.

Trunk: the 3D-ResNet50 of Hara et al., https://arxiv.org/abs/1711.09577. Branches of different kernel sizes: Szegedy et
al., https://arxiv.org/abs/1409.4842; factorised in space and time as in R(2+1)D, Tran et al.,
https://arxiv.org/abs/1711.11248. A residual whose last norm starts at zero, put into a pretrained trunk: non-local
blocks, Wang et al., https://arxiv.org/abs/1711.07971.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmaction.models.backbones import ResNet3d
from mmaction.registry import MODELS
from mmcv.cnn import ConvModule
from mmengine.logging import MMLogger
from mmengine.model.weight_init import constant_init
from torch import nn

from mer_bench.errors import InputError
from mer_bench.models.backbones.pretrained import load_pretrained

TRUNK = dict(  # arguments of ResNet3d, with the values of Hara et al.
    conv1_kernel=(7, 7, 7),
    conv1_stride_t=1,
    pool1_stride_t=2,
    with_pool2=False,
    temporal_strides=(1, 2, 2, 2),
    inflate=1,
    inflate_style='3x3x3',
    zero_init_residual=False,
)


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


class MultiScaleBlock(nn.Module):
    """Parallel branches of different kernel sizes, added to the trunk; an exact identity at the start.

    Branch k: 1x1x1 to ``channels / reduction``, then 1xkxk in space and kx1x1 in time; a kernel of 1 is left out. The
    branches are concatenated and mixed by a 1x1x1 convolution whose norm starts at zero.

    Args:
        channels: Channels of the trunk, in and out.
        kernel_sizes: Odd kernel sizes, one branch each.
        reduction: The trunk's channels over those of a branch, which are rounded.
        max_kernel_t: The longest kernel in time, odd; None: as long as in space. In a map of T frames a kernel longer
            than 2T - 1 has taps that see only padding.
        **cfgs: conv_cfg, norm_cfg and act_cfg of the trunk.

    Attributes:
        seen: (T, H, W) of the maps of its last forward pass.
    """

    def __init__(
        self,
        channels: int,
        kernel_sizes: Sequence[int],
        reduction: float,
        max_kernel_t: int | None = None,
        **cfgs: dict | None,
    ) -> None:
        super().__init__()
        max_t = max(kernel_sizes) if max_kernel_t is None else max_kernel_t
        if any(k % 2 == 0 or k < 1 for k in (*kernel_sizes, max_t)):
            raise InputError(
                'kernel_sizes and max_kernel_t must be odd to keep the size of the maps, got '
                f'{tuple(kernel_sizes)} and {max_t}'
            )
        width = max(round(channels / reduction), 1)
        self.branches = nn.ModuleList(self._branch(channels, width, k, min(k, max_t), cfgs) for k in kernel_sizes)
        self.mix = ConvModule(len(kernel_sizes) * width, channels, 1, **{**cfgs, 'act_cfg': None})
        self.zero_init()

    @staticmethod
    def _branch(channels: int, width: int, k: int, k_t: int, cfgs: dict) -> nn.Sequential:
        layers = [ConvModule(channels, width, 1, **cfgs)]
        if k > 1:
            layers.append(ConvModule(width, width, (1, k, k), padding=(0, k // 2, k // 2), **cfgs))
        if k_t > 1:
            layers.append(ConvModule(width, width, (k_t, 1, 1), padding=(k_t // 2, 0, 0), **cfgs))
        return nn.Sequential(*layers)

    def zero_init(self) -> None:
        constant_init(self.mix.norm, 0)

    def kernels_beyond(self) -> list[tuple[int, ...]]:
        """Return the kernels whose outer taps see only padding on maps of the size :attr:`seen`."""
        kernels = [layer.conv.kernel_size for branch in self.branches for layer in branch]
        return [kernel for kernel in kernels if any(k > 2 * n - 1 for k, n in zip(kernel, self.seen, strict=True))]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x, out: (N, channels, T, H, W)."""
        self.seen = tuple(x.shape[2:])
        return x + self.mix(torch.cat([branch(x) for branch in self.branches], dim=1))


@MODELS.register_module()
class MultiScaleResNet3d(ResNet3d):
    """mmaction's ResNet3d, by default the network of Hara et al., with a :class:`MultiScaleBlock` after chosen stages.

    With ``kernel_sizes=None`` the parameters, their names and the outputs are exactly ResNet3d's. With blocks
    the outputs are the same too, until training moves the zero norms: pretrained weights keep their meaning.
    Any T >= 1 and H, W >= 28 works; of T = 16 the stages see 8, 4, 2 and 1 steps of time.

    Args:
        depth: 18, 34, 50, 101 or 152.
        kernel_sizes: Odd kernel sizes of the branches; None for no blocks.
        max_kernel_t: The longest kernel in time of the block after each stage; None: as long as in space. The default
            is 2T' - 1 for the T' = 8, 4, 2 and 1 steps that the stages see of 16 frames.
        multiscale_stages: Stages, counted from 0, that are followed by a block.
        reduction: The trunk's channels over those of a branch, which are rounded.
        out_indices: Stages whose maps are returned; a single one gives a tensor, as stock heads expect.
        pretrained: Path of a 2D or 3D checkpoint, see :func:`load_pretrained`; None: random weights.
        norm_cfg: As in ResNet3d; the default is batch norm that survives a batch of one clip.
        **kwargs: Everything else of ResNet3d, by default as in :data:`TRUNK`: in_channels, base_channels,
            conv1_stride_s, pool1_stride_s, frozen_stages (the blocks stay trainable), norm_eval, ...
    """

    def __init__(
        self,
        depth: int = 50,
        kernel_sizes: Sequence[int] | None = (1, 3, 5),
        max_kernel_t: Sequence[int] | None = (15, 7, 3, 1),
        multiscale_stages: Sequence[int] = (0, 1, 2),
        reduction: float = 8,
        out_indices: Sequence[int] = (1, 2, 3),
        pretrained: str | None = None,
        norm_cfg: dict | None = None,
        **kwargs,
    ) -> None:
        norm_cfg = norm_cfg or {'type': OneClipBatchNorm3d, 'requires_grad': True}
        super().__init__(depth=depth, out_indices=out_indices, norm_cfg=norm_cfg, **(TRUNK | kwargs))
        self.checkpoint = pretrained
        self.multiscale = nn.ModuleDict()
        if not all(0 <= stage < len(self.res_layers) for stage in multiscale_stages):
            raise InputError(f'multiscale_stages must be in 0 ... {len(self.res_layers) - 1}, got {multiscale_stages}')
        if max_kernel_t is not None and len(max_kernel_t) != len(self.res_layers):
            raise InputError(
                f'max_kernel_t must have one value for each of the {len(self.res_layers)} stages, got {max_kernel_t}'
            )
        limits = max_kernel_t or [None] * len(self.res_layers)
        cfgs = {'conv_cfg': self.conv_cfg, 'norm_cfg': self.norm_cfg, 'act_cfg': self.act_cfg}
        for stage in multiscale_stages if kernel_sizes else ():
            channels = self.base_channels * 2**stage * self.block.expansion
            block = MultiScaleBlock(channels, kernel_sizes, reduction, limits[stage], **cfgs)
            self.multiscale[self.res_layers[stage]] = block

    def init_weights(self, pretrained: str | None = None) -> None:
        """Draw random weights, set the blocks to zero, then load the checkpoint if there is one."""
        super().init_weights()
        for block in self.multiscale.values():
            block.zero_init()
        path = pretrained or self.checkpoint
        if path:
            load_pretrained(self, path, MMLogger.get_current_instance())

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Maps of the stages in ``out_indices``.

        Args:
            x: (N, in_channels, T, H, W).

        Returns:
            One (N, C_i, T_i, H_i, W_i) map per stage; the map itself if it is a single one.
        """
        x = self.conv1(x)
        if self.with_pool1:
            x = self.maxpool(x)
        maps = []
        for stage, name in enumerate(self.res_layers):
            x = getattr(self, name)(x)
            if stage == 0 and self.with_pool2 and x.shape[2] > 1:  # one frame cannot be halved: ResNet3d fails
                x = self.pool2(x)
            if name in self.multiscale:
                x = self.multiscale[name](x)
            if stage in self.out_indices:
                maps.append(x)
        return maps[0] if len(maps) == 1 else tuple(maps)

    def note_on_taps(self) -> str | None:
        """Return a sentence on the kernels that are too large for the clips of the last pass; None if all fit."""
        parts = []
        for name, block in self.multiscale.items():
            if kernels := block.kernels_beyond():
                listed = ', '.join(by(kernel) for kernel in dict.fromkeys(kernels))
                parts.append(f'{listed} on {by(block.seen)} after stage {name.removeprefix("layer")}')
        if not parts:
            return None
        return (
            'note: the clips are too small for some kernels of the multi-scale blocks, whose outer taps see only '
            f'padding (time x height x width): {"; ".join(parts)}; model.backbone.max_kernel_t limits the kernels in '
            'time'
        )

    def train(self, mode: bool = True) -> 'MultiScaleResNet3d':
        """As in ResNet3d, which forgets to return itself (mmaction2 1.2.0)."""
        super().train(mode)
        return self


def by(size: Sequence[int]) -> str:
    """(2, 7, 7) -> 2x7x7."""
    return 'x'.join(map(str, size))
