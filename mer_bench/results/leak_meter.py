"""The leak meter of a leaderboard: what each training would score had its test subjects chosen epoch or candidate.

These numbers are `test_selected`: they have a table and a csv of their own, and no other table takes them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from mer_bench.errors import InputError
from mer_bench.evaluation.epoch_audit import AUDIT, CANDIDATES, EpochAudit, leak_meter, read_audit
from mer_bench.evaluation.statistics import signed
from mer_bench.results.blocks import Block, Column, Heading, Paragraph, Table
from mer_bench.results.methods import display_name
from mer_bench.results.record import count_looks, looks_of
from mer_bench.results.rows import METHOD, rounded
from mer_bench.results.run import Run

TEST_SELECTED = 'test_selected'
INTRODUCTION = (
    'The same trainings as above, scored after every epoch on the held-out subjects. A program that keeps the epoch '
    'with the best test score reports the numbers on the right. They are test-selected: too high by what the last '
    'column shows, and never ranked.'
)


OF_CANDIDATES = (
    'The same runs as above, in which each fold chose among candidates by its training subjects, beside what every '
    'candidate predicts for the held-out subjects. A search that keeps the settings with the best test score reports '
    'the numbers on the right. They are test-selected: too high by what the last column shows, and never ranked.'
)


def leak_rows(methods: Iterable[tuple[str, list[Run]]], file: str = AUDIT) -> list[dict]:
    """Return one row for each method whose runs all have an audit, the largest difference first.

    Args:
        methods: The name and the runs of each method, one run per seed.
        file: audit.csv, or candidates.csv. A candidate of the latter is in the place of an epoch, what the folds chose
            in that of the last one, and the rows also have `of`, 'candidates'.

    Returns:
        method, seeds, epochs; `last`, `best_common` and `best_per_subject`, UF1 as means over the seeds, each with
        `_low` and `_high`; `common_epochs`, the best common epoch of each seed; `added`, best per subject minus last.
    """
    rows = []
    for name, runs in methods:
        if not all(run.path.with_name(file).is_file() for run in runs):
            continue
        audits, honest = zip(*(_audit_of(run, file) for run in runs), strict=True)
        last, common, per_subject = leak_meter(audits, honest)
        row = dict(method=name, epoch_rule=TEST_SELECTED, seeds=len(runs), epochs=audits[0].codes.shape[1])
        for key, found in (('last', last), ('best_common', common), ('best_per_subject', per_subject)):
            row |= {key: found['uf1'].value, f'{key}_low': found['uf1'].low, f'{key}_high': found['uf1'].high}
        best = common['epochs']
        if file == CANDIDATES:
            looks = [looks_of(run.record['selection'])[number - 1] for run, number in zip(runs, best, strict=True)]
            best = dict.fromkeys(', epoch '.join(map(str, look.values())) for look in looks)
            row['of'] = 'candidates'
        row['common_epochs'] = ', '.join(map(str, best))
        rows.append(rounded(row | dict(added=row['best_per_subject'] - row['last'])))
    return sorted(rows, key=lambda row: (-row['added'], row['method']))


def _chosen(run: Run, audit: EpochAudit) -> np.ndarray:
    """Return the place in candidates.csv of what the fold of each clip chose, (N,)."""
    selection = run.record.get('selection') or dict(candidates=[])
    try:
        if count_looks(selection) != audit.codes.shape[1]:
            raise ValueError
        looks, chosen = looks_of(selection), selection.get('chosen', {})
        place = {fold: looks.index({key: look[key] for key in looks[0]}) for fold, look in chosen.items()}
        return audit.table['fold'].map(place.__getitem__).to_numpy()
    except (KeyError, ValueError):
        raise InputError(
            f'{run.path.with_name(CANDIDATES)}: expected the candidates and folds of the record, but they differ; '
            'collect the run again, or remove this file'
        ) from None


def _audit_of(run: Run, file: str) -> tuple[EpochAudit, np.ndarray | int]:
    """Return an audit of a run, and the epoch or candidates of its predictions.csv, which must hold the same."""
    path = run.path.with_name(file)
    audit = read_audit(path, run.record['classes'])
    honest = _chosen(run, audit) if file == CANDIDATES else audit.codes.shape[1] - 1
    if _answers(audit.predictions(honest)) != _answers(run.table):
        what = 'what the folds chose' if file == CANDIDATES else 'the last epoch'
        raise InputError(
            f'{path}: expected {what} to be that of predictions.csv, but clips, subjects or classes differ; '
            'collect the run again, or remove this file'
        )
    return audit, honest


def _answers(table: Mapping[str, Sequence]) -> dict[str, tuple]:
    """Return subject, y_true and y_pred of each clip."""
    columns = ('sample_id', 'subject', 'y_true', 'y_pred')
    return {clip: tuple(answer) for clip, *answer in zip(*(table[name] for name in columns), strict=True)}


def leak_blocks(rows: list[dict]) -> list[Block]:
    """Lay out the leak meter of a section; nothing without rows."""
    epochs, candidates = ([row for row in rows if ('of' in row) is kind] for kind in (False, True))
    blocks: list[Block] = []
    for what, text, part in (('epoch', INTRODUCTION, epochs), ('candidate', OF_CANDIDATES, candidates)):
        title = f'Leak meter: {what} chosen on the test subjects'
        if any(row['seeds'] > 1 for row in part):
            text += (
                f' Of a method with several seeds, UF1 is the mean over them; each seed has a best {what} of its own.'
            )
        blocks += [Heading(3, title), Paragraph(text), Table(_columns(what), part, title)] if part else []
    return blocks


def _with_interval(key: str) -> Callable[[dict], str]:
    def cell(row: dict) -> str:
        low, high = row[f'{key}_low'], row[f'{key}_high']
        return f'{row[key]:.3f}' if low is None else f'{row[key]:.3f} [{low:.3f}, {high:.3f}]'

    return cell


def _columns(what: str) -> list[Column]:
    """Return the columns of a table about the epoch or the candidate."""
    honest = 'last epoch' if what == 'epoch' else 'inner choice'
    return [
        METHOD,
        Column.of('epochs', f'{what}s', align='right'),
        Column('last', f'UF1, {honest}', _with_interval('last')),
        Column('best_common', f'UF1, best common {what}', _with_interval('best_common')),
        Column('common_epochs', f'best common {what}', lambda row: display_name(row['common_epochs']), 'right'),
        Column('best_per_subject', f'UF1, best {what} of each subject', _with_interval('best_per_subject')),
        Column('added', 'added', lambda row: signed(row['added'], 3), align='right'),
    ]
