"""Leaderboards from Python, and every method against one. Expected numbers are worked out by hand.

The eight clips of conftest.py: one surprise clip taken for negative gives UF1 23/27, always negative gives 2/9.
"""

import sys
from types import SimpleNamespace

import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.results.leaderboard import leaderboard, tidy, write_leaderboard, write_tidy
from mer_bench.results.pages import write_pages
from mer_bench.results.rescored import write_rescored
from tests.results.conftest import CLASSES


@pytest.fixture
def three(new_run, tmp_path):
    for method, answers in (('net', 'perfect'), ('other', 'one wrong'), ('rule', 'always negative')):
        new_run(f'runs/{method}', answers, method=method)
    return tmp_path / 'runs'


def test_folders_and_runs_with_a_folder_give_the_rows_of_the_csv(three, tmp_path):
    table = leaderboard(three, out=tmp_path / 'smic.md')
    assert table['method'].tolist() == ['net', 'other', 'rule']
    assert table['uf1'].tolist() == pytest.approx([1, 23 / 27, 2 / 9])
    assert [*table] == [*pd.read_csv(tmp_path / 'smic.csv')]
    runs = [SimpleNamespace(folder=three / name) for name in ('rule', 'other')]
    assert leaderboard(runs)['method'].tolist() == ['other', 'rule']


def test_predictions_are_ranked_by_name_and_compared(three):
    sources = {name: three / name for name in ('rule', 'net')} | {'frame': pd.read_csv(three / 'other/predictions.csv')}
    table = leaderboard(sources, compare='net').set_index('method')
    assert [*table.index] == ['net', 'frame', 'rule']
    assert table.loc['frame', ['clips', 'subjects', 'uf1', 'against_change']].tolist() == pytest.approx(
        [8, 4, 23 / 27, 23 / 27 - 1]
    )
    # 4 clips that net alone predicts correctly: P = 2 / 2**4, times 2 comparisons
    assert table.loc['rule', ['against_mcnemar_p', 'against_mcnemar_p_holm']].tolist() == [0.125, 0.25]
    assert table.loc['net'].isna()['against_change']


def test_predictions_of_other_clips_are_not_ranked(three):
    frame = pd.read_csv(three / 'net/predictions.csv')
    with pytest.raises(InputError, match='same clips, but 2 clips are only in one of net and part'):
        leaderboard({'net': three / 'net', 'part': frame.iloc[2:]})


def test_the_classes_of_one_method_count_for_all(three):
    # without its columns of scores, the third class would not count: always negative has F1 2/3 of one class in three
    frame = pd.read_csv(three / 'rule/predictions.csv').query("y_true != 'surprise'")
    bare = frame[['sample_id', 'y_true', 'y_pred']]
    table = leaderboard({'scored': frame, 'bare': bare})
    assert table['uf1'].tolist() == pytest.approx([2 * 4 / (4 + 6) / 3] * 2)


@pytest.mark.parametrize('runs', [3, [], {}, [pd.DataFrame()], {'a': 3}])
def test_what_is_no_run_is_refused(runs):
    with pytest.raises(InputError, match='expected '):
        leaderboard(runs)


def test_every_method_is_set_against_one_with_corrected_p(three, tmp_path, monkeypatch):
    assert '4 people are too few to say' in write_leaderboard([three], tmp_path / 'few.md', 'net')
    monkeypatch.setattr('mer_bench.results.ablations.MEASURED', 4)
    text = write_leaderboard([three], tmp_path / 'smic.md', 'net')
    section = text.split('### Every method against net')[1].split('###')[0]
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in section.splitlines() if line.startswith('|')]
    assert [row[0] for row in rows[2:]] == ['other', 'rule']
    assert rows[0][-3:] == ['right alone', 'McNemar p', 'p, Holm']
    # always negative misses 4 of 8 clips: P = 2 / 2**4, of two comparisons
    assert rows[3][1:3] + rows[3][4:] == ['0.222', '-0.778', '4 : 0', '0.125', '0.250']
    assert 'The last column corrects p for all 2 (Holm)' in section
    plain = 'In plain words: on these 4 people, 0 of 2 methods did better than net by more than chance often gives'
    # always negative loses by the same for every subject; the one wrong clip is that of one subject
    assert f'{plain}, 1 did worse, and 1 cannot be told apart from it' in section
    table = pd.read_csv(tmp_path / 'smic.csv').set_index('method')
    assert table.loc['other', 'against_change'] == pytest.approx(23 / 27 - 1)
    assert pd.isna(table.loc['net', 'against_change'])
    two = write_leaderboard([three / 'net', three / 'rule'], tmp_path / 'two.md', 'rule')
    assert 'on these 4 people, net did better than rule by more than chance often gives.' in two


def test_data_on_which_the_reference_did_not_run_say_so(three, new_run, tmp_path):
    new_run('runs/x', method='elsewhere', dataset='samm', datasets=('samm',))
    text = write_leaderboard([three], tmp_path / 'all.md', 'net')
    assert text.count('Every method against net') == 1
    assert text.count('No method is compared with net here') == 1


def test_an_unknown_method_is_answered_with_the_nearest(three, tmp_path):
    for write in (lambda: write_leaderboard([three], tmp_path / 'smic.md', 'othr'),
                  lambda: write_pages([three], tmp_path / 'pages', 'othr'),
                  lambda: leaderboard({'other': three / 'net'}, compare='othr')):  # fmt: skip
        with pytest.raises(InputError, match=r"none is named 'othr' \(did you mean other\?\)"):
            write()
    assert not (tmp_path / 'smic.md').exists()


