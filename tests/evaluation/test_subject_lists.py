"""Reading what scripts of others print: lists for each subject, JSON and Python dicts."""

import json

import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.evaluation.predictions import read_predictions

# a: two of three right; b: one of one
PAIRS = {'a': {'pred': [0, 0, 1], 'truth': [0, 1, 1]}, 'b': {'pred': [1], 'truth': [1]}}
LOG = """\
lr=0.00005, epochs=800, device=cuda
['a', 'b']
Subject: a
Predicted    : [0, 0, 1]
Ground Truth : [0, 1, 1]
Evaluation until this subject:
UF1: 0.6667 | UAR: 0.75
Subject: b
Best Predicted    : [1]
Ground Truth : [1]
Final Evaluation:
"""


@pytest.fixture
def read(tmp_path):
    """Return a function that writes text to a file and reads it as predictions."""

    def read_text(text):
        path = tmp_path / 'log.txt'
        path.write_text(text)
        return read_predictions(path)

    return read_text


FORMS = {
    'a Python dict': repr(PAIRS),
    'JSON': json.dumps(PAIRS, indent=2),
    'whole numbers as floats': repr(PAIRS).replace('0', '0.0'),
    'arrays of numpy': repr(PAIRS).replace('[', 'array([').replace(']', '], dtype=int64)'),
    'tensors': repr(PAIRS).replace('[', 'tensor([').replace(']', "], device='cuda:0')"),
    'numbers of numpy': repr(PAIRS).replace('[1]', '[np.int64(1)]'),
    'a log for each subject': LOG,
    'a log whose first line is a list': LOG.split('\n', 1)[1],
    'a log of a logger': LOG.replace('Predicted    : ', '2024-01-01 INFO Predicted    :'),
    'a log in another order': 'Subject a\ntruth: [0, 1, 1]\nprediction: [0, 0, 1]\nSubject b\ny_true=[1]\ny_pred=[1]\n',
    'a log that numpy prints': LOG.replace('[0, 0, 1]', '[0 0\n 1]').replace('[0, 1, 1]', '[0 1 1]'),
    'a log of tensors': LOG.replace('[1]', 'tensor([1])').replace('[0, 0, 1]', '[tensor(0), tensor(0), tensor(1)]'),
    'a log with the dict of all below it': LOG + repr(PAIRS),
}


@pytest.mark.parametrize('text', FORMS.values(), ids=FORMS)
def test_every_form_gives_the_same_clips(read, text):
    frame = read(text)
    assert frame['subject'].tolist() == ['unnamed/a'] * 3 + ['unnamed/b']
    assert frame['sample_id'].tolist()[2:] == ['unnamed/a/3', 'unnamed/b/1']
    assert frame['y_true'].tolist() == [0, 1, 1, 1]
    assert frame['y_pred'].tolist() == [0, 0, 1, 1]


def test_subjects_without_a_name_are_numbered(read):
    lists = ''.join(line + '\n' for line in LOG.splitlines() if ': [' in line)
    assert read(lists)['subject'].tolist() == ['unnamed/1'] * 3 + ['unnamed/2']


def test_data_sets_may_be_named_around_the_subjects(read):
    frame = read(json.dumps({'casme2': PAIRS, 'smic': {'s1': PAIRS['b']}}))
    assert frame['subject'].unique().tolist() == ['casme2/a', 'casme2/b', 'smic/s1']


def test_names_of_classes_stay_names(read):
    assert read("{'a': {'pred': ['x', 'y'], 'truth': ['x', 'x']}}")['y_pred'].tolist() == ['x', 'y']


def test_rows_and_columns_in_json_read_as_the_csv_does(read):
    frame = pd.DataFrame({'sample_id': ['smic/s1/a', 'smic/s2/a'], 'y_true': [0, 1], 'y_pred': [1, 1]})
    rows, columns = frame.to_json(orient='records'), json.dumps(frame.to_dict('list'))
    pd.testing.assert_frame_equal(read(rows), read(columns))
    pd.testing.assert_frame_equal(read(rows).astype({'y_true': str, 'y_pred': str}), read(frame.to_csv(index=False)))


