import pandas as pd
import pytest
from sklearn.model_selection import LeaveOneGroupOut

from mer_bench.errors import InputError
from mer_bench.protocols.folds import fold_title, leave_one_out, make_folds, select_folds
from tests.protocols.protocol_tables import clip_row, random_table

RULES = [
    'loso',
    'leave_one_dataset_out',
    {'type': 'group_kfold', 'n_splits': 2},
    {'type': 'group_kfold', 'n_splits': 4},
]
# the same subject number in two data sets is two persons; the rows of a subject need not be neighbours
SUBJECTS = ['smic/s01', 'samm/006', 'casme2/s01', 'smic/s01', 'samm/006']
TABLE = pd.DataFrame([clip_row(*subject.split('/'), f'c{i}') for i, subject in enumerate(SUBJECTS)])


@pytest.mark.parametrize('seed', range(12))
@pytest.mark.parametrize('rule', RULES, ids=str)
def test_every_rule_tests_each_clip_once_and_keeps_persons_apart(rule, seed):
    table = random_table(seed)
    folds, tested = make_folds(table, rule), []
    for fold in folds:
        assert not set(fold.train_subjects) & set(fold.test_subjects)
        assert set(fold.train_subjects) | set(fold.test_subjects) == set(table['subject'])
        assert table['subject'].isin(fold.train_subjects).any()
        tested += table.loc[table['subject'].isin(fold.test_subjects), 'sample_id'].tolist()
    assert sorted(tested) == sorted(table['sample_id'])
    assert len({fold.folder for fold in folds}) == len(folds)


@pytest.mark.parametrize('seed', range(6))
def test_the_same_number_in_two_data_sets_is_two_persons(seed):
    table = random_table(seed)
    folds = {fold.name: fold for fold in make_folds(table, 'loso')}
    namesakes = {name for name in table['subject'] if name.endswith('/01')}
    assert set(folds) == set(table['subject'])
    assert len(namesakes) == table['dataset'].nunique()
    for subject in namesakes:
        assert folds[subject].test_subjects == (subject,)
        assert namesakes - {subject} <= set(folds[subject].train_subjects)


def test_loso_holds_out_every_subject_in_the_order_of_names():
    folds = make_folds(TABLE, 'loso')
    assert [fold.name for fold in folds] == ['casme2/s01', 'samm/006', 'smic/s01']
    assert folds[0].train_subjects == ('samm/006', 'smic/s01')
    assert folds[0].test_subjects == ('casme2/s01',)
    assert folds == leave_one_out(TABLE, 'subject')


def test_leave_one_dataset_out_tests_all_subjects_of_a_data_set():
    table = pd.concat([TABLE, pd.DataFrame([clip_row('smic', 's02', 'c9')])])
    folds = make_folds(table, 'leave_one_dataset_out')
    assert [fold.name for fold in folds] == ['casme2', 'samm', 'smic']
    assert folds[2].test_subjects == ('smic/s01', 'smic/s02')
    assert folds[2].train_subjects == ('casme2/s01', 'samm/006')


def test_group_kfold_spreads_the_clips_and_ignores_the_order_of_rows():
    # 4 + 3 + 2 + 1 clips in two folds: 5 each, as 4 + 1 and 3 + 2
    table = pd.DataFrame([clip_row('smic', f's{s}', f'c{i}') for s in range(1, 5) for i in range(5 - s)])
    rule = {'type': 'group_kfold', 'n_splits': 2}
    folds = make_folds(table, rule)
    assert [fold.name for fold in folds] == ['fold01', 'fold02']
    assert {fold.test_subjects for fold in folds} == {('smic/s1', 'smic/s4'), ('smic/s2', 'smic/s3')}
    assert make_folds(table[::-1], rule) == folds


def test_rules_have_titles():
    titles = [fold_title(rule) for rule in ('loso', 'leave_one_dataset_out', {'type': 'group_kfold', 'n_splits': 10})]
    assert titles == ['LOSO', 'leave one data set out', '10 folds by subject']


