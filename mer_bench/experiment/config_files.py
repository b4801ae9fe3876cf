"""Config files: found by path or by name, read, and the keys that an override may set.

`configs/mer_smic.py`, `mer_smic` and `mer_bench::mer_smic` are the same config. A file that exists wins over a name.
The shipped files are in `.mim` inside the package, as in every package of OpenMMLab; in a clone that is a folder of
links. A key that nothing reads is refused, because a misspelt ablation would silently be the full model.
"""

import copy
import glob
import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import mer_bench
from mer_bench.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from mmengine.config import Config

SHIPPED = Path(mer_bench.__file__).with_name('.mim')
PACKAGE = 'mer_bench::'
OWN_IMPORTS = ('mer_bench.registry', 'mer_bench.models', 'mer_bench.loading')
KEYS = ('method', 'model', 'dataset', 'label_scheme', 'folds')
TIMM = 'timm_'  # before the name of a network of timm: an override without a file
CONFIGS, BASELINES, ABLATIONS, REDUCED = 'configs', 'configs/baselines', 'ablations', 'configs/reduced'
CHOICES = 'configs/choices'  # lists of candidates for --select inner
OVERRIDES = (BASELINES, ABLATIONS, REDUCED, CHOICES)


def find_config(word: str) -> str:
    """Return the path of a config.

    Raises:
        InputError: No file and no config has this name, or several have it.
    """
    return _find(word, (CONFIGS,))


def find_override(word: str) -> str:
    """Return the path of an override, or the word itself where it is `timm_<network>`; see :func:`find_config`."""
    return word if word.startswith(TIMM) else _find(word, OVERRIDES)


def match_configs(word: str) -> list[str]:
    """Return the config that a word names, or those that a pattern such as `mer_casme2*` matches, perhaps none."""
    return _match(word, (CONFIGS,)) if is_pattern(word) else [find_config(word)]


def match_overrides(word: str) -> list[str]:
    """Return the overrides that a word names or that a pattern matches; see :func:`match_configs`."""
    return _match(word, OVERRIDES) if is_pattern(word) else [find_override(word)]


def is_pattern(word: str) -> bool:
    """Return whether a word has wildcards and is not the name of an existing file."""
    return glob.escape(word) != word and not Path(word).is_file()


def shipped(*folders: str) -> list[Path]:
    """Return the shipped files of these folders, by name within each."""
    return [path for folder in folders for path in sorted((SHIPPED / folder).glob('*.py'))]


def describe(path: Path) -> str:
    """Return one line on a config or override: the first sentence of its comment, or else its statement."""
    comment, statement = re.match(r'((?:#.*\n)*)(.*)', path.read_text(encoding='utf-8')).groups()
    text = ' '.join(line.lstrip('# ') for line in comment.splitlines())
    return re.split(r'\. (?=[A-Z])|\.$', text, maxsplit=1)[0] or statement


def _find(word: str, folders: tuple[str, ...]) -> str:
    if Path(word).is_file():
        return word
    name = word.removeprefix(PACKAGE).removesuffix('.py')
    found = [path for path in shipped(*folders) if name in _names(path)]
    if len(found) == 1:
        return _from_here(found[0])
    if found:
        raise InputError(f'{word} names {" and ".join(map(_from_here, found))}; give one of these paths')
    others = {CONFIGS, *OVERRIDES} - {*folders}
    if any(name in _names(path) for path in shipped(*others)):
        raise InputError(
            f'{word} is an override; give a config, such as mer_smic, and {word} after --override'
            if CONFIGS in folders
            else f'{word} is a config; give an override, such as no_attention or ststnet'
        )
    near = did_you_mean(Path(name).name, [path.stem for path in shipped(*folders)])
    raise InputError(f'no such config file: {word}{near}; give a path, or a name that mer-bench list shows')


def _names(path: Path) -> set[str]:
    below = path.relative_to(SHIPPED).with_suffix('')
    return {path.stem, below.as_posix(), below.as_posix().removeprefix('configs/')}


