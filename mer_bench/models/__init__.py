"""Networks as MMAction2 components, registered by mer_bench/registry.py, and descriptors for scikit-learn.

The names below are imported when they are used: methods of scikit-learn do without torch.
"""

from mer_bench.lazy import lazy_names

MODULES = {
    'AttentionFusion': 'mer_bench.models.necks',
    'FlatHead': 'mer_bench.models.heads',
    'MultiOutputHead': 'mer_bench.models.heads',
    'MultiScaleResNet3d': 'mer_bench.models.backbones',
}
__all__ = ['AttentionFusion', 'FlatHead', 'MultiOutputHead', 'MultiScaleResNet3d']
__getattr__ = lazy_names(__name__, MODULES, first='mer_bench.registry')
