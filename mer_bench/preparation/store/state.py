"""What is in the folder of a prepared data set: a whole store, a damaged one, or one of other settings."""

from pathlib import Path

from mer_bench.files import digest_of, read_own_json
from mer_bench.preparation.store.build import NAMED_PARAMETERS
from mer_bench.preparation.store.flow_store import PARTS, DamagedStore, FlowStore


def other_parameters(out: Path, parameters: dict) -> list[dict]:
    """Return what the finished store and unfinished builds in `out` were made with, where it is not `parameters`."""
    made = [read_own_json(out / 'store' / 'store.json')]
    made += [read_own_json(path) for path in sorted(out.glob('.store-*/parameters.json'))]
    return [old for old in made if old and old.get('parameters_digest', digest_of(old)) != digest_of(parameters)]


def is_complete(out: Path, parameters: dict) -> bool:
    """Return whether `out` holds the finished, undamaged store of these parameters."""
    return made_with(out, parameters) and damage(out, parameters) is None


def made_with(out: Path, parameters: dict) -> bool:
    """Return whether the finished store in `out` names these parameters as its own."""
    info = read_own_json(out / 'store' / 'store.json')
    return info is not None and info.get('parameters_digest') == digest_of(parameters)


def damage(out: Path, parameters: dict) -> str | None:
    """Return what of the store in `out` is damaged; None where nothing is, or where its parameters are others."""
    store = out / 'store'
    if not store.exists():
        return None
    if read_own_json(store / 'store.json') is None:
        return 'store.json is missing or cannot be read'
    if not made_with(out, parameters):
        return None
    if missing := [part for part in PARTS if not (store / part).is_file()]:
        return f'{missing[0]} is missing'
    try:
        FlowStore(store).check_clips()
    except DamagedStore as error:
        return f'{error.path.name}: {error.fault}'
    return None


def what_changed(old: dict, new: dict) -> str:
    """Name the parameters that differ, for the user; of a dict the keys that differ."""
    names = [name for name in NAMED_PARAMETERS if old.get(name) != new.get(name)]
    if 'flow' in names and 'flow_parameters' in names:
        names.remove('flow_parameters')  # they come with the method
    if 'apex' in names and 'spotting_regions' in names:
        names.remove('spotting_regions')  # they come with the apex
    changes = [change for name in names for change in differences(name, old.get(name), new.get(name))]
    return ', '.join(changes) or 'the clips or their frames'


def differences(name: str, old: object, new: object) -> list[str]:
    """Return 'name old -> new', for dicts one text per key that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        return [difference for key in keys for difference in differences(f'{name} {key}', old.get(key), new.get(key))]
    old, new = ('none' if value is None else value for value in (old, new))
    return [f'{name} {old} -> {new}']
