"""Sections of a leaderboard: runs on the same data under the same protocol, with their rows and comparisons."""

from collections.abc import Callable
from dataclasses import dataclass, field

from mer_bench.errors import InputError
from mer_bench.results.ablations import compare
from mer_bench.results.families import Family, find_families
from mer_bench.results.rows import rescored_row, settings_of, summarise
from mer_bench.results.run import Run
from mer_bench.results.sanity import Bound, find_bound, judge

SAME = ('sample_id', 'y_true', 'subject')  # of the predictions of runs on the same data


@dataclass(frozen=True)
class Section:
    """Runs of the same data: `rows` in their order, and every full model with its ablations (`compare` of each).

    `not_compared` says which methods of a full model's name are compared with none, and why.
    """

    runs: list[Run]
    rows: list[dict]
    ablations: list[tuple[Family, list[dict]]] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)


def make_sections(runs: list[Run], table: str, bounds: dict[tuple[str, str], Bound]) -> list[Section]:
    """Make the sections of reproduced runs, in the order of their data; `bounds` are those of sanity_bounds.csv."""
    variants = [run for run in runs if is_variant(run)]
    return [
        _section(group, [run for run in variants if clips_key(run) == clips_key(group[0])], table, bounds)
        for group in group_by(runs, data_key).values()
    ]


def is_variant(run: Run) -> bool:
    """Say whether the run is an ablation of how the data were prepared: its clips lie in a store of their own."""
    return run.record['config'].get('data_variant') is not None


def group_by(runs: list[Run], key: Callable[[Run], tuple]) -> dict[tuple, list[Run]]:
    """Group runs by a key, groups in the order of their keys."""
    groups: dict[tuple, list[Run]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return dict(sorted(groups.items()))


def data_key(run: Run) -> tuple:
    """What two runs must share to stand in one table."""
    return *clips_key(run), run.record['data']['store_digest']


def clips_key(run: Run) -> tuple:
    """What two runs must share to be compared clip by clip."""
    record = run.record
    scheme = record['label_scheme']['digest']
    return record['dataset'], record['protocol'], scheme, record['data']['annotations_digest']


def method_key(run: Run) -> tuple:
    """What two runs on the same data must share to be seeds of one method."""
    record = run.record
    return record['method'], settings_of(run), record['epoch_rule'], record['source']


def methods_of(runs: list[Run]) -> list[list[Run]]:
    """Return the runs of one section by method, seeds in their order."""
    groups = group_by(runs, method_key).values()
    return [sorted(seeds, key=lambda run: run.record['seed']) for seeds in groups]


def _section(runs: list[Run], variants: list[Run], table: str, bounds: dict[tuple[str, str], Bound]) -> Section:
    """Rank the rows: rule `last` before the others, then UF1 descending, then the name.

    `variants` are the ablations of how the same clips were prepared: compared here, ranked in a section of their own.
    """
    own = [run for run in runs if not is_variant(run)]
    variants = variants if own else []
    check_same_data([*runs, *variants])
    methods = methods_of(runs)
    rows = [summarise(seeds, settings_of(seeds[0])) for seeds in methods]
    families, not_compared = find_families(methods_of([*own, *variants]))
    ablations = [(family, compare(family)) for family in families]
    _add_changes(rows, [row for _, compared in ablations for row in compared])
    for row in rows:
        row.update(judge(row, find_bound(bounds, table, row['method'])))
    names = [(row['method'], row['epoch_rule'], row['source']) for row in rows]
    for row, name in zip(rows, names, strict=True):
        if names.count(name) > 1:  # one name for two settings
            row['method'] += f' ({row["settings_digest"][:8]})'
    ranked = sorted(rows, key=lambda row: (row['epoch_rule'] != 'last', -row['uf1'], row['method']))
    return Section(runs, ranked, ablations, not_compared)


def _add_changes(rows: list[dict], compared: list[dict]) -> None:
    """Put the comparison with the full model into the rows, for the csv."""
    by_method = {(row['method'], row['settings_digest']): row for row in rows}
    for change in compared:
        row = by_method.get((change['method'], change['settings']))
        if row is None:  # of another store
            continue
        row['compared_with'] = change['full']
        row |= {key: change[key] for key in change if key.startswith(('change', 'only_', 'mcnemar_'))}


def check_same_data(runs: list[Run]) -> None:
    """Refuse runs whose predictions hold other clips or labels than those of the first."""
    truths = [{row[0]: row[1:] for row in zip(*(run.table[name] for name in SAME), strict=True)} for run in runs]
    for run, truth in zip(runs, truths, strict=True):
        if truth != truths[0]:
            raise InputError(
                f'{run.path}: expected the clips and labels of {runs[0].path}, as the digests of the data say, '
                'but predictions.csv holds others; run the same train command again'
            )


def rescored_rows(runs: list[Run]) -> list[dict]:
    """Return the rows of published predictions by UF1."""
    return sorted((rescored_row(run) for run in runs), key=lambda row: (-row['uf1'], row['method']))
