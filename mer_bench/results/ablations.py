"""Ablations and comparisons within a section.

First which methods are ablations of which full model, and which cannot be compared with it; then the comparisons:
ablations against the full model, main effects of a full grid, all methods against one. All changes are of UF1, mean
over the seeds, on the same clips; the intervals leave out the same subject of every method.
"""

import ast
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from statistics import median

from mer_bench.evaluation.intervals import MEASURED
from mer_bench.evaluation.statistics import (
    contrast,
    detectable_difference,
    holm,
    mcnemar,
    seeds_needed,
    signed,
)
from mer_bench.results.blocks import Block, Column, Heading, Notes, Paragraph, Table
from mer_bench.results.methods import display_name, display_names
from mer_bench.results.rows import rounded
from mer_bench.results.run import Method

Parts = frozenset[str]
NO_CONFIG = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)  # raised by ast for untrusted text
CHANGE_KEYS = ('change', 'change_low', 'change_high')


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


def compare(reference: Method, others: dict[str, Method]) -> list[dict]:
    """Compare methods with one reference on the same clips.

    Returns:
        Per method: name (its key in `others`), display_name, method, reference, settings, uf1, seeds, change,
        change_low, change_high, seeds_needed, only_reference and only_method (clips that one of the two alone predicts
        correctly, of one seed), mcnemar_seed, mcnemar_p, and mcnemar_p_holm, corrected for the number of comparisons.
    """
    shown = display_names(others)
    rows = [_compare(name, method, reference) | {'display_name': shown[name]} for name, method in others.items()]
    for row, p in zip(rows, holm([row['mcnemar_p'] for row in rows]), strict=True):
        row['mcnemar_p_holm'] = p
    return [rounded(row) for row in rows]


def compare_ablations(group: AblationGroup) -> list[dict]:
    """Compare every ablation of a group with its full model."""
    return compare(group.full, {'+'.join(parts): method for parts, method in group.methods.items() if parts})


def _compare(name: str, method: Method, reference: Method) -> dict:
    seed = min(reference.seeds.keys() & method.seeds.keys(), default=None)
    # the first of each where they have no seed in common
    first, second = (each.runs[0] if seed is None else each.seeds[seed] for each in (reference, method))
    test = mcnemar(first.predictions, second.predictions)
    return {
        'name': name,
        'method': method.name,
        'reference': reference.name,
        'settings': method.settings,
        'uf1': method.uf1,
        **_change([method, reference], [1, -1]),
        'seeds_needed': seeds_needed(method.counts, reference.counts, 'uf1'),
        'seeds': len(method.runs),
        'only_reference': test['only_first'],
        'only_method': test['only_second'],
        'mcnemar_seed': seed,
        'mcnemar_p': test['p'],
    }


def _change(methods: list[Method], weights: list[float]) -> dict:
    estimate = contrast([method.counts for method in methods], weights, 'uf1')
    return dict(zip(CHANGE_KEYS, estimate, strict=True))


def find_grids(group: AblationGroup) -> list[tuple[str, ...]]:
    """Return the sets of two or more parts of which every combination has run, largest first, none within another."""
    known = group.by_set
    grids: list[tuple[str, ...]] = []
    for parts in sorted(group.methods, key=lambda parts: (-len(parts), parts)):
        complete = all(subset in known for subset in subsets_of(parts))
        if len(parts) > 1 and complete and not any(set(parts) <= set(grid) for grid in grids):
            grids.append(parts)
    return grids


def main_effects(group: AblationGroup, parts: tuple[str, ...]) -> list[dict]:
    """Return the main effect of each part of a full grid, and the interactions of two.

    The main effect of a part is the mean, over all combinations of the other parts, of the change that it makes. The
    interaction of two is the mean change of one where the other is ablated as well, less that where it is not.

    Returns:
        Per effect: effect (one or two parts), change, change_low, change_high.
    """
    subsets = list(subsets_of(parts))
    methods = [group.by_set[subset] for subset in subsets]
    effects = [*combinations(parts, 1), *combinations(parts, 2)]
    weights = {effect: [effect_weight(effect, subset, len(parts)) for subset in subsets] for effect in effects}
    return [rounded({'effect': effect, **_change(methods, weights[effect])}) for effect in effects]


