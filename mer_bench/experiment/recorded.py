"""The method of a record, from the config text in it. The text is read as data: nothing in it is run.

A config names classes by text, and MMEngine imports what such a name leads to, a module too, so a text without any code
could still run some. Of records only plain names are accepted, which lead to parts that are registered.
"""

import ast
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from mmengine.config import Config

from mer_bench.errors import InputError
from mer_bench.experiment.candidates import join_candidates
from mer_bench.experiment.config_files import CONFIGS, OVERRIDES, OWN_IMPORTS, check_complete, nest_options, shipped
from mer_bench.experiment.experiment import Candidate, Experiment, RunOptions, open_method
from mer_bench.experiment.method import Method, load_method, make_method, weights_places, with_options
from mer_bench.files import digest_file
from mer_bench.protocols.label_schemes import scheme_names

ADVICE = 'a record is not trusted with more: read its text and, if you trust it, save it as a file and train that'
FREE = ('method', 'dataset', 'data_variant', 'label_scheme', 'classes', 'load_from')  # text that names no part
WEIGHTS = ('pretrained', 'checkpoint')  # of a model, replaced by the file that the user has, as load_from is
PLAIN = re.compile(r'[\w +=,-]*|annotations\.csv')  # a registered part, a word
TIMM_TYPE = re.compile(r'timm\.\w+')
HOOKS = {  # of configs/_base_/default_runtime.py
    'RuntimeInfoHook',
    'IterTimerHook',
    'LoggerHook',
    'ParamSchedulerHook',
    'CheckpointHook',
    'DistSamplerSeedHook',
}


def read_text(text: str, where: str) -> Config:
    """Read the text of a config as data: names set to `dict(...)`, lists, tuples, numbers and text.

    Args:
        text: As MMEngine writes it.
        where: What holds it, for messages.

    Raises:
        InputError: There is anything else, or a name that could lead to code that is not of the benchmark.
    """
    try:
        content = {_name(node): _value(node.value) for node in ast.parse(text).body}
        fault = _first_fault(content)
        cfg = Config(content)
    except (SyntaxError, ValueError, TypeError, KeyError, RecursionError, MemoryError) as error:
        raise InputError(
            f'{where}: expected names set to dict(...), lists, numbers and text, found {error!s:.100}; {ADVICE}'
        ) from None
    if fault:
        raise InputError(f'{where}: {fault}; {ADVICE}')
    return cfg


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    raise ValueError(ast.unparse(node))


def _value(node: ast.expr) -> object:
    if isinstance(node, ast.Call):
        names = [part.arg for part in node.keywords]
        if not (isinstance(node.func, ast.Name) and node.func.id == 'dict') or node.args or None in names:
            raise ValueError(ast.unparse(node))
        return {part.arg: _value(part.value) for part in node.keywords}
    if isinstance(node, ast.Dict):
        return {ast.literal_eval(key): _value(value) for key, value in zip(node.keys, node.values, strict=True)}
    if isinstance(node, (ast.List, ast.Tuple)):
        values = [_value(part) for part in node.elts]
        return values if isinstance(node, ast.List) else tuple(values)
    try:
        value = ast.literal_eval(node)
    except ValueError:
        value = ...
    if not isinstance(value, (str, int, float, type(None))):
        raise ValueError(ast.unparse(node))
    return value


