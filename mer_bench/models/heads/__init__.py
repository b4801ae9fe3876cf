"""Heads: maps -> losses, or predictions on the data samples."""

from mer_bench.models.heads.multi_output_head import MultiOutputHead

__all__ = ['MultiOutputHead']
