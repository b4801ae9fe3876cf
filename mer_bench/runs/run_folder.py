"""The folder of a run: what it has before its first fold, the pooled predictions, the record, and who reads them."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.curves import COLUMNS as CURVE_COLUMNS
from mer_bench.evaluation.curves import CURVES, curves_text, pool_curves, read_curves
from mer_bench.evaluation.epoch_audit import AUDIT, CANDIDATES
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.provenance import refuse_other_settings
from mer_bench.files import digest_file, write_atomically
from mer_bench.protocols.label_schemes import COLUMNS, EXCLUDED_CLIPS, absent_clips
from mer_bench.results.record import INNER_SCORES, WITH_DIGEST, looks_of, write_record
from mer_bench.results.run import read_runs
from mer_bench.training.fold_folder import PREDICTIONS, REMEDY, finished_folders, predictions_text, read_result

IDENTITY = ['sample_id', 'dataset', 'subject', 'fold', 'y_true', 'y_pred']
ADVICE = 'give another --work-dir or remove this folder'
SCHEME_FILE = 'label_scheme.csv'
MADE_ONCE = (INNER_SCORES, CANDIDATES)


@dataclass(frozen=True)
class Run:
    """A run that was trained.

    Attributes:
        folder: Its files, an absolute path.
        record: The content of record.json.
    """

    folder: Path
    record: dict = field(repr=False)

    @property
    def scores(self) -> dict | None:
        """The scores of all clips ('full') and of each data set; None while folds are missing."""
        return self.record['scores']

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row for each clip: sample_id, dataset, subject, clip, y_true, y_pred, fold, seed, and the scores.

        Raises:
            InputError: Folds are missing.
        """
        from mer_bench.evaluation.predictions import read_predictions

        if not self.record['complete']:
            raise InputError(f'{self.summary()}: train the other folds first')
        return read_predictions(self.folder / PREDICTIONS)

    def per_subject(self) -> pd.DataFrame:
        """Return one row for each subject: dataset, subject, clips, correct, accuracy, and the recall of each class.

        The recall is NaN for a class of which the subject has no clip.
        """
        table = self.predictions
        table = table.assign(correct=table['y_true'] == table['y_pred'])
        of_subject = table.groupby(['dataset', 'subject'])
        rows = of_subject['correct'].agg(clips='size', correct='sum', accuracy='mean')
        recalls = table.groupby(['dataset', 'subject', 'y_true'])['correct'].mean().unstack()
        return rows.join(recalls.reindex(columns=self.record['classes']).add_prefix('recall_')).reset_index()

    def summary(self) -> str:
        """Return method, scores and files of a finished run, or how many folds are finished."""
        from mer_bench.evaluation.report import format_action_units, format_scores

        record, folds = self.record, self.record['folds']
        here = self.folder.relative_to(Path.cwd()) if self.folder.is_relative_to(Path.cwd()) else self.folder
        if not record['complete']:
            return f'{folds["done"]} of {folds["total"]} folds are finished in {here}; scores follow the last one'
        data = f'{record["dataset"]}, synthetic data' if record['synthetic'] else record['dataset']
        title = (
            f'{record["method"]} on {data}: {record["protocol"]}, seed {record["seed"]}, {record["epoch_rule"]} epoch'
        )
        lines = ['', title, format_scores(record['scores'])]
        if 'action_units' in record:
            lines += ['', format_action_units(record['action_units'])]
        return '\n'.join([*lines, f'{here}/record.json, {here}/{PREDICTIONS}'])


def refuse_other_folds(work_dir: Path, record: dict, continued: bool, begun: dict | None = None) -> dict | None:
    """Refuse a run folder that holds folds of other settings; return the record of its folds, None if it holds none.

    Args:
        work_dir, record, continued, begun: As for :func:`refuse_other_settings`.
    """
    if not any((work_dir / 'folds').glob('*')):
        return None
    return refuse_other_settings(work_dir, record, ADVICE, continued, begun)


