"""Networks as MMAction2 components: importing this package registers them in ``mmaction.registry.MODELS``."""

from mer_bench import compat

compat.apply()  # before anything imports mmaction.models

from mer_bench.models import baselines  # noqa: E402
from mer_bench.models.backbones import MultiScaleResNet3d  # noqa: E402
from mer_bench.models.heads import FlatHead, MultiOutputHead  # noqa: E402
from mer_bench.models.necks import AttentionFusion  # noqa: E402

__all__ = ['AttentionFusion', 'FlatHead', 'MultiOutputHead', 'MultiScaleResNet3d', 'baselines']
