"""Backbones: a clip (N, C, T, H, W) -> one map, or a tuple of maps, one per stage."""

from mer_bench import compat

compat.apply()  # before mmaction.models is imported

from mer_bench.models.backbones.multiscale_resnet3d import MultiScaleResNet3d  # noqa: E402

__all__ = ['MultiScaleResNet3d']
