"""Networks of other authors, one file each. Every module of this folder is imported, which registers what it holds."""

from importlib import import_module
from pkgutil import iter_modules

from mer_bench import compat

compat.apply()  # before mmaction.models is imported

for module in iter_modules(__path__):
    import_module(f'{__name__}.{module.name}')
