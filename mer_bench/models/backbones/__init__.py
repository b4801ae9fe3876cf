"""Backbones: a clip (N, C, T, H, W) -> one map, or a tuple of maps, one per stage."""

from mer_bench.models.backbones.multiscale_resnet3d import MultiScaleResNet3d

__all__ = ['MultiScaleResNet3d']
