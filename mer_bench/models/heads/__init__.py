"""Heads: maps -> losses, or predictions on the data samples."""

from mer_bench.models.heads.flat_head import FlatHead
from mer_bench.models.heads.multi_output_head import MultiOutputHead

__all__ = ['FlatHead', 'MultiOutputHead']
