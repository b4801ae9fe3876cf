"""One leaderboard of given runs: as files, or as a table in Python; and the answers of the runs, a row a clip."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError
from mer_bench.escaping import for_csv
from mer_bench.evaluation.compare import compare as compare_pair
from mer_bench.evaluation.compare import scored_classes
from mer_bench.evaluation.labels import name_labels
from mer_bench.evaluation.metrics import METRICS, score
from mer_bench.evaluation.predictions import load_predictions
from mer_bench.evaluation.statistics import holm
from mer_bench.files import write_atomically
from mer_bench.results.ablations import CHANGE_KEYS
from mer_bench.results.methods import display_name, kind_of
from mer_bench.results.page import SYNTHETIC, Page, make_page, page_files, page_of
from mer_bench.results.pages import refuse_unknown, write_text
from mer_bench.results.record import Failure
from mer_bench.results.run import Run, find_runs, read_runs, settings_of, store_of


def leaderboard(
    runs: object, out: str | Path | None = None, compare: str | None = None, classes: Sequence[str] = ()
) -> pd.DataFrame:
    """Rank methods by UF1.

    Args:
        runs: folders of runs or above them, or objects with such a `folder`, where the seeds of a method are averaged;
            or `{name: predictions}`, with predictions of the same clips as for :func:`mer_bench.score`.
        out: a markdown file to write, with a csv and a LaTeX file beside it; for folders of runs only.
        compare: the method that every other one is compared with: paired intervals, McNemar's test, Holm's correction.
        classes: of predictions, all classes where they do not show each of them.

    Returns:
        One row per method. Of folders, the columns of the csv of a leaderboard; of predictions, method, clips,
        subjects, every metric, uf1_low and uf1_high. With `compare`, the columns `against_*` as well.
    """
    if isinstance(runs, Mapping):
        if out is not None:
            raise InputError('out expects folders of runs with their records; leave it out')
        if not runs:
            raise InputError('expected at least one method, got none')
        return _of_predictions(runs, compare, classes)
    several = isinstance(runs, Iterable) and not isinstance(runs, str | pd.DataFrame)
    folders = [getattr(run, 'folder', run) for run in (runs if several else [runs])]
    if not all(isinstance(folder, str | Path) for folder in folders):
        raise InputError('expected folders of runs or {name: predictions}; give each method a name, as in {"a": run}')
    if not folders:
        raise InputError('expected at least one run, got none')
    if out is not None:
        write_leaderboard(folders, out, compare)
    return pd.DataFrame(read_page(folders, None, compare).rows)


def _of_predictions(sources: Mapping[str, object], reference: str | None, classes: Sequence[str]) -> pd.DataFrame:
    frames = {name: load_predictions(source) for name, source in sources.items()}
    if classes := [*classes] or scored_classes([*frames.values()]):
        frames = {name: name_labels(frame, classes, name) for name, frame in frames.items()}
    clips = {name: {*frame['sample_id']} for name, frame in frames.items()}
    first = next(iter(clips))
    if other := next((name for name in clips if clips[name] != clips[first]), None):
        raise InputError(
            f'expected predictions of the same clips, but {len(clips[first] ^ clips[other])} clips are only in one of '
            f'{first} and {other}; rank methods on the same data, or compare two of them with mer_bench.compare'
        )
    tables = {name: score(frame, classes)['full'] for name, frame in frames.items()}
    rows = [
        {'method': name, 'clips': full['n'], 'subjects': full['n_subjects']}
        | {metric.name: full[metric.name] for metric in METRICS}
        | dict(zip(('uf1_low', 'uf1_high'), full['intervals']['uf1'] or (None, None), strict=True))
        for name, full in tables.items()
    ]
    if reference is not None:
        refuse_unknown(reference, [*sources])
        others = [row for row in rows if row['method'] != reference]
        for row in others:
            names = row['method'], reference
            pair = compare_pair(frames[names[0]], frames[reference], classes, names)
            row |= {f'against_{key}': value for key, value in zip(CHANGE_KEYS, pair.differences['uf1'], strict=True)}
            row['against_mcnemar_p'] = pair.mcnemar['p']
        for row, p in zip(others, holm([row['against_mcnemar_p'] for row in others]), strict=True):
            row['against_mcnemar_p_holm'] = p
    return pd.DataFrame(sorted(rows, key=lambda row: (-row['uf1'], row['method'])))


def write_leaderboard(results: list[str | Path], out: str | Path, reference: str | None = None) -> str:
    """Make one page of all records in `results`: markdown at `out`, beside it the rows as csv and LaTeX tables.

    Records of different data sets, protocols or data digests go to sections of their own.

    Args:
        reference: the method that every other one on the same data is compared with.

    Returns:
        The markdown.
    """
    out = Path(out)
    texts = page_files(out.stem, read_page(results, out, reference))
    for name, text in texts.items():
        write_text(out.with_name(name), text)
    return texts[out.name]


def read_page(results: list[str | Path], out: Path | None, reference: str | None) -> Page:
    """Make the page of all records in `results`, which is to be written at `out`."""
    records, failures = find_runs(results)
    runs = read_runs(records)
    _check_name(out, runs, failures)
    page = make_page(runs, failures, out.stem if out else '', {}, reference)
    refuse_unknown(reference, page.methods)
    return page


def _check_name(out: Path | None, runs: list[Run], failures: list[Failure]) -> None:
    """Keep synthetic and real data apart, and the word synthetic in the name of the file."""
    if out and out.suffix != '.md':
        raise InputError(f'--out {out}: expected a markdown file; name it for example my_tables/smic.md')
    kinds = [(run, run.synthetic) for run in runs] + [(failure, failure.content['synthetic']) for failure in failures]
    synthetic = [run for run, kind in kinds if kind is True]
    real = [run for run, kind in kinds if kind is False]
    if synthetic and real:
        raise InputError(
            f'expected either synthetic or real data, but {synthetic[0].path} is synthetic and {real[0].path} is real; '
            'make one leaderboard of each'
        )
    if out and synthetic and SYNTHETIC not in out.stem:
        raise InputError(
            f'--out {out}: expected a file name with the word synthetic, because these runs are on synthetic data; '
            f'name it for example {out.with_stem(f"synthetic_{out.stem}")}'
        )


def tidy(runs: Sequence) -> pd.DataFrame:
    """Return the answers of finished runs: one row per method, seed and clip, for one's own analysis.

    Args:
        runs: folders of runs or above them, or objects with such a `folder`.

    Returns:
        table (the page of the run), protocol, method, display_name, kind, settings_digest and store_digest (which tell
        methods of one name apart), seed, source, epoch_rule, synthetic, dataset, subject, sample_id, fold, y_true,
        y_pred, and score_<class> for each class of any run. A log that others published has no seed, digests and fold,
        and may have no scores; what there is none of is missing.
    """
    folders = [getattr(run, 'folder', run) for run in runs]
    tables = [_answers(run) for run in read_runs(find_runs(folders)[0])]
    if not tables:
        raise InputError('expected at least one finished run, found none; run mer-bench train first or check the path')
    return pd.concat(tables, ignore_index=True)


def _answers(run: Run) -> pd.DataFrame:
    record, predictions = run.record, run.predictions
    digests = (None, None) if run.rescored else (settings_of(record), store_of(run))
    columns = {
        'table': page_of(run),
        **{key: record[key] for key in ('protocol', 'method')},
        'display_name': display_name(record['method']),
        'kind': kind_of(record['method']),
        **dict(zip(('settings_digest', 'store_digest'), digests, strict=True)),
        'seed': pd.array([record.get('seed')] * len(predictions), dtype='UInt64'),
        **{key: record[key] for key in ('source', 'epoch_rule')},
        'synthetic': run.synthetic,
        **{key: predictions[key] for key in ('dataset', 'subject', 'sample_id')},
        'fold': predictions.get('fold'),
        **{key: predictions[key] for key in ('y_true', 'y_pred')},
        **{f'score_{name}': predictions.get(f'score_{name}') for name in record['classes']},
    }
    return pd.DataFrame(columns, index=predictions.index)


def write_tidy(runs: Sequence[str | Path], file: str | Path) -> int:
    """Write what :func:`tidy` returns as csv or Parquet, by the ending of the name, and return the number of rows.

    Text that a spreadsheet would evaluate gets an apostrophe in csv; logical values are TRUE and FALSE, as R and pandas
    read them.
    """
    file = Path(file)
    if file.suffix not in ('.csv', '.parquet'):
        raise InputError(
            f'--tidy {file}: expected a name that ends with .csv or .parquet; name it for example runs.csv'
        )
    if file.suffix == '.parquet':
        try:
            import pyarrow  # noqa: F401 (pandas calls it)
        except ModuleNotFoundError as error:
            raise InputError(
                f"--tidy {file}: Parquet needs pyarrow; run `pip install 'mer_bench[parquet]'`, or write a .csv"
            ) from error
    frame = tidy(runs)
    with write_atomically(file) as temporary:
        if file.suffix == '.parquet':
            frame.to_parquet(temporary, engine='pyarrow', index=False)
        else:
            texts = frame.select_dtypes(['object', 'string']).columns
            frame[texts] = frame[texts].map(for_csv)
            frame['synthetic'] = frame['synthetic'].map({True: 'TRUE', False: 'FALSE'})
            frame.to_csv(temporary, index=False, lineterminator='\n')
    return len(frame)
