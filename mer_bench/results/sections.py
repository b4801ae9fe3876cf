"""Sections of a leaderboard: runs on the same data under the same protocol, with their rows, comparisons and notes."""

from dataclasses import dataclass, field, replace
from itertools import combinations

from mer_bench.errors import InputError
from mer_bench.evaluation.epoch_audit import CANDIDATES
from mer_bench.files import digest_of
from mer_bench.results.ablations import (
    AblationGroup,
    ablation_blocks,
    compare,
    compare_ablations,
    find_groups,
    note_on_power,
    reference_blocks,
)
from mer_bench.results.blocks import Block, Cell, Heading, Notes, Paragraph, Table
from mer_bench.results.comparable import data_keys, frames_of, preparation_of
from mer_bench.results.leak_meter import TEST_SELECTED, leak_blocks, leak_rows
from mer_bench.results.methods import display_name, display_names
from mer_bench.results.record import HONEST
from mer_bench.results.rows import (
    DETAILS,
    METHOD,
    NAMED,
    REPRODUCED,
    distinct,
    score_column,
    slices_of,
    summarise,
    tied_with_best,
    with_ranks,
)
from mer_bench.results.run import Method, Run, group_by, methods_of, store_of
from mer_bench.results.sanity import Bound, judge

SIMPLE = 'logistic_regression'  # what a method should beat
LEARN_NOTHING = ('majority', 'class_prior')  # of a clip
CALIBRATION = [
    METHOD,
    score_column('ece', 'ECE', -1),
    score_column('brier', 'Brier score', -1),
    score_column('scaled_ece', 'ECE after scaling', -1),
    score_column('scaled_brier', 'Brier score after scaling', -1),
]
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
        comparisons: for each key of :func:`_references` its method, and the comparison of all others with it.
        power: a sentence on the difference that these subjects can show; empty with a single method.
        leaks: the rows of the leak meter, see :mod:`mer_bench.results.leak_meter`.
        title: what the runs share, in words; another section of the same page has others.
        methods: those of the rows, in their order.
    """

    runs: list[Run]
    rows: list[dict]
    ablations: list[tuple[AblationGroup, list[dict]]] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)
    comparisons: dict[str, tuple[Method, list[dict]]] = field(default_factory=dict)
    power: str = ''
    leaks: list[dict] = field(default_factory=list)
    title: str = ''
    methods: list[Method] = field(default_factory=list)


def make_sections(
    runs: list[Run], table: str, bounds: dict[tuple[str, str], Bound], reference: str | None = None
) -> list[Section]:
    """Make the sections of reproduced runs, in the order of their data.

    Args:
        bounds: those of sanity_bounds.csv.
        reference: the method that every other one is compared with.
    """
    keys = data_keys(runs)
    groups = group_by(runs, lambda run: keys[run.path])
    titles = [_title(group[0]) for group in groups.values()]
    sections = []
    for (key, group), title in zip(groups.items(), titles, strict=True):
        variants = [run for run in runs if is_variant(run) and keys[run.path].clips == key.clips]
        section = _section(group, variants, table, bounds, reference)
        unique = title if titles.count(title) == 1 else f'{title}, data {digest_of(key)[:8]}'
        sections.append(replace(section, title=unique))
    return sections


def _title(run: Run) -> str:
    """Return 'smic (synthetic data), LOSO, smic_3class, 72 clips, tvl1 16 x 112 x 112, faces dlib'."""
    record, store = run.record, run.record['data']['store']
    place = f'{record["dataset"]}{" (synthetic data)" * run.synthetic}, {record["protocol"]}'
    shape = ' x '.join(map(str, (store.get('clip_len', 'unknown'), *store.get('size', ()))))
    flow, faces = store.get('flow', 'unknown'), _as_text(store.get('faces', 'unknown'))
    return f'{place}, {record["n_clips"]} clips, {flow} {shape}, faces {faces}'


def is_variant(run: Run) -> bool:
    """Return whether the run is an ablation of the preparation: its clips come from another store."""
    return run.record['config'].get('data_variant') is not None


def _section(
    runs: list[Run], variants: list[Run], table: str, bounds: dict[tuple[str, str], Bound], reference: str | None
) -> Section:
    """Rank the rows: epoch rules that are honest before the others, then UF1 descending, then the name.

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
    compared = [method for method in methods_of([*own, *variants]) if not method.repeat]
    groups, not_compared = find_groups(compared)
    ablations = [(group, compare_ablations(group)) for group in groups]
    by_method = {
        (row['method'], row['settings_digest']): row
        for row, method in zip(rows, methods, strict=True)
        if not method.repeat
    }
    for change in (change for _, changes in ablations for change in changes):
        if row := by_method.get((change['method'], change['settings'])):  # none where it is of another store
            row |= {OF_ABLATIONS.get(key, key): change[key] for key in CHANGES}
    for row in rows:
        row.update(judge(row, bounds, table))
    if any('leak_audit' in row for row in rows):
        for row in rows:
            row.setdefault('leak_audit', 'not audited')
    names = [(row['method'], row['epoch_rule'], row['source']) for row in rows]
    first = [name for name, method in zip(names, methods, strict=True) if not method.repeat]
    for row, name, method in zip(rows, names, methods, strict=True):
        if first.count(name) > 1:  # one name for two settings
            row['method'] += f' ({row["settings_digest"][:8]})'
        if method.repeat:
            row['method'] += f' (store {row["store_digest"][:8]})'
    shown = display_names(row['method'] for row in rows)
    for row in rows:
        row['display_name'] = shown[row['method']]
    pairs = zip(rows, methods, strict=True)
    pairs = sorted(pairs, key=lambda pair: (pair[0]['epoch_rule'] not in HONEST, -pair[0]['uf1'], pair[0]['method']))
    rows, methods = ([pair[part] for pair in pairs] for part in (0, 1))
    references = _references(rows[0]['method'], runs[0].synthetic, reference)
    comparisons = {key: found for key, name in references.items() if (found := _compare_all(rows, methods, name, key))}
    if reference is not None and not comparisons:
        not_compared.append(
            f'No method is compared with {reference} here: it is the only method, or did not run on these data.'
        )
    power = power_of(methods)
    named = [(row['method'], method.runs) for row, method in pairs]
    leaks = leak_rows(named) + leak_rows(named, CANDIDATES)
    for leak in leaks:
        leak['display_name'] = shown[leak['method']]
    return Section(runs, rows, ablations, not_compared, comparisons, power, leaks, methods=methods)


