"""One row of a leaderboard: the seeds of a method, averaged."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from mer_bench.errors import InputError
from mer_bench.evaluation.action_units import score_action_units
from mer_bench.evaluation.metrics import mean_of_datasets
from mer_bench.evaluation.statistics import SCORES
from mer_bench.files import digest_of
from mer_bench.results.run import Run

DIGITS = 10  # significant: versions of numpy, scipy and Python differ from the fifteenth on
ZERO = 1e-14  # what sums leave of a zero


def summarise(runs: list[Run], settings: str) -> dict:
    """Make one row of the seeds of a method: means and standard deviations over the seeds, to 10 significant digits.

    Args:
        runs: One run per seed.
        settings: Digest of their config and overrides.
    """
    runs = sorted(runs, key=lambda run: run.record['seed'])
    _check_seeds_differ(runs)
    record = runs[0].record
    datasets = slices_of(runs[0])
    low, high = interval_of_mean(runs)
    row = {
        'dataset': record['dataset'],
        'protocol': record['protocol'],
        'method': record['method'],
        **_mean_scores(runs, 'full', ''),
        'uf1_low': low,
        'uf1_high': high,
        **_action_unit_scores(runs, datasets),
        'clips': record['n_clips'],
        'subjects': runs[0].scores['full']['n_subjects'],
        'seeds': len(runs),
        'seed_list': ', '.join(str(run.record['seed']) for run in runs),
        'parameters': record['parameters'],
        'flops': record['flops'],
        'input': _describe_input(record['config'].get('input')),
        'epoch_rule': record['epoch_rule'],
        'source': record['source'] + (' (synthetic data)' if runs[0].synthetic else ''),
        'config': _with_digest(record['config']),
        'overrides': ', '.join(_with_digest(override) for override in record['overrides']),
        'settings_digest': settings,
        'store_digest': record['data']['store_digest'],
        'annotations_digest': record['data']['annotations_digest'],
        **{key: distinct(run.record[key] for run in runs) for key in ('commit', 'device', 'date')},
        **{key: value for name in datasets for key, value in _mean_scores(runs, name, f'{name}_').items()},
    }
    return rounded(row)


def interval_of_mean(runs: list[Run]) -> tuple[float | None, float | None]:
    """Return the 95 % interval of the mean UF1 of runs on the same clips; None for one subject.

    Every run gets the same resampled subjects, so the interval is that of the mean, not of single seeds.
    """
    if len(runs[0].counts) < 2:
        return None, None
    low, high = np.quantile(np.mean([run.resampled['uf1'] for run in runs], axis=0), [0.025, 0.975]).tolist()
    return low, high


def _describe_input(view: dict | None) -> str:
    """Return what a method takes of the store: 'u v strain, apex frame, 28 x 28'; '' where a record does not say it."""
    if view is None:
        return ''
    frames, size = view.get('frames'), view.get('size')
    parts = [
        ' '.join(view.get('channels') or ()),
        {None: '', 'apex': 'apex frame'}.get(frames, f'{frames} frame' + 's' * (frames != 1)),
        f'{size} x {size}' if size else '',
        'not normalised' if view.get('normalise') is False else '',
    ]
    return ', '.join(part for part in parts if part) or 'as stored'


def _with_digest(file: dict) -> str:
    return f'{file["name"]} ({file["digest"][:12]})'


def _mean_scores(runs: list[Run], part: str, prefix: str) -> dict:
    """Average the scores of one part ('full' or a data set) over the seeds; the deviation is that of a sample."""
    return _over_seeds({prefix + name: [run.scores[part][name] for run in runs] for name in SCORES})


def _action_unit_scores(runs: list[Run], datasets: list[str]) -> dict:
    """Average the mean F1 of the action units over the seeds; nothing where a run predicts none, or no clip has any."""
    if not all('action_units' in run.table for run in runs):
        return {}
    tables = [score_action_units(run.predictions) for run in runs]
    if tables[0]['full'] is None:
        return {}
    scores = {f'{name}_au_f1': [table[name]['f1'] for table in tables] for name in datasets if tables[0][name]}
    full = {'au_f1': [table['full']['f1'] for table in tables]}
    return _over_seeds(full | {'au_f1_mean': [mean_of_datasets(table, 'f1') for table in tables]} | scores)


def _over_seeds(values: dict[str, list[float]]) -> dict:
    """Return the mean of each score and, as `<score>_sd`, its standard deviation, None for one seed."""
    means = {}
    for name, seeds in values.items():
        means[name] = float(np.mean(seeds))
        means[f'{name}_sd'] = float(np.std(seeds, ddof=1)) if len(seeds) > 1 else None
    return means


def _check_seeds_differ(runs: list[Run]) -> None:
    for first, second in pairwise(runs):
        if first.record['seed'] == second.record['seed']:
            raise InputError(
                f'expected each seed of a method once, but {first.path} and {second.path} are both '
                f'{first.record["method"]} with seed {first.record["seed"]}; give only one of them'
            )


def slices_of(run: Run) -> list[str]:
    """Return the data sets of a composite; none where the full table is a single data set."""
    datasets = [name for name in run.scores if name != 'full']
    return datasets if len(datasets) > 1 else []


def distinct(values: Iterable) -> str:
    """Join the different values: ['a', None, 'a', 'b'] -> 'a / b'."""
    return ' / '.join(dict.fromkeys(str(value) for value in values if value is not None))


def settings_of(run: Run) -> str:
    """Return the digest of the config and the overrides of a run: the seeds of one method share it."""
    record = run.record
    return digest_of([record['config']['digest'], *(override['digest'] for override in record['overrides'])])


def rescored_row(run: Run) -> dict:
    """Make a row of published predictions; what is not known of them is left out."""
    record = run.record
    low, high = interval_of_mean([run])
    row = {
        'dataset': record['dataset'],
        'protocol': record['protocol'],
        'method': record['method'],
        **_mean_scores([run], 'full', ''),
        'uf1_low': low,
        'uf1_high': high,
        'clips': record['n_clips'],
        'subjects': run.scores['full']['n_subjects'],
        'epoch_rule': record['epoch_rule'],
        'source': record['source'] + (' (synthetic data)' if run.synthetic else ''),
        'log': record['log']['name'],
        'log_digest': record['log']['digest'],
        'url': record['url'],
        'date': record['date'],
        **{key: value for name in slices_of(run) for key, value in _mean_scores([run], name, f'{name}_').items()},
    }
    return rounded(row)


def rounded(row: dict) -> dict:
    """Round the floats of a row to 10 significant digits; what is smaller than 1e-14 is zero."""
    return {key: round_number(value) if isinstance(value, float) else value for key, value in row.items()}


def round_number(number: float) -> float:
    """Round to 10 significant digits, without a negative zero."""
    return 0.0 if abs(number) < ZERO else float(f'{number:.{DIGITS}g}')