def effect_weight(effect: tuple[str, ...], subset: Parts, n_parts: int) -> float:
    """Return the weight of one method of a 2^n grid in an effect: -1 or 1 over the number of pairs compared."""
    present = sum(part in subset for part in effect)
    return (-1) ** (len(effect) - present) / 2 ** (n_parts - len(effect))


def subsets_of(parts: Iterable[str]) -> Iterable[Parts]:
    """Return every combination of `parts`, the empty one first."""
    parts = tuple(parts)
    return (frozenset(chosen) for size in range(len(parts) + 1) for chosen in combinations(parts, size))


def _probability(p: float) -> str:
    return '<0.001' if p < 0.001 else f'{p:.3f}'


def _interval(row: dict) -> str:
    low, high = row['change_low'], row['change_high']
    return 'one subject' if low is None else f'[{signed(low, 3)}, {signed(high, 3)}]'


CHANGE = [
    Column('change', 'change of UF1', lambda row: signed(row['change'], 3), 'right'),
    Column('interval', '95 % interval', _interval),
]
EFFECTS = [Column('effect', 'effect', lambda row: ' x '.join(map(display_name, row['effect']))), *CHANGE]


def _columns(method: str) -> list[Column]:
    """Return the columns of a comparison, with the word for what is compared."""
    return [
        Column.of('display_name', method),
        Column('uf1', 'UF1', lambda row: f'{row["uf1"]:.3f}', 'right'),
        *CHANGE,
        Column('alone', 'right alone', lambda row: f'{row["only_reference"]} : {row["only_method"]}', 'right'),
        Column('p', 'McNemar p', lambda row: _probability(row['mcnemar_p']), 'right'),
        Column('p_holm', 'p, Holm', lambda row: _probability(row['mcnemar_p_holm']), 'right'),
    ]


def ablation_blocks(group: AblationGroup, rows: list[dict]) -> list[Block]:
    """Lay out the ablations of one full model, then the main effects of every full grid among them."""
    full = group.full
    power = note_on_power([(full, method) for parts, method in group.methods.items() if parts], 'to the full model')
    blocks = _blocks(f'Ablations of {display_name(full.name)}', 'the full model', 'ablation', full, rows, power)
    for parts in find_grids(group):
        blocks += _effect_blocks(group, parts)
    return blocks


def reference_blocks(reference: Method, rows: list[dict], role: str = '', note: str = '') -> list[Block]:
    """Lay out the comparison of every method with one.

    Args:
        reference: That one.
        rows: What :func:`compare` returned.
        role: Words before its name in the title.
        note: A sentence for the end of the notes.
    """
    name = display_name(reference.name)
    return _blocks(f'Every method against {role}{name}', name, 'method', reference, rows, note)


def _blocks(title: str, name: str, word: str, reference: Method, rows: list[dict], note: str) -> list[Block]:
    trainings = f', mean of {len(reference.runs)} seeds' if len(reference.runs) > 1 else ''
    against = f'against {name} (UF1 {reference.uf1:.3f}{trainings})'
    notes = [*_notes(reference, rows, word), *filter(None, [note]), plain_sentence(reference, rows, word)]
    return [
        Heading(3, title),
        Paragraph(f'Change of UF1 {against} on the same {reference.record["n_clips"]} clips:'),
        Table(_columns(word), rows, f'Change {against}'),
        Notes(tuple(notes)),
    ]


def _several_seeds(reference: Method, rows: list[dict]) -> bool:
    return max([len(reference.runs), *(row['seeds'] for row in rows)]) > 1


