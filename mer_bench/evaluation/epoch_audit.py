"""The leak meter: what the choice of an epoch on the held-out subjects adds to the scores of a training.

`train --audit-epochs` scores the held-out subjects after every epoch, into audit.csv, which no training reads. Its
numbers are optimistic, because the test clips chose the epoch; they belong in tables of their own. Many published
programs keep the best epoch of each held-out subject. `--audit-candidates` does the same for the candidates of
`--select inner`, into candidates.csv: below, a candidate is then in the place of an epoch.
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.metrics import SubjectCounts, class_f1, confusion_of
from mer_bench.evaluation.statistics import contrast
from mer_bench.files import refuse_special

AUDIT = 'audit.csv'  # beside predictions.csv
CANDIDATES = 'candidates.csv'  # the same with a candidate of `--select inner` in place of an epoch
PREDICTED = 'predicted'  # its column of one letter an epoch
LETTERS = string.ascii_letters  # 'a' is the first class of the record
LAST, BEST_COMMON, BEST_PER_SUBJECT = 'last epoch', 'best common epoch', 'best epoch of each subject'


@dataclass(frozen=True)
class EpochAudit:
    """The predictions of every epoch, from audit.csv.

    Attributes:
        table: One row per clip: sample_id, dataset, subject, y_true and the other columns of predictions.csv.
        codes: (N, E), the place of the predicted class in `classes`, after each epoch.
        classes: Names of the classes.
    """

    table: pd.DataFrame
    codes: np.ndarray
    classes: list[str]

    def predictions(self, epochs: np.ndarray | int) -> pd.DataFrame:
        """Return the table with the column y_pred of an epoch, counted from 0, or of one epoch a clip, (N,)."""
        chosen = np.broadcast_to(epochs, len(self.table))
        return self.table.assign(y_pred=np.array(self.classes)[self.codes[np.arange(len(self.table)), chosen]])

    def best_common(self) -> int:
        """Return the epoch, counted from 0, whose pooled UF1 is the highest; the first of equals."""
        return int(self.uf1().argmax())

    def best_per_subject(self) -> np.ndarray:
        """Return for each clip the first epoch in which most clips of its subject are correct, (N,)."""
        correct = pd.DataFrame(self.codes == self.truth[:, None]).groupby(self.table['subject'].to_numpy()).sum()
        best = pd.Series(correct.to_numpy().argmax(1), correct.index)
        return best[self.table['subject']].to_numpy()

    def uf1(self) -> np.ndarray:
        """Return the pooled UF1 after each epoch, (E,)."""
        size, (_, epochs) = len(self.classes), self.codes.shape
        counts = confusion_of(np.arange(epochs), self.truth[:, None], self.codes, (epochs, size, size))
        return class_f1(counts).mean(-1)

    @property
    def truth(self) -> np.ndarray:
        """The places of the true classes, (N,)."""
        return pd.Categorical(self.table['y_true'], self.classes).codes.astype(int)


def leak_meter(audits: Sequence[EpochAudit], honest: Sequence[np.ndarray | int] | None = None) -> list[dict]:
    """Score the honest epoch, the best common epoch, and the best epoch of each subject.

    Args:
        audits: Those of the seeds of one method.
        honest: For each seed the epoch that is scored, or of candidates the one that the fold of each clip chose, (N,);
            None: the last epochs.

    Returns:
        One dict per rule: rule, epochs (that of each seed, counted from 1; None where it differs between subjects),
        `counts` of each seed, and `uf1`, the mean over the seeds with its 95 % interval over the subjects.
    """
    rules = {
        LAST: [audit.codes.shape[1] - 1 for audit in audits] if honest is None else honest,
        BEST_COMMON: [audit.best_common() for audit in audits],
        BEST_PER_SUBJECT: [audit.best_per_subject() for audit in audits],
    }
    rows = []
    for rule, chosen in rules.items():
        tables = [audit.predictions(epochs) for audit, epochs in zip(audits, chosen, strict=True)]
        counts = [SubjectCounts.of(table, audits[0].classes) for table in tables]
        epochs = None if np.ndim(chosen[0]) else [epoch + 1 for epoch in chosen]
        rows.append(dict(rule=rule, epochs=epochs, counts=counts, uf1=contrast([counts], [1], 'uf1')))
    return rows


def read_audit(path: str | Path, classes: list[str]) -> EpochAudit:
    """Read audit.csv.

    Args:
        path: The file.
        classes: Those of the record beside it, in its order.

    Raises:
        InputError: It is not what `--audit-epochs` or `--audit-candidates` writes.
    """
    path = Path(path)
    kind = 'candidates' if path.name == CANDIDATES else 'epochs'
    again = f'train with --audit-{kind} again'
    refuse_special(path, again)
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except Exception as error:  # a damaged file can raise anything
        raise InputError(f'{path}: expected a table of {kind}, but {error}; {again}') from error
    needed = {'sample_id', 'dataset', 'subject', 'y_true', PREDICTED}
    if missing := sorted(needed - {*table}):
        raise InputError(f'{path}: expected the column {missing[0]}, found none; {again}')
    if other := {*table['y_true']} - {*classes}:
        raise InputError(f'{path}: expected y_true of {", ".join(classes)}, found {min(other)!r}; {again}')
    words, known = table[PREDICTED], LETTERS[: len(classes)]
    lengths = {*map(len, words)}
    if len(lengths) != 1 or not max(lengths) or {*''.join(words)} - {*known}:
        raise InputError(
            f'{path}: expected one letter of {known!r} for each clip and each of the {kind}, found others; {again}'
        )
    codes = np.array([[known.index(letter) for letter in word] for word in words])
    return EpochAudit(table.drop(columns=PREDICTED), codes, [*classes])


def audit_table(clips: pd.DataFrame, codes: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """Return the content of audit.csv.

    Args:
        clips: One row per clip: sample_id, dataset, subject, fold, seed, y_true.
        codes: (N, E), the place of the predicted class in `classes`, after each epoch.
        classes: Names of the classes, as many as :data:`LETTERS` at most.
    """
    letters = np.array([*LETTERS])[codes]
    return clips.assign(**{PREDICTED: [''.join(row) for row in letters]})
