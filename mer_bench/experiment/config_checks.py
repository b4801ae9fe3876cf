"""Checks of a config before anything is opened: unknown keys, impossible values, and what the data decide.

A key that nothing reads is refused, because a misspelt ablation would silently be the full model.
"""

import difflib
import inspect
from collections.abc import Sequence
from functools import cache

import pandas as pd
from mmengine.config import Config

from mer_bench.errors import InputError
from mer_bench.loading.input_spec import KEYS as INPUT
from mer_bench.protocols.action_units import encode_action_units
from mer_bench.protocols.folds import Fold, read_rule
from mer_bench.protocols.label_schemes import LabelScheme

EMOTIONS_ALONE = 'predicts emotions alone; set action_units=None, or take a network with MultiOutputHead'
PARTS = ('data_preprocessor', 'backbone', 'cls_head')
# only the training of a network reads these
OF_NETWORKS = (
    'optim_wrapper',
    'param_scheduler',
    'class_weight',
    'amp',
    'channels_last',
    'load_from',
    'default_hooks',
    'train_dataloader',
    'test_dataloader',
    'test_cfg',
    'log_processor',
    'visualizer',
    'env_cfg',
)
KEYS = ('method', 'model', 'dataset', 'label_scheme', 'folds', 'data_root', 'data_source')


def check_keys(base: dict | list, change: dict, where: str, path: str = '') -> None:
    """Raise an InputError for the first key of `change` that is neither in `base` nor an argument of its type.

    Args:
        base: The config that `change` will be merged onto.
        change: Nested dict. Below `_delete_=True`, or where `base` holds no dict, any key may be set.
        where: The file or option that sets the keys, for the message.
    """
    if change.get('_delete_'):
        return
    held = [str(i) for i in range(len(base))] if isinstance(base, list) else [*base]
    for key, value in change.items():
        dotted = f'{path}{key}'
        if key not in held and key not in (known := held + _accepted(base, change, path)):
            near = difflib.get_close_matches(key, known, n=1)
            hint = f'did you mean {path}{near[0]}?' if near else f'known here: {", ".join(sorted(set(known)))}'
            raise InputError(f'{where}: unknown config key {dotted}; {hint}')
        if not path and isinstance(base.get(key), dict) and not isinstance(value, dict) and key != 'custom_hooks':
            raise InputError(f'{where}: expected {key}=dict(...), got {value!r}; correct it')
        below = base[int(key)] if isinstance(base, list) else base.get(key)
        if isinstance(value, dict) and isinstance(below, (dict, list)):
            check_keys(below, value, where, f'{dotted}.')


def _accepted(base: dict | list, change: dict, path: str) -> list[str]:
    """Names that a place accepts although its config does not hold them: arguments of its type, or of MMEngine."""
    if isinstance(base, list):
        return []
    if path.endswith('_dataloader.'):
        from torch.utils.data import DataLoader

        return list(inspect.signature(DataLoader).parameters)
    # not val_*, randomness and the like: those are set for every fold, or would choose on the held-out subject
    names = {'': ['custom_hooks'], 'input.': list(INPUT), 'optim_wrapper.': ['constructor', 'paramwise_cfg']}
    return arguments_of(change.get('type', base.get('type'))) + names.get(path, [])


@cache
def _registries() -> tuple:
    """The registries of what a config names, filled; that takes seconds, and most overrides need none of them."""
    from mmaction.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS
    from mmengine.registry import LOOPS, OPTIM_WRAPPERS, OPTIMIZERS, PARAM_SCHEDULERS

    import mer_bench.registry  # noqa: F401

    return MODELS, DATASETS, TRANSFORMS, HOOKS, METRICS, LOOPS, OPTIM_WRAPPERS, OPTIMIZERS, PARAM_SCHEDULERS


