"""Folds that share a part of their fit, against scikit-learn's own loop."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC

from mer_bench.models.classical.half_faces import HalfFaceKernel
from mer_bench.models.classical.kernel_ridge import KernelRidgeClassifier
from mer_bench.models.classical.least_squares_svm import LeastSquaresSVM
from mer_bench.training.sklearn import squared_hinge_svm
from mer_bench.training.sklearn.shared_fit import BLOCK, FOLD_GRAM, GRAM, IN_DOUBLE, KERNEL, PLAIN, SharedFit, way_of
from mer_bench.training.sklearn.squared_hinge_svm import SquaredHingeSVM

CENTRE = StandardScaler(with_std=False)
LIBLINEAR = LinearSVC(dual=True, random_state=0, max_iter=10000, class_weight='balanced', tol=1e-6)
METHODS = [
    (GRAM, [SVC(kernel='linear', C=10, break_ties=True)]),
    (GRAM, [CENTRE, SVC(kernel='linear', class_weight='balanced')]),
    (GRAM, [SVC(class_weight={'negative': 5.0})]),
    (GRAM, [CENTRE, SVC(kernel='rbf', gamma='auto')]),
    (GRAM, [CENTRE, SVC(kernel='poly', degree=2, coef0=1, decision_function_shape='ovo')]),
    (GRAM, [StandardScaler(with_mean=False, with_std=False), SVC(kernel='sigmoid', gamma=0.01)]),
    (GRAM, [NuSVC(nu=0.3, kernel='linear')]),
    (GRAM, [CENTRE, LIBLINEAR]),
    (GRAM, [RidgeClassifier(10.0, class_weight='balanced')]),
    (GRAM, [CENTRE, LeastSquaresSVM(kernel='rbf', class_weight='balanced')]),
    (FOLD_GRAM, [StandardScaler(), SVC(kernel='linear', break_ties=True)]),
    (FOLD_GRAM, [StandardScaler(), SVC(tol=1e-8)]),  # a rounding error may change where within tol libsvm ends
    (FOLD_GRAM, [StandardScaler(), LIBLINEAR]),
    (BLOCK, [RidgeClassifier(10.0)]),
    (BLOCK, [RidgeClassifier(10.0, fit_intercept=False, solver='cholesky')]),
    (BLOCK, [CENTRE, RidgeClassifier(0.1)]),
    (BLOCK, [CENTRE, RidgeClassifier(10.0, fit_intercept=False)]),
    (BLOCK, [CENTRE, LeastSquaresSVM(0.1)]),
    (BLOCK, [LeastSquaresSVM(kernel='rbf', gamma='auto')]),
    (BLOCK, [LeastSquaresSVM(kernel='poly', gamma=0.01, coef0=1)]),
    (KERNEL, [HalfFaceKernel([1, 2], [0.01, 0.1]), KernelRidgeClassifier([0.1, 0.3], power=0.75)]),
    (KERNEL, [HalfFaceKernel(1, 0.01), SVC(kernel='precomputed', class_weight='balanced')]),
    (BLOCK, [HalfFaceKernel(1, [0.01, 0.1]), KernelRidgeClassifier([0.1, 0.3], power=0)]),
]
FEW = [method for method in METHODS if method[0] == BLOCK or isinstance(method[1][-1], SVC)]


class Clips:
    """Features with a mean of their own, labels and subjects, one of whom alone has the clips of surprise."""

    def __init__(self, folder, n_features):
        rng = np.random.default_rng(1)
        self.subjects = np.repeat(np.arange(7), [9, 1, 6, 4, 12, 5, 8])
        classes = rng.integers(0, 2, len(self.subjects))
        classes[self.subjects == 4] = rng.integers(0, 3, 12)
        self.labels = np.array(['negative', 'positive', 'surprise'], object)[classes]
        features = rng.normal(3, 1, (len(classes), n_features)) + classes[:, None] * 0.3
        features[:, -1] = self.subjects % 2  # to HalfFaceKernel the data set
        np.save(folder / 'features.npy', features.astype(np.float32))
        self.features = np.load(folder / 'features.npy', mmap_mode='r')

    def fit(self, model, way, subject):
        test = self.subjects == subject
        return SharedFit(model, self.features, way).fit(self.labels, ~test, test)


@pytest.fixture(scope='module')
def many(tmp_path_factory):
    """More features than clips."""
    return Clips(tmp_path_factory.mktemp('many'), 61)


@pytest.fixture(scope='module')
def few(tmp_path_factory):
    """Fewer features than clips."""
    return Clips(tmp_path_factory.mktemp('few'), 9)


def check(clips, way, steps):
    double = way in IN_DOUBLE
    values = np.asarray(clips.features, np.float64 if double else np.float32)
    shared = SharedFit(make_pipeline(*map(clone, steps)), clips.features, way)
    for train, test in LeaveOneGroupOut().split(values, clips.labels, clips.subjects):
        theirs = make_pipeline(*map(clone, steps)).fit(values[train], clips.labels[train])
        ours, rows, gone = shared.fit(clips.labels, *(np.isin(range(len(values)), part) for part in (train, test)))
        assert gone == way
        decision = theirs.decision_function(values[test])
        np.testing.assert_allclose(ours.decision_function(rows), decision, atol=1e-10 if way == BLOCK else 1e-6)
        assert ours.predict(rows).tolist() == theirs.predict(values[test]).tolist()
        assert ours.classes_.tolist() == theirs.classes_.tolist()


@pytest.mark.parametrize(('way', 'steps'), METHODS)
def test_predictions_and_decisions_are_those_of_scikit_learns_loop(many, way, steps):
    assert way_of(make_pipeline(*steps), *many.features.shape) == way
    check(many, way, steps)


@pytest.mark.parametrize(('way', 'steps'), FEW)
def test_the_same_with_fewer_features_than_clips(few, way, steps):
    assert way_of(make_pipeline(*steps), *few.features.shape) == way
    check(few, way, steps)


@pytest.mark.parametrize(
    'steps',
    [
        [LogisticRegression()],
        [StandardScaler(), RidgeClassifier()],
        [RidgeClassifier(solver='sag')],
        [RidgeClassifier(alpha=0)],
        [RidgeClassifier(positive=True)],
        [RidgeClassifier(fit_intercept=False, class_weight='balanced')],
        [SVC(kernel='linear', probability=True)],
        [StandardScaler(), LeastSquaresSVM()],
        [StandardScaler(), HalfFaceKernel(), KernelRidgeClassifier()],
    ],
)
def test_what_has_no_exact_shortcut_is_left_to_scikit_learn(steps):
    assert way_of(make_pipeline(*steps), n_clips=50, n_features=60) == PLAIN


def test_liblinear_gains_nothing_where_the_features_are_few():
    assert way_of(make_pipeline(LIBLINEAR), n_clips=50, n_features=50) == PLAIN


@pytest.mark.parametrize(('way', 'steps'), METHODS)
def test_nothing_but_its_own_features_is_taken_of_a_held_out_clip(many, tmp_path, way, steps):
    """Other labels of the held-out subject and other features of its other clips change nothing."""
    test = many.subjects == 4
    other = Clips(tmp_path, 61)
    other.labels[test] = 'negative'
    changed = np.array(other.features)
    changed[np.flatnonzero(test)[1:]] += 1
    np.save(tmp_path / 'changed.npy', changed)
    other.features = np.load(tmp_path / 'changed.npy', mmap_mode='r')
    first = [
        fitted.decision_function(rows)[0]
        for fitted, rows, _ in (clips.fit(make_pipeline(*steps), way, 4) for clips in (many, other))
    ]
    np.testing.assert_allclose(first[0], first[1], atol=1e-9)


def test_a_penalty_too_small_for_the_formula_is_left_to_scikit_learn(many):
    model = make_pipeline(RidgeClassifier(1e-9))
    assert many.fit(model, BLOCK, 0)[2] == PLAIN


def test_clips_of_neither_part_are_left_to_scikit_learn(many):
    """The formula takes all clips but the held-out ones for the training clips."""
    test, train = many.subjects == 0, many.subjects > 1
    shared = SharedFit(make_pipeline(RidgeClassifier()), many.features, BLOCK)
    fitted, rows, way = shared.fit(many.labels, train, test)
    theirs = RidgeClassifier().fit(shared.values(train), many.labels[train])
    assert way == PLAIN
    np.testing.assert_allclose(fitted.decision_function(rows), theirs.decision_function(shared.values(test)))


@pytest.mark.parametrize('classes', [2, 3])
@pytest.mark.parametrize('weight', [None, 'balanced', {'a': 3.0}])
@pytest.mark.parametrize('bias', [dict(fit_intercept=False), dict(intercept_scaling=2.5)])
def test_liblinear_with_a_small_tolerance_ends_where_ours_does(classes, weight, bias):
    rng = np.random.default_rng(classes)
    labels = np.array(['a', 'b', 'c'])[np.r_[rng.integers(0, classes, 40), [0] * 20]]
    features = rng.normal(1, 1, (60, 90)) + (labels == 'b')[:, None] * 0.2
    theirs = LinearSVC(C=0.1, class_weight=weight, tol=1e-10, max_iter=10**6, random_state=0, dual=True, **bias)
    ours = SquaredHingeSVM.like(theirs).fit(features @ features.T, labels)
    rows = rng.normal(1, 1, (50, 90))
    decision = theirs.fit(features, labels).decision_function(rows)
    np.testing.assert_allclose(ours.decision_function(rows @ features.T), decision, atol=1e-8)


def test_an_optimum_that_is_not_reached_is_left_to_scikit_learn(many, monkeypatch):
    monkeypatch.setattr(squared_hinge_svm, 'MOST_STEPS', 1)
    model = make_pipeline(StandardScaler(), LinearSVC(dual=True, max_iter=1, random_state=0))
    with pytest.warns(ConvergenceWarning):  # liblinear's own
        assert many.fit(model, FOLD_GRAM, 0)[2] == PLAIN


@pytest.mark.parametrize('change', [dict(loss='hinge'), dict(dual=False), dict(C=-1.0), dict(C='1')])
def test_another_liblinear_is_left_to_scikit_learn(change):
    classifier = LinearSVC(**{'dual': True, **change})
    assert way_of(make_pipeline(classifier), n_clips=50, n_features=60) == PLAIN
