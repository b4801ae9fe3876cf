"""Reading predictions.csv and the MEGC log."""

import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.evaluation.predictions import classes_of, read_predictions

LOG = 'casme2 sub01\nEP02_01f 1 1\nEP19_05f 0 2\n\nsmic 1\ns1_ne_01 0 0\n'
CSV = (
    'sample_id,dataset,subject,fold,seed,y_true,y_pred,score_positive,score_negative,fused_score_positive\n'
    'smic/s01/a,smic,smic/s01,smic/s01,0,negative,positive,0.75,0.25,0.5\n'
    'smic/s02/a,smic,smic/s02,smic/s02,0,negative,negative,0.1,0.9,0.5\n'
)


@pytest.fixture
def read(tmp_path):
    """Return a function that writes text or bytes to a file and reads it as predictions."""

    def read_text(content):
        path = tmp_path / 'log.txt'
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_predictions(path)

    return read_text


def test_a_log_line_belongs_to_the_header_above_it(read):
    frame = read(LOG)
    assert frame['sample_id'].tolist() == ['casme2/sub01/EP02_01f', 'casme2/sub01/EP19_05f', 'smic/1/s1_ne_01']
    assert frame['subject'].tolist() == ['casme2/sub01', 'casme2/sub01', 'smic/1']
    assert frame[['dataset', 'clip', 'y_true', 'y_pred']].iloc[1].tolist() == ['casme2', 'EP19_05f', 0, 2]


@pytest.mark.parametrize('change', [lambda t: t.replace('\n', '\r\n'), lambda t: '\ufeff' + t, lambda t: t.strip()])
def test_a_log_from_windows_reads_the_same(read, change):
    pd.testing.assert_frame_equal(read(change(LOG)), read(LOG))


def test_the_same_clip_name_of_two_subjects_is_two_clips(read):
    assert len(read('casme2 sub06\nEP01_01 1 0\ncasme2 sub07\nEP01_01 0 0\n')) == 2


def test_a_subject_may_come_twice_in_a_log(read):
    frame = read('smic s1\na 0 0\nsmic s2\na 1 1\nSMIC s1\nb 2 2\n')
    assert frame['subject'].tolist() == ['smic/s1', 'smic/s2', 'smic/s1']


def test_csv_keeps_names_scores_and_the_order_of_the_score_columns(read):
    frame = read(CSV)
    assert frame['y_pred'].tolist() == ['positive', 'negative']
    assert frame['score_positive'].tolist() == [0.75, 0.1]
    assert classes_of(frame) == ['positive', 'negative']


def test_csv_needs_only_identifier_truth_and_answer(read):
    frame = read('sample_id,y_true,y_pred\nsamm/006/006_1_2,x,y\nsmic/s01/a,y,y\n')
    assert frame['dataset'].tolist() == ['samm', 'smic']
    assert frame['subject'].tolist() == ['samm/006', 'smic/s01']
    assert classes_of(frame) == ['x', 'y']


def test_subjects_of_two_data_sets_with_one_number_stay_two_subjects(read):
    frame = read('sample_id,dataset,subject,y_true,y_pred\nsmic/1/a,smic,1,x,x\nsamm/1/a,samm,1,x,x\n')
    assert frame['subject'].tolist() == ['smic/1', 'samm/1']


def test_classes_of_a_log_are_the_sorted_labels_of_truth_and_answer(read):
    assert classes_of(read('smic s1\na 2 10\nb 0 0\nc 10 2\n')) == [0, 2, 10]


FAULTS = {
    'empty file': ('', 'the file is empty'),
    'only blank lines': ('\n \n', 'the file is empty'),
    'binary file': (b'\x80\x04\x95\x00\x01', 'expected UTF-8 text'),
    'text with zero bytes': (b'smic s1\n\x00\x00', 'expected UTF-8 text'),
    'a clip before any header': ('a 0 0\n', 'line 1: expected a header'),
    'a line of one word': ('smic s1\na 0 0\nb\n', 'line 3: expected <clip>'),
    'a line of four words': ('smic s1\na 0 0\nb 0 0 1\n', 'line 3: expected <clip>'),
    'a clip twice': ('smic s1\na 0 0\n\nb 0 0\na 1 1\n', 'line 5: .*smic/s1/a stands in line 2'),
    'a clip without a prediction': ('casme2 sub01\nEP1 0 0\nEP2 1\nEP3 1 1\n', "line 3: .*'EP2 1'"),
    'the last clip without a prediction': ('casme2 sub01\nEP1 0 0\nEP2 2\n', "line 3: .*'EP2 2'"),
    'a subject without clips': ('smic s1\nsmic s2\na 0 0\n', "line 1: .*'smic s1'"),
    'nan in a log': ('smic s1\na 0 nan\n', 'line 2: expected whole numbers'),
    'a negative label': ('smic s1\na 0 -1\n', 'line 2: expected whole numbers'),
    'a data set called full': ('full s1\na 0 0\n', "line 2: .*'full'"),
    'csv without y_pred': ('sample_id,y_true\nsmic/s01/a,x\n', 'line 1: .*y_pred is missing'),
    'csv with a column twice': ('sample_id,y_true,y_pred,y_pred\nsmic/s01/a,x,x,y\n', 'line 1: .*y_pred is'),
    'csv with a header only': ('sample_id,y_true,y_pred\n', 'there is none'),
    'csv without an answer': (
        'sample_id,y_true,y_pred\nsmic/s01/a,x,\n',
        "line 2: expected a label in y_pred, but got ''",
    ),
    'csv with nan': ('sample_id,y_true,y_pred\nsmic/s01/a,x,x\nsmic/s01/b,NaN,x\n', "line 3: .*y_true, but got 'NaN'"),
    'csv with a short line': ('sample_id,y_true,y_pred\nsmic/s01/a,x\n', 'line 2: expected 3 cells'),
    'csv with a long line': ('sample_id,y_true,y_pred\nsmic/s01/a,x,x,x\n', 'line 2: expected 3 cells'),
    'csv with a clip twice': ('sample_id,y_true,y_pred\nsmic/s01/a,x,x\nsmic/s01/a,x,y\n', 'line 3: .*in line 2'),
    'csv with a bare clip name': ('sample_id,y_true,y_pred\na,x,x\n', 'line 2: expected the sample_id <dataset>'),
    'csv with a label outside the scores': (CSV.replace('negative,negative', 'negative,angry'), "line 3: .*'angry'"),
    'csv with a score that is no number': (CSV.replace('0.9', 'nan'), "line 3: .*score_negative, but got 'nan'"),
}


@pytest.mark.parametrize(('content', 'message'), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_with_file_and_line(read, content, message):
    with pytest.raises(InputError, match=f'log.txt.*{message}') as error:
        read(content)
    assert '\n' not in str(error.value)


def test_no_such_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r'gone\.csv: .*No such file'):
        read_predictions(tmp_path / 'gone.csv')
    with pytest.raises(InputError, match='Is a directory'):
        read_predictions(tmp_path)
