"""mer_bench: benchmark and ablation toolkit for micro-expression recognition."""

__version__ = '0.1.0'
