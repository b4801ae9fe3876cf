"""From the flow store to batches: dataset, transform and data preprocessor, registered in MMAction2."""

from mer_bench import compat

compat.apply()

from .flow_data_preprocessor import FlowDataPreprocessor  # noqa: E402
from .flow_store_dataset import FlowStoreDataset  # noqa: E402
from .load_flow_clip import LoadFlowClip  # noqa: E402

__all__ = ['FlowDataPreprocessor', 'FlowStoreDataset', 'LoadFlowClip']
