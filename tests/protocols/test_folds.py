import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.protocols.folds import leave_one_subject_out, select_folds

# the same subject number in two data sets is two persons; the rows of a subject need not be neighbours
TABLE = pd.DataFrame({'subject': ['smic/s01', 'samm/006', 'casme2/s01', 'smic/s01', 'samm/006']})


def test_every_subject_is_held_out_once_and_never_trained_on():
    folds = leave_one_subject_out(TABLE)
    assert [fold.name for fold in folds] == ['casme2/s01', 'samm/006', 'smic/s01']
    for fold in folds:
        assert fold.test_subjects == (fold.name,)
        assert set(fold.train_subjects) == set(TABLE['subject']) - {fold.name}


def test_a_single_subject_is_refused():
    with pytest.raises(InputError, match='at least 2 subjects'):
        leave_one_subject_out(TABLE[:1])


def test_folds_are_chosen_by_full_or_unambiguous_short_name():
    folds = leave_one_subject_out(TABLE)
    assert [fold.name for fold in select_folds(folds, ['smic/s01', '006', 'samm/006'])] == ['smic/s01', 'samm/006']
    assert select_folds(folds, None) == folds


@pytest.mark.parametrize(('name', 'fault'), [('s99', 'has no clips'), ('s01', 'is in several data sets')])
def test_a_subject_without_clips_or_with_two_meanings_is_named(name, fault):
    with pytest.raises(InputError, match=f'--fold {name}: this subject {fault}; name one of casme2/s01'):
        select_folds(leave_one_subject_out(TABLE), [name])
