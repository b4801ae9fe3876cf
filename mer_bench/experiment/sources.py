"""Configs, overrides and prepared data, by path or by name.

`configs/mer_smic.py`, `mer_smic` and `mer_bench::mer_smic` are the same config. A file that exists wins over a name.
The shipped files are in `.mim` inside the package, as in every package of OpenMMLab; in a clone that is a folder of
links. A config names its data sets in `data_source`, and their folders in `data_root`.
"""

import glob
import re
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import mer_bench
from mer_bench.datasets.catalogue import DATASETS
from mer_bench.errors import InputError, command, did_you_mean
from mer_bench.files import read_own_json
from mer_bench.preparation.store.flow_store import PARTS, Stamp, stamp_of
from mer_bench.protocols.label_schemes import EXCLUDED_CLIPS

if TYPE_CHECKING:
    from mmengine.config import Config

SHIPPED = Path(mer_bench.__file__).with_name('.mim')
PACKAGE = 'mer_bench::'
TIMM = 'timm_'  # before the name of a network of timm: an override without a file
CONFIGS, BASELINES, ABLATIONS, REDUCED = 'configs', 'configs/baselines', 'ablations', 'configs/reduced'
OVERRIDES = (BASELINES, ABLATIONS, REDUCED)
FORM = 'dict(dataset=NAME, owner=WHOM TO ASK, prepare=COMMAND)'  # of an entry of data_source


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
    """Say whether a word has wildcards, and is not the name of a file all the same."""
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


def find_data(cfg: 'Config', given: list[str] | None) -> tuple[list[str], list[dict]]:
    """Return the folders of the prepared data, and dataset, owner and prepare (the command) of each.

    Args:
        cfg: `data_root`, a folder or a list of folders, and `data_source`, one for each: the name of a data set, or
            dataset, owner and prepare of data that are in no catalogue.
        given: The folders that the user names, in place of data_root.

    With `data_variant` (data prepared in another way), `_<name>` is appended to each folder and its options to each
    command.
    """
    roots, sources = _as_list(given or cfg.data_root), data_sources(cfg)
    if variant := cfg.get('data_variant'):
        roots = [f'{str(root).rstrip("/")}_{variant["name"]}' for root in roots]
        sources = [dict(source, prepare=f'{source["prepare"]} {variant["options"]}') for source in sources]
    if len(roots) != len(sources):
        names = ', '.join(source['dataset'] for source in sources)
        fitting = fitting_configs(roots, cfg.label_scheme) if len(roots) < len(sources) else []
        raise InputError(
            f'expected {len(sources)} data roots, one for each of {names} in this order, got {len(roots)} '
            f'({", ".join(roots)}); '
            + (f'for these data use {" or ".join(fitting)}' if fitting else 'correct --data-root or the config')
        )
    return roots, sources


def fitting_configs(roots: list[str], label_scheme: str) -> list[str]:
    """Return the names of the shipped configs for exactly these prepared data, those of the label scheme if there are.

    A folder that is not prepared yet counts as the data set of its name.
    """
    from mmengine.config import Config  # which the names of files do without

    datasets = sorted(map(_dataset_in, roots))
    configs = {path.stem: Config.fromfile(path) for path in shipped(CONFIGS)}
    schemes = {name: cfg.label_scheme for name, cfg in configs.items() if source_names(cfg) == datasets}
    return [name for name, scheme in schemes.items() if scheme == label_scheme] or list(schemes)


def _dataset_in(root: str) -> str:
    info = read_own_json(Path(root, 'store/store.json')) or {}
    return str(info.get('dataset', Path(root).name))


def data_sources(cfg: 'Config') -> list[dict]:
    """Return dataset, owner and prepare of each entry of `data_source`; a single one may leave its dataset out."""
    sources = _as_list(cfg.data_source)
    known = dict(dataset=cfg.dataset) if len(sources) == 1 else {}
    return [describe_source({**known, **source} if isinstance(source, dict) else source) for source in sources]


def source_names(cfg: 'Config') -> list[str]:
    """Return the data sets of `data_source`, by name."""
    return sorted(source['dataset'] for source in data_sources(cfg))


def describe_source(source: str | dict) -> dict:
    """Return dataset, owner and prepare of one entry of `data_source`."""
    if isinstance(source, dict) and {*source} == {'dataset', 'owner', 'prepare'}:
        return source
    if not isinstance(source, str) or source not in DATASETS:
        raise InputError(f'data_source: expected one of {", ".join(DATASETS)}, or {FORM}, got {source!r}; correct it')
    files = '--sheet FILE --frames FOLDER' if source == 'csv' else f'--raw FOLDER_OF_{source.upper()}'
    prepare = f'{command("prepare")} {source} {files}'
    return dict(dataset=source, owner=DATASETS[source].owner, prepare=prepare)


def joined_name(datasets: list[str]) -> str:
    """The name of several data sets together, whatever their order."""
    return '+'.join(sorted(datasets))


def name_dataset(cfg: 'Config', expected: list[str], found: list[str]) -> None:
    """Set `dataset` to what was prepared, for every record: a single data set other than the config's gives its name.

    Args:
        cfg: `dataset` is changed.
        expected: The data sets of `data_source`; `csv` stands for any.
        found: Those of the data roots.
    """
    if len(found) == 1:
        if found != expected:
            cfg.dataset = found[0]
        return
    if {*(Counter(expected) - Counter(found))} - {'csv'}:
        raise InputError(
            f'expected prepared data of {", ".join(expected)}, found {", ".join(found)}; '
            'correct --data-root or data_root of the config'
        )
    if cfg.dataset == joined_name(expected):
        cfg.dataset = joined_name(found)


def check_variant(variant: dict | None, info: dict) -> None:
    """Refuse data that were not prepared as `data_variant` asks; its other keys are compared with store.json.

    Args:
        variant: name, options, and what of the store must have which value, such as flow='dis' or apex='spotted'.
        info: The joint store.json of the stores.
    """
    expected = {key: value for key, value in (variant or {}).items() if key not in ('name', 'options')}
    for store in info.get('stores', [info]):
        for key, value in expected.items():
            found = store.get(key)
            found = ' and '.join(found) if isinstance(found, dict) else found
            if found != value:
                raise InputError(
                    f'data_variant: expected data with {key} {value}, found {found}; prepare them with '
                    f'{variant["options"]}'
                )


def stamps_of(scheme: Path, roots: Sequence[str]) -> tuple[Stamp | None, ...]:
    """Return path, size and times of the files that a run reads; None for a file that does not exist."""
    files = [scheme, scheme.with_name(EXCLUDED_CLIPS)]
    for root in roots:
        files += [Path(root, 'annotations.csv'), *(Path(root, 'store', part) for part in PARTS)]
    return tuple(map(stamp_of, files))


def _as_list(value: object) -> list:
    return list(value) if isinstance(value, (list, tuple)) else [value]