def _match(pattern: str, folders: tuple[str, ...]) -> list[str]:
    if files := sorted(name for name in glob.glob(pattern) if Path(name).is_file()):
        return files
    name = pattern.removeprefix(PACKAGE)
    if '/' in name:  # of shipped files, as in ablations/no_*.py
        return [_from_here(path) for path in shipped(*folders) if path.match(name.removesuffix('.py') + '.py')]
    return [_from_here(path) for path in shipped(*folders) if fnmatch(path.stem, name)]


def _from_here(path: Path) -> str:
    """Return the path as a user in this folder would write it."""
    path, here = path.resolve(), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def read_config(path: str) -> 'Config':
    """Read a config file; a fault in it becomes an InputError of one sentence."""
    from mmengine.config import Config  # half a second to import; finding files does not need it

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


_once: list[dict[str, 'Config']] = []  # by path; of each configs_read_once that lasts


@contextmanager
def configs_read_once() -> Iterator[None]:
    """Read each config and override only once in this block, as a sweep does that opens many methods on them."""
    _once.append({})
    try:
        yield
    finally:
        _once.pop()


class Override(NamedTuple):
    """What is merged onto a config: name and text for the record, and the keys that it changes."""

    name: str
    text: str
    change: dict

    @property
    def replaces_model(self) -> bool:
        """Whether it replaces the whole model of the config."""
        model = self.change.get('model')
        return isinstance(model, dict) and bool(model.get('_delete_'))


def read_override(word: str) -> Override:
    """Read an override: a file by path or name, or `timm_<name>` for an image network of timm."""
    word = find_override(word)
    if word.startswith(TIMM) and not Path(word).is_file():
        from mer_bench.experiment.timm_override import timm_override  # timm takes seconds to import

        change = timm_override(word.removeprefix(TIMM))
        return Override(word, json.dumps(change, indent=2), change)
    change = read_config(word).to_dict()
    return Override(Path(word).stem, Path(word).read_text(encoding='utf-8'), change)


def import_custom(cfg: 'Config') -> None:
    """Import the `custom_imports` of a config but our own, which are imported where a network needs them."""
    from mmengine.utils import import_modules_from_strings

    custom = cfg.get('custom_imports') or {}
    names = custom.get('imports', ())
    names = [name for name in ([names] if isinstance(names, str) else names) if name not in OWN_IMPORTS]
    import_modules_from_strings(names, custom.get('allow_failed_imports', False))


def parse_options(pairs: Mapping[str, object] | Sequence[str]) -> dict:
    """Read `K=V` pairs as MMEngine's --cfg-options does: numbers, true/false, None, lists and tuples."""
    if isinstance(pairs, Mapping):
        return dict(pairs)
    from mmengine.config import DictAction

    options = {}
    for pair in pairs:
        key, equals, value = pair.partition('=')
        if not equals or not all(key.split('.')):
            raise InputError(f'--cfg-options {pair}: expected KEY=VALUE, such as train_cfg.max_epochs=5')
        try:
            options[key] = DictAction._parse_iterable(value)
        except Exception as error:  # MMEngine asserts, and calls itself without end
            raise InputError(
                f'--cfg-options {pair}: expected a word, a number, true, false, None, [A,B] or (A,B), found brackets '
                'or commas that cannot be read; correct the value'
            ) from error
    return options


def nest_options(options: dict) -> dict:
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


def check_complete(cfg: 'Config', path: str) -> None:
    """Refuse a config without what every run needs, or that stands for several candidates."""
    missing = [key for key in KEYS if cfg.get(key) is None]
    if missing:
        raise InputError(f'{path}: expected a config with {", ".join(missing)}; give a file like configs/mer_smic.py')
    if 'selection' in cfg:
        raise InputError(
            f'{path}: expected one method, found one of the candidates of a run with --select inner; repeat that run '
            'with mer-bench reproduce, or with the command in its record'
        )


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
            near = did_you_mean(key, known)
            advice = 'correct it' if near else f'known here: {", ".join(sorted(set(known)))}'
            raise InputError(f'{where}: unknown config key {dotted}{near}; {advice}')
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
    from mer_bench.loading.input_spec import KEYS as INPUT

    names = {
        '': ['custom_hooks', 'candidates', 'cuda_graph'],
        'input.': list(INPUT),
        'optim_wrapper.': ['constructor', 'paramwise_cfg'],
    }
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
