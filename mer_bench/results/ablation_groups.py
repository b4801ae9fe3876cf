"""Which methods are ablations of which full model, and which of them cannot be compared with it."""

import ast
from dataclasses import dataclass
from functools import lru_cache

from mer_bench.results.run import Run

Parts = frozenset[str]
NO_CONFIG = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)  # raised by ast for untrusted text


@dataclass(frozen=True)
class AblationGroup:
    """The runs of a full model and of its ablations, by the overrides that an ablation has beyond the full model.

    Attributes:
        full: name of the full model.
        runs: parts -> runs (one per seed); the full model is the empty set. Parts in the order of their merging.
    """

    full: str
    runs: dict[tuple[str, ...], list[Run]]

    @property
    def by_set(self) -> dict[Parts, list[Run]]:
        return {frozenset(parts): runs for parts, runs in self.runs.items()}


def group_methods(methods: list[list[Run]]) -> list[list[list[Run]]]:
    """Group `methods` (each the seeds of one method, on the same data) by config, base name and epoch rule."""
    groups: dict[tuple, list[list[Run]]] = {}
    for runs in methods:
        record = runs[0].record
        key = record['config']['name'], record['method'].split('+')[0], record['epoch_rule']
        groups.setdefault(key, []).append(runs)
    return list(groups.values())


def find_groups(methods: list[list[Run]]) -> tuple[list[AblationGroup], list[str]]:
    """Find the full models that have ablations among `methods` (each the seeds of one method, on the same data).

    The full model is the one of its group whose overrides all the others have too, with the same text and on the same
    config.

    Returns:
        The groups, and a sentence for each method that could not be compared with its group.
    """
    found, notes = [], []
    for group in group_methods(methods):
        if len(group) > 1:
            ablations, faults = _ablations_of(group)
            found += [ablations] if len(ablations.runs) > 1 else []
            notes += faults
    return found, notes


def _ablations_of(methods: list[list[Run]]) -> tuple[AblationGroup, list[str]]:
    """Take the methods in the order of their overrides; what does not fit those before it is left out."""
    order = sorted(methods, key=lambda runs: (len(names_of(runs)), names_of(runs)))
    full = order[0]
    equals = [runs for runs in order if len(names_of(runs)) == len(names_of(full))]
    if len(equals) > 1:
        found = ' and '.join(f'{_name(runs)} ({_digest(runs)})' for runs in equals)
        return AblationGroup(_name(full), {}), [
            f'Ablations of {_name(full).split("+")[0]} are not compared: {found} have equally few overrides, so the '
            'full model is ambiguous.'
        ]
    chosen, notes, digests = {(): full}, [], _digests(full)
    faults = {id(runs): _misfit(runs, full) for runs in order[1:]}
    fitting = [frozenset(names_of(runs)) for runs in order[1:] if not faults[id(runs)]]
    for runs in order[1:]:
        twice = fitting.count(frozenset(names_of(runs))) > 1 and 'another method has the same overrides'
        if fault := faults[id(runs)] or twice or _other_text(runs, digests):
            notes.append(f'{_name(runs)} ({_digest(runs)}) is not compared with {_name(full)}: {fault}.')
        else:
            chosen[_parts(runs, full)] = runs
            digests |= _digests(runs)
    in_order = sorted(chosen.items(), key=lambda pair: (len(pair[0]), pair[0]))
    return AblationGroup(_name(full), dict(in_order)), notes


def _misfit(runs: list[Run], full: list[Run]) -> str | None:
    """Return why a method is not an ablation of the full model; None if it is one."""
    if lacking := [name for name in names_of(full) if name not in names_of(runs)]:
        return f'it lacks the override {lacking[0]} of the full model'
    if keys := _other_keys(runs, full):
        return f'their configs differ in {", ".join(keys)}, which its overrides do not change'
    return _other_text(runs, _digests(full))


def _other_text(runs: list[Run], digests: dict[str, str]) -> str | None:
    """Return which override of a method is not the known one of its name."""
    others = [name for name, digest in _digests(runs).items() if digests.get(name, digest) != digest]
    return f'its override {others[0]} has another text' if others else None


def _parts(runs: list[Run], full: list[Run]) -> tuple[str, ...]:
    return tuple(name for name in names_of(runs) if name not in names_of(full))


def _other_keys(runs: list[Run], full: list[Run]) -> list[str]:
    """Return the top-level keys in which two merged configs differ though no override beyond the full model's does."""
    ours, theirs = (_values(method[0].record['config']['text']) for method in (runs, full))
    texts = [override['text'] for override in runs[0].record['overrides'] if override['name'] in _parts(runs, full)]
    changed = {key for text in texts for key in _keys_set(text)}
    return sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key) and key not in changed)


@lru_cache(256)
def _values(text: str) -> dict[str, str]:
    """Return the top-level assignments of a config, each value as text; none if it is not a config."""
    try:
        return {
            target.id: ast.dump(statement.value)
            for statement in ast.parse(text).body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name)
        }
    except NO_CONFIG:
        return {}


def _keys_set(text: str) -> set[str]:
    """Return the top-level keys that an override sets: of a file, or of JSON with dotted keys."""
    try:
        statement = ast.parse(text.replace('null', 'None'), mode='eval').body
        if isinstance(statement, ast.Dict):
            return {str(ast.literal_eval(key)).split('.')[0] for key in statement.keys if key is not None}
    except NO_CONFIG:
        return set(_values(text))
    return set()


def names_of(runs: list[Run]) -> list[str]:
    """Return the names of the overrides of a method."""
    return [override['name'] for override in runs[0].record['overrides']]


def _digests(runs: list[Run]) -> dict[str, str]:
    return {override['name']: override['digest'] for override in runs[0].record['overrides']}


def _name(runs: list[Run]) -> str:
    return runs[0].record['method']


def _digest(runs: list[Run]) -> str:
    """Return what distinguishes methods of one name."""
    return runs[0].record['config']['digest'][:8]