def arguments_of(type_name: object) -> list[str]:
    """Names of the arguments of a registered class, including those of its bases while it passes **kwargs on."""
    try:
        found = [registry.get(type_name) for registry in _registries()] if isinstance(type_name, str) else []
    except Exception:  # MMEngine imports a name with a dot, and that import can raise anything
        return []
    found, names = next(filter(None, found), None), []
    for cls in inspect.getmro(found) if inspect.isclass(found) else ():
        parameters = inspect.signature(cls.__init__).parameters.values()
        names += [
            p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != 'self'
        ]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return names


def check_complete(cfg: Config, path: str) -> None:
    """Refuse a config without what every run needs, or with classes of its own."""
    missing = [key for key in KEYS if cfg.get(key) is None]
    if missing:
        raise InputError(
            f'{path}: a config with {", ".join(missing)} was expected; give a file like configs/mer_smic.py'
        )
    if 'classes' in cfg:
        raise InputError(f'{path}: the classes are those of label_scheme; leave `classes` out')


def check_values(cfg: Config) -> None:
    """Refuse values of the top-level keys that would fail late, or silently do something else."""
    if not isinstance(cfg.method, str) or cfg.method.startswith('.') or not cfg.method.isprintable():
        raise InputError(f'method must be a name that can be that of a folder, got {cfg.method!r}; correct it')
    if not isinstance(cfg.dataset, str) or not cfg.dataset.strip() or not cfg.dataset.isprintable():
        raise InputError(f'dataset must be the name of the data in tables, got {cfg.dataset!r}; correct it')
    epochs = cfg.train_cfg.max_epochs
    if type(epochs) is not int or epochs < 1:
        raise InputError(f'train_cfg.max_epochs must be a whole number of at least 1, got {epochs!r}; correct it')
    weight = cfg.get('class_weight')
    if weight not in ('balanced', None) and not (type(weight) is float and 0 < weight < 1):
        raise InputError(
            f"class_weight must be 'balanced', a power of its weights between 0 and 1 such as 0.75, or None, got "
            f'{weight!r}; correct it'
        )
    for key in ('amp', 'channels_last'):
        if cfg.get(key, False) not in ('auto', True, False):
            raise InputError(f"{key} must be 'auto', True or False, got {cfg[key]!r}; correct it")
    if not isinstance(cfg.label_scheme, str):
        raise InputError(f'label_scheme must be a name or the path of a csv, got {cfg.label_scheme!r}; correct it')
    if not is_unit_list(cfg.get('action_units')):
        raise InputError(
            f'action_units must be None or a list of different numbers, such as [1, 2, 4], got {cfg.action_units!r}; '
            'correct it'
        )
    variant = cfg.get('data_variant')
    if variant is not None and not (isinstance(variant, dict) and {'name', 'options'} <= {*variant}):
        raise InputError(
            "data_variant must be None or such as dict(name='dis', options='--flow dis', flow='dis'), got "
            f'{variant!r}; correct it'
        )
    if is_estimator(cfg):
        check_estimator(cfg)
        return
    missing = [part for part in PARTS if not isinstance(cfg.model.get(part), dict)]
    missing += [
        f'{part}.type' for part in PARTS if part not in missing and not isinstance(cfg.model[part].get('type'), str)
    ]
    if missing:
        raise InputError(f'model: expected {", ".join(PARTS)}, found no {", ".join(missing)}; add what is missing')
    check_weights(cfg)
    check_loaders(cfg)
    hook = cfg.default_hooks.get('checkpoint')
    if hook is not None and not (isinstance(hook, dict) and type(hook.get('interval')) is int):
        raise InputError(f'default_hooks.checkpoint: expected None, or dict(interval=N, ...), got {hook!r}; correct it')


def weights_places(cfg: Config) -> list[tuple[Config, str]]:
    """Return where a config names files of weights: load_from, `pretrained` of any part of the model, an init_cfg."""
    found, parts = [(cfg, 'load_from')] if cfg.get('load_from') else [], [cfg.model]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            key = 'checkpoint' if part.get('type') == 'Pretrained' else 'pretrained'
            found += [(part, key)] if part.get(key) else []
        parts += part.values() if isinstance(part, dict) else part if isinstance(part, (list, tuple)) else ()
    return found


