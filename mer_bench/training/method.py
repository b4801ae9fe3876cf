"""A method: a config with overrides merged onto it, and its name in every table."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import Config, DictAction

from mer_bench.errors import InputError
from mer_bench.files import digest_of
from mer_bench.training.config_keys import check_keys

LOCATIONS = ('data_root',)


@dataclass(frozen=True)
class Method:
    """A merged config; `overrides` are name, text and digest of each file, in the order of merging."""

    name: str
    cfg: Config
    config_name: str
    overrides: list[dict] = field(default_factory=list)

    @property
    def content(self) -> dict:
        """The merged config without the places of this machine: what decides the numbers, and nothing else."""
        return {key: value for key, value in self.cfg.to_dict().items() if key not in LOCATIONS}

    @property
    def text(self) -> str:
        """The content as a config file."""
        return Config(self.content).pretty_text

    @property
    def digest(self) -> str:
        """The digest of the content."""
        return digest_of(self.content)


def load_method(config: str, overrides: list[str] = (), options: dict | None = None) -> Method:
    """Read `config` and merge the files `overrides`, then the dotted `options`, onto it.

    Raises:
        InputError: A file is missing or broken, or sets a key that nothing reads.
    """
    cfg = read_config(config)
    name = cfg.get('method')
    if 'model' not in cfg or name is None:
        raise InputError(
            f'{config}: a config with `method` and `model` was expected; give a file like configs/mer_smic.py'
        )
    notes = []
    for path in overrides:
        change = read_config(path).to_dict()
        _merge(cfg, change, path)
        notes.append(_note(Path(path).stem, Path(path).read_text(encoding='utf-8')))
    if options:
        _merge(cfg, _nested(options), '--cfg-options')
        notes += [_note(f'{key}={value}', json.dumps({key: value}, default=str)) for key, value in options.items()]
    epochs = cfg.train_cfg.max_epochs
    if type(epochs) is not int or epochs < 1:
        raise InputError(f'train_cfg.max_epochs must be a whole number of at least 1, got {epochs!r}; correct it')
    if cfg.get('class_weight') not in ('balanced', None):
        raise InputError(f"class_weight must be 'balanced' or None, got {cfg.class_weight!r}; correct it")
    return Method('+'.join([name, *(note['name'] for note in notes)]), cfg, Path(config).stem, notes)


def read_config(path: str) -> Config:
    """Read a config file; what is wrong with it is told in one sentence."""
    if not Path(path).is_file():
        raise InputError(f'no such config file: {path}; configs are in configs/, overrides in ablations/')
    try:
        return Config.fromfile(path)
    except Exception as error:  # a config is a program, and can raise anything
        raise InputError(
            f'{path} is not a config that can be read: {type(error).__name__}: {error}; correct the file'
        ) from error


def parse_options(pairs: list[str]) -> dict:
    """Read `K=V` pairs as MMEngine's --cfg-options does: numbers, true/false, None, lists and tuples."""
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition('=')
        if not equals:
            raise InputError(f'--cfg-options {pair}: KEY=VALUE was expected, such as train_cfg.max_epochs=5')
        options[key] = DictAction._parse_iterable(value)
    return options


def _merge(cfg: Config, change: dict, where: str) -> None:
    before = cfg.to_dict()
    check_keys(before, change, where)
    try:
        cfg.merge_from_dict(change)
    except TypeError as error:
        raise InputError(f'{where} sets a key below a plain value: {error}; correct it') from error
    if cfg.to_dict() == before:
        raise InputError(f'{where} changes nothing of the config; leave it out or correct it')


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
        place[last] = value
    return nested


def _note(name: str, text: str) -> dict:
    return dict(name=name, text=text, digest=digest_of(text))
