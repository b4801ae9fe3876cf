"""A method: a config with overrides merged onto it, and its name in every table."""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.utils import import_modules_from_strings

from mer_bench.errors import InputError
from mer_bench.experiment.config_checks import (
    check_complete,
    check_keys,
    check_values,
    fill_outputs,
    fold_rule,
    is_estimator,
)
from mer_bench.experiment.sources import TIMM, find_config, find_override, joined_name, source_names
from mer_bench.files import digest_of
from mer_bench.loading.prepared_data import open_scheme
from mer_bench.protocols.label_schemes import LabelScheme

OWN_IMPORTS = ('mer_bench.registry', 'mer_bench.models', 'mer_bench.loading')
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
    def digest(self) -> str:
        """The digest of the content and the rules of the label scheme."""
        return digest_of([self.content, self.scheme.digest])


def load_method(config: str, overrides: list[str] = (), options: dict | None = None) -> Method:
    """Read `config` and merge the `overrides`, then the dotted `options`, onto it; both are paths or names.

    Raises:
        InputError: A file is missing or broken, or sets a key that nothing reads.
    """
    config = find_config(config)
    cfg = read_config(config)
    read = [(word, *read_override(word)) for word in overrides]
    replacing = [replaces_model(change) for _, _, change in read]  # merging takes the key out
    check_complete(cfg, config)
    cfg.folds = fold_rule(cfg.folds)
    named = cfg.dataset, source_names(cfg)
    notes = []
    names = [cfg.method]
    for (word, note, change), replaces in zip(read, replacing, strict=True):
        if replaces and notes:
            raise InputError(
                f'{word} replaces the model, what comes before it would be lost or go unnamed; name this override first'
            )
        _merge(cfg, change, word)
        notes.append(note)
        if replaces:  # another network: its file alone names the method
            names, cfg.method = [], note['name']
        names.append(note['name'])
    if options:
        _merge(cfg, _nested(options), '--cfg-options')
        chosen = [_note(f'{key}={value}', json.dumps({key: value}, default=str)) for key, value in options.items()]
        notes += chosen
        names += [note['name'] for note in chosen]
    check_values(cfg)
    if cfg.dataset == named[0] and source_names(cfg) != named[1]:
        cfg.dataset = joined_name(source_names(cfg))
    scheme = open_scheme(cfg.label_scheme)
    fill_outputs(cfg, scheme)
    return Method('+'.join(names), cfg, Path(config).stem, scheme, notes, is_estimator(cfg))


def read_override(word: str) -> tuple[dict, dict]:
    """Read an override: a file, or `timm_<name>` for an image network of timm.

    Returns:
        Name, text and digest of the override; what it changes.
    """
    word = find_override(word)
    if word.startswith(TIMM) and not Path(word).is_file():
        from mer_bench.experiment.timm_override import timm_override  # timm takes seconds to import

        change = timm_override(word.removeprefix(TIMM))
        return _note(word, json.dumps(change, indent=2)), change
    change = read_config(word).to_dict()
    return _note(Path(word).stem, Path(word).read_text(encoding='utf-8')), change


def replaces_model(change: dict) -> bool:
    """Whether an override replaces the whole model of the config."""
    model = change.get('model')
    return isinstance(model, dict) and bool(model.get('_delete_'))


def read_config(path: str) -> Config:
    """Read a config file; a fault in it becomes an InputError of one sentence."""
    if _once and path in _once[-1]:
        return copy.deepcopy(_once[-1][path])
    try:
        cfg = Config.fromfile(path, import_custom_modules=False)
        import_custom(cfg)
    except Exception as error:  # a config is a program, and can raise anything
        raise InputError(
            f'{path} is not a config that can be read: {type(error).__name__}: {error}; correct the file'
        ) from error
    if _once:
        _once[-1][path] = copy.deepcopy(cfg)
    return cfg


_once: list[dict[str, Config]] = []  # by path; of each configs_read_once that lasts


@contextmanager
def configs_read_once() -> Iterator[None]:
    """Read each config and override only once in this block, as a sweep does that opens many methods on them."""
    _once.append({})
    try:
        yield
    finally:
        _once.pop()


def import_custom(cfg: Config) -> None:
    """Import the `custom_imports` of a config but our own, which are imported where a network needs them."""
    custom = cfg.get('custom_imports') or {}
    names = custom.get('imports', ())
    names = [name for name in ([names] if isinstance(names, str) else names) if name not in OWN_IMPORTS]
    import_modules_from_strings(names, custom.get('allow_failed_imports', False))


def parse_options(pairs: Mapping[str, object] | Sequence[str]) -> dict:
    """Read `K=V` pairs as MMEngine's --cfg-options does: numbers, true/false, None, lists and tuples."""
    if isinstance(pairs, Mapping):
        return dict(pairs)
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition('=')
        if not equals or not all(key.split('.')):
            raise InputError(f'--cfg-options {pair}: KEY=VALUE was expected, such as train_cfg.max_epochs=5')
        try:
            options[key] = DictAction._parse_iterable(value)
        except Exception as error:  # MMEngine asserts, and calls itself without end
            raise InputError(
                f'--cfg-options {pair}: expected a word, a number, true, false, None, [A,B] or (A,B), found brackets '
                'or commas that cannot be read; correct the value'
            ) from error
    return options


def _merge(cfg: Config, change: dict, where: str) -> None:
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
        cfg.folds = fold_rule(_with_type(whole['folds'], before['folds']['type']))
    if cfg.to_dict() == before:
        raise InputError(f'{where} changes nothing of the config; leave it out or correct it')


def _with_type(rule: object, known: str) -> object:
    """Let `folds.n_splits=5` alone be a change of the number; nothing needs a `_delete_`."""
    if not isinstance(rule, dict):
        return rule
    return {'type': known, **{key: value for key, value in rule.items() if key != '_delete_'}}


def _nested(options: dict) -> dict:
    """{'a.b': 1} -> {'a': {'b': 1}}."""
    nested: dict = {}
    for dotted, value in options.items():
        *parents, last = dotted.split('.')
        place = nested
        for part in parents:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise InputError(f'--cfg-options sets {dotted} and also {part} itself; leave one out')
        if last in place:
            raise InputError(f'--cfg-options sets {dotted} and also a part of it; leave one out')
        place[last] = value
    return nested


def _note(name: str, text: str) -> dict:
    return dict(name=name, text=text, digest=digest_of(text))