def _references(best: str, synthetic: bool, asked: str | None) -> dict[str, str]:
    """Return the methods that all others are compared with, by the key of the comparison.

    Without one that was asked for, these are on real data the best and a simple one, or the best alone where it is that
    simple one. On synthetic data there is none: drawn faces do not show which method is better.
    """
    if asked is not None:
        return {'against': asked}
    return {} if synthetic else {'best': best} if best == SIMPLE else {'best': best, SIMPLE: SIMPLE}


def power_of(methods: list[Method]) -> str:
    """Return a sentence on the difference that the subjects of a table can show; empty with a single method.

    Near-copies of a method differ little from it, which must not make the subjects look better than they are. So the
    pairs are of methods with different names, each by its row with the fewest options. Rows chosen among the settings
    of others are left out, as are rows no better than a method that learns nothing. Where these leave no pair, all
    methods with different names count, and then all rows.

    Args:
        methods: on the same clips, best first.
    """
    different: dict[str, Method] = {}
    for method in sorted(methods, key=lambda method: method.name.count('+')):
        different.setdefault(method.base, method)
    floor = max((method.uf1 for name, method in different.items() if name in LEARN_NOTHING), default=-1)
    able = [method for method in different.values() if method.uf1 > floor and not method.record.get('selection')]
    for kind, words in ((able, 'different methods'), (different.values(), 'methods'), (methods, 'rows of one method')):
        if len(kind) > 1:
            return note_on_power([*combinations(kind, 2)], f'between two {words}')
    return ''


