"""Leaderboards made from records and their predictions. Expected numbers are worked out by hand.

The eight clips of conftest.py: 4 negative, 2 positive, 2 surprise. One surprise clip taken for negative gives
accuracy 7/8, UF1 = (8/9 + 1 + 2/3) / 3 = 23/27 and UAR = (1 + 1 + 1/2) / 3 = 5/6; always negative gives
accuracy 1/2, UF1 = (8/12) / 3 = 2/9 and UAR = 1/3.
"""

import json
import math
import re

import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.results.blocks import Column
from mer_bench.results.leaderboard import write_leaderboard
from mer_bench.results.record import read_record, write_record
from mer_bench.results.rows import REPRODUCED
from tests.results.conftest import predictions, record


@pytest.fixture
def make(tmp_path):
    """Return a function that makes the leaderboard of tmp_path: its markdown and the rows of its csv."""

    def write(name='smic.md'):
        text = write_leaderboard([tmp_path], tmp_path / 'out' / name)
        assert (tmp_path / 'out' / name).read_text(encoding='utf-8') == text
        return text, pd.read_csv((tmp_path / 'out' / name).with_suffix('.csv'), float_precision='round_trip')

    return write


def rows_of(text):
    """Return the cells of all table rows, by the first cell of each."""
    lines = [
        [cell.strip() for cell in re.split(r'(?<!\\)\|', line)[1:-1]] for line in text.splitlines() if line[:1] == '|'
    ]
    return [cells for cells in lines if not set(cells[0]) <= set(':-')]


def test_the_table_holds_the_scores_of_a_run_and_the_csv_ten_digits(new_run, make):
    new_run('a', 'one wrong')
    text, rows = make()
    assert rows.loc[0, ['uf1', 'parameters']].tolist() == [0.8518518519, 27_212_345]  # 23/27
    header, row, *_ = rows_of(text)
    assert header == ['#', 'method', 'UF1', '95 % interval', 'UAR', 'accuracy']
    assert (row[:3], row[4:]) == (['1', 'full', '0.852'], ['0.833', '0.875'])
    assert 'parameters 27.2 M; epoch rule last; source reproduced;' in text


def test_a_row_says_how_many_clips_batch_norm_saw_where_a_batch_did_not_fit_on_the_gpu(new_run, make):
    new_run('a', 'one wrong', method='whole')
    new_run('b', 'one wrong', method='parts', batch=dict(size=16, computed=[16, 8], batch_norm=True))
    header, *table = rows_of(make()[0].partition('### Settings of each row')[2].rpartition('\n\n')[2])
    rows = {row[0]: row[header.index('overrides')] for row in table}
    said = 'batches of 16 clips computed 16 or 8 at a time, as batch norm saw them'
    assert (rows['whole'], rows['parts']) == ('none', said)


def test_the_interval_of_one_seed_is_that_of_its_record(new_run, make):
    record = json.loads((new_run('a', 'one wrong') / 'record.json').read_text())
    text, rows = make()
    low, high = record['scores']['full']['intervals']['uf1']
    assert rows_of(text)[1][3] == f'[{low:.3f},{high:.3f}]'
    assert rows.loc[0, ['uf1_low', 'uf1_high']].tolist() == pytest.approx([low, high], rel=1e-9)


def test_methods_are_ranked_by_uf1(new_run, make):
    for method, answers in [('b', 'always negative'), ('c', 'perfect'), ('a', 'one wrong')]:
        new_run(method, answers, method=method)
    text, rows = make()
    assert [row[:3] for row in rows_of(text)[1:4]] == [
        ['1', 'c', '**1.000**'],
        ['2', 'a', '0.852'],
        ['3', 'b', '0.222'],
    ]
    assert rows['uf1'].tolist() == pytest.approx([1, 23 / 27, 2 / 9])


