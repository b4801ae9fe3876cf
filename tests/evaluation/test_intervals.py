"""The bootstrap over subjects; scikit-learn is the definition of each score."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from mer_bench.errors import InputError
from mer_bench.evaluation.metrics import METRICS, SubjectCounts
from mer_bench.evaluation.statistics import contrast

CLASSES = [0, 1, 2]


def random_table(n_subjects, seed=0, clips=6, skill=0.6):
    """Return predictions that are right with probability `skill`, else a random class."""
    rng = np.random.default_rng(seed)
    y_true = rng.choice(3, size=n_subjects * clips, p=[0.6, 0.25, 0.15])
    y_pred = np.where(rng.random(len(y_true)) < skill, y_true, rng.integers(0, 3, len(y_true)))
    subject = [f'smic/s{i:03d}' for i in np.repeat(np.arange(n_subjects), clips)]
    return pd.DataFrame({'subject': subject, 'y_true': y_true, 'y_pred': y_pred})


def intervals(frame, classes=CLASSES, **options):
    return SubjectCounts.of(frame, classes).intervals(**options)


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


def test_a_resample_equals_sklearn_on_the_repeated_rows():
    frame = random_table(n_subjects=5)
    drawn = np.random.default_rng(7).multinomial(5, np.full(5, 0.2), size=20)
    resampled = SubjectCounts.of(frame, CLASSES).resample(n_resamples=20, seed=7)
    parts = [part for _, part in frame.groupby('subject')]
    for i, times in enumerate(drawn):
        rows = pd.concat([part for part, n in zip(parts, times, strict=True) for _ in range(n)])
        assert {name: resampled[name][i] for name in resampled} == pytest.approx(sklearn_scores(rows))


def test_the_interval_is_seeded_and_holds_the_estimate():
    frame = random_table(n_subjects=30)
    found = intervals(frame)
    assert found == intervals(frame, seed=0)
    assert found != intervals(frame, seed=1)
    for name, value in sklearn_scores(frame).items():
        assert found[name][0] < value < found[name][1]


def test_the_interval_does_not_depend_on_the_order_of_rows():
    frame = random_table(n_subjects=10)
    shuffled = frame.sample(frac=1, random_state=0)
    assert intervals(shuffled) == intervals(frame)


def test_few_subjects_give_a_wide_interval():
    widths = [np.diff(intervals(random_table(n))['uf1'])[0] for n in (5, 200)]
    assert widths[0] > 3 * widths[1]


def test_clips_of_one_subject_are_not_independent():
    # Ten subjects, each wholly right or wholly wrong: the interval is that of ten coin tosses, however many clips.
    # Ten tosses of a fair coin: the 2.5 and 97.5 percent points of Binomial(10, 1/2) are 2 and 8.
    y_true = np.tile([0, 1], 10 * 25)
    y_pred = np.where(np.repeat(np.arange(10), 50) < 5, y_true, 1 - y_true)
    frame = pd.DataFrame({'subject': np.repeat(np.arange(10), 50), 'y_true': y_true, 'y_pred': y_pred})
    assert intervals(frame, [0, 1])['accuracy'] == pytest.approx([0.2, 0.8])


def test_a_perfect_model_has_a_point_for_an_interval():
    frame = random_table(n_subjects=20, skill=1)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert intervals(frame)['accuracy'] == [1, 1]


def test_one_subject_has_no_interval():
    assert intervals(random_table(n_subjects=1)) == {metric.name: None for metric in METRICS}


def test_the_mean_of_equal_seeds_has_the_interval_of_one():
    frame = random_table(n_subjects=12)
    counts = SubjectCounts.of(frame, CLASSES)
    assert [*contrast([[counts, counts]], [1], 'uf1')[1:]] == intervals(frame)['uf1']


def test_the_mean_over_seeds_is_taken_within_each_resample():
    # Seed 0 is right where seed 1 is wrong, so every resample has the mean accuracy 1/2.
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


def test_draws_in_parts_are_those_at_once(monkeypatch):
    frame = random_table(n_subjects=20)
    at_once = intervals(frame)
    monkeypatch.setattr('mer_bench.evaluation.metrics.DRAWN_AT_ONCE', 130)  # 6 resamples at a time
    assert intervals(frame) == at_once


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
