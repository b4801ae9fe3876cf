"""Known faults of the libraries below us, worked around before MMAction2 is imported.

Each has its reason, and the condition for removing the workaround.
"""

import importlib.util
import sys
import types
import warnings
from importlib.machinery import PathFinder
from pathlib import Path

import numpy as np

DRN = 'mmaction.models.localizers.drn.drn'
# one network on several GPUs, and skeletons: no fold uses them, and every process would import torch.distributed.fsdp
# (0.8 s of CPU) and scipy.stats (0.7 s) for them
UNUSED = (
    'mmengine.model.wrappers.fully_sharded_distributed',
    'mmengine.optim.optimizer.zero_optimizer',
    'mmengine._strategy.fsdp',
    'mmaction.datasets.transforms.pose_transforms',
)


def apply() -> None:
    """Apply all workarounds, before the first import of ``mmaction.models``. A second call changes nothing."""
    silence_warnings()
    skip_unused()
    allow_missing_drn()
    skip_multimodal()
    allow_mmengine_checkpoints()


def silence_warnings() -> None:
    """Drop two warnings that a user can do nothing about.

    mmcv-lite (2.1.0) warns at import that it has no compiled MultiScaleDeformableAttention, which nothing here uses.
    mmengine (0.10.7) warns in a worker of joblib that it changes the start method of processes, even if no loader has
    workers.
    """
    for message in ('Fail to import ``MultiScaleDeformableAttention``', 'Multi-processing start method'):
        warnings.filterwarnings('ignore', message=message)


def allow_missing_drn() -> bool:
    """Stand in for ``mmaction.models.localizers.drn``, which the mmaction2 1.2.0 wheel and sdist lack.

    Without it ``import mmaction.models`` fails (mmaction2 issue 2714). Ends with the first release that holds
    the folder: the stand-in is put in place only where the real one is absent.

    Returns:
        Whether this call put the stand-in in place.
    """
    spec = importlib.util.find_spec('mmaction')
    if spec is None or DRN in sys.modules:
        return False
    localizers = Path(spec.submodule_search_locations[0], 'models', 'localizers')
    if PathFinder.find_spec('drn', [str(localizers)]):
        return False
    stand_in(DRN, 'the mmaction2 wheel does not ship this module')
    return True


def skip_unused() -> None:
    """Keep mmengine and mmaction from importing what takes long and no fold uses.

    A config that names one of these parts gets the error that the registry does not have it. A part whose package was
    imported earlier is kept. Ends when mmengine (0.10.7 as measured) and mmaction (1.2.0) import them lazily.
    """
    for name in UNUSED:
        if name.rpartition('.')[0] not in sys.modules:
            stand_in(name, 'mer_bench does not use it, and it takes long to import')


def stand_in(name: str, reason: str) -> None:
    """Add a module whose every public name is an empty class."""
    module = types.ModuleType(name, f'Stand-in: {reason}.')

    def empty_class(attribute: str) -> type:
        if attribute.startswith('_'):
            raise AttributeError(f'module {name!r} has no attribute {attribute!r}')
        return type(attribute, (), {'__doc__': module.__doc__})

    module.__getattr__ = empty_class
    sys.modules[name] = module


def skip_multimodal() -> None:
    """Keep mmaction from importing its language models, which name things that transformers 5 removed.

    mmaction imports them as soon as transformers is installed, and no micro-expression model needs them. Ends
    with the first mmaction2 after 1.2.0 that supports transformers 5.
    """
    if 'mmaction.models' not in sys.modules:
        from mmaction.utils import dependency

        dependency.WITH_MULTIMODAL = False


def allow_mmengine_checkpoints() -> None:
    """Let ``torch.load(weights_only=True)`` read the checkpoints of mmengine's Runner.

    That mode is the default since torch 2.6, and the Runner stores numpy scalars and HistoryBuffers, so that
    resuming fails. The protection stays on: exactly what such a file holds is allowed, a file with code is
    refused. Ends with the first mmengine after 0.10.7 that stores plain numbers.
    """
    import torch
    from mmengine.logging import HistoryBuffer

    HistoryBuffer()  # the first instance fills HistoryBuffer._statistics_methods
    multiarray = (getattr(np, '_core', None) or np.core).multiarray
    allowed = [HistoryBuffer, np.ndarray, np.dtype, (_history_method, 'builtins.getattr')]
    allowed += [type(np.dtype(code)) for code in ('f4', 'f8', 'i4', 'i8', '?')]
    for package in ('numpy.core', 'numpy._core'):  # as written with numpy 1.x and 2.x
        for name in ('_reconstruct', 'scalar'):
            allowed.append((getattr(multiarray, name), f'{package}.multiarray.{name}'))
    torch.serialization.add_safe_globals(allowed)


def _history_method(owner: object, name: str) -> object:
    """Answer for ``builtins.getattr``, which the file asks for, but give HistoryBuffer's statistics only."""
    from mmengine.logging import HistoryBuffer

    if owner is HistoryBuffer and name in HistoryBuffer._statistics_methods:
        return getattr(owner, name)
    raise ValueError(f'the checkpoint asks for the attribute {name!r} of {owner!r}; no checkpoint needs that')