def test_seeds_of_a_method_are_averaged(new_run, make):
    new_run('seed0', 'one wrong', seed=0)
    new_run('seed1', 'perfect', seed=1)
    text, rows = make()
    assert len(rows) == 1
    # mean (23/27 + 27/27) / 2 = 25/27; the deviation of two numbers is their distance / sqrt(2)
    assert rows.loc[0, 'uf1'] == pytest.approx(25 / 27)
    assert rows.loc[0, 'uf1_sd'] == pytest.approx(4 / 27 / 2**0.5)
    assert rows.loc[0, ['seeds', 'seed_list']].tolist() == [2, '0, 1']
    header, row = rows_of(text)[:2]
    assert (row[2], header[-1], row[-1]) == ('0.926', 'seeds', '2')
    assert 'seed 0, 1; deviation of UF1 0.105;' in text


def test_another_config_or_override_is_another_row(new_run, make):
    new_run('a', 'perfect')
    new_run('b', 'perfect', seed=1, config={'name': 'mer_smic', 'text': 'lr = 1', 'digest': 'd' * 64})
    new_run('c', 'perfect', seed=2, overrides=[{'name': 'no_attention', 'text': 'x', 'digest': 'e' * 64}])
    text, rows = make()
    assert len(set(rows['method'])) == 3  # told apart by their digests
    assert 'no_attention (eeeeeeeeeeee)' in text
    assert 'mer_smic (dddddddddddd)' in text


def test_an_epoch_chosen_by_training_subjects_ranks_among_the_others_and_any_other_choice_below(new_run, make):
    new_run('honest', 'one wrong')
    new_run('inner', 'perfect', epoch_rule='inner')
    new_run('best', 'perfect', epoch_rule='validation')
    text, rows = make()
    assert rows['epoch_rule'].tolist() == ['inner', 'last', 'validation']
    assert 'Epoch rule inner: each fold chose the epoch of its training by scores on its training subjects.' in text
    assert 'Epoch rule validation: the epoch was chosen by a score' in text


def test_data_sets_protocols_and_stores_of_unknown_settings_go_to_sections_of_their_own(new_run, make):
    new_run('a', 'perfect')
    new_run('b', 'perfect', datasets=('casme2',), dataset='casme2')
    other = {'annotations_digest': 'a' * 64, 'store_digest': 'f' * 64, 'store': {'flow': 'dis'}}
    new_run('c', 'perfect', data=other)
    new_run('d', 'perfect', protocol='leave one data set out, smic_3class')
    text, rows = make()
    assert re.findall('^## (.*)', text, flags=re.M) == [
        'casme2, LOSO, smic_3class, 8 clips, tvl1 16 x 112 x 112, faces unknown',
        'smic, LOSO, smic_3class, 8 clips, tvl1 16 x 112 x 112, faces unknown',
        'smic, LOSO, smic_3class, 8 clips, dis unknown, faces unknown',
        'smic, leave one data set out, smic_3class, 8 clips, tvl1 16 x 112 x 112, faces unknown',
    ]
    assert len(rows) == 4


def test_a_composite_has_a_second_table_per_data_set(new_run, make):
    new_run('a', 'one wrong', datasets=('smic', 'samm'), dataset='composite')
    text, rows = make()
    assert ['method', 'samm UF1', 'samm UAR', 'smic UF1', 'smic UAR'] in rows_of(text)
    assert ['full', '0.852', '0.833', '0.852', '0.833'] in rows_of(text)
    assert '(clips: samm 8, smic 8)' in text
    assert rows.loc[0, ['clips', 'subjects']].tolist() == [16, 8]


def test_notes_name_data_software_and_method_of_the_interval(new_run, make):
    new_run('a', 'perfect')
    text, _ = make()
    assert '8 clips (4 negative, 2 positive, 2 surprise), 4 subjects; optical flow tvl1, clip length 16 of' in text
    assert 'Intervals: 95 %, of UF1, over the 4 subjects (jackknife, t;' in text
    assert 'the predictions of all 4 folds are pooled into one table' in text
    assert 'python 3.11.2, torch 2.15.0; runs of 2025-01-31' in text