def test_a_page_of_real_data_compares_all_with_the_best_and_with_a_simple_method(new_run, tmp_path):
    for synthetic in (False, True):
        for method, answers in (
            ('net', 'perfect'),
            ('logistic_regression', 'one wrong'),
            ('majority', 'always negative'),
        ):
            new_run(f'{synthetic}/{method}', answers, method=method, synthetic=synthetic)
    page = write_leaderboard([tmp_path / 'False'], tmp_path / 'smic.md')
    best, simple = page.split('### Every method against ')[1:]
    assert best.startswith('the best, net\n')
    assert 'the differences to it are a little too large' in best
    assert simple.startswith('Logistic regression\n')
    rows = pd.read_csv(tmp_path / 'smic.csv').set_index('method')
    # F1 of negative 8/9, of positive 1, of surprise 2/3, against 1
    assert rows.loc['logistic_regression', 'best_change'] == pytest.approx((8 / 9 + 1 + 2 / 3) / 3 - 1)
    assert rows.loc['net', 'logistic_regression_change'] == pytest.approx(1 - (8 / 9 + 1 + 2 / 3) / 3)
    assert 'Every method against' not in write_leaderboard([tmp_path / 'True'], tmp_path / 'synthetic.md')


def test_a_simple_method_that_is_the_best_is_compared_once_and_named(new_run, tmp_path):
    for method, answers in (('net', 'one wrong'), ('logistic_regression', 'perfect')):
        new_run(f'runs/{method}', answers, method=method)
    page = write_leaderboard([tmp_path / 'runs'], tmp_path / 'smic.md')
    (only,) = page.split('### Every method against ')[1:]
    assert only.startswith('the best, Logistic regression\n')
    assert 'the simple method that others should beat: none scores higher here' in only
    names = pd.read_csv(tmp_path / 'smic.csv').columns
    assert 'best_change' in names
    assert 'logistic_regression_change' not in names


def test_methods_of_several_seeds_and_of_one_are_compared_by_their_means_and_the_page_says_so(new_run, tmp_path):
    for method, seed, answers in (('net', 0, 'perfect'), ('net', 1, 'one wrong'), ('other', 0, 'one wrong')):
        new_run(f'runs/{method}{seed}', answers, method=method, seed=seed)
    page = write_leaderboard([tmp_path / 'runs'], tmp_path / 'smic.md', 'net')
    # net: the mean of 1 and 23/27; of seed 0 it alone is right on one clip
    assert 'against net (UF1 0.926, mean of 2 seeds)' in page
    cells = [cell.strip() for cell in page.split('### Every method against net')[1].split('| other')[1].split('|')]
    assert cells[1:3] == [f'{23 / 27:.3f}', f'{23 / 27 - 25 / 27:+.3f}']
    assert cells[4] == '1 : 0'
    assert 'one with a single seed counts with its one training' in page
    assert 'One seed is a single training' in page


def test_the_answers_of_all_runs_are_one_tidy_table(three, new_run, tmp_path):
    new_run('runs/drawn', method='net', synthetic=True, seed=1)
    table = tidy([three])
    assert len(table) == 4 * 8
    assert not table.duplicated(['table', 'method', 'settings_digest', 'store_digest', 'seed', 'sample_id']).any()
    right = (table['y_true'] == table['y_pred']).groupby([table['synthetic'], table['method']]).sum()
    assert right.to_dict() == {(False, 'net'): 8, (False, 'other'): 7, (False, 'rule'): 4, (True, 'net'): 8}
    assert table[['score_negative', 'score_positive', 'score_surprise']].sum(axis=1).eq(1).all()
    assert {*table['table']} == {'smic_3class_loso', 'synthetic_smic'}


def test_a_log_of_others_says_so_in_the_tidy_table(three, tmp_path):
    (tmp_path / 'log.txt').write_text('smic s01\nclip0 0 0\nclip1 1 1\n')
    write_rescored(tmp_path / 'log.txt', tmp_path / 'theirs', 'Their net', 'smic', 'LOSO, smic_3class', 'u', CLASSES)
    table = tidy([three / 'net', tmp_path / 'theirs'])
    assert table.groupby('source').size().to_dict() == {'reproduced': 8, 'rescored': 2}
    assert table.loc[table['source'] == 'rescored', ['seed', 'score_negative']].isna().all(axis=None)


def test_csv_and_parquet_load_alike(three, tmp_path):
    assert write_tidy([three], tmp_path / 'runs.csv') == write_tidy([three], tmp_path / 'runs.parquet') == 24
    text, binary = pd.read_csv(tmp_path / 'runs.csv'), pd.read_parquet(tmp_path / 'runs.parquet')
    pd.testing.assert_frame_equal(text, binary, check_dtype=False)
    assert ',FALSE,' in (tmp_path / 'runs.csv').read_text()  # as R reads it


def test_a_tidy_table_without_pyarrow_or_with_another_ending_is_one_sentence(three, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r'runs\.xlsx: expected a name that ends with \.csv or \.parquet'):
        write_tidy([three], tmp_path / 'runs.xlsx')
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    with pytest.raises(InputError, match=r"needs pyarrow; run `pip install 'mer_bench\[parquet\]'`"):
        write_tidy([three], tmp_path / 'runs.parquet')
