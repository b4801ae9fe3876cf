"""Networks as MMAction2 components, registered by mer_bench/registry.py, and descriptors for scikit-learn.

The names below are imported when they are used: methods of scikit-learn do without torch.
"""

from importlib import import_module

PUBLIC = {
    'AttentionFusion': 'necks',
    'FlatHead': 'heads',
    'MultiOutputHead': 'heads',
    'MultiScaleResNet3d': 'backbones',
}
__all__ = ['AttentionFusion', 'FlatHead', 'MultiOutputHead', 'MultiScaleResNet3d']


def __getattr__(name: str) -> object:
    """Import a public name (PEP 562)."""
    if name not in PUBLIC:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    import_module('mer_bench.registry')
    return getattr(import_module(f'{__name__}.{PUBLIC[name]}'), name)
