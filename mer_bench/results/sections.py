"""Sections of a leaderboard: runs on the same data under the same protocol, with their rows, comparisons and notes."""

from dataclasses import dataclass, field

from mer_bench.errors import InputError
from mer_bench.evaluation.epoch_audit import CANDIDATES
from mer_bench.evaluation.statistics import detectable_difference
from mer_bench.results.ablation_groups import AblationGroup, find_groups
from mer_bench.results.ablations import ablation_blocks, compare, compare_ablations, reference_blocks
from mer_bench.results.blocks import Block, Heading, Notes, Paragraph, Table
from mer_bench.results.leak_meter import TEST_SELECTED, leak_blocks, leak_rows
from mer_bench.results.rows import METHOD, REPRODUCED, SETTINGS, distinct, score_column, slices_of, summarise
from mer_bench.results.run import Method, Run, group_by, methods_of
from mer_bench.results.sanity import Bound, judge

SIMPLE = 'logistic_regression'  # what a method should beat
SAME = ('sample_id', 'y_true', 'subject')  # of the predictions of runs on the same data
CHANGES = (
    *('reference', 'change', 'change_low', 'change_high', 'only_reference', 'only_method'),
    *('mcnemar_seed', 'mcnemar_p', 'mcnemar_p_holm'),
)  # what csv has of a comparison
OF_ABLATIONS = dict(reference='compared_with', only_reference='only_full', only_method='only_ablation')


@dataclass(frozen=True)
class Section:
    """Runs of the same data.

    Attributes:
        rows: in the order of the table.
        ablations: every full model with its ablations, and what `compare_ablations` returns of them.
        not_compared: sentences on the methods that could not be compared, with the reason.
        comparisons: the methods that all others are compared with, see :func:`_compare_all`: the one asked for, or on
            real data the best and a simple one.
        detectable: the smallest difference of UF1 to the first row that these subjects can show.
        leaks: the rows of the leak meter, see :mod:`mer_bench.results.leak_meter`.
    """

    runs: list[Run]
    rows: list[dict]
    ablations: list[tuple[AblationGroup, list[dict]]] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)
    comparisons: list[tuple[Method, list[dict], bool]] = field(default_factory=list)
    detectable: float | None = None
    leaks: list[dict] = field(default_factory=list)


def make_sections(
    runs: list[Run], table: str, bounds: dict[tuple[str, str], Bound], reference: str | None = None
) -> list[Section]:
    """Make the sections of reproduced runs, in the order of their data.

    Args:
        bounds: those of sanity_bounds.csv.
        reference: the method that every other one is compared with.
    """
    variants = [run for run in runs if is_variant(run)]
    return [
        _section(group, [run for run in variants if clips_key(run) == clips_key(group[0])], table, bounds, reference)
        for group in group_by(runs, data_key).values()
    ]


def is_variant(run: Run) -> bool:
    """Return whether the run is an ablation of the preparation: its clips come from another store."""
    return run.record['config'].get('data_variant') is not None


def data_key(run: Run) -> tuple:
    """What two runs must share to be in one table."""
    return *clips_key(run), run.record['data']['store_digest']


def clips_key(run: Run) -> tuple:
    """What two runs must share to be compared clip by clip."""
    record = run.record
    scheme = record['label_scheme']['digest']
    return record['dataset'], record['protocol'], scheme, record['data']['annotations_digest']


