"""Registers our networks, heads, data set and transforms in MMAction2's registries: import this module."""

import mer_bench.loading
import mer_bench.models  # noqa: F401