def test_a_bar_in_a_name_does_not_break_the_table(new_run, make):
    new_run('a', 'perfect', method='a|b')
    text, _ = make()
    assert rows_of(text)[1][1] == r'a\|b'


def test_the_same_results_give_the_same_file(new_run, make):
    new_run('a', 'one wrong')
    assert make()[0] == make()[0]


def test_incomplete_runs_are_all_named_with_their_missing_folds(new_run, make, tmp_path):
    new_run('good')
    new_run('x', complete=False, scores=None, folds={'total': 4, 'done': 1, 'missing': ['s2', 's3', 's4']})
    new_run('y', complete=False, folds={'total': 4, 'done': 3, 'missing': ['s4']})
    with pytest.raises(
        InputError, match=r'x/record\.json \(.*3 of 4 missing\), .*y/record.*1 of 4.*same mer-bench train'
    ):
        make()
    assert not (tmp_path / 'out').exists()


def test_a_record_with_other_scores_than_its_predictions_is_refused(new_run, make):
    path = new_run('a', 'one wrong') / 'record.json'
    record = read_record(path)
    record['scores']['full']['uf1'] = 0.95
    write_record(path, record)
    with pytest.raises(InputError, match=r'a/record\.json: expected .*UF1 0\.8519.*UF1 0\.9500'):
        make()


def test_predictions_without_the_hard_clips_are_refused(new_run, make):
    path = new_run('a', 'one wrong') / 'predictions.csv'
    path.write_text('\n'.join(path.read_text().splitlines()[:-1]))
    with pytest.raises(InputError, match=r'expected 8 predictions .* holds 7'):
        make()


def test_a_record_without_predictions_is_refused(new_run, make):
    (new_run('a') / 'predictions.csv').unlink()
    with pytest.raises(InputError, match=r'a/predictions\.csv: no such file'):
        make()


def test_labels_that_differ_between_runs_are_refused(new_run, make):
    new_run('a')
    path = new_run('b', 'always negative', method='b') / 'predictions.csv'
    path.write_text(path.read_text().replace('clip0', 'clip9'))
    with pytest.raises(InputError, match=r'b/record\.json: expected the clips and labels of .*a/record\.json'):
        make()


def test_one_seed_twice_is_refused_with_both_names(new_run, make):
    new_run('a')
    new_run('b')
    with pytest.raises(InputError, match=r'a/record\.json and .*b/record\.json are both full with seed 0'):
        make()


def test_synthetic_data_are_named_everywhere(new_run, make):
    new_run('a', 'perfect', synthetic=True)
    text, rows = make('synthetic_smic.md')
    assert text.startswith('# Leaderboard: smic (synthetic data)')
    assert rows['source'].tolist() == ['reproduced (synthetic data)']
    assert 'source reproduced (synthetic data);' in text


def test_synthetic_data_ask_for_a_file_name_that_says_so(new_run, make):
    new_run('a', synthetic=True)
    with pytest.raises(InputError, match=r'name it for example .*synthetic_smic\.md'):
        make('smic.md')


def test_a_synthetic_store_cannot_pass_for_real(new_run, make):
    store = {'flow': 'tvl1', 'synthetic': True}
    new_run('a', data={'annotations_digest': 'a', 'store_digest': 'b', 'store': store})
    with pytest.raises(InputError, match='the word synthetic'):
        make('smic.md')


def test_synthetic_and_real_data_never_meet(new_run, make):
    new_run('a')
    new_run('b', synthetic=True)
    with pytest.raises(InputError, match=r'b/record\.json is synthetic and .*a/record\.json is real'):
        make('synthetic_smic.md')


def test_the_output_is_a_markdown_file(new_run, make):
    new_run('a')
    with pytest.raises(InputError, match=r'smic\.csv: expected a markdown file'):
        make('smic.csv')