def _leaves(value: object, key: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield the keys and the value of everything in a config that is no dict and no list, and of an empty dict."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    if key and not parts:
        yield key, value
    for name, part in parts:
        yield from _leaves(part, (*key, str(name)))


def _first_fault(content: dict) -> str | None:
    """Return what was expected and found at the first value that could lead to other code; None if none could."""
    faults = ((_fault(key, value), key, value) for key, value in _leaves(content))
    lines = (f'expected {fault}, found {".".join(key)}={value!r:.100}' for fault, key, value in faults if fault)
    return next(lines, None)


def _fault(key: tuple[str, ...], value: object) -> str | None:
    """Return what was expected of a value if it could lead to other code, or to a file of its choice; else None."""
    if any(name.startswith('_') or name in ('out_dir', 'memory') for name in key):  # memory: a cache of pickles
        return 'no key that changes how a config is read or where it is written to'
    if key[0] == 'custom_imports':
        return None if key[1:2] != ('imports',) or value in OWN_IMPORTS else f'one of {", ".join(OWN_IMPORTS)}'
    if key[0] == 'default_scope':
        return None if value == 'mmaction' else 'the scope mmaction'
    if key[0] == 'custom_hooks' or 'vis_backends' in key:
        return 'no hooks' if value else None
    if key[0] == 'default_hooks' and key[-1] == 'type' and value not in HOOKS:
        return f'one of {", ".join(sorted(HOOKS))}'
    if key[-2:] == ('dataset', 'type') and value != 'FlowStoreDataset':
        return 'the data set FlowStoreDataset'
    if key[-1] == 'checkpoint_path':  # timm would unpickle it
        return 'no weights that timm reads'
    if not isinstance(value, str) or key[0] in FREE or (key[0] == 'model' and key[-1] in WEIGHTS):
        return None
    if key == ('model', 'backbone', 'type') and TIMM_TYPE.fullmatch(value):
        return None
    if not PLAIN.fullmatch(value):
        return 'a plain word'
    if key[-1] in ('type', 'constructor') and _is_module(value):  # MMEngine would import it
        return 'the name of a part, not of a module'
    return None


def _is_module(name: str) -> bool:
    """Return whether a name without dots could be imported; nothing is."""
    try:
        return bool(name) and find_spec(name) is not None
    except (ValueError, ImportError, OSError):  # such as __main__
        return True


def method_of(record: dict, path: Path, text: str | None = None) -> Method:
    """Return the method of a record; its weights are still those that the text names.

    Args:
        record: Of a run of ours.
        path: Of the record, beside which a label scheme of the user's own may be.
        text: The merged config of a candidate, in place of that of the record.

    Raises:
        InputError: This version cannot read the text, or the label scheme is not at hand.
    """
    where = f'{path}: config.text'
    cfg, scheme = read_text(text or record['config']['text'], where), record['label_scheme']['name']
    cfg.pop('selection', None)
    check_complete(cfg, where)
    cfg.label_scheme = scheme
    if scheme not in scheme_names():
        own = path.with_name('label_scheme.csv')
        if not own.is_file():
            raise InputError(
                f'{path}: the label scheme {scheme} is of the user who made the record, and {own} is not there; put it '
                'there'
            )
        cfg.label_scheme = str(own)
    with _readable(where, record):
        return make_method(record['method'], cfg, record['config']['name'], record['overrides'])


@contextmanager
def _readable(where: str, record: dict) -> Iterator[None]:
    """Let an error of the block name the place that was read, and the version that made it."""
    try:
        yield
    except InputError as error:
        raise InputError(f'{where}: {error}') from None
    except Exception as error:  # of a stranger, or of another version
        raise InputError(
            f'{where} is not a config that this version can read: {type(error).__name__}: {error}; take the version '
            f'that made it, {record["versions"].get("mer_bench")} at commit {record["commit"]}'
        ) from None


def place_weights(method: Method, record: dict, given: Path | None) -> None:
    """Set the file of pretrained weights, which must have the digest in the record.

    Args:
        method: Its config is changed.
        record: Of the run.
        given: The file that the user names.
    """
    places, noted = weights_places(method.cfg), record.get('pretrained')
    if not places:
        if given:
            raise InputError(f'--weights {given}: {method.name} starts from no weights; leave --weights out')
        return
    holder, key = places[0]
    file, name = Path(given or holder[key]), (noted or {}).get('name', 'the file of its weights')
    if not file.is_file():
        raise InputError(f'{method.name} starts from {name}: expected it at {file}, found none; give --weights FILE')
    if not noted:
        raise InputError(f'{method.name} starts from {file}, whose digest the record lacks; train it from its config')
    if digest_file(file) != noted['digest']:
        raise InputError(
            f'{file}: expected {name} with the SHA-256 {noted["digest"]}, found another; give it with --weights FILE'
        )
    holder[key] = str(file)


@dataclass(frozen=True)
class Recorded:
    """The experiment of a record, opened on prepared data.

    Attributes:
        experiment: As it was trained.
        same: Whether its config is the one whose digest the record holds.
    """

    experiment: Experiment
    same: bool


def open_recorded(record: dict, path: Path, options: RunOptions, weights: Path | None = None) -> Recorded:
    """Open the experiment of a record on prepared data.

    Args:
        record, path: As for :func:`method_of`.
        options: Data, folds, device and threads; the config is not read.
        weights: As for :func:`place_weights`.
    """
    method = method_of(record, path)
    noted = record.get('selection')
    if not noted:
        same = method.digest == record['config']['digest']
        place_weights(method, record, weights)
        return Recorded(open_method(method, options), same)
    candidates = []
    for note in noted['candidates']:
        candidate = _candidate(record, path, method, note)
        place_weights(candidate, record, weights)
        candidates.append(Candidate(note['name'], note['text'], open_method(candidate, options)))
    name = record['method'].removesuffix(f'+{noted["rule"]}')
    experiment = join_candidates(name, record['overrides'], candidates, noted['inner_folds'])
    return Recorded(experiment, bool(weights) or experiment.method.digest == record['config']['digest'])


def _candidate(record: dict, path: Path, first: Method, note: dict) -> Method:
    """Return the method of a candidate: of its merged text, or, in a record without, of its options or our override."""
    if text := note.get('config'):
        return replace(method_of(record, path, text), name=f'{record["method"]}, {note["name"]}')
    found = first if note['digest'] == first.digest else _of_options(record, path, first, note)
    if found is None:  # the file of an override, which is a program: only ours are read
        files = {file.stem: str(file) for file in shipped(CONFIGS, *OVERRIDES)}
        words = [files.get(name) for name in (record['config']['name'], note['name'])]
        found = load_method(words[0], words[1:]) if all(words) else None
    if found is None or found.digest != note['digest']:
        raise InputError(
            f'{path}: expected the config of the candidate {note["name"]}, which this earlier record lacks; '
            f'train {record["method"]} again from its config and overrides'
        )
    return replace(found, name=f'{record["method"]}, {note["name"]}')


def _of_options(record: dict, path: Path, first: Method, note: dict) -> Method | None:
    """Return the method with the options of a candidate, read as data as a config text is; None if it has none."""
    where = f'{path}: candidate {note["name"]}'
    try:
        options = json.loads(note['text'])
    except (ValueError, RecursionError):
        return None
    if not isinstance(options, dict):
        return None
    if fault := _first_fault(nest_options(options)):
        raise InputError(f'{where}: {fault}; {ADVICE}')
    with _readable(where, record):
        return with_options(first, options, 'its options')
