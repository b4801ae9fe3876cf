"""Leaderboard sections as markdown. Every number comes from the rows and the records."""

from collections.abc import Iterable

from tabulate import tabulate

from mer_bench.results.run import Run

HEADERS = (
    'method',
    'accuracy',
    'UF1',
    'UAR',
    '95 % interval',
    'clips',
    'seeds',
    'parameters',
    'epoch rule',
    'source',
)
RIGHT = ('clips', 'seeds', 'parameters')


def format_leaderboard(sections: list[dict]) -> str:
    """Lay out sections of `leaderboard.py`, each with `runs` and `rows`, under one title."""
    synthetic = any(run.synthetic for section in sections for run in section['runs'])
    datasets = dict.fromkeys(section['rows'][0]['dataset'] for section in sections)
    title = f'# Leaderboard: {", ".join(datasets)}' + (' (synthetic data)' if synthetic else '')
    return '\n\n'.join([title, *(_section(**section) for section in sections)]) + '\n'


def _section(runs: list[Run], rows: list[dict]) -> str:
    first = rows[0]
    dataset = first['dataset'] + (' (synthetic data)' if runs[0].synthetic else '')
    heading = f'## {dataset}, {first["protocol"]}, data {first["store_digest"][:8]}'
    blocks = [heading, _table(HEADERS, [_main_row(row) for row in rows])]
    if slices_of(runs[0]):
        blocks += _slices(runs[0], rows)
    if any('au_f1' in row for row in rows):
        blocks += _action_units(runs[0], rows)
    blocks += [_notes(runs, rows), 'How each row was made:', _making(rows)]
    return '\n\n'.join(blocks)


def _table(headers: tuple, rows: list[list[str]]) -> str:
    cells = [[str(cell).replace('|', '\\|') for cell in row] for row in rows]
    align = ['right' if header in RIGHT else 'left' for header in headers]
    return tabulate(cells, headers=headers, tablefmt='pipe', disable_numparse=True, colalign=align)


def _main_row(row: dict) -> list:
    interval = 'one subject' if row['uf1_low'] is None else f'[{row["uf1_low"]:.4f}, {row["uf1_high"]:.4f}]'
    scores = [_score(row, name) for name in ('accuracy', 'uf1', 'uar')]
    size = format_count(row['parameters'])
    return [row['method'], *scores, interval, row['clips'], row['seeds'], size, row['epoch_rule'], row['source']]


def _score(row: dict, name: str) -> str:
    if name not in row:
        return '-'
    deviation = row[f'{name}_sd']
    return f'{row[name]:.4f}' + ('' if deviation is None else f' ± {deviation:.4f}')


def format_count(number: int | None) -> str:
    """27212345 -> '27.2 M'."""
    if number is None:
        return 'unknown'
    for size, unit in ((10**6, ' M'), (10**3, ' k')):
        if number >= size:
            return f'{number / size:.1f}{unit}'
    return str(number)


def slices_of(run: Run) -> list[str]:
    """Return the data sets of a composite; none where the full table is a single data set."""
    datasets = [name for name in run.scores if name != 'full']
    return datasets if len(datasets) > 1 else []


def _slices(run: Run, rows: list[dict]) -> list[str]:
    datasets = slices_of(run)
    clips = ', '.join(f'{name} {run.scores[name]["n"]}' for name in datasets)
    columns = [(name, score) for name in datasets for score in ('UF1', 'UAR')]
    headers = ('method', *(f'{name} {score}' for name, score in columns))
    cells = [[row['method'], *(_score(row, f'{name}_{score.lower()}') for name, score in columns)] for row in rows]
    return [f'The same predictions per data set (clips: {clips}):', _table(headers, cells)]


def _action_units(run: Run, rows: list[dict]) -> list[str]:
    columns = {'mean F1': 'au_f1'}
    if slices_of(run):
        columns |= {'mean of data sets': 'au_f1_mean', **{name: f'{name}_au_f1' for name in slices_of(run)}}
    cells = [[row['method'], *(_score(row, key) for key in columns.values())] for row in rows]
    caption = 'Action units: the mean over the units of their F1 at threshold 0.5, pooled'
    caption += ', and of each data set:' if slices_of(run) else ':'
    return [caption, _table(('method', *columns), cells)]


