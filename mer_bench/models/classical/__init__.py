"""Hand-made descriptors as scikit-learn transformers, one file each; every module of this folder is imported.

A method is a scikit-learn Pipeline of such steps: `dict(type='Pipeline', steps=[dict(type='HOOF'), ...])`.
"""

from importlib import import_module
from pkgutil import iter_modules

from mmengine.registry import Registry

ESTIMATORS = Registry('estimator')  # before the modules below, which register themselves in it

for module in iter_modules(__path__):
    import_module(f'{__name__}.{module.name}')