@pytest.mark.parametrize(
    ('rule', 'message'),
    [
        ('loocv', "found 'loocv'"),
        ('group_kfold', "found 'group_kfold'"),
        (None, 'found None'),
        ({'type': 'loso', 'n_splits': 3}, 'expected .*found'),
        ({'type': 'group_kfold', 'n_splits': 1}, 'a whole number from 2, found 1'),
        ({'type': 'group_kfold', 'n_splits': 2.5}, 'a whole number from 2, found 2.5'),
        ({'type': 'group_kfold', 'n_splits': 4}, r'as many folds as subjects \(3\), found n_splits 4'),
    ],
)
def test_a_rule_that_cannot_be_followed_is_told(rule, message):
    with pytest.raises(InputError, match=message):
        make_folds(TABLE, rule)


@pytest.mark.parametrize(
    ('rule', 'need'), [('loso', 'at least 2 subjects'), ('leave_one_dataset_out', 'at least 2 data sets')]
)
def test_a_single_group_is_refused(rule, need):
    with pytest.raises(InputError, match=need):
        make_folds(TABLE[:1], rule)


def test_two_folds_of_one_folder_are_refused():
    table = pd.DataFrame([clip_row(dataset, subject, 'c') for dataset, subject in (('a', 'b_c'), ('a_b', 'c'))])
    with pytest.raises(InputError, match='found a_b_c for a/b_c and a_b/c; rename one of them'):
        select_folds(make_folds(table, 'loso'))
    assert len(select_folds(make_folds(table, 'leave_one_dataset_out'))) == 2


@pytest.mark.parametrize('other', ['smic_vis', 'smic_nir', 'smic_e_hs'])
@pytest.mark.parametrize('rule', RULES, ids=str)
def test_two_parts_of_smic_show_the_same_persons_and_are_refused(rule, other):
    table = pd.DataFrame([clip_row(name, f's{i}', 'c') for name in ('smic', other) for i in range(3)])
    with pytest.raises(InputError, match=f'found smic, {other}, which show the same persons'):
        make_folds(table, rule)


def test_a_clip_that_stands_twice_is_refused():
    with pytest.raises(InputError, match='found casme2/s01/c2 twice'):
        make_folds(pd.concat([TABLE, TABLE[2:3]]), 'loso')


def test_a_subject_of_two_data_sets_is_refused():
    table = TABLE.assign(subject='s01')
    with pytest.raises(InputError, match='found s01 in 3 data sets'):
        make_folds(table, 'leave_one_dataset_out')


def test_folds_are_chosen_by_full_or_unambiguous_short_name():
    folds = make_folds(TABLE, 'loso')
    assert [fold.name for fold in select_folds(folds, ['smic/s01', '006', 'samm/006'])] == ['smic/s01', 'samm/006']
    assert select_folds(folds, None) == folds


@pytest.mark.parametrize(('name', 'fault'), [('s99', 'has no clips'), ('s01', 'is in several data sets')])
def test_a_subject_without_clips_or_with_two_meanings_is_named(name, fault):
    with pytest.raises(InputError, match=f'--fold {name}: this subject {fault}; name one of casme2/s01'):
        select_folds(make_folds(TABLE, 'loso'), [name])


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize(('rule', 'column'), [('loso', 'subject'), ('leave_one_dataset_out', 'dataset')])
def test_folds_are_those_of_scikit_learn(rule, column, seed):
    table = random_table(seed)
    subjects = table['subject'].to_numpy()
    splits = LeaveOneGroupOut().split(table, groups=table[column])
    expected = [tuple(tuple(sorted({*subjects[rows]})) for rows in split) for split in splits]
    assert [(fold.train_subjects, fold.test_subjects) for fold in make_folds(table, rule)] == expected


def test_the_folds_of_20000_subjects_share_one_list_of_them():
    # 20,000 lists of 19,999 subjects each would take 3 GB
    names = [f'smic/{i}' for i in range(20_000)]
    table = pd.DataFrame({'sample_id': [f'{name}/c' for name in names], 'dataset': 'smic', 'subject': names})
    folds = make_folds(table, 'loso')
    assert len(folds) == 20_000
    assert folds[0].subjects is folds[-1].subjects
