"""The features of every clip: what the leading steps of a scikit-learn method, which learn nothing, compute.

They are kept beside the flow: `store/features/<digest>.npy` has one row for each clip of the store, so that all label
schemes, folds, seeds and methods share it, and `<digest>.json` describes it. The digest covers all that decides the
numbers: steps with their arguments, view of a clip, flow, code and libraries. The folder can be removed at any time.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from importlib import metadata
from pathlib import Path
from types import ModuleType

import numpy as np
from rich.console import Console
from rich.progress import track
from sklearn.base import BaseEstimator

from mer_bench.errors import InputError
from mer_bench.experiment.precision import versions
from mer_bench.files import digest_file, digest_of, read_own_json, write_array, write_json
from mer_bench.loading.input_spec import InputSpec
from mer_bench.loading.prepared_data import PreparedData, open_store, viewed_clips
from mer_bench.preparation.store.build import FEATURES
from mer_bench.processes import quick_ones_here

CHUNK = 16  # clips that one worker describes at a time
STARTED = time.time()
COMPUTED, KEPT = 'computed', 'kept with the store'


def clip_features(data: PreparedData, steps: Sequence[BaseEstimator], jobs: int, quiet: bool) -> tuple[np.ndarray, str]:
    """Return the features of the clips in use, read from their stores or computed.

    Args:
        data: The clips in use.
        steps: Transformers that learn nothing; without one the flat values are taken.
        jobs: Workers.
        quiet: Whether no bar is shown.

    Returns:
        (N, D) float32 in the order of the annotations; `COMPUTED` or `KEPT`.
    """
    clips, origins, parts = data.annotations, [], {}
    for store, rows in clips.groupby('store')['row']:
        parts[store], origin = store_features(store, rows.to_numpy(), steps, data.view, jobs, quiet)
        origins.append(origin)
    features = np.stack([parts[store][row] for store, row in zip(clips['store'], clips['row'], strict=True)])
    return features, COMPUTED if COMPUTED in origins else KEPT


def store_features(
    store: str, rows: np.ndarray, steps: Sequence[BaseEstimator], view: InputSpec, jobs: int, quiet: bool
) -> tuple[dict[int, np.ndarray] | np.ndarray, str]:
    """Return the features of at least the clips in `rows` of a store, by row, and `COMPUTED` or `KEPT`."""
    path, content = kept_at(store, steps, view)
    if unchanged(steps):
        if (kept := read_features(path, open_store(store).info['n_clips'])) is not None:
            return kept, KEPT
        if can_hold(path.parent):
            features = describe_all(store, range(open_store(store).info['n_clips']), steps, view, jobs, quiet)
            keep(path, features, content, limit=open_store(store).clips.nbytes)
            return features, COMPUTED
    return dict(zip(rows, describe_all(store, rows, steps, view, jobs, quiet), strict=True)), COMPUTED


def kept_at(store: str, steps: Sequence[BaseEstimator], view: InputSpec) -> tuple[Path, dict]:
    """Return the file that keeps the features of a store, and what decides them."""
    content = made_of(store, steps, view)
    return Path(store, FEATURES, f'{digest_of(content)[:16]}.npy'), content


def made_of(store: str, steps: Sequence[BaseEstimator], view: InputSpec) -> dict:
    """Return all that decides the features, as it is read back from JSON."""
    content = dict(
        steps=[[type(step).__module__, type(step).__qualname__, step.get_params()] for step in steps],
        view={
            key: value for key, value in asdict(view).items() if key not in ('normalise', 'mirror_train', 'mirror_test')
        },
        store_digest=open_store(store).info['data_digest'],
        code={'/'.join(path.parts[-2:]): digest_file(path) for path in source_files(steps)},
        versions=versions() | library_versions(steps),
    )
    return json.loads(json.dumps(content, default=str))


def own_modules(steps: Sequence[BaseEstimator]) -> list[ModuleType]:
    """Return the modules of the view of a clip and of the classes of the steps, but those of scikit-learn."""
    names = dict.fromkeys(
        part.__module__ for part in (InputSpec, *(base for step in steps for base in type(step).__mro__))
    )
    return [sys.modules[name] for name in names if name.partition('.')[0] not in ('sklearn', 'builtins')]


def source_files(steps: Sequence[BaseEstimator]) -> list[Path]:
    """Return the code that decides the features: this file, and all that is beside the view and the steps."""
    return sorted({Path(__file__)}.union(*(Path(module.__file__).parent.glob('*.py') for module in own_modules(steps))))


def unchanged(steps: Sequence[BaseEstimator]) -> bool:
    """Whether the code on disk is what this process imported."""
    return all(path.stat().st_mtime < STARTED for path in source_files(steps))


def library_versions(steps: Sequence[BaseEstimator]) -> dict[str, str]:
    """Return the versions of SciPy, scikit-image and each library that the modules of the steps import from."""
    found = {name: metadata.version(name) for name in ('scipy', 'scikit-image')}
    for value in (value for module in own_modules(steps) for value in vars(module).values()):
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, '__module__', None)
        library = sys.modules.get(str(name).partition('.')[0])
        if version := getattr(library, '__version__', None):
            found[library.__name__] = str(version)
    return found


def read_features(path: Path, n_clips: int) -> np.ndarray | None:
    """Return kept features of so many clips, mapped; None where there are none or they are damaged."""
    about = read_own_json(path.with_suffix('.json'))
    try:
        features = np.load(path, mmap_mode='r') if about and digest_file(path) == about.get('digest') else None
    except Exception:  # a damaged or hostile file can raise anything
        return None
    whole = isinstance(features, np.ndarray) and features.dtype == np.float32 and features.ndim == 2
    return features if whole and len(features) == n_clips else None


def can_hold(folder: Path) -> bool:
    """Make a folder; return whether files can be written to it."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def keep(path: Path, features: np.ndarray, content: dict, limit: int) -> None:
    """Write features and their description, unless they need more than `limit` bytes or there is no space.

    Runs that do so at the same time write the same. Features without a description are not read.
    """
    if features.nbytes > limit:  # not much less work than to describe the clips
        return
    try:
        write_array(path, features)
        write_json(path.with_suffix('.json'), dict(digest=digest_file(path), shape=features.shape, **content))
    except (OSError, InputError):  # also a folder that was taken away meanwhile
        return


def describe_all(
    store: str, rows: Sequence[int], steps: Sequence[BaseEstimator], view: InputSpec, jobs: int, quiet: bool
) -> np.ndarray:
    """Describe clips of a store over workers, (len(rows), D)."""
    chunks = [rows[i : i + CHUNK] for i in range(0, len(rows), CHUNK)]
    tasks = [partial(describe, store, chunk, view, steps) for chunk in chunks]
    described = quick_ones_here(tasks, min(jobs, len(tasks)), threads=1)
    console = Console(stderr=True)
    shown = track(described, 'describing clips', len(chunks), console=console, transient=True, disable=quiet)
    features = {row: values for part in shown for row, values in part}
    return np.stack([features[row] for row in rows])


def describe(
    store: str, rows: Sequence[int], view: InputSpec, steps: Sequence[BaseEstimator], place: int
) -> list[tuple[int, np.ndarray]]:
    """Return each of some clips of a store with its features, (D,) float32; without a step these are its values."""
    values = np.stack([*viewed_clips(((store, row) for row in rows), view)])
    for step in steps:
        values = step.transform(values)
    return list(zip(rows, np.asarray(values, np.float32).reshape(len(values), -1), strict=True))
