"""Measurements of what parts of mer_bench cost on this machine."""
