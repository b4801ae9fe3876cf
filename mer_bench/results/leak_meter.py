"""The leak meter of a leaderboard: what each training would score had its test subjects chosen the epoch.

These numbers are `test_selected`: they have a table and a csv of their own, and no other table takes them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from mer_bench.errors import InputError
from mer_bench.evaluation.epoch_audit import AUDIT, EpochAudit, leak_meter, read_audit
from mer_bench.results.blocks import Block, Column, Heading, Paragraph, Table
from mer_bench.results.rows import rounded
from mer_bench.results.run import Run

TEST_SELECTED = 'test_selected'
INTRODUCTION = (
    'The same trainings as above, scored after every epoch on the held-out subjects. A program that keeps the epoch '
    'with the best test score reports the numbers on the right. They are test_selected, too high by what the last '
    'column shows, and never ranked.'
)


def leak_rows(methods: Iterable[tuple[str, list[Run]]]) -> list[dict]:
    """Return one row for each method whose runs all have an audit, the largest difference first.

    Args:
        methods: The name and the runs of each method, one run per seed.

    Returns:
        method, seeds, epochs; `last`, `best_common` and `best_per_subject`, UF1 as means over the seeds, each with
        `_low` and `_high`; `common_epochs`, the best common epoch of each seed; `added`, best per subject minus last.
    """
    rows = []
    for name, runs in methods:
        if not all(run.path.with_name(AUDIT).is_file() for run in runs):
            continue
        last, common, per_subject = leak_meter([_audit_of(run) for run in runs])
        row = dict(method=name, epoch_rule=TEST_SELECTED, seeds=len(runs), epochs=last['epochs'][0])
        for key, found in (('last', last), ('best_common', common), ('best_per_subject', per_subject)):
            row |= {key: found['uf1'].value, f'{key}_low': found['uf1'].low, f'{key}_high': found['uf1'].high}
        row['common_epochs'] = ', '.join(map(str, common['epochs']))
        rows.append(rounded(row | dict(added=row['best_per_subject'] - row['last'])))
    return sorted(rows, key=lambda row: (-row['added'], row['method']))


def _audit_of(run: Run) -> EpochAudit:
    """Return the audit of a run; its last epoch must be what predictions.csv holds."""
    path = run.path.with_name(AUDIT)
    audit = read_audit(path, run.record['classes'])
    last = audit.predictions(audit.codes.shape[1] - 1)
    if _answers(last) != _answers(run.table):
        raise InputError(
            f'{path}: expected the last epoch to be that of predictions.csv, but clips, subjects or classes differ; '
            'collect the run again, or remove this file'
        )
    return audit


def _answers(table: Mapping[str, Sequence]) -> dict[str, tuple]:
    """Return subject, y_true and y_pred of each clip."""
    columns = ('sample_id', 'subject', 'y_true', 'y_pred')
    return {clip: tuple(answer) for clip, *answer in zip(*(table[name] for name in columns), strict=True)}


def leak_blocks(rows: list[dict]) -> list[Block]:
    """Lay out the leak meter of a section; nothing without rows."""
    title = 'Leak meter: epoch chosen on the test subjects'
    return [Heading(3, title), Paragraph(INTRODUCTION), Table(COLUMNS, rows, title)] if rows else []


def _with_interval(key: str) -> Callable[[dict], str]:
    def cell(row: dict) -> str:
        low, high = row[f'{key}_low'], row[f'{key}_high']
        return f'{row[key]:.4f}' if low is None else f'{row[key]:.4f} [{low:.4f}, {high:.4f}]'

    return cell


COLUMNS = [
    Column.of('method'),
    Column.of('epochs', align='right'),
    Column('last', 'UF1, last epoch', _with_interval('last')),
    Column('best_common', 'UF1, best common epoch', _with_interval('best_common')),
    Column.of('common_epochs', 'best common epoch', align='right'),
    Column('best_per_subject', 'UF1, best epoch of each subject', _with_interval('best_per_subject')),
    Column('added', 'added', lambda row: f'{row["added"]:+.4f}', align='right'),
]
