"""Reading predictions.csv and the MEGC log."""

import os

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
    'a clip twice': ('smic s1\na 0 0\n\nb 0 0\na 1 1\n', 'line 5: .*smic/s1/a is in line 2'),
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
def test_a_fault_names_file_and_line(read, content, message):
    with pytest.raises(InputError, match=f'log.txt.*{message}') as error:
        read(content)
    assert '\n' not in str(error.value)


def test_no_such_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r'gone\.csv: no such file or folder; give a run folder'):
        read_predictions(tmp_path / 'gone.csv')
    with pytest.raises(InputError, match='expected a run folder'):
        read_predictions(tmp_path)


SAME = {
    'semicolons': CSV.replace(',', ';'),
    'tabs': CSV.replace(',', '\t'),
    'a mark of UTF-8 and lines of Windows': '\ufeff' + CSV.replace('\n', '\r\n'),
    'blanks around cells': CSV.replace(',', ' , '),
    'quotation marks': CSV.replace('smic/s01/a', '"smic/s01/a"').replace('0.75', '"0.75"'),
    'empty rows, as Excel leaves them': CSV.replace('\nsmic/s02/a', '\n' + ',' * 9 + '\n\nsmic/s02/a'),
}


@pytest.mark.parametrize('content', SAME.values(), ids=SAME)
def test_a_csv_reads_the_same_however_it_was_saved(read, content):
    pd.testing.assert_frame_equal(read(content), read(CSV))


def test_a_file_of_powershell_reads_the_same(read):
    pd.testing.assert_frame_equal(read(LOG.encode('utf-16')), read(LOG))


def test_usual_names_of_columns_are_known_and_clips_without_a_name_are_numbered(read):
    frame = read('Subject;Database;Ground Truth;Prediction\nsub01;casme2;a;b\nsub01;casme2;b;b\ns1;smic;a;a\n')
    assert frame['sample_id'].tolist() == ['casme2/sub01/1', 'casme2/sub01/2', 'smic/s1/1']
    assert frame['y_true'].tolist() == ['a', 'b', 'a']
    assert frame['y_pred'].tolist() == ['b', 'b', 'a']


def test_a_column_with_our_name_goes_before_a_usual_word_for_it(read):
    frame = read('sample_id,y_true,label,y_pred\nsmic/s1/a,x,z,x\n')
    assert frame['y_true'].tolist() == ['x']
    assert frame['label'].tolist() == ['z']


def of_labels(true, pred):
    return f'sample_id,y_true,y_pred\nsmic/s1/a,{true},{pred}\nsmic/s2/a,1,1\n'


@pytest.mark.parametrize('label', ['0.0', '-0', ' 0 ', '0e0', '00', '+0', '0.'])
def test_whole_numbers_compare_as_numbers(read, label):
    frame = read(of_labels('0', label))
    assert frame['y_pred'].tolist() == frame['y_true'].tolist() == ['0', '1']


def test_one_and_1e0_are_one_class(read):
    assert read(of_labels('1e0', '1.0'))['y_true'].tolist() == ['1', '1']


NO_LABELS = ['0.7', 'inf', '-inf', '1e-3', '[0]', '"[0.1, 0.9]"', '0.1 0.9', 'tensor(0)', 'np.int64(0)']
NO_LABELS += ['"array([0, 1])"', '(0)', '9' * 5000, '\x1b[31mx', '\u202ex', 'x' * 101]


@pytest.mark.parametrize('label', NO_LABELS)
@pytest.mark.parametrize('column', ['y_true', 'y_pred'])
def test_what_is_no_label_is_refused(read, label, column):
    content = of_labels(label, 0) if column == 'y_true' else of_labels(0, label)
    with pytest.raises(InputError, match=f'line 2: expected the .* in {column}, but got ') as error:
        read(content)
    assert len(str(error.value)) < 400
    assert str(error.value).isprintable()