def _compare_all(rows: list[dict], methods: list[Method], reference: str, key: str) -> tuple[Method, list[dict]] | None:
    """Compare every method with one, best first, and put the comparison into its row, for the csv, as `<key>_...`.

    Returns:
        The reference and the comparisons; None without two methods.
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
        row = others[change['name']][0]
        row.update({f'{key}_{part}': change[part] for part in CHANGES})
        change['display_name'] = row['display_name'] + change['name'].removeprefix(row['method'])
    return chosen, sorted(against, key=lambda row: (-row['uf1'], row['name']))


def of_other_data(runs: list[Run]) -> Run | None:
    """Return the first run whose clips, labels or subjects differ from those of the first one; None if none do."""
    truths = [{row[0]: row[1:] for row in zip(*(run.table[name] for name in SAME), strict=True)} for run in runs]
    return next((run for run, truth in zip(runs, truths, strict=True) if truth != truths[0]), None)


def check_same_data(runs: list[Run]) -> None:
    """Refuse runs whose clips or labels differ from those of the first run."""
    if other := of_other_data(runs):
        raise InputError(
            f'{other.path}: expected the clips and labels of {runs[0].path}, since the digests of the data agree, '
            'but predictions.csv has others; run the same train command again'
        )


def section_blocks(section: Section) -> list[Block]:
    """Lay out one section."""
    run = section.runs[0]
    several = any(row['seeds'] > 1 for row in section.rows)
    columns = [column for column in REPRODUCED if several or column.name != 'seeds']
    blocks: list[Block] = [Heading(2, section.title), Table(columns, with_ranks(section.rows), 'Reproduced here')]
    if slices_of(run):
        blocks += _slices(run, section.rows)
    if any('au_f1' in row for row in section.rows):
        blocks += _action_units(run, section.rows)
    blocks.append(Notes(tuple(_notes(section))))
    for key, (reference, rows) in section.comparisons.items():
        blocks += _best_blocks(reference, rows) if key == 'best' else reference_blocks(reference, rows)
    for group, rows in section.ablations:
        blocks += ablation_blocks(group, rows)
    blocks += _calibration_blocks(section.rows)
    blocks += leak_blocks(section.leaks)
    return [*blocks, *_detail_blocks(section.rows)]


def _detail_blocks(rows: list[dict]) -> list[Block]:
    """Lay out what else is known of the rows: in a sentence what all of them share, the rest in narrow tables."""
    shared, tables = [], []
    for columns in DETAILS:
        texts = {column: column.cells(rows) for column in columns}
        shared += [f'{column.header} {_plain(cells[0])}' for column, cells in texts.items() if len({*cells}) == 1]
        if others := [column for column, cells in texts.items() if len({*cells}) > 1]:
            tables.append(Table([NAMED, *others], rows))
    known = [text for text in shared if not text.endswith(' ')]
    sentence = [Paragraph(f'In every row: {"; ".join(known)}.')] if known else []
    return [Heading(3, 'Settings of each row'), *sentence, *tables]


def _plain(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell.text


def _best_blocks(reference: Method, rows: list[dict]) -> list[Block]:
    """Lay out the comparison with the best, which may be the simple one."""
    note = 'The best was found by these same scores, so the differences to it are a little too large.'
    if reference.name == SIMPLE:
        note += f' It is {display_name(SIMPLE)}, the simple method that others should beat: none scores higher here.'
    return reference_blocks(reference, rows, 'the best, ', note)


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


def _calibration_blocks(rows: list[dict]) -> list[Block]:
    """Lay out how far class scores can be taken as probabilities; nothing where no row has any."""
    shown = [row for row in rows if 'ece' in row or 'scaled_ece' in row]
    if not shown:
        return []
    chance = max(row[key] for row in shown for key in ('ece_by_chance', 'scaled_ece_by_chance') if key in row)
    text = (
        'How far the class scores can be taken as probabilities. ECE (expected calibration error): how sure a method '
        'is of its answer against how often it is right, in 15 bins of equal width. Brier score: the squared distance '
        'of all probabilities from the truth, 0 to 2. Less is better. Even perfect probabilities would have an ECE of '
        f'up to about {chance:.2f} here, because a bin holds few clips. After scaling: each fold divides its scores by '
        'a temperature that was fitted to its training subjects (--select inner); the answers stay the same. -: there '
        'are none.'
    )
    if silent := [row['display_name'] for row in rows if 'ece' not in row]:
        text += f' The class scores of these methods are no probabilities: {", ".join(silent)}.'
    return [Heading(3, 'Calibration'), Paragraph(text), Table(CALIBRATION, shown, 'Calibration')]


def _notes(section: Section) -> list[str]:
    """Return sentences on scores, intervals, data, epoch rules and software of a section."""
    runs, rows = section.runs, section.rows
    notes = [_note_on_scores(runs[0]), _note_on_intervals(rows), _note_on_data(runs), *_notes_on_stores(section)]
    if len(rows) > 1:
        tied = (
            ' ≈ after a rank: these subjects do not show that the method is worse than the best, because the paired '
            '95 % interval of the difference in UF1 contains 0.'
        )
        notes.insert(0, 'In bold: the best of a column.' + tied * any(map(tied_with_best, rows)))
    if any(row['epoch_rule'] == 'inner' for row in rows):
        notes.append('Epoch rule inner: each fold chose the epoch of its training by scores on its training subjects.')
    if rules := {row['epoch_rule'] for row in rows}.difference(HONEST):
        notes.append(
            f'Epoch rule {", ".join(sorted(rules))}: the epoch was chosen by a score, not fixed beforehand, so these '
            'rows look better than they are. They are listed below the others and cannot be compared with them.'
        )
    notes += [section.power] if section.power else []
    return [*notes, *section.not_compared, _note_on_software(runs)]


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
    numbers = {row['seeds'] for row in rows}
    several = max(numbers) > 1
    spread = (
        ' A method with several seeds shows the mean over them; their standard deviation is below, beside the seeds.'
        * several
    )
    if several and min(numbers) == 1:
        spread += (
            ' One seed is a single training: what another one would score is not known (a method that draws no random '
            'numbers scores the same).'
        )
    seeds = ' and, for methods with several seeds, over the seeds' * several
    if rows[0]['subjects'] == 1:
        return f'Intervals: none, because all clips are of one subject.{spread}'
    return (
        f'Intervals: 95 %, of UF1, over the {rows[0]["subjects"]} subjects{seeds} (jackknife, t; docs/trust.md '
        f'shows how often they contain the true score).{spread} Overlapping intervals do not show which of two methods '
        'is better: all rows use the same clips, so use a paired test.'
    )


def _notes_on_stores(section: Section) -> list[str]:
    """Say which rows are of other stores of the same data, and where only the store tells which data are the same."""
    runs, notes = section.runs, []
    stores = group_by(runs, lambda run: (store_of(run),))
    if len(stores) > 1:
        rows = {
            digest: [row['display_name'] for row in section.rows if digest in row['store_digest']]
            for (digest,) in stores
        }
        ((usual,), _) = max(stores.items(), key=lambda store: len(store[1]))
        others = ' and '.join(f'{digest[:8]} ({", ".join(rows[digest])})' for digest in rows if digest != usual)
        silent = [
            digest[:8]
            for (digest,), group in stores.items()
            if not any(frames_of(run.record['data']['store']) for run in group)
        ]
        notes.append(
            f'Stores: the rows are of store {usual[:8]}, but for {others}. These stores have the same clips and '
            'settings of the preparation. Their flow differs, since other processors or versions of OpenCV and dlib '
            'compute other last digits. Ablations are compared without rows that repeat a method on another store.'
            + f' The records do not say of which pictures {" and ".join(silent)} came, so these may differ too.'
            * bool(silent)
        )
    if not any(preparation_of(run.record['data']['store']) for run in runs):
        notes.append(
            'Preparation: these records do not hold all its settings, so only runs of the same store share this table.'
        )
    return notes


def _note_on_data(runs: list[Run]) -> str:
    run = runs[0]
    record, full = run.record, run.scores['full']
    store, digests = record['data']['store'], record['data']
    stores = ' and '.join(dict.fromkeys(store_of(run)[:12] for run in runs))
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
        f'digests: annotations {digests["annotations_digest"][:12]}, store {stores}.'
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
