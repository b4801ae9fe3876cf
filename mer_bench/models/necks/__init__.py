"""Necks: the maps of a backbone -> (fused maps, dict of auxiliary losses)."""

from mer_bench.models.necks.attention_fusion import AttentionFusion

__all__ = ['AttentionFusion']
