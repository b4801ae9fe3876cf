"""A method: a config with overrides merged onto it, checked, and its name in every table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmengine.config import Config

from mer_bench.errors import InputError
from mer_bench.experiment.config_files import (
    arguments_of,
    check_complete,
    check_keys,
    find_config,
    nest_options,
    parse_options,
    read_config,
    read_override,
)
from mer_bench.experiment.sources import joined_name, source_names
from mer_bench.files import digest_of
from mer_bench.protocols.folds import fold_title, read_rule
from mer_bench.protocols.label_schemes import LabelScheme, load_scheme

EMOTIONS_ALONE = 'predicts emotions alone; set action_units=None, or take a network with MultiOutputHead'
PARTS = ('data_preprocessor', 'backbone', 'cls_head')
# only the training of a network reads these
OF_NETWORKS = (
    'optim_wrapper',
    'param_scheduler',
    'class_weight',
    'amp',
    'channels_last',
    'cuda_graph',
    'load_from',
    'default_hooks',
    'train_dataloader',
    'test_dataloader',
    'test_cfg',
    'log_processor',
    'visualizer',
    'env_cfg',
)
LOCATIONS = ('data_root', 'data_source')
WHOLE = ('folds', 'data_source', 'data_variant')  # an override replaces these as a whole


@dataclass(frozen=True)
class Method:
    """A merged config and its label scheme.

    Attributes:
        name: In every table.
        cfg: The merged config.
        config_name: The name of the config's file.
        scheme: The label scheme.
        overrides: Name, text and digest of each override, in their order.
        is_estimator: Whether the method is one of scikit-learn, not a network.
    """

    name: str
    cfg: Config
    config_name: str
    scheme: LabelScheme
    overrides: list[dict] = field(default_factory=list)
    is_estimator: bool = False

    @property
    def content(self) -> dict:
        """The merged config without paths of this machine: all that decides the numbers, and nothing else."""
        content = {key: value for key, value in self.cfg.to_dict().items() if key not in LOCATIONS}
        return content | dict(label_scheme=self.scheme.name)

    @property
    def text(self) -> str:
        """The content as a config file."""
        return Config(self.content).pretty_text

    @property
    def protocol(self) -> str:
        """What two runs must share to be compared: folds, label scheme and action units."""
        units = self.cfg.action_units
        scored = f', action units {" ".join(map(str, units))}' if units else ''
        return f'{fold_title(self.cfg.folds)}, {self.scheme.name}{scored}'

    @property
    def digest(self) -> str:
        """The digest of the content and the rules of the label scheme."""
        return digest_of([self.content, self.scheme.digest])


def load_method(
    config: str, overrides: Sequence[str] = (), options: Mapping[str, object] | Sequence[str] | None = None
) -> Method:
    """Read a config and merge overrides, then options, onto it.

    Args:
        config: A path or a name, as are the overrides.
        overrides: Merged in this order.
        options: Dotted keys and values; or 'KEY=VALUE' texts.

    Raises:
        InputError: A file is missing or broken, or sets a key that nothing reads.
    """
    config = find_config(config)
    cfg = read_config(config)
    read = [read_override(word) for word in overrides]
    check_complete(cfg, config)
    dataset, sources = cfg.dataset, cfg.get('data_source')
    names, merged = [cfg.method], []
    for word, override in zip(overrides, read, strict=True):
        if override.replaces_model and merged:
            raise InputError(
                f'{word} replaces the model, what comes before it would be lost or go unnamed; name this override first'
            )
        if override.replaces_model:  # another network: its file alone names the method
            names, cfg.method = [], override.name
        names.append(override.name)
        merged.append((override.name, override.text))
        _merge(cfg, override.change, word)
    if options := parse_options(options or ()):
        _merge(cfg, nest_options(options), '--cfg-options')
        chosen = [(f'{key}={value}', json.dumps({key: value}, default=str)) for key, value in options.items()]
        names += [name for name, _ in chosen]
        merged += chosen
    if cfg.dataset == dataset and cfg.get('data_source') != sources:  # other data go by their own names
        found = source_names(cfg.data_source, dataset)
        cfg.dataset = dataset if sources and found == source_names(sources, dataset) else joined_name(found)
    notes = [dict(name=name, text=text, digest=digest_of(text)) for name, text in merged]
    return make_method('+'.join(names), cfg, Path(config).stem, notes)


def make_method(name: str, cfg: Config, config_name: str, overrides: list[dict]) -> Method:
    """Check and complete a merged config.

    Args:
        name: Of the method, in every table.
        cfg: The merged config, which is changed.
        config_name: The name of the config's file.
        overrides: Name, text and digest of each override.
    """
    cfg.folds = read_rule(cfg.folds)
    if not isinstance(cfg.label_scheme, str):
        raise InputError(f'label_scheme must be a name or the path of a csv, got {cfg.label_scheme!r}; correct it')
    scheme = load_scheme(cfg.label_scheme)
    check_values(cfg)
    fill_outputs(cfg, scheme)
    return Method(name, cfg, config_name, scheme, overrides, is_estimator(cfg))


def with_options(method: Method, options: Mapping[str, object], where: str) -> Method:
    """Return the method with dotted options merged onto it, which may be those that it has; its name stays.

    Args:
        method: As :func:`load_method` returns it.
        options: Dotted keys and values.
        where: What names the options, for a message.
    """
    cfg = Config(method.cfg.to_dict())
    _merge(cfg, nest_options(dict(options)), where, must_change=False)
    check_values(cfg)
    fill_outputs(cfg, method.scheme)
    return replace(method, cfg=cfg)


def _merge(cfg: Config, change: dict, where: str, must_change: bool = True) -> None:
    before = cfg.to_dict()
    if '_delete_' in change:
        raise InputError(f'{where}: _delete_ would leave nothing of the config; write it below a key, as in model')
    whole = {key: change[key] for key in WHOLE if key in change}
    change = {key: value for key, value in change.items() if key not in WHOLE}
    if whole.get('data_variant') and before.get('data_variant'):
        raise InputError(
            f'{where}: expected one data_variant, got a second beside {before["data_variant"]["name"]}; leave one out'
        )
    check_keys(before, change, where)
    try:
        cfg.merge_from_dict(change)
    except (TypeError, AttributeError, KeyError, IndexError) as error:
        raise InputError(
            f'{where} sets a key below a plain value, or a plain value in place of a part: {error}; correct it'
        ) from error
    for key, value in whole.items():  # Config.update would merge them
        cfg[key] = value
    if 'folds' in whole:
        before['folds'] = read_rule(before['folds'])
        cfg.folds = read_rule(_with_type(whole['folds'], before['folds']['type']))
    if must_change and cfg.to_dict() == before:
        raise InputError(f'{where} changes nothing of the config; leave it out or correct it')


def _with_type(rule: object, known: str) -> object:
    """Let `folds.n_splits=5` alone be a change of the number; nothing needs a `_delete_`."""
    if not isinstance(rule, dict):
        return rule
    return {'type': known, **{key: value for key, value in rule.items() if key != '_delete_'}}


def check_values(cfg: Config) -> None:
    """Refuse values of the top-level keys that would fail late, or silently do something else."""
    if not isinstance(cfg.method, str) or cfg.method.startswith('.') or not cfg.method.isprintable():
        raise InputError(f'method must be a name that can be that of a folder, got {cfg.method!r}; correct it')
    if not isinstance(cfg.dataset, str) or not cfg.dataset.strip() or not cfg.dataset.isprintable():
        raise InputError(f'dataset must be the name of the data in tables, got {cfg.dataset!r}; correct it')
    for key in ('model', 'input', 'train_cfg', 'default_hooks', 'env_cfg'):
        if not isinstance(cfg.get(key) or {}, dict):
            raise InputError(f'{key}: expected {key}=dict(...), got {cfg[key]!r}; correct it')
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
    if cfg.get('cuda_graph', False) not in (True, False):
        raise InputError(f'cuda_graph must be True or False, got {cfg.cuda_graph!r}; correct it')
    if not _is_unit_list(cfg.get('action_units')):
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
    """Return whether the method is a Pipeline of scikit-learn, not a network."""
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


def _is_unit_list(units: object) -> bool:
    """Return whether `units` is None, or numbers of action units, each once."""
    if units is None:
        return True
    return isinstance(units, (list, tuple)) and {*map(type, units)} == {int} and len({*units}) == len(units)


def fill_outputs(cfg: Config, scheme: LabelScheme) -> None:
    """Set classes and the outputs of the head: the scheme and `action_units` alone decide how many."""
    if cfg.get('classes', list(scheme.classes)) != list(scheme.classes):  # the text of a record has the same
        raise InputError(f'the classes are those of label_scheme: {", ".join(scheme.classes)}; leave `classes` out')
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
