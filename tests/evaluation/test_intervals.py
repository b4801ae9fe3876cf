"""The intervals over subjects; scikit-learn is the definition of each score, scipy of each interval."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import binom, binomtest, t, ttest_1samp
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from mer_bench.errors import InputError
from mer_bench.evaluation.intervals import degrees_of_freedom, difference_interval, subject_error
from mer_bench.evaluation.metrics import METRICS, SubjectCounts, score_table
from mer_bench.evaluation.statistics import contrast

CLASSES = [0, 1, 2]


def random_table(n_subjects, seed=0, clips=6, skill=0.6):
    """Return predictions that are right with probability `skill`, else a random class."""
    rng = np.random.default_rng(seed)
    y_true = rng.choice(3, size=n_subjects * clips, p=[0.6, 0.25, 0.15])
    y_pred = np.where(rng.random(len(y_true)) < skill, y_true, rng.integers(0, 3, len(y_true)))
    subject = [f'smic/s{i:03d}' for i in np.repeat(np.arange(n_subjects), clips)]
    return pd.DataFrame({'subject': subject, 'y_true': y_true, 'y_pred': y_pred})


def intervals(frame, classes=CLASSES):
    return SubjectCounts.of(frame, classes).intervals()


def sklearn_scores(frame):
    options = {'labels': CLASSES, 'average': 'macro', 'zero_division': 0}
    weighted = options | {'average': 'weighted'}
    pair = frame['y_true'], frame['y_pred']
    return {
        'accuracy': accuracy_score(*pair),
        'uf1': f1_score(*pair, **options),
        'uar': recall_score(*pair, **options),
        'macro_precision': precision_score(*pair, **options),
        'weighted_f1': f1_score(*pair, **weighted),
    }


@pytest.mark.parametrize('seed', range(5))
def test_formulas_on_counts_equal_sklearn(seed):
    frame = random_table(n_subjects=4, seed=seed, clips=2, skill=0.3)  # so few clips that classes are absent
    assert SubjectCounts.of(frame, CLASSES).scores == pytest.approx(sklearn_scores(frame), abs=1e-12)


def test_a_score_without_a_subject_equals_sklearn_on_the_other_rows(monkeypatch):
    monkeypatch.setattr('mer_bench.evaluation.metrics.CELLS_AT_ONCE', 20)  # two subjects at a time
    frame = random_table(n_subjects=5)
    left_out = SubjectCounts.of(frame, CLASSES).left_out
    for i, subject in enumerate(sorted(set(frame['subject']))):
        expected = sklearn_scores(frame[frame['subject'] != subject])
        assert {name: left_out[name][i] for name in left_out} == pytest.approx(expected)


def test_the_interval_holds_the_estimate():
    frame = random_table(n_subjects=30)
    found = intervals(frame)
    for name, value in sklearn_scores(frame).items():
        assert found[name][0] < value < found[name][1]
    full = score_table(frame.assign(dataset='smic'), CLASSES)['full']  # what a record holds
    assert (full['intervals'], full['interval_kind'][:9]) == (found, 'jackknife')


def test_the_interval_does_not_depend_on_the_order_of_rows():
    frame = random_table(n_subjects=10)
    shuffled = frame.sample(frac=1, random_state=0)
    assert intervals(shuffled) == intervals(frame)


def test_few_subjects_give_a_wide_interval():
    widths = [np.diff(intervals(random_table(n))['uf1'])[0] for n in (5, 200)]
    assert widths[0] > 3 * widths[1]


@pytest.mark.parametrize('clips', [2, 50])
def test_clips_of_one_subject_are_not_independent(clips):
    # Ten subjects, three wholly wrong: the interval is that of ten answers, however many clips.
    y_true = np.tile([0, 1], 10 * clips // 2)
    y_pred = np.where(np.repeat(np.arange(10), clips) < 7, y_true, 1 - y_true)
    frame = pd.DataFrame({'subject': np.repeat(np.arange(10), clips), 'y_true': y_true, 'y_pred': y_pred})
    error = np.std([1] * 7 + [0] * 3, ddof=1) / np.sqrt(10)
    half = t.ppf(0.975, 9) * error / (0.7 * 0.3)  # of the logit
    assert intervals(frame, [0, 1])['accuracy'] == pytest.approx(expit(np.log(0.7 / 0.3) + np.array([-half, half])))


def test_fewer_people_count_than_there_are_where_one_has_most_clips():
    # Of 1, 1 and 2 clips: (1 + 1 + 2)^2 / (1 + 1 + 4) = 2 2/3 effective subjects; of 10, 1, 1: 12^2 / 102.
    clips = np.array([[1, 1, 2], [5, 5, 5], [10, 1, 1]])
    assert degrees_of_freedom(clips) == pytest.approx([5 / 3, 2, 1])


def test_a_difference_of_subjects_with_equally_many_clips_has_the_interval_of_the_t_test():
    changes = np.random.default_rng(0).normal(0.1, 0.2, size=12)
    left_out = (changes.sum() - changes) / 11
    found = difference_interval(changes.mean(), subject_error(left_out), degrees_of_freedom(np.full(12, 5)))
    assert found == pytest.approx(ttest_1samp(changes, 0).confidence_interval())
    assert difference_interval(0.9, 0.2, 5)[1] == 1  # no difference of scores is larger


@pytest.mark.parametrize('right', [0, 20])
def test_a_perfect_score_of_few_people_is_not_sure_and_nor_is_none_right(right):
    frame = random_table(n_subjects=20, skill=1)
    frame['y_pred'] = frame['y_true'] if right else (frame['y_true'] + 1) % 3
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        found = intervals(frame)['accuracy']
    assert found == pytest.approx([*binomtest(right, 20).proportion_ci(0.95, 'exact')])


def test_one_subject_has_no_interval():
    assert intervals(random_table(n_subjects=1)) == {metric.name: None for metric in METRICS}


def test_the_mean_of_equal_seeds_has_the_interval_of_one():
    frame = random_table(n_subjects=12)
    counts = SubjectCounts.of(frame, CLASSES)
    assert [*contrast([[counts, counts]], [1], 'uf1')[1:]] == intervals(frame)['uf1']


def test_the_mean_over_seeds_is_taken_before_a_subject_is_left_out():
    # Seed 0 is right where seed 1 is wrong, so the mean accuracy is 1/2 whoever is left out.
    frame = pd.DataFrame({'subject': list('abcdef'), 'y_true': [0, 1] * 3, 'y_pred': [0, 1, 0, 0, 1, 0]})
    opposite = frame.assign(y_pred=1 - frame['y_pred'])
    seeds = [SubjectCounts.of(table, [0, 1]) for table in (frame, opposite)]
    assert contrast([seeds], [1], 'accuracy') == pytest.approx((0.5, 0.5, 0.5))


def test_a_score_of_many_subjects_has_the_interval_of_the_binomial():
    n = 3_000
    # one clip a subject, 7 of 10 right: the accuracy of a resample is Binomial(n, 0.7) / n
    y_pred = (np.arange(n) % 10 >= 7).astype(int)
    frame = pd.DataFrame({'subject': np.arange(n), 'y_true': 0, 'y_pred': y_pred})
    low, high = binom.ppf([0.025, 0.975], n, 0.7) / n
    assert intervals(frame, [0, 1])['accuracy'] == pytest.approx([low, high], abs=0.1 * (high - low))


@pytest.mark.parametrize('column', ['y_true', 'y_pred'])
@pytest.mark.parametrize('label', [3, None, 'x'])
def test_a_label_outside_the_classes_is_never_counted_as_another(column, label):
    frame = random_table(n_subjects=2).astype({column: object})
    frame.loc[0, column] = label
    with pytest.raises(InputError, match='expected only the classes 0, 1, 2'):
        intervals(frame)


def test_thousands_of_classes_are_refused_before_memory_is_taken():
    # 200 confusion matrices of 30,000 x 30,000 would take 1.4 TB
    labels = np.arange(30_000)
    frame = pd.DataFrame({'subject': labels % 200, 'y_true': labels, 'y_pred': labels})
    with pytest.raises(InputError, match='at most 100 classes, found 30000'):
        intervals(frame, [*labels.tolist()])


def test_too_many_subjects_with_many_classes_are_refused_before_memory_is_taken():
    # 20,000 confusion matrices of 100 x 100 would take 1.6 GB
    labels = np.arange(20_000) % 100
    frame = pd.DataFrame({'subject': np.arange(20_000), 'y_true': labels, 'y_pred': labels})
    with pytest.raises(InputError, match='at most 10000 subjects with 100 classes, found 20000'):
        intervals(frame, [*range(100)])