def _section(
    runs: list[Run], variants: list[Run], table: str, bounds: dict[tuple[str, str], Bound], reference: str | None
) -> Section:
    """Rank the rows: rule `last` before the others, then UF1 descending, then the name.

    `variants` are ablations of the preparation of the same clips: compared here, ranked in their own section.
    """
    if selected := next((run for run in runs if run.record['epoch_rule'] == TEST_SELECTED), None):
        raise InputError(
            f'{selected.path}: its epoch was chosen on the test subjects ({TEST_SELECTED}), so no leaderboard '
            'ranks it; train with --audit-epochs, which puts such a number into the leak meter'
        )
    own = [run for run in runs if not is_variant(run)]
    variants = variants if own else []
    check_same_data([*runs, *variants])
    methods = methods_of(runs)
    rows = [summarise(method) for method in methods]
    groups, not_compared = find_groups(methods_of([*own, *variants]))
    ablations = [(group, compare_ablations(group)) for group in groups]
    by_method = {(row['method'], row['settings_digest']): row for row in rows}
    for change in (change for _, changes in ablations for change in changes):
        if row := by_method.get((change['method'], change['settings'])):  # none where it is of another store
            row |= {OF_ABLATIONS.get(key, key): change[key] for key in CHANGES}
    for row in rows:
        row.update(judge(row, bounds, table))
    if any('leak_audit' in row for row in rows):
        for row in rows:
            row.setdefault('leak_audit', 'not audited')
    names = [(row['method'], row['epoch_rule'], row['source']) for row in rows]
    for row, name in zip(rows, names, strict=True):
        if names.count(name) > 1:  # one name for two settings
            row['method'] += f' ({row["settings_digest"][:8]})'
    pairs = zip(rows, methods, strict=True)
    pairs = sorted(pairs, key=lambda pair: (pair[0]['epoch_rule'] != 'last', -pair[0]['uf1'], pair[0]['method']))
    rows, methods = ([pair[part] for pair in pairs] for part in (0, 1))
    if reference is not None:
        references = {'against': reference}
    else:  # drawn faces show no method better than another
        references = {} if runs[0].synthetic else {'best': rows[0]['method'], SIMPLE: SIMPLE}
    comparisons = [found for key, name in references.items() if (found := _compare_all(rows, methods, name, key))]
    if reference is not None and not comparisons:
        not_compared.append(
            f'No method is compared with {reference} here: it is the only method, or did not run on these data.'
        )
    if len(comparisons) == 2 and comparisons[0][0] is comparisons[1][0]:  # the simple one is the best
        comparisons.pop()
    best, *others = [method.counts for _, method in pairs]
    detectable = detectable_difference(best, others, 'uf1')
    named = [(row['method'], method.runs) for row, method in pairs]
    leaks = leak_rows(named) + leak_rows(named, CANDIDATES)
    return Section(runs, rows, ablations, not_compared, comparisons, detectable, leaks)


def _compare_all(
    rows: list[dict], methods: list[Method], reference: str, key: str
) -> tuple[Method, list[dict], bool] | None:
    """Compare every method with one, best first, and put the comparison into its row, for the csv, as `<key>_...`.

    Returns:
        The reference, the comparisons, and whether it was taken because it is the best; None without two methods.
    """
    names = [row['method'] for row in rows]
    if reference not in names or len(names) < 2:
        return None
    chosen = methods[names.index(reference)]
    others = {}
    for row, name, method in zip(rows, names, methods, strict=True):
        if method is not chosen:
            others[name if names.count(name) == 1 else f'{name}, {row["epoch_rule"]}'] = row, method
    against = compare(chosen, {name: method for name, (_, method) in others.items()})
    for change in against:
        others[change['name']][0].update({f'{key}_{part}': change[part] for part in CHANGES})
    return chosen, sorted(against, key=lambda row: (-row['uf1'], row['name'])), key == 'best'


def check_same_data(runs: list[Run]) -> None:
    """Refuse runs whose clips or labels differ from those of the first run."""
    truths = [{row[0]: row[1:] for row in zip(*(run.table[name] for name in SAME), strict=True)} for run in runs]
    for run, truth in zip(runs, truths, strict=True):
        if truth != truths[0]:
            raise InputError(
                f'{run.path}: expected the clips and labels of {runs[0].path}, since the digests of the data agree, '
                'but predictions.csv has others; run the same train command again'
            )


def section_blocks(section: Section) -> list[Block]:
    """Lay out one section."""
    first, run = section.rows[0], section.runs[0]
    synthetic = ' (synthetic data)' if run.synthetic else ''
    heading = f'{first["dataset"]}{synthetic}, {first["protocol"]}, data {first["store_digest"][:8]}'
    blocks: list[Block] = [Heading(2, heading), Table(REPRODUCED, section.rows, 'Reproduced here')]
    if slices_of(run):
        blocks += _slices(run, section.rows)
    if any('au_f1' in row for row in section.rows):
        blocks += _action_units(run, section.rows)
    blocks.append(Notes(tuple(_notes(section))))
    for comparison in section.comparisons:
        blocks += reference_blocks(*comparison)
    for group, rows in section.ablations:
        blocks += ablation_blocks(group, rows)
    blocks += leak_blocks(section.leaks)
    return [*blocks, Heading(3, 'Settings of each row'), Table(SETTINGS, section.rows)]


def _slices(run: Run, rows: list[dict]) -> list[Block]:
    datasets = slices_of(run)
    clips = ', '.join(f'{name} {run.scores[name]["n"]}' for name in datasets)
    columns = [
        score_column(f'{name}_{score.lower()}', f'{name} {score}') for name in datasets for score in ('UF1', 'UAR')
    ]
    caption = 'The same predictions per data set'
    return [Paragraph(f'{caption} (clips: {clips}):'), Table([METHOD, *columns], rows, caption)]