def add_units(folder, scores):
    """AU 4 is seen in the four negative clips of each data set; `scores` are the answers to its eight clips."""
    table = pd.read_csv(folder / 'predictions.csv')
    table['action_units'] = (table['y_true'] == 'negative').map({True: '4', False: ''})
    table['action_units_score_4'] = table['dataset'].map(scores.get)
    table['action_units_score_4'] = [score[i % 8] for i, score in enumerate(table['action_units_score_4'])]
    table.to_csv(folder / 'predictions.csv', index=False)


NEGATIVE = [0.9, 0.1] * 4  # the units of TRUTH, all found
TWO = [0.9, 0.9, *[0.1] * 6]  # of the four that show the unit one is found, with one false alarm: F1 = 2 / (4 + 2)


def test_the_f1_of_action_units_is_in_a_table_of_its_own_and_in_the_csv(new_run, make):
    folder = new_run('a', 'perfect')
    text, rows = make()
    assert 'au_f1' not in rows
    assert 'Action units' not in text
    add_units(folder, {'smic': TWO})
    text, rows = make()
    assert rows.loc[0, 'au_f1'] == pytest.approx(1 / 3, rel=1e-9)
    assert ['method', 'mean F1'] in rows_of(text)
    assert ['full', '0.333'] in rows_of(text)


def test_action_units_are_pooled_averaged_and_shown_for_each_data_set_and_over_seeds(new_run, make):
    for seed, answers in ((0, TWO), (1, NEGATIVE)):
        folder = new_run(f'seed{seed}', 'perfect', datasets=('samm', 'smic'), dataset='two', seed=seed)
        add_units(folder, {'samm': answers, 'smic': NEGATIVE})
    text, rows = make()
    # seed 0: samm 1/3, smic 1, mean 2/3, pooled 2 * 5 / (8 + 6) = 5/7; seed 1: all 1
    names = ['au_f1', 'au_f1_mean', 'samm_au_f1', 'smic_au_f1']
    assert rows.loc[0, names].tolist() == pytest.approx([6 / 7, 5 / 6, 2 / 3, 1], rel=1e-9)
    assert rows.loc[0, 'samm_au_f1_sd'] == pytest.approx(2 / 3 / 2**0.5)
    assert ['method', 'mean F1', 'mean of data sets', 'samm', 'smic'] in rows_of(text)
    assert ['full', '0.857', '0.833', '0.667', '1.000'] in rows_of(text)


def test_a_note_on_the_clips_of_a_run_is_below_its_table(new_run, make):
    new_run('a', notes=['note: these are not the official counts'])
    assert 'Note: these are not the official counts.' in make()[0]


def test_the_input_of_a_method_is_shown_where_records_say_it(new_run, make):
    config = {'name': 'mer_smic', 'text': 'x', 'digest': 'c' * 64}
    new_run('a', method='plain', config=config | {'input': {'channels': None, 'frames': None, 'size': None}})
    view = {'channels': ['u', 'v'], 'frames': 'apex', 'size': 28, 'normalise': False}
    new_run('b', method='small', config=config | {'input': view})
    options = {'size': 10, 'resize': 'area', 'centre': True, 'scale': 'rms', 'mirror_test': True}
    new_run('c', method='tidy', config=config | {'input': options})
    header, *rows = rows_of(make()[0].partition('### Settings of each row')[2])[:4]
    inputs = {row[0]: row[header.index('input')] for row in rows}
    assert inputs == {
        'plain': 'as stored',
        'small': 'u v, apex, 28x28, not normalised',
        'tidy': '10x10 area, centred, rms, mirrored test',
    }


def test_a_new_column_is_one_entry(new_run, make):
    new_run('a')
    gflops = Column('gflops', 'GFLOPs', lambda row: f'{row["flops"] / 1e9:.1f}', 'right', ('md', 'csv'))
    REPRODUCED.append(gflops)
    try:
        text, rows = make()
    finally:
        REPRODUCED.remove(gflops)
    header, row = rows_of(text)[:2]
    assert (header[-1], row[-1]) == ('GFLOPs', '10.0')
    assert rows.loc[0, 'gflops'] == 10