def test_two_spellings_of_a_name_are_refused_with_both(read):
    with pytest.raises(InputError, match=r"line 2: .*'Negative' in y_pred and 'negative' in y_true"):
        read(of_labels('negative', 'Negative'))


def test_names_that_have_a_column_of_scores_stay_as_they_are(read):
    frame = read('sample_id,y_true,y_pred,score_01,score_1\nsmic/s1/a,01,1,0.5,0.5\n')
    assert (frame['y_true'][0], frame['y_pred'][0]) == ('01', '1')


def test_a_label_that_is_only_predicted_is_refused_without_a_list_of_classes(read):
    with pytest.raises(InputError, match=r'log: expected in y_pred the labels of y_true \(0, 1\), but 2 is there only'):
        classes_of(read(of_labels('0', '2')), 'log')


def test_numbers_of_classes_are_in_their_order(read):
    assert classes_of(read('smic s1\n' + ''.join(f'c{i} {i} {i}\n' for i in range(12)))) == [*range(12)]
    rows = ''.join(f'smic/s1/{i},{i},{i}\n' for i in range(12))
    assert classes_of(read('sample_id,y_true,y_pred\n' + rows)) == [str(i) for i in range(12)]


def test_a_file_of_several_seeds_says_so(read):
    with pytest.raises(InputError, match=r'line 3: .*smic/s1/a has several values of seed \(0, 1\)'):
        read('sample_id,seed,y_true,y_pred\nsmic/s1/a,0,x,x\nsmic/s1/a,1,x,x\n')


HOSTILE = {
    'a lone surrogate': b'sample_id,y_true,y_pred\nsmic/s1/\xed\xa0\x80,x,x\n',
    'zero bytes': b'sample_id,y_true,y_pred\nsmic/s1/\0,x,x\n',
    'a gzip file': b'\x1f\x8b\x08' + bytes(99),
    'a hundred thousand columns': b'sample_id,y_true,y_pred' + b',c' * 100_000 + b'\n' + b'a,' * 100_002,
    'a long line of cells': b'sample_id,y_true,y_pred\n' + b'a,' * 1_000_000,
    'a long line of words': b'smic s1\n' + b'a ' * 1_000_000,
    'a long line': b'a' * 2_000_000,
    'a long label': b'sample_id,y_true,y_pred\nsmic/s1/a,x,' + b'9' * 900_000 + b'\n',
    'a quotation mark that does not close': b'sample_id,y_true,y_pred\n"smic/s1/a,x,x\n' + b'b,x,x\n' * 50_000,
    'a subject called by a control character': b'sample_id,y_true,y_pred\nsmic/\x1b[2J/a,x,x\n',
    'an infinite score': b'sample_id,y_true,y_pred,score_x\nsmic/s1/a,x,x,1e999\n',
    'a cell too few before a score': b'sample_id,y_true,y_pred,score_x\nsmic/s1/a,x,0.5\n',
    'a long name of a column': b'sample_id,y_true,y_pred,score_' + b'9' * 5000 + b'\nsmic/s1/a,x,x,0.5\n',
    'a long clip twice': b'sample_id,y_true,y_pred\n' + 2 * (b'smic/s1/' + b'9' * 5000 + b',x,x\n'),
    'a subject without a name': b'subject,y_true,y_pred\n,x,x\n',
}


@pytest.mark.parametrize('content', HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_one_sentence(read, content):
    with pytest.raises(InputError) as error:
        read(content)
    assert len(str(error.value)) < 500
    assert str(error.value).isprintable()


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'log')
    with pytest.raises(InputError, match='found a pipe'):
        read_predictions(tmp_path / 'log')


@pytest.mark.parametrize('score', ['1_000', '0x1', 'None', 'inf', ''])
def test_what_python_alone_takes_for_a_number_is_no_score(read, score):
    with pytest.raises(InputError, match='line 2: expected a finite number in score_positive'):
        read(CSV.replace('0.75', score))
