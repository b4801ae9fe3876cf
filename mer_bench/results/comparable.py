"""Which runs share a table: the same clips and labels, protocol and preparation. Decided here and nowhere else.

The digest of a store is no part of that: two processors, or two versions of OpenCV or dlib, compute optical flow and
aligned faces with other last digits from the same frames. It counts only where a record lacks settings of the
preparation, as those of early versions do.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mer_bench.files import digest_of
from mer_bench.preparation.store.flow_store import EITHER, SAME
from mer_bench.results.run import Run

SETTINGS = (*SAME, *EITHER)  # that every store.json has
SOMETIMES = ('dataset', 'synthetic', 'spotting_regions', 'levels')
OF_LIBRARIES = ('dlib',)  # a version among the settings of faces


class DataKey(NamedTuple):
    """What the runs of one table share.

    Attributes:
        clips: data set, protocol, digest of the label scheme, digest of the annotations: enough to compare two runs
            clip by clip.
        preparation: digest of its settings, or of the store if a record lacks some.
        frames: digest of the pictures that the store was made from; '' if no record says it.
    """

    clips: tuple[str, str, str, str]
    preparation: str
    frames: str


def data_keys(runs: Iterable[Run]) -> dict[Path, DataKey]:
    """Return what each run, by its path, must share with others to be in one table with them.

    Two digests are newer than the first records: that of the clips, which does not depend on where their frames lie,
    and that of the frames. What a record lacks is taken from a record of the same annotations.csv or flow.npy. A store
    of unknown frames belongs to the only known ones with its clips and settings, and else has a table of its own.
    """
    records = {run.path: run.record for run in runs}
    clips, preparations, frames = {}, {}, {}
    for record in records.values():
        data, store = record['data'], record['data']['store']
        for known, key, value in (
            (clips, data['annotations_digest'], data.get('clips_digest')),
            (preparations, data['store_digest'], preparation_of(store)),
            (frames, data['store_digest'], frames_of(store)),
        ):
            if value:
                known[key] = value
    keys = {}
    for path, record in records.items():
        table, store = (record['data'][name] for name in ('annotations_digest', 'store_digest'))
        place = record['dataset'], record['protocol'], record['label_scheme']['digest'], clips.get(table, table)
        keys[path] = DataKey(place, preparations.get(store, store), frames.get(store, ''))
    said: dict[tuple, set[str]] = {}
    for key in keys.values():
        said.setdefault(key[:2], set()).update({key.frames} - {''})
    return {
        path: key if key.frames or len(said[key[:2]]) != 1 else DataKey(*key[:2], *said[key[:2]])
        for path, key in keys.items()
    }


def preparation_of(store: dict) -> str | None:
    """Return the digest of the settings in a store.json, of several stores in any order; None if one is missing."""
    settings = []
    for part in store.get('stores') or [store]:
        if not all(name in part for name in SETTINGS):
            return None
        values = {name: part[name] for name in (*SETTINGS, *SOMETIMES) if name in part}
        if isinstance(values['faces'], dict):
            values['faces'] = {key: value for key, value in values['faces'].items() if key not in OF_LIBRARIES}
        settings.append(digest_of(values))
    return digest_of(sorted(settings))


def frames_of(store: dict) -> str | None:
    """Return the digest of the pictures that one or several stores were made from; None if it is not known of all."""
    digests = [part.get('frames_digest') for part in store.get('stores') or [store]]
    return None if None in digests else digest_of(sorted(digests))
