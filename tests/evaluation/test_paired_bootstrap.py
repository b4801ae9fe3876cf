"""Paired comparisons of methods over subjects, against intervals worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.evaluation.statistics import paired_bootstrap


def answers(y_pred, subjects='aabbccdd', y_true=(0, 1) * 4):
    names = [f'd/{subject}/{i}' for i, subject in enumerate(subjects)]
    return pd.DataFrame({'sample_id': names, 'subject': list(subjects), 'y_true': y_true, 'y_pred': y_pred})


RIGHT, WRONG = (0, 1) * 4, (1, 0) * 4


def test_the_change_between_equal_predictions_is_zero_with_an_interval_of_zero():
    frame = answers((0, 1, 0, 0, 1, 1, 1, 0))
    assert paired_bootstrap([frame], [frame], [0, 1])['uf1'] == {'change': 0, 'interval': [0, 0]}


def test_a_change_that_is_the_same_for_every_subject_has_no_width():
    # Every subject has one of two clips right with the one method and none with the other.
    half, none = answers((0, 0) * 4), answers(WRONG)
    assert paired_bootstrap([half], [none], [0, 1])['accuracy'] == {'change': 0.5, 'interval': [0.5, 0.5]}


def test_the_paired_interval_is_that_of_the_differences_of_the_subjects():
    # Ten subjects; the methods differ by one clip in ten of five of them: the mean of ten draws of 0 or 0.1, whose
    # 2.5 and 97.5 percent points are those of Binomial(10, 1/2), 2 and 8, over 100.
    subjects = ''.join(letter * 10 for letter in 'abcdefghij')
    y_true = (0, 1) * 50
    y_pred = np.array(y_true)
    y_pred[:50:10] = 1
    one, other = answers(y_pred, subjects, y_true), answers(y_true, subjects, y_true)
    result = paired_bootstrap([one], [other], [0, 1])['accuracy']
    assert result['change'] == pytest.approx(-0.05)
    assert result['interval'] == pytest.approx([-0.08, -0.02])


def test_the_order_of_the_clips_does_not_matter_but_other_clips_are_refused():
    frame = answers((0, 1, 0, 0, 1, 1, 1, 0))
    assert paired_bootstrap([frame], [frame.sample(frac=1, random_state=0)], [0, 1])['uar']['change'] == 0
    with pytest.raises(InputError, match='the same clips'):
        paired_bootstrap([frame], [frame.assign(sample_id='x')], [0, 1])


def test_one_subject_gives_a_change_without_an_interval():
    one = answers(RIGHT, 'aaaaaaaa')
    result = paired_bootstrap([one], [answers(WRONG, 'aaaaaaaa')], [0, 1])
    assert result['accuracy'] == {'change': 1, 'interval': None}


def test_the_seeds_of_a_method_are_averaged_before_the_difference():
    # accuracies 1 and 0 of two seeds against 1/2
    result = paired_bootstrap([answers(RIGHT), answers(WRONG)], [answers((0, 0) * 4)], [0, 1])['accuracy']
    assert result == {'change': 0, 'interval': [0, 0]}