def note_on_power(pairs: Sequence[tuple[Method, Method]], between: str) -> str:
    """Return a sentence on the smallest difference that the subjects of these pairs of methods can show.

    Args:
        pairs: Methods on the same clips.
        between: What the difference is between, after the word difference.
    """
    found = detectable_difference([(first.counts, second.counts) for first, second in pairs], 'uf1')
    if found is None:
        return 'Power: not known, because it takes two subjects, and two methods whose predictions differ.'
    middle = ', median over all pairs that differ' if len(pairs) > 1 else ''
    return (
        f'Power: these {pairs[0][0].record["n_subjects"]} subjects can show a difference of about {found:.2g} in UF1 '
        f'{between}. A paired test at 5 % finds a true difference of this size in 80 % of cases: 2.8 standard errors '
        f'of the difference (jackknife over the subjects{middle}). For networks with one seed, the randomness of '
        'training comes on top.'
    )


def _notes(reference: Method, rows: list[dict], word: str) -> list[str]:
    several = _several_seeds(reference, rows)
    chance = (
        'A method with several seeds counts with the mean of their UF1, and its interval covers the choice of '
        'the seeds; one with a single seed counts with its one training, whose randomness is not included.'
        if several
        else 'Each method was trained once: the randomness of training (initial weights, clip order) is not included.'
    )
    seed = ' (one training of each: the first seed that both have, or else the first of each)' if several else ''
    open_question = 'whether the part helps' if word == 'ablation' else 'which method is better'
    n_subjects = reference.record['n_subjects']
    notes = [
        f'Intervals: paired over the {n_subjects} subjects, each left out once of both methods. {chance} An interval '
        f'that contains 0 does not show {open_question}.'
        if n_subjects > 1
        else 'Intervals: none, because all clips are of one subject.',
        f'McNemar: exact test on the clips that only one of the two predicts correctly{seed}. Right alone: their '
        f'numbers, {"the full model" if word == "ablation" else "the reference"} : the {word}. The test treats clips '
        'as independent, but those of one subject are alike, so p tends to be too small.',
    ]
    if needed := [row['seeds_needed'] for row in rows if row['seeds_needed']]:
        seeds = math.ceil(median(needed))
        notes.append(
            f'Seeds: with {seeds} seed{"s" * (seeds > 1)} a method, these intervals are at most 10 % wider than with '
            'endlessly many (median over the rows with several seeds); only more subjects narrow them further.'
        )
    if len(rows) > 1:
        notes.append(
            f'Multiple comparisons: of {len(rows)} intervals at 95 %, one in twenty is expected to miss the truth by '
            f'chance. The last column corrects p for all {len(rows)} (Holm); the intervals are not corrected.'
        )
    return notes


def plain_sentence(reference: Method, rows: list[dict], word: str) -> str:
    """Return what a table shows in one sentence for readers who know none of the scores."""
    people = reference.record['n_subjects']
    if people < MEASURED:
        are = 'people are' if people > 1 else 'person is'
        return f'In plain words: {people} {are} too few to say what is better for others.'
    better, worse = sum(row['change_low'] > 0 for row in rows), sum(row['change_high'] < 0 for row in rows)
    start, name, chance = (
        f'In plain words: on these {people} people',
        display_name(reference.name),
        'by more than chance often gives',
    )
    if len(rows) == 1:
        told = f'did {"better" if better else "worse"} than {name} {chance}' if better + worse else ''
        return f'{start}, {rows[0]["display_name"]} {told or f"cannot be told apart from {name}"}.'
    words = 'versions' if word == 'ablation' else f'{word}s'
    return (
        f'{start}, {better} of {len(rows)} {words} did better than {name} {chance}, {worse} did worse, and '
        f'{len(rows) - better - worse} cannot be told apart from it. Of twenty {words} just as good, one would '
        'seem better or worse by chance.'
    )


def _effect_blocks(group: AblationGroup, parts: tuple[str, ...]) -> list[Block]:
    size = ' x '.join(['2'] * len(parts))
    title = f'Main effects over the {size} grid of {", ".join(map(display_name, parts))}'
    note = (
        f'A main effect is the change that one ablation makes, averaged over the {2 ** (len(parts) - 1)} combinations '
        'of the others. An interaction (a x b) is the mean change by a when b is ablated too, minus that when b is '
        'kept. Intervals are paired over subjects as above and not corrected for multiple comparisons.'
    )
    rows = main_effects(group, parts)
    return [Heading(4, title), Table(EFFECTS, rows, 'Main effects and interactions'), Notes((note,))]
