"""Refuses keys that nothing reads: a misspelt ablation would silently be the full model."""

import difflib
import inspect

from mmaction.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS
from mmengine.registry import LOOPS, OPTIM_WRAPPERS, OPTIMIZERS, PARAM_SCHEDULERS
from torch.utils.data import DataLoader

import mer_bench.registry  # noqa: F401
from mer_bench.errors import InputError

REGISTRIES = (
    MODELS,
    DATASETS,
    TRANSFORMS,
    HOOKS,
    METRICS,
    LOOPS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
)


def check_keys(base: dict | list, change: dict, where: str, path: str = '') -> None:
    """Raise an InputError for the first key of `change` that neither stands in `base` nor is an argument of its type.

    Args:
        base: The config that `change` is to be merged onto.
        change: Nested dict. Below `_delete_=True`, or where `base` holds no dict, everything may be set.
        where: The file or option that sets the keys, for the message.
    """
    if change.get('_delete_'):
        return
    if isinstance(base, list):
        known = [str(i) for i in range(len(base))]
    else:
        known = [*base, *arguments_of(change.get('type', base.get('type'))), *_by_place(path)]
    for key, value in change.items():
        dotted = f'{path}{key}'
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f'did you mean {path}{near[0]}' if near else f'known here: {", ".join(sorted(set(known)))}'
            raise InputError(
                f'{where}: unknown config key {dotted}; {hint}?'
                if near
                else f'{where}: unknown config key {dotted}; {hint}'
            )
        if not path and isinstance(base.get(key), dict) and not isinstance(value, dict) and key != 'custom_hooks':
            raise InputError(f'{where}: expected {key}=dict(...), got {value!r}; correct it')
        below = base[int(key)] if isinstance(base, list) else base.get(key)
        if isinstance(value, dict) and isinstance(below, (dict, list)):
            check_keys(below, value, where, f'{dotted}.')


def _by_place(path: str) -> list[str]:
    """Names that MMEngine reads at a place that has no type of its own."""
    # not val_*, randomness and the like: those are set for every fold, or would choose on the held-out subject
    names = {'': ['custom_hooks'], 'optim_wrapper.': ['constructor', 'paramwise_cfg']}
    if path.endswith('_dataloader.'):
        return list(inspect.signature(DataLoader).parameters)
    return names.get(path, [])


def registered(type_name: object) -> object | None:
    """Return what is registered by a name; None where nothing is, and for what is no name."""
    try:
        found = [registry.get(type_name) for registry in REGISTRIES] if isinstance(type_name, str) else []
    except Exception:  # MMEngine imports a name with a dot, and raises whatever comes of that
        return None
    return next(filter(None, found), None)


def arguments_of(type_name: object) -> list[str]:
    """Names of the arguments of a registered class, its bases' included while it passes **kwargs on."""
    found = registered(type_name)
    names = []
    for cls in inspect.getmro(found) if inspect.isclass(found) else ():
        parameters = inspect.signature(cls.__init__).parameters.values()
        names += [
            p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != 'self'
        ]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return names
