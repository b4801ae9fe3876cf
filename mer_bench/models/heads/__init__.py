"""Heads: maps -> losses, or predictions on the data samples."""

from mer_bench import compat

compat.apply()  # before mmaction.models is imported

from mer_bench.models.heads.flat_head import FlatHead  # noqa: E402
from mer_bench.models.heads.multi_output_head import MultiOutputHead  # noqa: E402

__all__ = ['FlatHead', 'MultiOutputHead']
