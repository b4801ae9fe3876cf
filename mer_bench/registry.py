"""Everything of ours that a config can name: importing this module registers it with MMAction2.

A config does so with ``custom_imports = dict(imports=['mer_bench.registry'])``. That imports torch and MMAction2, which
takes seconds; methods of scikit-learn do without.
"""

from mer_bench import compat

compat.apply()  # before mmaction.models is imported

from mer_bench.loading import flow_data_preprocessor, flow_store_dataset  # noqa: E402
from mer_bench.models import backbones, baselines, heads, necks  # noqa: E402

__all__ = [
    'backbones',
    'baselines',
    'flow_data_preprocessor',
    'flow_store_dataset',
    'heads',
    'necks',
]
