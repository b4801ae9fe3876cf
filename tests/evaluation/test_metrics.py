"""Pooled scores, against numbers worked out by hand and published ones."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score, recall_score

from mer_bench.errors import InputError
from mer_bench.evaluation.metrics import mean_of_datasets, score_table, scores

NAMES = ['negative', 'positive', 'surprise']


def table_of(matrix, names=NAMES, dataset='smic'):
    """Return predictions with this confusion matrix (rows true); clips go to three subjects in turn."""
    pairs = [(t, p) for t, row in enumerate(matrix) for p, n in enumerate(row) for _ in range(n)]
    rows = [
        {'dataset': dataset, 'subject': f'{dataset}/s{i % 3}', 'y_true': names[t], 'y_pred': names[p]}
        for i, (t, p) in enumerate(pairs)
    ]
    return pd.DataFrame(rows)


def test_scores_of_a_small_matrix_by_hand():
    # truth: 10, 5, 5 clips; answers (columns): 7, 8, 5; right: 6, 4, 4
    result = scores(table_of([[6, 3, 1], [1, 4, 0], [0, 1, 4]]), NAMES)
    assert result['n'] == 20
    assert result['accuracy'] == pytest.approx(14 / 20)
    assert result['uar'] == pytest.approx((6 / 10 + 4 / 5 + 4 / 5) / 3)
    assert result['macro_precision'] == pytest.approx((6 / 7 + 4 / 8 + 4 / 5) / 3)
    # F1 = 2 TP / (truth + answers)
    assert result['f1_per_class'] == pytest.approx({'negative': 12 / 17, 'positive': 8 / 13, 'surprise': 8 / 10})
    assert result['uf1'] == pytest.approx((12 / 17 + 8 / 13 + 8 / 10) / 3)
    assert result['weighted_f1'] == pytest.approx((10 * 12 / 17 + 5 * 8 / 13 + 5 * 8 / 10) / 20)
    assert result['recall_per_class'] == pytest.approx({'negative': 0.6, 'positive': 0.8, 'surprise': 0.8})
    assert result['confusion_matrix'] == [[6, 3, 1], [1, 4, 0], [0, 1, 4]]


def test_always_negative_on_the_composite():
    # MEGC 2019: 250 negative, 109 positive, 83 surprise clips; 250 / 442 = 0.5656
    result = scores(table_of([[250, 0, 0], [109, 0, 0], [83, 0, 0]]), NAMES)
    assert f'{result["accuracy"]:.4f}' == '0.5656'
    assert result['uar'] == pytest.approx(1 / 3)
    assert result['uf1'] == pytest.approx(2 * 250 / (442 + 250) / 3)


def test_macro_precision_is_not_uar():
    # A published row calls macro precision UAR. Two classes, 4 and 2 clips, one of the four missed:
    # precision (3/3 + 2/3) / 2 = 5/6, recall (3/4 + 2/2) / 2 = 7/8.
    result = scores(table_of([[3, 1], [0, 2]], names=[0, 1]), [0, 1])
    assert result['macro_precision'] == pytest.approx(5 / 6)
    assert result['uar'] == pytest.approx(7 / 8)


def test_a_perfect_model_scores_one_though_its_subjects_are_not_contiguous():
    frame = table_of(np.diag([5, 4, 3])).sample(frac=1, random_state=0)
    result = score_table(frame, NAMES)['full']
    assert [result[name] for name in ('accuracy', 'uf1', 'uar', 'macro_precision')] == [1, 1, 1, 1]


def test_the_mean_of_fold_scores_is_not_the_pooled_score():
    # s1: 2 negative clips, both right -> F1 (1 + 0) / 2 = 1/2; s2: a positive clip right -> 1/2; mean 1/2.
    # Pooled: everything is right -> 1.
    frame = pd.DataFrame({'subject': ['s1', 's1', 's2'], 'y_true': [0, 0, 1], 'y_pred': [0, 0, 1]})
    per_fold = [scores(fold, [0, 1])['uf1'] for _, fold in frame.groupby('subject')]
    assert np.mean(per_fold) == 0.5
    assert scores(frame, [0, 1])['uf1'] == 1


def test_a_class_without_clips_counts_as_zero_in_its_slice():
    frame = pd.concat([table_of([[2, 0], [0, 2]], [0, 1]), table_of([[3]], [0], dataset='samm')])
    table = score_table(frame, [0, 1])
    assert list(table) == ['full', 'samm', 'smic']
    assert (table['samm']['accuracy'], table['samm']['uf1'], table['samm']['uar']) == (1, 0.5, 0.5)
    assert table['samm']['confusion_matrix'] == [[3, 0], [0, 0]]


def test_the_mean_of_data_sets_weighs_each_alike_whatever_its_size():
    # 6 clips all right, 2 clips all wrong: pooled 6/8, mean 1/2
    frame = pd.concat([table_of([[3, 0], [0, 3]], [0, 1]), table_of([[0, 1], [1, 0]], [0, 1], dataset='samm')])
    table = score_table(frame, [0, 1])
    assert table['full']['accuracy'] == 6 / 8
    assert (mean_of_datasets(table, 'accuracy'), mean_of_datasets(table, 'uf1')) == (0.5, 0.5)


def test_a_single_data_set_has_its_slice_too():
    table = score_table(table_of(np.diag([2, 2, 2])), NAMES)
    assert table['full'] == table['smic']


def test_a_label_outside_the_classes_is_refused():
    with pytest.raises(InputError, match='also hold surprise'):
        scores(table_of(np.diag([1, 1, 1])), NAMES[:2])


@pytest.mark.parametrize('seed', range(5))
def test_scores_equal_those_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(0, 3, (5, 5)) * (rng.random((5, 5)) < 0.6)  # so few clips that some classes have none
    matrix[0, 0] = 1
    names = [0, 1, 2, 3, 4]
    frame = table_of(matrix.tolist(), names)
    pair, options = (frame['y_true'], frame['y_pred']), {'labels': names, 'zero_division': 0}
    result = scores(frame, names)
    assert result['confusion_matrix'] == confusion_matrix(*pair, labels=names).tolist()
    assert result['accuracy'] == pytest.approx(accuracy_score(*pair))
    assert [*result['f1_per_class'].values()] == pytest.approx(f1_score(*pair, average=None, **options))
    assert [*result['recall_per_class'].values()] == pytest.approx(recall_score(*pair, average=None, **options))
    assert result['uf1'] == pytest.approx(f1_score(*pair, average='macro', **options))
    assert result['uar'] == pytest.approx(recall_score(*pair, average='macro', **options))
    assert result['macro_precision'] == pytest.approx(precision_score(*pair, average='macro', **options))
    assert result['weighted_f1'] == pytest.approx(f1_score(*pair, average='weighted', **options))
