"""Leaderboards: the runs of several methods on the same data as markdown and csv, made from records only."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.action_units import score_action_units
from mer_bench.evaluation.metrics import mean_of_datasets
from mer_bench.evaluation.statistics import SCORES, mean_bootstrap
from mer_bench.files import digest_of, write_atomically
from mer_bench.results.markdown import distinct, format_leaderboard, slices_of
from mer_bench.results.record import find_records
from mer_bench.results.run import Run, read_runs


def write_leaderboard(results: list[str | Path], out: str | Path) -> str:
    """Make a leaderboard of the records in `results`: markdown at `out`, the same rows unrounded in a csv beside it.

    Records of different data sets, protocols or data digests go to sections of their own.

    Returns:
        The markdown.
    """
    out = Path(out)
    runs = read_runs(find_records(results))
    _check_name(out, runs)
    sections = [_section(runs) for runs in group_by(runs, data_key).values()]
    text = format_leaderboard(sections)
    rows = pd.DataFrame([row for section in sections for row in section['rows']])
    with write_atomically(out) as temporary:
        temporary.write_text(text, encoding='utf-8')
    with write_atomically(out.with_suffix('.csv')) as temporary:
        rows.to_csv(temporary, index=False)
    return text


def group_by(runs: list[Run], key: Callable[[Run], tuple]) -> dict[tuple, list[Run]]:
    """Group runs by a key, groups in the order of their keys."""
    groups: dict[tuple, list[Run]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return dict(sorted(groups.items()))


def data_key(run: Run) -> tuple:
    """What two runs must share to stand in one table."""
    record = run.record
    data = record['data']
    scheme = record['label_scheme']['digest']
    return record['dataset'], record['protocol'], scheme, data['store_digest'], data['annotations_digest']


def method_key(run: Run) -> tuple:
    """What two runs on the same data must share to be seeds of one method."""
    record = run.record
    settings = digest_of([record['config']['digest'], *(override['digest'] for override in record['overrides'])])
    return record['method'], settings, record['epoch_rule'], record['source']


def _check_name(out: Path, runs: list[Run]) -> None:
    """Keep synthetic and real data apart, and the word synthetic in the name of the file."""
    if out.suffix != '.md':
        raise InputError(f'--out {out}: expected a markdown file; name it for example leaderboards/smic.md')
    synthetic = [run for run in runs if run.synthetic]
    real = [run for run in runs if not run.synthetic]
    if synthetic and real:
        raise InputError(
            f'expected either synthetic or real data, but {synthetic[0].path} is synthetic and {real[0].path} is real; '
            'make one leaderboard of each'
        )
    if synthetic and 'synthetic' not in out.stem:
        raise InputError(
            f'--out {out}: expected a file name with the word synthetic, because these runs are on synthetic data; '
            f'name it for example {out.with_stem(f"synthetic_{out.stem}")}'
        )


def _section(runs: list[Run]) -> dict:
    """Return the runs of one table and its rows: rule `last` before the others, then UF1 descending."""
    _check_same_clips(runs)
    rows = [summarise(seeds, settings) for (_, settings, *_), seeds in group_by(runs, method_key).items()]
    names = [(row['method'], row['epoch_rule'], row['source']) for row in rows]
    for row, name in zip(rows, names, strict=True):
        if names.count(name) > 1:  # one name for two settings
            row['method'] += f' ({row["settings_digest"][:8]})'
    return {'runs': runs, 'rows': sorted(rows, key=lambda row: (row['epoch_rule'] != 'last', -row['uf1']))}


def _check_same_clips(runs: list[Run]) -> None:
    truths = [dict(zip(run.predictions['sample_id'], run.predictions['y_true'], strict=True)) for run in runs]
    for run, truth in zip(runs, truths, strict=True):
        if truth != truths[0]:
            raise InputError(
                f'{run.path}: expected the clips and labels of {runs[0].path}, as the digests of the data say, '
                'but predictions.csv holds others; run the same train command again'
            )


def summarise(runs: list[Run], settings: str) -> dict:
    """Make one row of the seeds of a method: means and standard deviations over the seeds, raw numbers.

    Args:
        runs: One run per seed.
        settings: Digest of their config and overrides.
    """
    runs = sorted(runs, key=lambda run: run.record['seed'])
    _check_seeds_differ(runs)
    record = runs[0].record
    datasets = slices_of(runs[0])
    intervals = mean_bootstrap([run.predictions for run in runs], record['classes'])
    low, high = intervals['uf1'] or (None, None)
    return {
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


def _with_digest(file: dict) -> str:
    return f'{file["name"]} ({file["digest"][:12]})'


def _mean_scores(runs: list[Run], part: str, prefix: str) -> dict:
    """Average the scores of one part ('full' or a data set) over the seeds; the deviation is that of a sample."""
    return _over_seeds({prefix + name: [run.scores[part][name] for run in runs] for name in SCORES})


def _action_unit_scores(runs: list[Run], datasets: list[str]) -> dict:
    """Average the mean F1 of the action units over the seeds; nothing where a run predicts none, or no clip has any."""
    if not all('action_units' in run.predictions for run in runs):
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
