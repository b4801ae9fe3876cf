"""Comparisons of methods on the same clips: intervals, McNemar's test and Holm's correction worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, norm, t, ttest_1samp

from mer_bench.errors import InputError
from mer_bench.evaluation.metrics import SubjectCounts
from mer_bench.evaluation.statistics import contrast, detectable_difference, holm, mcnemar, seeds_needed


def answers(y_pred, subjects='aabbccdd', y_true=(0, 1) * 4):
    names = [f'd/{subject}/{i}' for i, subject in enumerate(subjects)]
    return pd.DataFrame({'sample_id': names, 'subject': list(subjects), 'y_true': y_true, 'y_pred': y_pred})


def change(frames, others, metric):
    methods = [[SubjectCounts.of(frame, [0, 1]) for frame in seeds] for seeds in (frames, others)]
    return contrast(methods, [1, -1], metric)


RIGHT, WRONG = (0, 1) * 4, (1, 0) * 4


def test_the_change_between_equal_predictions_is_zero_with_an_interval_of_zero():
    frame = answers((0, 1, 0, 0, 1, 1, 1, 0))
    assert change([frame], [frame], 'uf1') == (0, 0, 0)


def test_a_change_that_is_the_same_for_every_subject_has_no_width():
    # Every subject has one of two clips right with the one method and none with the other.
    half, none = answers((0, 0) * 4), answers(WRONG)
    assert change([half], [none], 'accuracy') == (0.5, 0.5, 0.5)


def test_the_paired_interval_is_that_of_the_differences_of_the_subjects():
    # Ten subjects; the methods differ by one clip in ten of five of them: the t interval of five times 0 and -0.1.
    subjects = ''.join(letter * 10 for letter in 'abcdefghij')
    y_true = (0, 1) * 50
    y_pred = np.array(y_true)
    y_pred[:50:10] = 1
    one, other = answers(y_pred, subjects, y_true), answers(y_true, subjects, y_true)
    result = change([one], [other], 'accuracy')
    low, high = ttest_1samp([-0.1] * 5 + [0] * 5, 0).confidence_interval()
    assert result == pytest.approx((-0.05, low, high))


def test_the_order_of_the_clips_does_not_matter():
    frame = answers((0, 1, 0, 0, 1, 1, 1, 0))
    assert change([frame], [frame.sample(frac=1, random_state=0)], 'uar').value == 0


def test_one_subject_gives_a_change_without_an_interval():
    one = answers(RIGHT, 'aaaaaaaa')
    assert change([one], [answers(WRONG, 'aaaaaaaa')], 'accuracy') == (1, None, None)


def test_the_seeds_of_a_method_are_averaged_before_the_difference_and_their_spread_counts():
    # Accuracies 1 and 0 of two seeds against 1/2, the same for every subject: the variance between the seeds is 1/2,
    # that of their mean 1/4, with one degree of freedom. 12.7 * 1/2 is more than any difference can be.
    result = change([answers(RIGHT), answers(WRONG)], [answers((0, 0) * 4)], 'accuracy')
    assert result == (0, -1, 1)


def test_the_variances_over_subjects_and_seeds_add_up():
    # 100 subjects of ten clips: one seed errs in one clip of each of the first 30, the other of the first 50.
    seeds = [one_clip_less(share)[0] for share in (0.3, 0.5)]
    people = (30 * 0.1**2 + 20 * 0.05**2 - 100 * 0.04**2) / 99 / 100  # of the mean error of a subject, 0.04
    between = (0.97 - 0.95) ** 2 / 2  # of two numbers
    variance = people + between / 2
    freedom = variance**2 / (people**2 / 99 + (between / 2) ** 2 / 1)
    half = t.ppf(0.975, freedom) * np.sqrt(variance)
    assert contrast([one_clip_less(0), seeds], [1, -1], 'accuracy') == pytest.approx((0.04, 0.04 - half, 0.04 + half))
    # with k seeds, the variance is people + 2 * between / k; at most 1.21 times that of the people
    needed = seeds_needed(one_clip_less(0), seeds, 'accuracy')
    assert people + 2 * between / needed <= 1.21 * people < people + 2 * between / (needed - 1)
    assert seeds_needed(one_clip_less(0), one_clip_less(0.5), 'accuracy') is None  # one seed each


def table(right):
    """One clip per letter: 1 is answered rightly."""
    names = [f'd/s/{i}' for i in range(len(right))]
    return pd.DataFrame({'sample_id': names, 'subject': 's', 'y_true': 'x', 'y_pred': ['yx'[int(r)] for r in right]})


def test_mcnemar_counts_the_clips_that_one_method_alone_answers_rightly():
    # 6 clips only the first, 1 only the second, 2 both, 1 none: two-sided P = 2 * (C(7,0) + C(7,1)) / 2**7 = 16/128
    result = mcnemar(table('1111110110'), table('0000001110'))
    assert (result['only_first'], result['only_second']) == (6, 1)
    assert result['p'] == pytest.approx(0.125)


def test_methods_that_never_differ_have_probability_one():
    assert mcnemar(table('101'), table('101')) == {'only_first': 0, 'only_second': 0, 'p': 1.0}


def test_clips_are_joined_by_name():
    # by position every clip would differ
    result = mcnemar(table('1100'), table('1100').iloc[::-1])
    assert (result['only_first'], result['only_second']) == (0, 0)


def test_other_clips_are_refused():
    with pytest.raises(InputError, match='the same clips'):
        mcnemar(table('11'), table('111'))


def test_holm_multiplies_the_smallest_by_their_number_and_never_falls():
    # sorted 0.01, 0.03, 0.04 times 3, 2, 1: 0.03, 0.06, and 0.04 is lifted to 0.06
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(('first', 'second'), [(0, 5), (3, 9), (10, 10), (200, 150)])
def test_the_probability_of_mcnemar_is_that_of_the_exact_binomial_test(first, second):
    p = mcnemar(table('1' * first + '0' * second), table('0' * first + '1' * second))['p']
    assert p == pytest.approx(binomtest(first, first + second).pvalue)


def one_clip_less(share):
    """100 subjects of ten clips; a share of the subjects has one clip wrong."""
    subjects = [f's{number:03d}' for number in range(100) for _ in range(10)]
    y_pred = np.array((0, 1) * 500)
    y_pred[: int(1000 * share) : 10] = 1
    return [SubjectCounts.of(answers(y_pred, subjects, (0, 1) * 500), [0, 1])]


def test_the_difference_that_subjects_can_show_has_a_power_of_80_percent():
    # half of 100 subjects differ by 0.1: the mean has the standard error 0.05 / sqrt(100) = 0.005
    found = detectable_difference([(one_clip_less(0), one_clip_less(0.5))], 'accuracy')
    assert found == pytest.approx(0.014, rel=0.1)
    assert norm.sf(norm.isf(0.025) - 0.014 / 0.005) == pytest.approx(0.8, abs=0.001)


def test_the_median_of_the_pairs_that_differ_counts():
    # a tenth of the subjects: 0.1 * sqrt(0.1 * 0.9) / sqrt(100) = 0.003; the same predictions tell nothing
    pairs = [(one_clip_less(0), one_clip_less(share)) for share in (0, 0.1, 0.5)]
    assert detectable_difference(pairs, 'accuracy') == pytest.approx(2.8 * 0.004, rel=0.1)


def test_without_a_pair_that_differs_or_with_one_subject_no_difference_is_known():
    assert detectable_difference([(one_clip_less(0), one_clip_less(0))], 'uf1') is None
    assert detectable_difference([], 'uf1') is None
    one, other = ([SubjectCounts.of(answers(y, 'aaaaaaaa'), [0, 1])] for y in (RIGHT, WRONG))
    assert detectable_difference([(one, other)], 'uf1') is None
