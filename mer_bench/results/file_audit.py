"""What a leak audit finds, and the part of it that the files of a run alone can show; no config is ever executed.

:mod:`mer_bench.runs.leak_audit` makes the other part, by trainings.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tabulate import tabulate

from mer_bench.errors import InputError, listed, visible
from mer_bench.files import read_json
from mer_bench.results.record import HONEST, LEAK, PASSED, RECORD, UNTOLD, VERDICTS, count_looks
from mer_bench.results.rows import describe_choice
from mer_bench.results.run import read_runs

NOTE = 'note'
PERSONS = 'the same person in two data sets'


@dataclass(frozen=True)
class Check:
    """One check of an audit.

    Attributes:
        name: What could leak.
        status: PASSED, LEAK, UNTOLD, or NOTE: something for the reader to judge.
        detail: What was found.
    """

    name: str
    status: str
    detail: str

    @classmethod
    def of(cls, name: str, fault: str, fine: str) -> 'Check':
        """Return a check that passed if there is no fault."""
        return cls(name, LEAK, fault) if fault else cls(name, PASSED, fine)


def verdict_of(checks: Sequence[Check]) -> str:
    """Return the worst status of checks; notes do not count."""
    return min((check.status for check in checks if check.status != NOTE), key=VERDICTS.index, default=PASSED)


def format_checks(checks: Sequence[Check]) -> str:
    """Lay out checks as a table for the terminal, with the verdict below it."""
    rows = [(check.name, check.status, check.detail) for check in checks]
    table = tabulate(rows, ['check', 'result', 'what was found'], disable_numparse=True, maxcolwidths=[None, None, 70])
    return f'{table}\n\nleak audit: {verdict_of(checks)}'


def as_json(checks: Sequence[Check]) -> dict:
    """Return checks and verdict for a record or a terminal."""
    return dict(verdict=verdict_of(checks), checks=[asdict(check) for check in checks])


def on_persons(datasets: Sequence[str]) -> Check:
    """Say that nobody can know whether a person is in two data sets."""
    if len(datasets) < 2:
        return Check(PERSONS, NOTE, 'there is one data set; its own subject numbers are taken to be persons')
    return Check(
        PERSONS,
        NOTE,
        f'nobody can tell: {listed(sorted(datasets))} number their subjects on their own, so one person in two of them '
        'would be in both parts of a fold',
    )


def audit_files(path: str | Path) -> list[Check]:
    """Check a run by its files: record.json, predictions.csv and, where they are still there, the folders of its folds.

    Args:
        path: A record.json, or the folder of a run.

    Raises:
        InputError: A file is missing or damaged, the run is not complete, or its scores are not those of its
            predictions.
    """
    path = Path(path, RECORD) if Path(path).is_dir() else Path(path)
    (run,) = read_runs([path])
    record, table = run.record, {'fold': [''] * len(run.table['subject'])} | run.table
    agree = 'scores, clips, subjects and folds of the record are those of predictions.csv'
    checks = [Check('scores that the predictions give', PASSED, agree), check_epoch(record)]
    if not run.rescored:
        checks += [check_subjects(table), check_counts(path.parent, record, table), check_choice(record)]
        checks.append(check_code(record))
    checks.append(on_persons([*{*table['dataset']}]))
    noted = record.get('leak_audit')
    made = (
        f'{noted["verdict"]}, with trainings of {noted["date"]}' if noted else 'none; `mer-bench audit CONFIG` makes it'
    )
    failed = noted and noted['verdict'] == LEAK
    return [*checks, Check('the leak audit in the record', LEAK if failed else NOTE, made)]


def check_epoch(record: dict) -> Check:
    """Read the rule by which the epoch was chosen."""
    name, rule = 'the epoch that is scored', record['epoch_rule']
    if rule == 'inner' and not record.get('selection'):
        return Check(name, UNTOLD, 'each fold chose it by scores on its training subjects, it says')
    if rule in HONEST:
        how = 'the last one' if rule == 'last' else 'chosen by the training subjects of each fold'
        return Check(name, PASSED, f'{how}, whatever the held-out clips say')
    stated = rule != 'not stated'
    fault = f'its rule is {rule!r}; expected {" or ".join(HONEST)}'
    return Check(name, LEAK if stated else UNTOLD, fault if stated else rule)


def check_subjects(table: dict[str, list]) -> Check:
    """Look for a subject whose clips are tested in several folds: in each it trains what tests it in the other."""
    folds: dict[str, set] = {}
    for subject, fold in zip(table['subject'], table['fold'], strict=True):
        folds.setdefault(subject, set()).add(fold)
    split = sorted(subject for subject, tested in folds.items() if len(tested) > 1)
    twice = sorted(clip for clip, number in Counter(table['sample_id']).items() if number > 1)
    fault = f'{listed(split)}: tested in several folds' if split else f'{listed(twice)}: tested twice' if twice else ''
    count = f'{len(folds)} subjects in {len({*table["fold"]})} folds, each tested in one'
    return Check.of('a subject on both sides of a fold', fault, count)


def check_counts(folder: Path, record: dict, table: dict[str, list]) -> Check:
    """Compare how many clips each fold trained on with those that it did not test."""
    name, tested = 'clips trained on and tested', Counter(table['fold'])
    files = sorted(Path(folder, 'folds').glob('*/fold.json'))
    if not files:
        return Check(name, NOTE, 'the folders of the folds, which hold these numbers, are not beside the record')
    wrong = []
    for file in files:
        found = read_json(file, 'restore it')
        counts = [found.get(key) for key in ('n_train', 'n_test')] if isinstance(found, dict) else []
        if [*map(type, counts)] != [int, int] or not isinstance(found.get('fold'), str):
            raise InputError(f'{file}: expected name and numbers of clips of a fold, found others; restore it')
        (trained, n_test), fold = counts, found['fold']
        if n_test != tested[fold] or trained + n_test > record['n_clips']:
            wrong.append(f'{visible(fold)} (trained on {trained}, tested {n_test})')
    fault = f'of {record["n_clips"]} clips: {listed(wrong)}' if wrong else ''
    return Check.of(name, fault, f'in each of {len(files)} folds, at most the {record["n_clips"]} clips together')


def check_choice(record: dict) -> Check:
    """Read how the folds chose their settings."""
    name, choice = 'the choice of settings', describe_choice(record)
    if not choice or count_looks(record['selection']) < 2:
        return Check(name, NOTE, 'made by people before the run; a record cannot show what they had seen')
    return Check(name, PASSED, f'{choice} of the training subjects, made in each fold')


def check_code(record: dict) -> Check:
    """Look in the text of the config for what would choose an epoch, and for code that is not of this package."""
    name, text = 'what the text of the config asks for', record['config']['text']
    compact = text.replace(' ', '').replace('"', "'")
    asks = [
        word
        for word in ('val_dataloader', 'val_cfg', 'save_best')
        if f'{word}=' in compact and f'{word}=None' not in compact
    ]
    if asks:
        return Check(name, LEAK, f'{listed(asks)}: a validation, for which there are no clips but the held-out ones')
    if 'custom_hooks=' in compact.replace('custom_hooks=[]', ''):
        return Check(name, UNTOLD, 'custom_hooks: code that may see everything; `mer-bench audit CONFIG` runs it')
    return Check(name, PASSED, 'no validation, no best checkpoint, no hooks of its own')
