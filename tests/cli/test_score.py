"""tools/score.py from the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.in_process import tool

TOOL = Path(__file__).parents[2] / 'tools' / 'score.py'
# Confusion matrix by hand, rows true: [[2, 1, 0], [0, 1, 0], [1, 0, 1]]; subject 1 of smic comes twice.
LOG = """\
smic 1
s1_ne_01 0 0
s1_sur_01 2 2
casme2 sub01
EP01 0 1
EP02 1 1
smic 1
s1_ne_02 0 0
samm 006
006_1_1 2 0
"""


def score(*args):
    return tool('score', *args)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / 'log.txt'
    path.write_text(LOG)
    return path


def test_json_is_all_that_is_printed_and_right(log):
    result = subprocess.run([sys.executable, TOOL, log, '--json'], capture_output=True, text=True, check=False)
    table = json.loads(result.stdout)
    assert result.stderr == ''
    assert list(table) == ['full', 'casme2', 'samm', 'smic']
    full = table['full']
    assert full['confusion_matrix'] == [[2, 1, 0], [0, 1, 0], [1, 0, 1]]
    assert (full['n'], full['n_subjects']) == (6, 3)
    assert full['accuracy'] == pytest.approx(4 / 6)
    # F1 = 2 TP / (truth + answers): 4/6, 2/3, 2/3; recall 2/3, 1, 1/2; precision 2/3, 1/2, 1
    assert full['uf1'] == pytest.approx(2 / 3)
    assert full['uar'] == pytest.approx((2 / 3 + 1 + 1 / 2) / 3)
    assert full['macro_precision'] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    # casme2: one of two right; classes of the full table, so class 2 counts 0: F1 (0 + 2/3 + 0) / 3
    assert table['casme2']['uf1'] == pytest.approx(2 / 9)
    assert table['smic']['intervals']['uf1'] is None  # one subject


def test_the_table_shows_four_decimals(log):
    lines = [line.split() for line in score(log).stdout.splitlines()]
    full = next(words for words in lines if words[:1] == ['full'])
    assert full[:4] == ['full', '6', '3', '0.6667']
    assert '0.7222' in full  # UAR (2/3 + 1 + 1/2) / 3 = 13/18


def test_classes_that_no_clip_shows_can_be_given(log):
    table = json.loads(score(log, '--json', '--classes', '0', '1', '2', '3').stdout)
    assert table['full']['uf1'] == pytest.approx(2 / 4)


def test_action_units_are_scored_where_there_are_some(tmp_path, log):
    path = tmp_path / 'predictions.csv'
    rows = ['smic/1/a,x,x,4,0.9', 'smic/1/b,x,x,,0.8', 'smic/2/c,x,x,4+7,0.2']
    path.write_text('sample_id,y_true,y_pred,action_units,action_units_score_4\n' + '\n'.join(rows) + '\n')
    # one of two clips with AU 4 is found, one of two answers is right
    assert json.loads(score(path, '--json').stdout)['action_units']['full']['f1'] == 0.5
    assert 'AU4' in score(path).stdout
    assert 'Action units' not in score(log).stdout


def test_torch_is_not_imported(log):
    code = (
        'import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name="__main__"); '
        'print([name for name in ("torch", "mmengine", "mmaction", "cv2", "matplotlib") if name in sys.modules])'
    )
    result = subprocess.run([sys.executable, '-c', code, TOOL, log], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == '[]'


FAULTS = {
    'empty': b'',
    'binary': b'\x89PNG\r\n\x1a\n\x00',
    'clip_before_header': b'a 0 0\n',
    'clip_twice': b'smic s1\na 0 0\na 0 0\n',
    'prediction_missing': b'smic s1\na 0 0\nb 0\nc 0 0\n',
    'prediction_nan': b'smic s1\na 0 nan\n',
    'csv_without_answer': b'sample_id,y_true,y_pred\nsmic/s1/a,x,\n',
}


@pytest.mark.parametrize('name', [*FAULTS, 'gone'])
def test_a_bad_file_is_one_sentence_and_exit_code_2(tmp_path, name):
    path = tmp_path / name
    if name in FAULTS:
        path.write_bytes(FAULTS[name])
    result = score(path, '--json')
    assert (result.returncode, result.stdout) == (2, '')
    assert result.stderr.startswith(f'error: {path}')
    assert result.stderr.count('\n') == 1


@pytest.mark.parametrize('classes', [['0', '1'], ['zero', 'one', 'two']])
def test_classes_that_do_not_fit_are_one_sentence_and_exit_code_2(log, classes):
    result = score(log, '--classes', *classes)
    assert (result.returncode, result.stdout, result.stderr.count('\n')) == (2, '', 1)


def test_options_of_a_record_without_record_are_refused(log):
    result = score(log, '--method', 'X', '--epoch-rule', 'last')
    assert (result.returncode, result.stdout) == (2, '')
    assert result.stderr.startswith('error: --method and --epoch-rule go with --record DIR only')


def test_a_label_that_is_only_predicted_needs_the_list_of_classes(log):
    log.write_text(LOG.replace('EP01 0 1', 'EP01 0 5'))
    result = score(log)
    assert (result.returncode, result.stdout) == (2, '')
    assert result.stderr.startswith(f'error: {log}: expected in y_pred the labels of y_true (0, 1, 2), but 5 is there')
    table = json.loads(score(log, '--json', '--classes', '0', '1', '2', '5').stdout)
    assert table['full']['confusion_matrix'][0] == [2, 0, 0, 1]


def test_float_and_whole_labels_are_scored_as_one_class(tmp_path):
    path = tmp_path / 'predictions.csv'
    path.write_text('sample_id;y_true;y_pred\nsmic/s1/a;0;0.0\nsmic/s1/b;1;1.0\n')
    assert json.loads(score(path, '--json').stdout)['full']['accuracy'] == 1.0
    assert json.loads(score(path, '--json', '--classes', '0', '1', '2.0').stdout)['full']['uf1'] == pytest.approx(2 / 3)


def test_numbers_of_a_published_csv_become_the_classes_of_its_record(tmp_path):
    path = tmp_path / 'log.csv'
    path.write_text('subject\ttruth\tpred\nsub1\t0\t1.0\nsub2\t1\t1\n')
    options = ['--method', 'X', '--dataset', 'casme2', '--protocol', 'LOSO, a_2class', '--url', 'https://example.org']
    result = score(path, '--record', tmp_path / 'out', *options, '--classes', 'negative', 'positive')
    assert result.returncode == 0
    rows = (tmp_path / 'out' / 'predictions.csv').read_text().splitlines()
    assert rows[1:] == [
        'unnamed/sub1/1,unnamed,unnamed/sub1,negative,positive',
        'unnamed/sub2/1,unnamed,unnamed/sub2,positive,positive',
    ]


def test_three_thousand_labels_are_one_sentence(tmp_path):
    path = tmp_path / 'log.txt'
    path.write_text('smic s1\n' + ''.join(f'c{i} {i} {i}\n' for i in range(3000)))
    result = score(path)
    assert (result.returncode, result.stdout, result.stderr.count('\n')) == (2, '', 1)
    assert 'expected at most 100 classes, found 3000 (0, 1, 2, ...)' in result.stderr


def test_a_published_dict_is_read_and_never_executed(tmp_path):
    path = tmp_path / 'log.txt'
    path.write_text("{'sub12': {'pred': [0, 0, 1], 'truth': [0, 1, 1]}}")
    assert json.loads(score(path, '--json').stdout)['full']['accuracy'] == pytest.approx(2 / 3)
    path.write_text(f"{{'sub12': {{'pred': [open({str(tmp_path / 'opened')!r}, 'w')], 'truth': [0]}}}}")
    assert score(path).returncode == 2
    assert not (tmp_path / 'opened').exists()
