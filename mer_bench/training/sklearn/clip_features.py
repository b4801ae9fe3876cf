"""What the leading steps of a scikit-learn method, which learn nothing, make of every clip; kept beside the flow.

`store/features/<digest>.npy` has one row a clip of the store, so that all label schemes, folds, seeds and methods share
it; `<digest>.json` says of what it was made. The digest is that of all that decides the numbers: the steps with their
arguments, the view of a clip, the flow, the code and the libraries. The folder can be removed at any time.
"""

import inspect
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import joblib
import numpy as np
import scipy
from rich.console import Console
from rich.progress import track
from sklearn.base import BaseEstimator

from mer_bench.errors import InputError
from mer_bench.files import digest_file, digest_of, read_own_json, write_array, write_json
from mer_bench.loading.clip_table import open_store
from mer_bench.loading.clip_view import ClipView
from mer_bench.loading.prepared_data import PreparedData, viewed_clips
from mer_bench.preparation.store.build import FEATURES
from mer_bench.processes import follow_parent
from mer_bench.runs.record import versions

CHUNK = 16  # clips that one worker describes at a time
STARTED = time.time()
COMPUTED, KEPT = 'computed', 'kept with the store'


def clip_features(data: PreparedData, steps: Sequence[BaseEstimator], jobs: int, quiet: bool) -> tuple[np.ndarray, str]:
    """Describe the clips in use, by what is kept in their stores or anew.

    Args:
        data: The clips in use.
        steps: Transformers that learn nothing; without one the flat values are taken.
        jobs: Workers.
        quiet: Whether no bar is shown.

    Returns:
        (N, D) float32 in the order of the annotations; where they come from.
    """
    clips, origins, parts = data.annotations, [], {}
    for store, rows in clips.groupby('store')['row']:
        parts[store], origin = store_features(store, rows.to_numpy(), steps, data.view, jobs, quiet)
        origins.append(origin)
    features = np.stack([parts[store][row] for store, row in zip(clips['store'], clips['row'], strict=True)])
    return features, COMPUTED if COMPUTED in origins else KEPT


def store_features(
    store: str, rows: np.ndarray, steps: Sequence[BaseEstimator], view: ClipView, jobs: int, quiet: bool
) -> tuple[dict[int, np.ndarray] | np.ndarray, str]:
    """Return the features of at least the clips in `rows` of a store, by row, and where they come from."""
    content = made_of(store, steps, view)
    path = Path(store, FEATURES, f'{digest_of(content)[:16]}.npy')
    if unchanged(steps):
        if (kept := read_features(path, open_store(store).info['n_clips'])) is not None:
            return kept, KEPT
        if can_hold(path.parent):
            features = describe_all(store, range(open_store(store).info['n_clips']), steps, view, jobs, quiet)
            keep(path, features, content, limit=open_store(store).clips.nbytes)
            return features, COMPUTED
    return dict(zip(rows, describe_all(store, rows, steps, view, jobs, quiet), strict=True)), COMPUTED


def made_of(store: str, steps: Sequence[BaseEstimator], view: ClipView) -> dict:
    """Return all that decides the features, as JSON holds it."""
    files = source_files(steps)
    content = dict(
        steps=[[type(step).__module__, type(step).__qualname__, step.get_params()] for step in steps],
        view={key: value for key, value in asdict(view).items() if key != 'normalise'},
        store_digest=open_store(store).info['data_digest'],
        code={'/'.join(path.parts[-2:]): digest_file(path) for path in files},
        versions=versions() | library_versions(files),
    )
    return json.loads(json.dumps(content, default=str))


def source_files(steps: Sequence[BaseEstimator]) -> list[Path]:
    """Return our own code that decides the features: all that lies beside the view and the classes of the steps."""
    files = {Path(__file__)}
    for part in (viewed_clips, *(base for step in steps for base in type(step).__mro__)):
        if part.__module__.partition('.')[0] not in ('sklearn', 'builtins'):  # their versions say it
            files |= {*Path(inspect.getsourcefile(part)).parent.glob('*.py')}
    return sorted(files)


def unchanged(steps: Sequence[BaseEstimator]) -> bool:
    """Say whether the code on disk is what this process imported."""
    return all(path.stat().st_mtime < STARTED for path in source_files(steps))


def library_versions(files: Sequence[Path]) -> dict[str, str]:
    """Return the version of each library that the modules of some files import from, and of scipy."""
    names, own = {'scipy': scipy.__version__}, {*map(str, files)}
    for module in [*sys.modules.values()]:
        if getattr(module, '__file__', None) in own:
            for value in vars(module).values():
                name = value.__name__ if isinstance(value, ModuleType) else getattr(value, '__module__', None)
                library = sys.modules.get(str(name).partition('.')[0])
                if version := getattr(library, '__version__', None):
                    names[library.__name__] = str(version)
    return names


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
    """Say whether files can be written to a folder, which is made."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def keep(path: Path, features: np.ndarray, content: dict, limit: int) -> None:
    """Write features and of what they were made, unless they need more than `limit` bytes or there is no room.

    Runs that do so at the same time write the same; what stands between the two files is not read.
    """
    if features.nbytes > limit:  # not much less work than to describe the clips
        return
    try:
        write_array(path, features)
        write_json(path.with_suffix('.json'), dict(digest=digest_file(path), shape=features.shape, **content))
    except (OSError, InputError):  # also a folder that was taken away meanwhile
        return


def describe_all(
    store: str, rows: Sequence[int], steps: Sequence[BaseEstimator], view: ClipView, jobs: int, quiet: bool
) -> np.ndarray:
    """Describe clips of a store over workers, (len(rows), D)."""
    chunks = [rows[i : i + CHUNK] for i in range(0, len(rows), CHUNK)]
    parallel = joblib.Parallel(
        n_jobs=min(jobs, len(chunks)), return_as='generator', initializer=follow_parent, initargs=(os.getpid(),)
    )
    described = parallel(joblib.delayed(describe)(store, chunk, view, steps) for chunk in chunks)
    console = Console(stderr=True)
    shown = track(described, 'describing clips', len(chunks), console=console, transient=True, disable=quiet)
    return np.concatenate(list(shown))


def describe(store: str, rows: Sequence[int], view: ClipView, steps: Sequence[BaseEstimator]) -> np.ndarray:
    """Return what the steps make of some clips of a store, (len(rows), D) float32; without a step the flat values."""
    values = np.stack([clip.numpy() for clip in viewed_clips(((store, row) for row in rows), view)])
    for step in steps:
        values = step.transform(values)
    return np.asarray(values, np.float32).reshape(len(values), -1)