def write_scheme(experiment: Experiment, folder: Path) -> None:
    """Write the rules as label_scheme.csv, the clips that they exclude by name, if any, and dropped.csv.

    `--cfg-options label_scheme=FOLDER/label_scheme.csv` reads the first two, also after the original has changed.
    dropped.csv has every clip that is left out, with the reason.
    """
    scheme, data = experiment.method.scheme, experiment.data
    write_csv(pd.DataFrame(scheme.rules).assign(scheme=scheme.name), folder / SCHEME_FILE)
    clips = pd.concat([data.annotations['sample_id'], data.dropped['sample_id']])
    absent = absent_clips(scheme.excluded, clips)  # an own scheme must not name them
    name = Path(SCHEME_FILE).stem
    rows = [(name, *clip.split('/', 2), reason) for clip, reason in scheme.excluded if clip not in absent]
    if rows:
        write_csv(pd.DataFrame(rows, columns=COLUMNS), folder / EXCLUDED_CLIPS)
    write_csv(data.dropped, folder / 'dropped.csv')


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as it is, atomically."""
    with write_atomically(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator='\n')


def update_record(work_dir: Path, record: dict, experiment: Experiment) -> dict:
    """Write record.json from the finished folds; with all of them also the pooled predictions.csv and the scores.

    A finished run is scored and written again only if its folds, predictions.csv or scores do not agree.
    """
    folds, before = experiment.folds, record
    done = finished_folders(work_dir, folds)
    missing = [fold.name for fold in folds if fold.name not in done]
    finished = [read_result(work_dir, fold) for fold in folds if fold.name in done]
    record = dict(
        record,
        folds=dict(total=len(folds), done=len(finished), missing=missing),
        complete=not missing,
        seconds=dict(record['seconds']),
    )
    if not missing:
        pooled = pool_predictions([folder / PREDICTIONS for folder in done.values()])
        refuse_other_clips(work_dir, pooled, experiment.data.annotations)
        score_run(work_dir, record, predictions_text(pooled))
        pool_audits([folder / AUDIT for folder in done.values()], work_dir / AUDIT)
        pool(join_curves, [folder / CURVES for folder in done.values()], work_dir / CURVES)
        if 'selection' in record:
            write_inner_scores(finished, record['selection'], work_dir / INNER_SCORES)
        seconds = {part: [result[f'{part}_seconds'] for result in finished] for part in ('train', 'test')}
        if 'selection' in record:
            seconds['choice'] = [result['inner'].get('seconds') for result in finished]
        record['seconds'] |= {part: None if None in each else sum(each) for part, each in seconds.items()}
    if finished:
        record |= {key: _joined(result[key] for result in finished) for key in ('device', 'commit', 'date')}
        if 'stack' in record and (ways := _joined(result.get('stack', {}).get('way') for result in finished)):
            record['stack'] = dict(record['stack'], trained=ways)  # may differ in a continued run
        if fit := _joined(result.get('fit') for result in finished):  # of scikit-learn
            record['fit'] = fit
        if batches := [result['batch'] for result in finished if result.get('batch')]:
            computed = {clips for batch in batches for clips in batch['computed']}
            computed |= {batches[0]['size']} if len(batches) < len(finished) else set()
            record['batch'] = dict(batches[0], computed=sorted(computed, reverse=True))
        if 'selection' in record:
            record['selection'] = dict(record['selection'], chosen=choices_of(finished))
        names = finished[0]['versions']
        record['versions'] = {name: _joined(result['versions'].get(name) for result in finished) for name in names}
    if not missing and ('files' in before or not before['complete']):  # older records have none
        record['files'] = digests_beside(work_dir, before)
    if record != before or missing:
        write_record(work_dir / 'record.json', record)
    return record


def digests_beside(work_dir: Path, record: dict) -> dict[str, str]:
    """Return the digests of the files beside a record, those that a run makes once as the record has them."""
    known = {name: digest for name, digest in record.get('files', {}).items() if name in MADE_ONCE}
    return {name: digest_file(work_dir / name) for name in WITH_DIGEST if (work_dir / name).exists()} | known


def score_run(work_dir: Path, record: dict, text: str) -> None:
    """Write predictions.csv and put its scores into the record, unless the run has both already."""
    path = work_dir / PREDICTIONS
    if record['scores'] and path.is_file() and path.read_bytes() == text.encode():
        with suppress(InputError):
            read_runs([work_dir / 'record.json'])  # its scores are those of its predictions
            return
    from mer_bench.evaluation.action_units import score_action_units
    from mer_bench.evaluation.metrics import score_table
    from mer_bench.evaluation.predictions import read_predictions

    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding='utf-8')
    frame = read_predictions(path)
    record['scores'] = score_table(frame, record['classes'])
    if 'action_units' in frame:
        record['action_units'] = score_action_units(frame)


def _joined(values: Iterable[str | None]) -> str | None:
    """All different values, in the order of their first use: the folds of a run may come from different days."""
    return ', '.join(dict.fromkeys(value for value in values if value)) or None


def pool_predictions(tables: list[Path]) -> pd.DataFrame:
    """Join the predictions of all folds; every clip must be in exactly one of them."""
    pooled = pd.concat([read_table(path) for path in tables], ignore_index=True)
    twice = pooled.loc[pooled['sample_id'].duplicated(), 'sample_id']
    if len(twice):
        raise InputError(f'{twice.iloc[0]}: expected one fold that held it out, found several; {ADVICE}')
    return pooled


def pool_audits(tables: list[Path], out: Path) -> None:
    """Join the audits of all folds, see :func:`pool`."""

    def join(tables: list[Path]) -> str:
        return predictions_text(pd.concat([pd.read_csv(path, dtype=str, keep_default_na=False) for path in tables]))

    pool(join, tables, out)


def join_curves(tables: list[Path]) -> str:
    """Return the text of the pooled curves.csv."""
    return curves_text(pool_curves([read_curves(path, CURVE_COLUMNS) for path in tables]))


def pool(join: Callable[[list[Path]], str], tables: list[Path], out: Path) -> None:
    """Write what a function makes of a file of all folds; where one has none, no file stays that is of other folds."""
    if not all(path.exists() for path in tables):
        out.unlink(missing_ok=True)
        return
    text = join(tables)
    if not out.is_file() or out.read_bytes() != text.encode():
        with write_atomically(out) as temporary:
            temporary.write_text(text, encoding='utf-8')


def choices_of(finished: list[dict]) -> dict[str, dict]:
    """Return what each finished fold chose, with its inner UF1 and the temperature of its inner scores."""
    chosen = {}
    for result in finished:
        inner = result['inner']
        look = {key: inner[key] for key in ('candidate', 'epoch') if key in inner}
        heat = {'temperature': inner['temperature']} if inner.get('temperature') else {}
        chosen[result['fold']] = look | dict(uf1=max(inner['uf1'])) | heat
    return chosen


def write_inner_scores(finished: list[dict], selection: dict, path: Path) -> None:
    """Write the inner UF1 of every candidate, and of every epoch of a network, in every fold, once."""
    if not path.exists():
        rows = []
        for result in finished:
            uf1 = result['inner']['uf1']
            chosen = uf1.index(max(uf1))
            for number, look in enumerate(looks_of(selection)):
                rows.append(dict(fold=result['fold'], **look, uf1=uf1[number], chosen=number == chosen))
        write_csv(pd.DataFrame(rows), path)


def read_table(path: Path) -> pd.DataFrame:
    """Read the predictions.csv of a fold, and name whatever is not as it was written."""
    text = dict.fromkeys((*IDENTITY, 'action_units'), str)
    try:
        table = pd.read_csv(path, dtype=text, keep_default_na=False, float_precision='round_trip')
    except Exception as error:  # a damaged file can raise anything
        raise InputError(f'{path}: expected the predictions of a fold, but {error}; {REMEDY}') from error
    if missing := [name for name in IDENTITY if name not in table]:
        raise InputError(f'{path}: expected the column {missing[0]}, found none; {REMEDY}')
    empty = table[IDENTITY].isna() | (table[IDENTITY] == '')
    if empty.any(axis=None):
        row = int(empty.any(axis=1).argmax())
        raise InputError(
            f'{path}: row {row + 1} below the header has an empty cell in the column {empty.iloc[row].idxmax()}, so '
            f'its clip or answer is unknown; {REMEDY}'
        )
    return table


def refuse_other_clips(work_dir: Path, pooled: pd.DataFrame, annotations: pd.DataFrame) -> None:
    """Refuse predictions that are not of the clips in use with their labels."""
    predicted = dict(zip(pooled['sample_id'], pooled['y_true'], strict=True))
    in_use = dict(zip(annotations['sample_id'], annotations['label'], strict=True))
    if other := sorted(name for name, _ in predicted.items() ^ in_use.items()):
        raise InputError(
            f'{work_dir}/folds: expected a prediction of each clip in use, with its label, found another label, no '
            f'prediction or no such clip for {other[0]}; {ADVICE}'
        )