def _notes(runs: list[Run], rows: list[dict]) -> str:
    notes = [_note_on_scores(runs[0]), _note_on_intervals(rows), _note_on_data(runs[0])]
    rules = {row['epoch_rule'] for row in rows} - {'last'}
    if rules:
        notes.append(
            f'Epoch rule {", ".join(sorted(rules))}: the epoch was chosen by a score, not fixed beforehand, so these '
            'rows look better than they are; they stand below the others and are not to be compared with them.'
        )
    notes.append(_note_on_software(runs))
    return '\n'.join(f'- {note}' for note in notes)


def _note_on_scores(run: Run) -> str:
    return (
        f'Scores: the predictions of all {run.record["folds"]["total"]} folds pooled into one table, then scored once; '
        f'UF1 and UAR are unweighted means over the classes {", ".join(run.record["classes"])}.'
    )


def _note_on_intervals(rows: list[dict]) -> str:
    seeds = ' of the mean over the seeds' if any(row['seeds'] > 1 for row in rows) else ''
    spread = ' After ± stands the standard deviation over the seeds.' if seeds else ''
    return (
        f'Intervals: 95 % percentile intervals of UF1{seeds}, 1000 bootstrap resamples of the '
        f'{rows[0]["subjects"]} subjects.{spread} Overlapping intervals do not settle which of two methods is better: '
        'the rows are on the same clips, which takes a paired test.'
    )


def _note_on_data(run: Run) -> str:
    record, full = run.record, run.scores['full']
    store, digests = record['data']['store'], record['data']
    counts = ', '.join(
        f'{sum(row)} {name}' for name, row in zip(record['classes'], full['confusion_matrix'], strict=True)
    )
    size = ' x '.join(map(str, store.get('size', ['unknown'])))
    kind = 'synthetic, no recorded faces; ' if run.synthetic else ''
    return (
        f'Data: {kind}{full["n"]} clips ({counts}), {full["n_subjects"]} subjects; optical flow '
        f'{store.get("flow", "unknown")}, clip length {store.get("clip_len", "unknown")} of {size} pixels, '
        f'apex {_told(store.get("apex", "unknown"))}, faces {_told(store.get("faces", "unknown"))}; '
        f'digests: annotations {digests["annotations_digest"][:12]}, store {digests["store_digest"][:12]}.'
        + ''.join(f' {note[0].upper()}{note[1:]}.' for note in record.get('notes', []))
    )


def _told(value: object) -> str:
    """Return a value of store.json as text; of how faces were found the detector is enough."""
    if not isinstance(value, dict):
        return str(value)
    if 'detector' in value:
        return value['detector'] + ' stabilised' * bool(value.get('stabilise'))
    return ', '.join(f'{name} {_told(part)}' for name, part in value.items())


def _note_on_software(runs: list[Run]) -> str:
    names = dict.fromkeys(name for run in runs for name in run.record['versions'])
    versions = [f'{name} {distinct(run.record["versions"].get(name) for run in runs)}' for name in names]
    dates = sorted(day for run in runs for day in run.record['date'].split(', '))
    period = dates[0] if dates[0] == dates[-1] else f'{dates[0]} to {dates[-1]}'
    return f'Software: {", ".join(versions)}; runs of {period}.'


def distinct(values: Iterable) -> str:
    """Join the different values: ['a', None, 'a', 'b'] -> 'a / b'."""
    return ' / '.join(dict.fromkeys(str(value) for value in values if value is not None))


def _making(rows: list[dict]) -> str:
    headers = ('method', 'config', 'overrides', 'seed', 'settings digest', 'commit', 'device')
    cells = [
        [
            row['method'],
            row['config'],
            row['overrides'] or 'none',
            row['seed_list'],
            row['settings_digest'][:12],
            row['commit'] or 'unknown',
            row['device'],
        ]
        for row in rows
    ]
    return _table(headers, cells)
