"""Rows of a leaderboard, each the seeds of a method averaged, and its columns: a new column is one entry of a list."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import pairwise
from statistics import fmean

import numpy as np

from mer_bench.errors import InputError
from mer_bench.evaluation.action_units import score_action_units
from mer_bench.evaluation.calibration import calibration
from mer_bench.evaluation.intervals import MEASURED
from mer_bench.evaluation.metrics import METRICS, mean_of_datasets
from mer_bench.evaluation.statistics import contrast
from mer_bench.results.blocks import Cell, Column, Link, Name, Table
from mer_bench.results.methods import display_name
from mer_bench.results.record import HONEST, VERDICTS, describe_batch, temperatures_of
from mer_bench.results.run import Method, Run, store_of

DIGITS = 10  # significant: versions of numpy, scipy and Python differ from the fifteenth on
ZERO = 1e-14  # what rounding errors leave of a sum that is zero


def summarise(method: Method) -> dict:
    """Make one row of a method: means and standard deviations over the seeds, to 10 significant digits.

    Of predictions that others published, what only a run of ours knows is left out.
    """
    runs, record = method.runs, method.record
    for first, second in pairwise(runs):
        if first.record['seed'] == second.record['seed']:
            raise InputError(
                f'expected each seed of a method once, but {first.path} and {second.path} are both '
                f'{method.name} with seed {first.record["seed"]}; give only one of them'
            )
    return rounded(
        _pooled_scores(runs)
        | _action_unit_scores(runs)
        | {'clips': record['n_clips'], 'subjects': runs[0].scores['full']['n_subjects']}
        | ({} if runs[0].rescored else _training(method))
        | {'epoch_rule': record['epoch_rule'], 'source': source_of(runs[0])}
        | (_log(record) if runs[0].rescored else _settings(method))
        | {'date': distinct(run.record['date'] for run in runs)}
        | _dataset_scores(runs)
        | _calibration(runs)
    )


def _training(method: Method) -> dict:
    return {
        'seeds': len(method.runs),
        'seed_list': ', '.join(map(str, method.seeds)),
        'parameters': method.record['parameters'],
        'flops': method.record['flops'],
        'train_seconds': _mean_seconds(method.runs),
        'input': _describe_input(method.record['config'].get('input')),
        **_leak_audit(method.runs),
    }


def _leak_audit(runs: list[Run]) -> dict:
    """Return the verdict of the leak audit, the worst over the seeds; nothing where none was made."""
    found = [run.record['leak_audit']['verdict'] for run in runs if run.record.get('leak_audit')]
    return {'leak_audit': min(found, key=VERDICTS.index)} if found else {}


def _mean_seconds(runs: list[Run]) -> float | None:
    """Return the seconds of training of all folds, the mean over the seeds; None where a stop hid them."""
    seconds = [(run.record.get('seconds') or {}).get('train') for run in runs]
    return None if None in seconds else fmean(seconds)


def _settings(method: Method) -> dict:
    record = method.record
    return {
        'config': _with_digest(record['config']),
        'overrides': ', '.join(
            [*map(_with_digest, record['overrides']), *filter(None, [describe_choice(record)]), *_batches(method.runs)]
        ),
        'settings_digest': method.settings,
        'store_digest': distinct(map(store_of, method.runs)),
        'annotations_digest': record['data']['annotations_digest'],
        **{key: distinct(run.record[key] for run in method.runs) for key in ('commit', 'device')},
    }


def _batches(runs: list[Run]) -> list[str]:
    """Describe batches that did not fit on the GPU."""
    return [*dict.fromkeys(describe_batch(run.record['batch']) for run in runs if run.record.get('batch'))]


def _log(record: dict) -> dict:
    return {'log': record['log']['name'], 'log_digest': record['log']['digest'], 'url': record['url']}


def _pooled_scores(runs: list[Run]) -> dict:
    """Return the name of a method, its scores, and the 95 % interval of the mean UF1 over the seeds."""
    uf1 = contrast([[run.counts for run in runs]], [1], 'uf1')
    named = {key: runs[0].record[key] for key in ('dataset', 'protocol', 'method')}
    named['display_name'] = display_name(named['method'])
    return {**named, **_mean_scores(runs, 'full', ''), 'uf1_low': uf1.low, 'uf1_high': uf1.high}


def _dataset_scores(runs: list[Run]) -> dict:
    return {key: mean for name in slices_of(runs[0]) for key, mean in _mean_scores(runs, name, f'{name}_').items()}


def _mean_scores(runs: list[Run], part: str, prefix: str) -> dict:
    """Average the scores of one part ('full' or a data set) over the seeds; the deviation is that of a sample."""
    return _over_seeds({prefix + m.name: [run.scores[part][m.name] for run in runs] for m in METRICS})


def _action_unit_scores(runs: list[Run]) -> dict:
    """Average the mean F1 of the action units over the seeds; nothing if a run predicts none or no clip has any."""
    if not all('action_units' in run.table for run in runs):
        return {}
    tables = [score_action_units(run.predictions) for run in runs]
    if tables[0]['full'] is None:
        return {}
    known = [name for name in slices_of(runs[0]) if tables[0][name]]
    return _over_seeds(
        {'au_f1': [table['full']['f1'] for table in tables]}
        | {'au_f1_mean': [mean_of_datasets(table, 'f1') for table in tables]}
        | {f'{name}_au_f1': [table[name]['f1'] for table in tables] for name in known}
    )


def _calibration(runs: list[Run]) -> dict:
    """Average calibration error and Brier score over the seeds, also after temperature scaling (`scaled_...`).

    Nothing where a run has no probabilities, or no temperature for each fold.
    """
    found = [calibration(run.table, run.record['classes'], temperatures_of(run.record)) for run in runs]
    if not all(found):
        return {}
    values = {
        prefix + key: [part[kind][key] for part in found]
        for kind, prefix in (('raw', ''), ('scaled', 'scaled_'))
        if all(part[kind] for part in found)
        for key in ('ece', 'ece_by_chance', 'brier')
    }
    return _over_seeds(values)


def _over_seeds(values: dict[str, list[float]]) -> dict:
    """Return the mean of each score and, as `<score>_sd`, its standard deviation, None for one seed."""
    means = {}
    for name, seeds in values.items():
        means[name] = float(np.mean(seeds))
        means[f'{name}_sd'] = float(np.std(seeds, ddof=1)) if len(seeds) > 1 else None
    return means


def _describe_input(view: dict | None) -> str:
    """Describe what a method sees of a stored clip: 'u v strain, apex, 28x28'; '' if not recorded."""
    if view is None:
        return ''
    frames, size = view.get('frames'), view.get('size')
    mirrored = '+'.join(part for part in ('train', 'test') if view.get(f'mirror_{part}'))
    parts = [
        ' '.join(view.get('channels') or ()),
        {None: '', 'apex': 'apex'}.get(frames, f'{frames} frame' + 's' * (frames != 1)),
        f'{size}x{size}' + ' area' * (view.get('resize') == 'area') if size else '',
        'centred' if view.get('centre') else '',
        view.get('scale') or '',
        f'mirrored {mirrored}' if mirrored else '',
        'not normalised' if view.get('normalise') is False else '',
    ]
    return ', '.join(part for part in parts if part) or 'as stored'


def describe_choice(record: dict) -> str:
    """Say among how many candidates each fold chose, and whether the epoch too; '' without inner folds."""
    if not (found := record.get('selection')):
        return ''
    count, epoch = len(found['candidates']), record['epoch_rule'] == 'inner'
    if count == 1 and not epoch:
        return f'temperature of {found["inner_folds"]} inner folds'
    what = ' and '.join([str(count)] * (count > 1) + ['the epoch'] * epoch)
    return f'inner choice of {what} in {found["inner_folds"]} folds'


def _with_digest(file: dict) -> str:
    return f'{file["name"]} ({file["digest"][:12]})'


def source_of(run: Run) -> str:
    return run.record['source'] + (' (synthetic data)' if run.synthetic else '')


def slices_of(run: Run) -> list[str]:
    """Return the data sets of a composite; none where the full table is a single data set."""
    datasets = [name for name in run.scores if name != 'full']
    return datasets if len(datasets) > 1 else []


def distinct(values: Iterable) -> str:
    """Join the different values: ['a', None, 'a', 'b'] -> 'a / b'."""
    return ' / '.join(dict.fromkeys(str(value) for value in values if value is not None))


def rounded(row: dict) -> dict:
    """Round the floats of a row to 10 significant digits; what is smaller than 1e-14 is zero."""
    return {key: round_number(value) if isinstance(value, float) else value for key, value in row.items()}


def round_number(number: float) -> float:
    """Round to 10 significant digits, without a negative zero."""
    return 0.0 if abs(number) < ZERO else float(f'{number:.{DIGITS}g}')


def score_column(name: str, header: str, sign: int = 1) -> Column:
    """Return the column of a score, of a method with several seeds their mean; bold where it is best.

    Args:
        sign: -1 where less is better.
    """

    def cell(row: dict) -> str:
        return '-' if row.get(name) is None else f'{row[name]:.3f}'

    def competes(row: dict) -> float | None:
        return sign * row[name] if row.get(name) is not None and row['epoch_rule'] in HONEST else None

    return Column(name, header, cell, 'right', best=competes)


def interval_cell(row: dict) -> str:
    """Return the 95 % interval of UF1."""
    return 'one subject' if row['uf1_low'] is None else f'[{row["uf1_low"]:.3f}, {row["uf1_high"]:.3f}]'


def tied_with_best(row: dict) -> bool:
    """Return whether the subjects do not show that a method is worse than the best: the paired interval contains 0.

    False where there is no comparison with the best, or of too few subjects to trust an interval.
    """
    return (
        row['subjects'] >= MEASURED and 'best_change' in row and row['best_change_low'] <= 0 <= row['best_change_high']
    )


def with_ranks(rows: list[dict]) -> list[dict]:
    """Return the rows with `rank`, by UF1 among the rows with an honest epoch rule; None for the others."""
    scores = [row['uf1'] for row in rows if row['epoch_rule'] in HONEST]
    return [
        row | {'rank': 1 + sum(score > row['uf1'] for score in scores) if row['epoch_rule'] in HONEST else None}
        for row in rows
    ]


def _rank_cell(row: dict) -> str:
    return f'{row["rank"] or "-"}{"≈" * tied_with_best(row)}'


def format_count(number: int | None) -> str:
    """27212345 -> '27.2 M'; '-' where there are none, as in a rule."""
    if number is None:
        return '-'
    for size, unit in ((10**6, ' M'), (10**3, ' k')):
        if number >= size:
            return f'{number / size:.1f}{unit}'
    return str(number)


def sanity_cell(row: dict) -> str:
    """Return whether UF1 reaches its bound, or why not; '' where there is no bound."""
    if row.get('sanity_uf1') is None:
        return ''
    bound = f'{row["sanity_uf1"]:g}'
    return (
        f'reaches {bound}' if row['sanity_reached'] else f'below {bound}: {row["sanity_reason"] or "no reason given"}'
    )


METHOD = Column.of('display_name', 'method')
SCORES = [
    METHOD,
    score_column('uf1', 'UF1'),
    Column('interval', '95 % interval', interval_cell),
    *(
        score_column(metric.name, metric.header)
        for metric in sorted(METRICS, key=lambda metric: metric.name == 'accuracy')
        if metric.ranked and metric.name != 'uf1'
    ),
]
REPRODUCED = [
    Column('rank', '#', _rank_cell),
    *SCORES,
    Column.of('seeds', align='right'),
    Column('parameters', 'parameters', lambda row: format_count(row['parameters']), 'right', ('tex',)),
    Column('sanity', 'sanity bound', sanity_cell, formats=('csv',)),
]
RESCORED = [
    *SCORES,
    Column.of('clips', align='right', formats=('md',)),
    Column.of('subjects', align='right', formats=('md',)),
    Column.of('epoch_rule', 'epoch rule'),
    Column('log', 'published log', lambda row: Link(row['log'], row['url'])),
]


def _clock(seconds: float | None) -> str:
    return '-' if seconds is None else str(timedelta(seconds=round(seconds)))


def _detail(name: str, header: str, cell: Callable[[dict], Cell], align: str = 'left') -> Column:
    return Column(name, header, cell, align, ('md',))


# What else is known of a row: narrow tables, each after the name of the method.
NAMED = _detail('display_name', 'method', lambda row: row['display_name'])
DETAILS = [
    [
        _detail('method', 'name in the records, with spaces', lambda row: Name(row['method'])),
        _detail('parameters', 'parameters', lambda row: format_count(row['parameters']), 'right'),
        _detail('input', 'input', lambda row: row['input']),
    ],
    [
        _detail('epoch_rule', 'epoch rule', lambda row: row['epoch_rule']),
        _detail('source', 'source', lambda row: row['source']),
        _detail('leak_audit', 'leak audit', lambda row: row.get('leak_audit', '')),
        _detail('sanity', 'sanity bound', sanity_cell),
        _detail('seed_list', 'seed', lambda row: row['seed_list']),
        _detail(
            'uf1_sd', 'deviation of UF1', lambda row: '' if row['uf1_sd'] is None else f'{row["uf1_sd"]:.3f}', 'right'
        ),
        _detail('device', 'device', lambda row: row['device']),
        _detail('train_seconds', 'training (h:mm:ss)', lambda row: _clock(row['train_seconds']), 'right'),
    ],
    [
        _detail('config', 'config', lambda row: row['config']),
        _detail('overrides', 'overrides', lambda row: row['overrides'] or 'none'),
        _detail('settings', 'settings digest', lambda row: row['settings_digest'][:12]),
        _detail('commit', 'commit', lambda row: row['commit'] or 'unknown'),
    ],
]


def csv_row(columns: list[Column], row: dict) -> dict:
    """Return the values of a row, and the text of the columns that csv shows as well."""
    return row | {column.name: texts[0] for column, texts in Table(columns, [row]).shown('csv').items()}
