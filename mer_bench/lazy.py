"""Public names that are imported when they are first used, because the libraries below us take seconds to import."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(package: str, modules: Mapping[str, str], first: str | None = None) -> Callable[[str], object]:
    """Return the `__getattr__` of a package (PEP 562).

    Args:
        package: Its `__name__`.
        modules: The module, in full, of each public name; '' for a package below this one.
        first: A module to import before any of them.
    """

    def find(name: str) -> object:
        if name not in modules:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        if first:
            import_module(first)
        if not modules[name]:
            return import_module(f'{package}.{name}')
        return vars(sys.modules[package]).setdefault(name, getattr(import_module(modules[name]), name))

    return find