def test_a_table_of_two_methods_says_what_difference_its_subjects_can_show(new_run, make):
    new_run('a', 'perfect', method='net')
    assert 'Power:' not in make()[0]
    # Without one of the four subjects, the difference is 0, 1 - 13/21, and twice 1 - 53/63: the error is 0.235.
    new_run('b', 'one wrong', method='rule')
    (size,) = re.findall(
        r'- Power: these 4 subjects can show a difference of about (\S+) in UF1 between two', make()[0]
    )
    assert size == '0.66'


def test_near_copies_and_methods_that_learn_nothing_do_not_change_what_the_subjects_can_show(new_run, make):
    new_run('a', 'perfect', method='net')
    new_run('b', 'one wrong', method='other')
    power = re.findall('- Power: these 4 subjects .*', make()[0])
    new_run('c', 'one wrong', method='net+small')
    new_run('d', 'perfect', method='other+large')
    new_run('e', 'always negative', method='majority')
    choice = {
        'rule': 'inner',
        'metric': 'uf1',
        'inner_folds': 5,
        'candidates': [{'name': 'x', 'text': 'x', 'digest': 'x'}],
    }
    new_run('f', 'one wrong', method='grid+inner', selection=choice)
    assert re.findall('- Power: these 4 subjects .*', make()[0]) == power


def test_one_subject_and_a_class_without_clips_are_named(tmp_path, make):
    frame = predictions('perfect').iloc[:2]
    (tmp_path / 'a').mkdir()
    frame.to_csv(tmp_path / 'a/predictions.csv', index=False)
    write_record(tmp_path / 'a/record.json', record(frame))
    text, rows = make()
    assert rows['uf1'].tolist() == [pytest.approx(2 / 3)]
    assert 'No clip is of class surprise, whose recall and F1 count as 0.' in text
    assert '1 subject; optical flow' in text
    assert 'Intervals: none, because all clips are of one subject.' in text
    assert 'jackknife' not in text


HEAT = dict(value=2.0, of='scores')
FOLDS = {f'smic/s0{i}': dict(candidate='x', uf1=0.5, temperature=HEAT) for i in range(1, 5)}
SELECTION = dict(rule='inner', metric='uf1', inner_folds=2, candidates=[], chosen=FOLDS)


def test_calibration_has_a_table_of_its_own_from_scores_and_temperatures_of_the_record(new_run, make, tmp_path):
    new_run('a', 'one wrong')  # always sure, right in 7 of 8: ECE 1/8, Brier score 2/8
    path = new_run('b', 'one wrong', method='svm', selection=SELECTION) / 'predictions.csv'
    path.write_text(path.read_text().replace('1.0', '4.0'))
    text, rows = make()
    sure = math.exp(2) / (math.exp(2) + 2)  # softmax of 4/2, 0 and 0
    other = (1 - sure) / 2
    right, wrong = (1 - sure) ** 2 + 2 * other**2, sure**2 + (1 - other) ** 2 + other**2
    brier, ece = (7 * right + wrong) / 8, 7 / 8 - sure
    table = rows_of(text.partition('### Calibration')[2])
    assert table[1:3] == [['full', '0.125', '0.250', '-', '-'], ['svm', '-', '-', f'{ece:.3f}', f'{brier:.3f}']]
    assert 'The class scores of these methods are no probabilities: svm.' in text
    assert rows.set_index('method').loc['svm', 'scaled_ece'] == pytest.approx(ece)


def test_a_temperature_of_a_fold_that_the_predictions_lack_is_a_fault(new_run, make):
    folds = {name.replace('s04', 's05'): choice for name, choice in FOLDS.items()}
    new_run('a', selection=SELECTION | dict(chosen=folds))
    with pytest.raises(InputError, match=r'expected a temperature for each fold .* differ in smic/s04'):
        make()
