"""From the flow store to batches: dataset, transform and data preprocessor, registered in MMAction2.

They are imported, and registered with all else of ours, when they are used.
"""

from mer_bench.lazy import lazy_names

MODULES = {
    'FlowDataPreprocessor': 'mer_bench.loading.flow_data_preprocessor',
    'FlowStoreDataset': 'mer_bench.loading.flow_store_dataset',
    'LoadFlowClip': 'mer_bench.loading.flow_store_dataset',
}
__all__ = ['FlowDataPreprocessor', 'FlowStoreDataset', 'LoadFlowClip']
__getattr__ = lazy_names(__name__, MODULES, first='mer_bench.registry')
