"""Known breaks of the stack, mended before MMAction2 is imported; each with its reason and its end."""

import importlib.util
import sys
import types
import warnings
from importlib.machinery import PathFinder
from pathlib import Path

import numpy as np

DRN = 'mmaction.models.localizers.drn.drn'
FSDP = 'mmengine.model.wrappers.fully_sharded_distributed'


def apply() -> None:
    """Mend everything, before the first import of ``mmaction.models``. A second call changes nothing."""
    silence_warnings()
    skip_sharded_training()
    allow_missing_drn()
    skip_multimodal()
    allow_mmengine_checkpoints()


def silence_warnings() -> None:
    """Drop two warnings that a user can do nothing about.

    mmcv-lite says at import that it has no compiled MultiScaleDeformableAttention, which nothing here uses; ends when
    mmcv-lite (2.1.0 as measured) no longer does. mmengine says in a worker of joblib that it changes the start method
    of processes; ends when mmengine (0.10.7 as measured) leaves that alone where no loader has workers.
    """
    for message in ('Fail to import ``MultiScaleDeformableAttention``', 'Multi-processing start method'):
        warnings.filterwarnings('ignore', message=message)


def skip_sharded_training() -> None:
    """Keep mmengine from importing torch's FSDP, and its compiler with it: nothing here trains a network in shards.

    Of two seconds for mmengine.runner it takes one. Ends when mmengine (0.10.7 as measured) imports FSDP on demand.
    """
    if 'mmengine.model' in sys.modules:
        return
    sys.modules[FSDP] = types.ModuleType(FSDP, 'Stand-in: FSDP is not used here.')
    sys.modules[FSDP].MMFullyShardedDataParallel = type('MMFullyShardedDataParallel', (), {})
    hidden = [name for name in ('torch.distributed.fsdp', 'torch.distributed.optim') if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # None: importing it is an ImportError, which mmengine allows for
    try:
        import mmengine.runner  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]


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
    module = types.ModuleType(DRN, 'Stand-in: the mmaction2 wheel does not ship this module.')
    module.DRN = type('DRN', (), {'__doc__': module.__doc__})
    sys.modules[DRN] = module
    return True


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