FAULTS = {
    'a subject twice in a dict': (
        "{'a': {'pred': [0], 'truth': [0]}, 'a': {'pred': [1], 'truth': [0]}}",
        "'a' is there twice",
    ),
    'a subject twice in JSON': (
        '{"a": {"pred": [0], "truth": [0]}, "a": {"pred": [1], "truth": [0]}}',
        "'a' is there twice",
    ),
    'a subject twice but for a blank': (
        '{"a": {"pred": [0], "truth": [0]}, " a": {"pred": [1], "truth": [0]}}',
        "'a' is there twice",
    ),
    'lists of two lengths': ("{'a': {'pred': [0, 1], 'truth': [0]}}", '2 of y_pred and 1 of y_true'),
    'a probability': ("{'a': {'pred': [0.3], 'truth': [0]}}", "subject a, clip 1: .*'0.3'"),
    'probabilities of each class': ('{"a": {"pred": [[0.3, 0.7]], "truth": [0]}}', 'subject a, clip 1: expected'),
    'no truth': ('{"a": {"pred": [0]}}', "found none in 'a'"),
    'no label': ('{"a": {"pred": [null], "truth": [0]}}', 'expected a label in y_pred'),
    'a label of a lone surrogate': ('{"a": {"pred": ["\\ud800"], "truth": [0]}}', 'expected the name of a class'),
    'a subject of a lone surrogate': ('{"\\ud800": {"pred": [0], "truth": [0]}}', 'expected a printable name'),
    'a number of 6000 digits': (f'{{"a": {{"pred": [{"9" * 6000}], "truth": [0]}}}}', 'expected the name of a class'),
    'a dict that is cut off': ("{'a': {'pred': [0], 'truth': [0", 'cut off or damaged'),
    'a call': ("{'a': {'pred': [__import__('os').getcwd()], 'truth': [0]}}", 'found something else'),
    'a comprehension': ("{'a': {'pred': [0 for _ in [0]], 'truth': [0]}}", 'found something else'),
    'no list': ('[]', 'found none'),
    'numbers without end': ("{'a': " + '1+' * 100_000 + '1}', 'found something else'),
    'brackets without end': ("{'a': " + '[' * 100_000 + ']' * 100_000 + '}', '10 brackets deep'),
    'brackets hidden in a string': (
        "{'a': '" + ']' * 200 + "', 'b': " + '[' * 200 + ']' * 200 + '}',
        '10 brackets deep',
    ),
    'deep JSON': ('{"a":' * 100_000 + '0' + '}' * 100_000, 'brackets within brackets'),
    'a subject without lists': (
        LOG.replace('Best Predicted    : [1]\nGround Truth : [1]\n', ''),
        'line 8: .*for b, but none is there',
    ),
    'a subject without its labels': (
        LOG.replace('Ground Truth : [0, 1, 1]\n', ''),
        'line 4: .*for a, but only y_pred is there',
    ),
    'two runs in one log': (LOG + LOG, 'line 15: .*a further .* of a; keep the lines of one run'),
    'all subjects below': (LOG + 'Predicted: [0, 0, 1, 1]\nGround Truth: [0, 1, 1, 1]\n', 'line 12: .*a further'),
    'a list that is left out in part': (LOG.replace('[0, 0, 1]', '[0 ... 1]'), 'line 4: expected a list of labels'),
    'lists in a list': (LOG.replace('[0, 0, 1]', '[[0.1, 0.9]]'), 'line 4: expected a list of labels'),
    'a list that does not close': ('Predicted : [0, 1\nGround Truth : [0', 'line 1: expected a list of labels'),
}


@pytest.mark.parametrize(('text', 'message'), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_sentence(read, text, message):
    with pytest.raises(InputError, match=message) as error:
        read(text)
    assert len(str(error.value)) < 500
    assert str(error.value).isprintable()


def test_lists_that_repeat_all_subjects_do_not_count_twice(read):
    lists = ''.join(line + '\n' for line in LOG.splitlines() if ': [' in line)
    with pytest.raises(InputError, match=r'line 6: .*they repeat all lists above'):
        read(lists + 'Ground Truth: [0, 1, 1, 1]\nPredicted: [0, 0, 1, 1]\n')


def test_a_python_dict_has_a_bound_that_json_has_not(read, monkeypatch):
    monkeypatch.setattr('mer_bench.evaluation.subject_lists.LONGEST_LITERAL', 20)
    with pytest.raises(InputError, match='at most 20 characters'):
        read(repr(PAIRS))
    assert len(read(json.dumps(PAIRS))) == 4


def test_clips_are_numbered_where_only_another_subject_names_them(read):
    frame = read("{'a': {'pred': [0], 'truth': [0], 'clip': ['EP1']}, 'b': {'pred': [1], 'truth': [1]}}")
    assert frame['sample_id'].tolist() == ['unnamed/a/EP1', 'unnamed/b/1']
