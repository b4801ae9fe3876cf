"""Configs are read once, see the import."""

from tests.configs_read_once import configs_read_once  # noqa: F401
