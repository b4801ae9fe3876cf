"""Which methods are ablations of which full model, and which of them cannot be compared with it."""

import ast
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from mer_bench.results.run import Method

Parts = frozenset[str]
NO_CONFIG = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)  # raised by ast for untrusted text


@dataclass(frozen=True)
class AblationGroup:
    """A full model and its ablations, by the overrides that an ablation has beyond the full model.

    Attributes:
        methods: parts -> method; the full model is the empty set. Parts in the order of their merging.
    """

    methods: dict[tuple[str, ...], Method]

    @property
    def full(self) -> Method:
        return self.methods[()]

    @property
    def by_set(self) -> dict[Parts, Method]:
        return {frozenset(parts): method for parts, method in self.methods.items()}


def group_methods(methods: list[Method]) -> list[list[Method]]:
    """Group methods on the same data by config, base name and epoch rule, and these into families.

    A family is of methods each of which has one override more than another, so the ablations of a model in a reduced
    form are compared with that form, where it has run. What is alone belongs to the family with the fewest overrides.
    """
    groups: dict[tuple, list[Method]] = {}
    for method in methods:
        key = method.record['config']['name'], method.base, method.record['epoch_rule']
        groups.setdefault(key, []).append(method)
    return [family for group in groups.values() for family in _families(group)]


def find_groups(methods: list[Method]) -> tuple[list[AblationGroup], list[str]]:
    """Find the full models that have ablations among methods on the same data.

    The full model is the one of its group whose overrides all the others have too, with the same text and on the same
    config.

    Returns:
        The groups, and a sentence for each method that could not be compared with its group.
    """
    found, notes = [], []
    for group in group_methods(methods):
        full, *others = sorted(group, key=lambda method: (len(method.overrides), [*method.overrides]))
        equals = [method for method in group if len(method.overrides) == len(full.overrides)]
        if len(equals) > 1:
            names = ' and '.join(sorted(method.title for method in equals))
            notes.append(
                f'Ablations of {full.base} are not compared: {names} have equally few overrides, so the '
                'full model is ambiguous.'
            )
            continue
        ablations, faults = _ablations_of(full, others)
        notes += faults
        if ablations:
            found.append(AblationGroup({(): full, **ablations}))
    return found, notes


def _families(group: list[Method]) -> list[list[Method]]:
    families: list[list[Method]] = []
    for method in sorted(group, key=lambda method: len(method.overrides)):
        near = [family for family in families if any(_one_apart(method, other) for other in family)]
        families = [family for family in families if family not in near]
        families.append([*(other for family in near for other in family), method])
    families.sort(key=lambda family: min(len(method.overrides) for method in family))
    first, *others = families
    alone = [family[0] for family in others if len(family) == 1]
    return [first + alone, *(family for family in others if len(family) > 1)]


def _one_apart(method: Method, other: Method) -> bool:
    """Return whether a method has all overrides of another and one more."""
    return other.overrides.keys() < method.overrides.keys() and len(method.overrides) == len(other.overrides) + 1


def _ablations_of(full: Method, others: list[Method]) -> tuple[dict[tuple[str, ...], Method], list[str]]:
    """Take the methods in the order of their overrides; what does not fit those before it is left out."""
    chosen, notes, digests = {}, [], full.overrides
    sets = Counter(frozenset(method.overrides) for method in others if not _misfit(method, full))
    for method in others:
        twice = sets[frozenset(method.overrides)] > 1 and 'another method has the same overrides'
        if fault := _misfit(method, full) or twice or _other_text(method, digests):
            notes.append(f'{method.title} is not compared with {full.name}: {fault}.')
        else:
            chosen[_parts(method, full)] = method
            digests = digests | method.overrides
    return dict(sorted(chosen.items(), key=lambda pair: (len(pair[0]), pair[0]))), notes


def _misfit(method: Method, full: Method) -> str | None:
    """Return why a method is not an ablation of the full model; None if it is one."""
    if lacking := [name for name in full.overrides if name not in method.overrides]:
        return f'it lacks the override {lacking[0]} of the full model'
    if keys := _other_keys(method, full):
        return f'their configs differ in {", ".join(keys)}, which its overrides do not change'
    return _other_text(method, full.overrides)


def _other_text(method: Method, digests: dict[str, str]) -> str | None:
    """Return which override of a method is not the known one of its name."""
    others = [name for name, digest in method.overrides.items() if digests.get(name, digest) != digest]
    return f'its override {others[0]} has another text' if others else None


def _parts(method: Method, full: Method) -> tuple[str, ...]:
    return tuple(name for name in method.overrides if name not in full.overrides)


def _other_keys(method: Method, full: Method) -> list[str]:
    """Return the top-level keys in which two merged configs differ though no override beyond the full model's does."""
    ours, theirs = (_values(each.record['config']['text']) for each in (method, full))
    parts = _parts(method, full)
    texts = [override['text'] for override in method.record['overrides'] if override['name'] in parts]
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
