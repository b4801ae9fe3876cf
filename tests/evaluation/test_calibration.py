"""Calibration error, Brier score and temperatures, by hand, by scikit-learn, and on scores of known temperature."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import brier_score_loss

from mer_bench.errors import InputError
from mer_bench.evaluation.calibration import calibration, fit_temperature, measure
from mer_bench.evaluation.report import format_calibration

CLASSES = ['negative', 'positive', 'surprise']


def draw(n, temperature=1.0, seed=0):
    """Logits (n, 3) and true classes that have the probabilities softmax(logits / temperature)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(n, 3)) * temperature
    return logits, (softmax(logits / temperature, 1).cumsum(1) > rng.random((n, 1))).argmax(1)


def table_of(scores, truth):
    rows = dict(y_true=[CLASSES[place] for place in truth], fold=['a'] * len(truth))
    return rows | {f'score_{name}': column.tolist() for name, column in zip(CLASSES, scores.T, strict=True)}


def test_the_calibration_error_of_five_clips_is_that_by_hand():
    # bins of 1/15: 0.62 and 0.66 are in (9/15, 10/15], one of two right: |0.64 - 0.5| of 2 clips; 0.95 and 1 are in the
    # last, both right: |0.975 - 1| of 2; 0.4 = 6/15 is in (5/15, 6/15], wrong: |0.4 - 0| of 1
    probabilities = np.array([[0.62, 0.2, 0.18], [0.2, 0.66, 0.14], [0.05, 0, 0.95], [1, 0, 0], [0.4, 0.3, 0.3]])
    found = measure(probabilities, np.array([0, 0, 2, 0, 1]))
    assert found['ece'] == pytest.approx((2 * 0.14 + 2 * 0.025 + 0.4) / 5)


def test_the_brier_score_is_that_of_scikit_learn():
    logits, truth = draw(50)
    probabilities = softmax(logits, 1)
    assert measure(probabilities, truth)['brier'] == pytest.approx(
        brier_score_loss(truth, probabilities, labels=[0, 1, 2])
    )


def test_calibrated_scores_have_the_error_of_chance_which_vanishes_with_more_clips():
    few = [measure(softmax(logits, 1), truth) for logits, truth in (draw(442, seed=seed) for seed in range(40))]
    assert np.mean([part['ece'] for part in few]) == pytest.approx(
        np.mean([part['ece_by_chance'] for part in few]), rel=0.1
    )
    logits, truth = draw(100_000)
    assert measure(softmax(logits, 1), truth)['ece'] < 0.005
    assert measure(softmax(3 * logits, 1), truth)['ece'] > 0.1  # three times too sure


@pytest.mark.parametrize('temperature', [0.5, 1.0, 4.0])
def test_the_temperature_of_scores_is_recovered_from_probabilities_and_from_decisions(temperature):
    logits, truth = draw(20_000, temperature)
    for scores, of in ((softmax(logits, 1), 'probabilities'), (logits, 'scores')):
        found = fit_temperature(scores, truth)
        assert found == dict(value=pytest.approx(temperature, rel=0.03), of=of)
        both = calibration(table_of(scores, truth), CLASSES, {'a': found})
        assert both['scaled']['ece'] < 0.01
        assert (both['raw'] is None) == (of == 'scores')
        if temperature == 4:
            assert of == 'scores' or both['raw']['ece'] > 0.1


def test_each_fold_has_its_own_temperature_and_answers_stay():
    logits, truth = draw(200)
    table = table_of(softmax(logits, 1), truth) | dict(fold=['a'] * 100 + ['b'] * 100)
    temperatures = {'a': dict(value=2.0, of='probabilities'), 'b': dict(value=0.25, of='probabilities')}
    scaled = softmax(logits / np.repeat([2, 0.25], 100)[:, None], 1)
    found = calibration(table, CLASSES, temperatures)['scaled']
    assert found['brier'] == pytest.approx(brier_score_loss(truth, scaled, labels=[0, 1, 2]))
    assert (scaled.argmax(1) == logits.argmax(1)).all()
    with pytest.raises(InputError, match='expected a temperature for each fold of the predictions, found none for b'):
        calibration(table, CLASSES, {'a': temperatures['a']})


def test_scores_that_are_no_probabilities_get_no_number_and_the_screen_says_so():
    found = calibration(table_of(*draw(20)), CLASSES)
    assert found == dict(raw=None, scaled=None)
    assert 'The scores are no probabilities' in format_calibration(found)
    assert 'No temperature was fitted on training subjects' in format_calibration(found)
    assert calibration(dict(y_true=CLASSES), CLASSES) is None
