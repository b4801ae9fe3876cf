"""From the flow store to batches: dataset, transform and data preprocessor, registered in MMAction2.

They are imported, and registered with all else of ours, when they are used.
"""

from importlib import import_module

PUBLIC = {
    'FlowDataPreprocessor': 'flow_data_preprocessor',
    'FlowStoreDataset': 'flow_store_dataset',
    'LoadFlowClip': 'flow_store_dataset',
}
__all__ = ['FlowDataPreprocessor', 'FlowStoreDataset', 'LoadFlowClip']


def __getattr__(name: str) -> object:
    """Import a public name (PEP 562)."""
    if name not in PUBLIC:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    import_module('mer_bench.registry')
    return getattr(import_module(f'{__name__}.{PUBLIC[name]}'), name)
