"""The leak meter against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.evaluation.epoch_audit import audit_table, leak_meter, read_audit

CLASSES = ['negative', 'positive']
# two subjects of two clips; three epochs, in each of which the predicted class of each clip is a letter
TRUTH = {'smic/s1/a': 'negative', 'smic/s1/b': 'positive', 'smic/s2/a': 'negative', 'smic/s2/b': 'positive'}
EPOCHS = {'smic/s1/a': 'aab', 'smic/s1/b': 'abb', 'smic/s2/a': 'bba', 'smic/s2/b': 'abb'}


@pytest.fixture
def path(tmp_path):
    rows = [
        dict(sample_id=name, dataset='smic', subject=name.rpartition('/')[0], fold='f', seed=0, y_true=truth)
        for name, truth in TRUTH.items()
    ]
    codes = np.array([['ab'.index(letter) for letter in EPOCHS[name]] for name in TRUTH])
    audit_table(pd.DataFrame(rows), codes, CLASSES).to_csv(tmp_path / 'audit.csv', index=False)
    return tmp_path / 'audit.csv'


def test_the_meter_gives_the_scores_of_each_rule(path):
    last, common, per_subject = leak_meter([read_audit(path, CLASSES)])
    # epoch 3: wrong in s1/a alone; epoch 2: wrong in s2/a alone, as good, and the first of the two
    assert (last['rule'], last['epochs']) == ('last epoch', [3])
    assert (common['rule'], common['epochs']) == ('best common epoch', [2])
    # F1 of the class with 1 of 2 found and nothing wrong: 2/3; of the other, 2 of 3: 4/5
    assert common['uf1'].value == last['uf1'].value == pytest.approx((2 / 3 + 4 / 5) / 2)
    # s1 is all right in epoch 2, s2 in epoch 3
    assert (per_subject['rule'], per_subject['epochs']) == ('best epoch of each subject', None)
    assert per_subject['counts'][0].total.tolist() == [[2, 0], [0, 2]]


def test_of_equal_epochs_a_subject_takes_the_first(path):
    text = path.read_text().replace(',aab', ',bbb').replace(',abb', ',aba')  # s1: 0, 1, 0 right; s2: 0, 1, 1 right
    path.write_text(text)
    assert read_audit(path, CLASSES).best_per_subject().tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ('old', 'new', 'fault'),
    [
        (',aab', ',aac', "one letter of 'ab'"),
        (',aab', ',aa', 'one letter of'),
        ('predicted', 'guessed', 'the column predicted'),
        ('smic/s1/a', '"smic', 'expected a table of epochs'),
    ],
)
def test_a_damaged_audit_is_refused_in_one_sentence(path, old, new, fault):
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=fault):
        read_audit(path, CLASSES)