def check_weights(cfg: Config) -> None:
    """Refuse weights that are no single file, or that a network of another library would download."""
    places = weights_places(cfg)
    for part, key in places:
        library = str(part.get('type')).partition('.')
        if not isinstance(part[key], str) or (library[0] in ('timm', 'torchvision') and library[1]):
            of = f' of {part.type}' if part.get('type') else ''
            advice = f'load_from=FILE and {key}=False' if library[1] else 'the path of a checkpoint'
            raise InputError(
                f'{key}: expected the path of a checkpoint on this machine, got {part[key]!r}{of}; '
                f'nothing is downloaded here, so give {advice}'
            )
    if len(places) > 1:
        files = ' and '.join(f'{key} {part[key]}' for part, key in places)
        raise InputError(f'expected one file of weights to start from, got {files}; leave all but one out')


def check_loaders(cfg: Config) -> None:
    """Refuse batches of no clip, and loaders that would leave out clips of a test."""
    for name in ('train_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        if not isinstance(loader, dict):
            raise InputError(f'{name}: expected dict(batch_size=..., dataset=...), got {loader!r}; correct it')
        for key, least in (('batch_size', 1), ('num_workers', 0)):
            number = loader.get(key)
            if type(number) is not int or number < least:
                raise InputError(f'{name}.{key} must be a whole number of at least {least}, got {number!r}; correct it')
        steps = loader.dataset.get('pipeline') if isinstance(loader.get('dataset'), dict) else None
        if not (isinstance(steps, list) and steps and all(isinstance(step, dict) for step in steps)):
            raise InputError(f'{name}.dataset: expected dict(type=..., pipeline=[dict(...), ...]); correct it')
        if loader.get('drop_last', False) not in (True, False):
            raise InputError(f'{name}.drop_last must be True or False, got {loader.drop_last!r}; correct it')
    if cfg.test_dataloader.get('drop_last'):
        raise InputError('test_dataloader.drop_last would leave clips without a prediction; leave it out')


def is_estimator(cfg: Config) -> bool:
    """Say whether the method is a Pipeline of scikit-learn, not a network."""
    return cfg.model.get('type') == 'Pipeline'


def check_estimator(cfg: Config) -> None:
    """Refuse a Pipeline without steps, and what only a network can do; leave out what only a network reads."""
    steps = cfg.model.get('steps')
    if not steps or not all(isinstance(step, dict) and step.get('type') for step in steps):
        raise InputError("model.steps: expected a list such as [dict(type='HOOF'), dict(type='LinearSVC')]; correct it")
    if cfg.get('action_units'):
        raise InputError(f'action_units: {cfg.method} {EMOTIONS_ALONE}')
    for key in OF_NETWORKS:
        cfg.pop(key, None)
    cfg.train_cfg = dict(max_epochs=1)


def fold_rule(rule: object) -> dict:
    """Return the one form of a rule of folds: 'loso' and dict(type='loso') are the same."""
    kind, n_splits = read_rule(rule)
    return dict(type=kind) if n_splits is None else dict(type=kind, n_splits=n_splits)


def is_unit_list(units: object) -> bool:
    """Say whether `units` is None, or numbers of action units, each once."""
    if units is None:
        return True
    return isinstance(units, (list, tuple)) and {*map(type, units)} == {int} and len({*units}) == len(units)


def fill_outputs(cfg: Config, scheme: LabelScheme) -> None:
    """Set classes and the outputs of the head: how many there are is said by the scheme and `action_units` alone."""
    cfg.classes = list(scheme.classes)
    cfg.action_units = cfg.get('action_units')
    if is_estimator(cfg):
        return
    head = cfg.model.cls_head
    sizes = dict(num_classes=len(scheme.classes))
    if cfg.action_units and 'num_action_units' not in arguments_of(head.get('type')):
        raise InputError(f'action_units: {cfg.method} {EMOTIONS_ALONE}')
    if cfg.action_units and cfg.model.data_preprocessor.get('mixup_alpha'):
        raise InputError('action_units: units that are learnt cannot be mixed; set data_preprocessor.mixup_alpha=0')
    if cfg.action_units or 'num_action_units' in head:
        sizes['num_action_units'] = len(cfg.action_units or ())
    for key, size in sizes.items():
        if head.get(key, size) != size:
            raise InputError(f'model.cls_head.{key} is {head[key]}, but the data give {size}; leave this key out')
    head.update(sizes)


# whether a backbone has the argument in_channels: for these without importing torch, for all others by asking the class
TAKES_CHANNELS = dict(MultiScaleResNet3d=True, RCN=True, HTNet=True) | dict.fromkeys(
    ('CapsuleNet', 'DualInception', 'MMNet', 'OFFApexNet', 'OneHiddenLayer', 'STSTNet'), False
)


def takes_channels(backbone: str) -> bool:
    """Whether a backbone can be built for any number of input channels."""
    known = TAKES_CHANNELS.get(backbone)
    return 'in_channels' in arguments_of(backbone) if known is None else known


def fill_channels(cfg: Config, names: Sequence[str]) -> None:
    """Give the backbone as many input channels as its clips have, so that a config need not name their number."""
    backbone, channels = cfg.model.backbone, len(names)
    key = 'in_chans' if backbone.type.startswith('timm.') else 'in_channels'
    if backbone.get(key) not in (None, channels):
        raise InputError(
            f'model.backbone.{key} is {backbone[key]}, but the clips have {channels} channels '
            f'({", ".join(names)}); leave this key out'
        )
    # 3 is the default of every backbone; one without this argument is built for the channels that its config chooses
    if channels != 3 and (key == 'in_chans' or takes_channels(backbone.type)):
        backbone[key] = channels


def check_mirroring(cfg: Config, mirror_test: bool, mirror_train: bool = False) -> None:
    """Refuse a test on mirrored clips by a data preprocessor that does not make them, and a training by a network."""
    if mirror_train:
        raise InputError(
            'input.mirror_train: expected a method of scikit-learn, got a network, which mirrors clips at random; set '
            'model.data_preprocessor.flip_prob=0.5 instead'
        )
    found = cfg.model.data_preprocessor.type
    if mirror_test and found != 'FlowDataPreprocessor':
        raise InputError(
            f'input.mirror_test: expected the data preprocessor FlowDataPreprocessor, got {found}; take that one, or '
            'leave mirror_test out'
        )


def check_action_units(cfg: Config, clips: pd.DataFrame, roots: Sequence[str]) -> None:
    """Refuse action units that no clip shows: they cannot be learnt, and their scores would mean nothing."""
    if not cfg.action_units:
        return
    targets = encode_action_units(clips, cfg.action_units)
    where = ', '.join(roots)
    if not (targets >= 0).any():
        raise InputError(
            f'action_units: expected clips whose action units are known, found none in {where}; '
            'set action_units=None or take other data'
        )
    unseen = [str(unit) for unit, seen in zip(cfg.action_units, (targets == 1).any(0), strict=True) if not seen]
    if unseen:
        raise InputError(
            f'action_units: expected each on a clip, found none with {", ".join(unseen)} in {where}; leave them out'
        )


def check_batches(cfg: Config, clips: pd.DataFrame, folds: Sequence[Fold]) -> None:
    """Refuse a `drop_last` that leaves the smallest fold without a batch: it would be scored untrained."""
    if not cfg.train_dataloader.get('drop_last'):
        return
    of_subject, batch = clips.groupby('subject').size(), cfg.train_dataloader.batch_size
    n_train, name = min((int(of_subject[[*fold.train_subjects]].sum()), fold.name) for fold in folds)
    if n_train < batch:
        raise InputError(
            f'train_dataloader.drop_last with batch_size {batch} leaves no batch to train on in fold {name}, which has '
            f'{n_train} clips to train; set batch_size to at most {n_train}, or drop_last=False'
        )


def check_steps(cfg: Config) -> None:
    """Build the steps of a method of scikit-learn, so that a fault in them shows before the first fold."""
    from mer_bench.models.classical.pipeline import build_steps

    build_steps(cfg.model.steps, seed=0)
