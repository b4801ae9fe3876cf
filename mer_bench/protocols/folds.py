"""Folds of an evaluation protocol, made with scikit-learn's splitters on the annotation table."""

from dataclasses import dataclass

import pandas as pd
from sklearn.model_selection import LeaveOneGroupOut

from mer_bench.errors import InputError


@dataclass(frozen=True)
class Fold:
    """One train-test split by subjects. The name of a LOSO fold is its held-out subject."""

    name: str
    train_subjects: tuple[str, ...]
    test_subjects: tuple[str, ...]

    @property
    def folder(self) -> str:
        """The name as a folder: `smic/s01` becomes `smic_s01`."""
        return self.name.replace('/', '_')


def leave_one_subject_out(annotations: pd.DataFrame) -> list[Fold]:
    """One fold a subject, in the order of the subjects' names."""
    subjects = annotations['subject']
    if subjects.nunique() < 2:
        raise InputError(
            f'leave-one-subject-out needs at least 2 subjects, the annotation table has {subjects.nunique()}; '
            'prepare the data of more subjects'
        )
    folds = []
    for train, test in LeaveOneGroupOut().split(annotations, groups=subjects):
        held_out = subjects.iloc[test[0]]
        folds.append(Fold(held_out, tuple(sorted(subjects.iloc[train].unique())), (held_out,)))
    return sorted(folds, key=lambda fold: fold.name)


def select_folds(folds: list[Fold], names: list[str] | None) -> list[Fold]:
    """Return the folds called `names` (`smic/s01`, or `s01` where only one data set has it); all for None."""
    if not names:
        return folds
    return list(dict.fromkeys(_find_fold(folds, name) for name in names))


def _find_fold(folds: list[Fold], name: str) -> Fold:
    found = [fold for fold in folds if name in (fold.name, fold.name.split('/')[-1])]
    if len(found) == 1:
        return found[0]
    known = ', '.join(fold.name for fold in folds)
    fault = 'has no clips' if not found else 'is in several data sets'
    raise InputError(f'--fold {name}: this subject {fault}; name one of {known}')