def _action_units(run: Run, rows: list[dict]) -> list[Block]:
    datasets = slices_of(run)
    columns = [METHOD, score_column('au_f1', 'mean F1')]
    if datasets:
        columns += [score_column('au_f1_mean', 'mean of data sets')]
        columns += [score_column(f'{name}_au_f1', name) for name in datasets]
    caption = 'Action units: the mean over the units of their F1 at threshold 0.5, pooled'
    caption += ', and of each data set' if datasets else ''
    return [Paragraph(f'{caption}:'), Table(columns, rows, caption)]


def _notes(section: Section) -> list[str]:
    """Return sentences on scores, intervals, data, epoch rules and software of a section."""
    runs, rows = section.runs, section.rows
    notes = [_note_on_scores(runs[0]), _note_on_intervals(rows), _note_on_data(runs[0])]
    if rules := {row['epoch_rule'] for row in rows} - {'last'}:
        notes.append(
            f'Epoch rule {", ".join(sorted(rules))}: the epoch was chosen by a score, not fixed beforehand, so these '
            'rows look better than they are. They are listed below the others and cannot be compared with them.'
        )
    if section.detectable is not None:
        notes.append(_note_on_power(section.detectable, rows))
    return [*notes, *section.not_compared, _note_on_software(runs)]


def _note_on_power(detectable: float, rows: list[dict]) -> str:
    return (
        f'Power: these {rows[0]["subjects"]} subjects can show a difference of about {detectable:.2g} in UF1. A paired '
        'test at 5 % finds a true difference of this size to the first row in 80 % of cases (2.8 standard errors, '
        'bootstrap over the subjects, median over the other methods).'
    )


def _note_on_scores(run: Run) -> str:
    classes, counts = run.record['classes'], run.scores['full']['confusion_matrix']
    absent = [name for name, row in zip(classes, counts, strict=True) if not sum(row)]
    return (
        f'Scores: the predictions of all {run.record["folds"]["total"]} folds are pooled into one table and scored '
        f'once; UF1 and UAR are unweighted means over the classes {", ".join(classes)}.'
        + f' No clip is of class {" or ".join(absent)}, whose recall and F1 count as 0.'
        * bool(absent)
    )


def _note_on_intervals(rows: list[dict]) -> str:
    seeds = ' of the mean over the seeds' if any(row['seeds'] > 1 for row in rows) else ''
    spread = ' The number after ± is the standard deviation over the seeds.' if seeds else ''
    if rows[0]['subjects'] == 1:
        return f'Intervals: none, because all clips are of one subject.{spread}'
    return (
        f'Intervals: 95 % percentile intervals of UF1{seeds}, 1000 bootstrap resamples of the '
        f'{rows[0]["subjects"]} subjects.{spread} Overlapping intervals do not show which of two methods is better: '
        'all rows use the same clips, so use a paired test.'
    )


def _note_on_data(run: Run) -> str:
    record, full = run.record, run.scores['full']
    store, digests = record['data']['store'], record['data']
    counts = ', '.join(
        f'{sum(row)} {name}' for name, row in zip(record['classes'], full['confusion_matrix'], strict=True)
    )
    size = ' x '.join(map(str, store.get('size', ['unknown'])))
    kind = 'synthetic, no recorded faces; ' if run.synthetic else ''
    n, n_subjects = full['n'], full['n_subjects']
    return (
        f'Data: {kind}{n} clips ({counts}), {n_subjects} subject{"s" * (n_subjects > 1)}; optical flow '
        f'{store.get("flow", "unknown")}, clip length {store.get("clip_len", "unknown")} of {size} pixels, '
        f'apex {_as_text(store.get("apex", "unknown"))}, faces {_as_text(store.get("faces", "unknown"))}; '
        f'digests: annotations {digests["annotations_digest"][:12]}, store {digests["store_digest"][:12]}.'
        + ''.join(f' {note[:1].upper()}{note[1:]}.' for note in record.get('notes', []))
    )


def _as_text(value: object) -> str:
    """Return a value of store.json as text; faces are described by their detector alone."""
    if not isinstance(value, dict):
        return str(value)
    if 'detector' in value:
        return value['detector'] + ' stabilised' * bool(value.get('stabilise'))
    return ', '.join(f'{name} {_as_text(part)}' for name, part in value.items())


def _note_on_software(runs: list[Run]) -> str:
    names = dict.fromkeys(name for run in runs for name in run.record['versions'])
    versions = [f'{name} {distinct(run.record["versions"].get(name) for run in runs)}' for name in names]
    dates = sorted(day for run in runs for day in run.record['date'].split(', '))
    period = dates[0] if dates[0] == dates[-1] else f'{dates[0]} to {dates[-1]}'
    return f'Software: {", ".join(versions)}; runs of {period}.'
