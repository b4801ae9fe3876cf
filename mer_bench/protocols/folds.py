"""Folds of an evaluation protocol: pure functions of the annotation table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from mer_bench.errors import InputError
from mer_bench.escaping import folder_name

RULES = "'loso', 'leave_one_dataset_out' or {'type': 'group_kfold', 'n_splits': K}"


@dataclass(frozen=True)
class Fold:
    """One train-test split by subjects, named after the held-out subject or data set, or by its number."""

    name: str
    subjects: tuple[str, ...]  # of the whole run: one tuple for all folds, so that 10,000 folds share it
    test_subjects: tuple[str, ...]

    @property
    def train_subjects(self) -> tuple[str, ...]:
        """All subjects that are not tested."""
        tested = {*self.test_subjects}
        return tuple(subject for subject in self.subjects if subject not in tested)

    @property
    def folder(self) -> str:
        """The name as a folder: `smic/s01` becomes `smic_s01`."""
        return folder_name(self.name, 'a fold')


def read_rule(rule: str | Mapping) -> dict:
    """Return the one form of a rule: {'type': ...}, and n_splits for a group k-fold; 'loso' is {'type': 'loso'}."""
    given = dict(rule) if isinstance(rule, Mapping) else {'type': rule}
    kind, n_splits = given.get('type'), given.get('n_splits')
    known = {'type', 'n_splits'} if kind == 'group_kfold' else {'type'}
    if kind not in ('loso', 'leave_one_dataset_out', 'group_kfold') or set(given) != known:
        raise InputError(f'folds: expected {RULES}, found {rule!r}; correct the rule')
    if kind == 'group_kfold' and (type(n_splits) is not int or n_splits < 2):
        raise InputError(f'folds: expected n_splits to be a whole number from 2, found {n_splits!r}; correct it')
    return {key: given[key] for key in ('type', 'n_splits') if key in given}


def fold_title(rule: str | Mapping) -> str:
    """Return the rule in words: 'LOSO', 'leave one data set out', '10 folds by subject'."""
    rule = read_rule(rule)
    titles = {'loso': 'LOSO', 'leave_one_dataset_out': 'leave one data set out'}
    return titles.get(rule['type']) or f'{rule["n_splits"]} folds by subject'


def make_folds(annotations: pd.DataFrame, rule: str | Mapping) -> list[Fold]:
    """Return the folds of a rule; every clip is tested once, and no person is in both parts of a fold.

    Args:
        annotations: One row per clip: sample_id, dataset, subject.
        rule: 'loso', 'leave_one_dataset_out' or {'type': 'group_kfold', 'n_splits': K} (K folds by subject of about
            the same number of clips).
    """
    rule = read_rule(rule)
    check_persons(annotations)
    if rule['type'] == 'group_kfold':
        return group_kfold(annotations, rule['n_splits'])
    return leave_one_out(annotations, 'subject' if rule['type'] == 'loso' else 'dataset')


def check_persons(annotations: pd.DataFrame) -> None:
    """Refuse tables in which a clip occurs twice or a person may have two names."""
    twice = annotations.loc[annotations['sample_id'].duplicated(), 'sample_id']
    if len(twice):
        raise InputError(
            f'the annotation tables: expected every clip once, found {twice.iloc[0]} twice; give each data set once'
        )
    names = annotations['dataset'].drop_duplicates()
    smic = sorted(name for name in names if name == 'smic' or name.startswith('smic_'))
    if len(smic) > 1:
        raise InputError(
            f'the annotation tables: expected one part of SMIC, found {", ".join(smic)}, which show the same persons; '
            'keep one'
        )
    owners = annotations.groupby('subject')['dataset'].nunique()
    if (owners > 1).any():
        raise InputError(
            f'the annotation tables: expected subjects of the form <dataset>/<subject>, found {owners.idxmax()} in '
            f'{owners.max()} data sets; correct the tables'
        )


def check_folders(folds: list[Fold]) -> None:
    """Refuse two folds that would be kept in one folder, as those of the subjects a/b_c and a_b/c."""
    name_of: dict[str, str] = {}
    for fold in folds:
        if fold.folder in name_of:
            raise InputError(
                f'folds: expected a folder for each, found {fold.folder} for {name_of[fold.folder]} and {fold.name}; '
                'rename one of them'
            )
        name_of[fold.folder] = fold.name


def leave_one_out(annotations: pd.DataFrame, column: str) -> list[Fold]:
    """One fold a subject or a data set, in the order of their names."""
    groups = annotations[column]
    if groups.nunique() < 2:
        what = {'subject': 'subject', 'dataset': 'data set'}[column]
        raise InputError(
            f'leave-one-{column}-out needs at least 2 {what}s, the annotation table has {groups.nunique()}; prepare '
            'more data'
        )
    return _folds_of(annotations['subject'], groups)


def group_kfold(annotations: pd.DataFrame, n_splits: int) -> list[Fold]:
    """`n_splits` folds by subject, fold01, fold02, ...: those of scikit-learn, whose version is in the record."""
    subjects = annotations['subject']
    if n_splits > subjects.nunique():
        raise InputError(
            f'folds: expected at most as many folds as subjects ({subjects.nunique()}), found n_splits {n_splits}; '
            'take fewer folds or the data of more subjects'
        )
    from sklearn.model_selection import GroupKFold  # takes a second to import

    folds = pd.Series(0, index=subjects.index)
    for number, (_, test) in enumerate(GroupKFold(n_splits).split(subjects, groups=subjects), start=1):
        folds.iloc[test] = number
    return _folds_of(subjects, folds.map('fold{:02d}'.format))


def select_folds(folds: list[Fold], names: Sequence[str] = ()) -> list[Fold]:
    """Return the folds that a run trains, each in a folder of its own.

    Args:
        folds: All of the protocol.
        names: `smic/s01`, or `s01` where only one data set has it; none: all folds.

    Raises:
        InputError: There is no such fold, or two folds would be kept in one folder.
    """
    chosen = list(dict.fromkeys(_find_fold(folds, name) for name in names)) if names else folds
    check_folders(folds)
    return chosen


def _folds_of(subjects: pd.Series, names: pd.Series) -> list[Fold]:
    """Return a fold for each name, in their order; `subjects` and `names` have one entry a clip."""
    tested: dict[str, list[str]] = {}
    pairs = pd.DataFrame({'name': names, 'subject': subjects}).drop_duplicates().sort_values(['name', 'subject'])
    for name, subject in zip(pairs['name'], pairs['subject'], strict=True):
        tested.setdefault(name, []).append(subject)
    everyone = tuple(sorted(subjects.unique()))
    return [Fold(name, everyone, tuple(part)) for name, part in tested.items()]


def _find_fold(folds: list[Fold], name: str) -> Fold:
    found = [fold for fold in folds if name in (fold.name, fold.name.split('/')[-1])]
    if len(found) == 1:
        return found[0]
    known = ', '.join(fold.name for fold in folds)
    thing = 'subject' if folds[0].test_subjects == (folds[0].name,) else 'fold'
    fault = 'has no clips' if not found else 'is in several data sets'
    raise InputError(f'--fold {name}: this {thing} {fault}; name one of {known}')
