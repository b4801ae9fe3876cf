"""`--select inner`: each fold chooses among candidates; test_leak_audit.py shows that no held-out clip has a say."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import f1_score, log_loss
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mer_bench
from mer_bench.errors import InputError
from mer_bench.evaluation.calibration import HOTTEST, fit_temperature
from mer_bench.evaluation.epoch_audit import leak_meter, read_audit
from mer_bench.experiment.candidates import names_of
from mer_bench.experiment.experiment import RunOptions
from mer_bench.files import sealed, write_json
from mer_bench.results.record import temperatures_of
from mer_bench.runs import selection
from mer_bench.runs.checkpoints import chosen_by, open_trained, predict_with_checkpoints
from mer_bench.training.sklearn.shared_fit import BLOCK, GRAM, KERNEL, PLAIN
from mer_bench.training.stacking import group
from tests.conftest import rewrite_flow, write_prepared_data

CLASSES = ['negative', 'positive', 'surprise']
GRID = """
model = dict(_delete_=True, type='Pipeline', steps=[{steps}])
input = dict(channels=['strain'], frames='apex')
candidates = [{{'{key}': value}} for value in ({values})]
"""
LOGISTIC = GRID.format(
    steps="dict(type='StandardScaler'), dict(type='LogisticRegression', C=1.0)",
    key='model.steps.1.C',
    values='1e-5, 1e-2, 1e2',
)
RIDGE = GRID.format(
    steps="dict(type='RidgeClassifier', alpha=1.0, fit_intercept=False)",
    key='model.steps.0.alpha',
    values='1.0, 3e1, 3e2',
)
SVM = GRID.format(steps="dict(type='SVC', C=1.0, gamma=1.0)", key='model.steps.0.C', values='0.1, 1.0, 9.0')
HALF_FACES = GRID.format(
    steps="dict(type='HalfFaces'), dict(type='HalfFaceKernel'), dict(type='KernelRidgeClassifier', alpha=0.3)",
    key='model.steps.2.alpha',
    values='0.01, 0.3, 3.0',
).replace("'strain'", "'u', 'v'")
MIRRORED = LOGISTIC.replace("frames='apex'", "frames='apex', mirror_train=True, mirror_test=True")
NETWORKS = """
# One hidden layer on the flow of the apex frame, averaged to 14x14: a sanity baseline, of no paper. Nothing of it was
# chosen on recorded faces: on drawn flow pictures of the composite's size, scores are flat from 64 to 512 hidden units
# and from 10 to 40 epochs.
size, hidden = 14, 256
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.5),
    backbone=dict(type='OneHiddenLayer', in_features=2 * size * size, hidden=hidden),
    cls_head=dict(type='FlatHead', in_channels=hidden, dropout_ratio=0.5))
input = dict(channels=['u', 'v'], frames='apex', size=size)
del size, hidden
train_dataloader = dict(batch_size=32)
train_cfg = dict(max_epochs=40)
optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=0.1))
train_cfg = dict(max_epochs=3)
amp = False
candidates = [{'optim_wrapper.optimizer.lr': lr} for lr in (1e-4, 1e-2)]
"""


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Five subjects of six clips whose flow is noise, so that scores differ between candidates."""
    root = write_prepared_data(tmp_path_factory.mktemp('data') / 'smic', subjects=5, size=16)
    rewrite_flow(root, slice(None), np.random.default_rng(0).normal(size=(30, 3, 2, 16, 16)))
    return root


def choose(folder, data, text, name='run', **settings):
    """Run a grid and return its run."""
    (folder / 'grid.py').write_text(text)
    usual = dict(select='inner', inner_folds=2, jobs=1, device='cpu', work_dir=folder / name)
    return mer_bench.train('mer_smic', folder / 'grid.py', data, **usual | settings)


def scores_of(run):
    """The inner UF1, (folds, candidates)."""
    table = pd.read_csv(run.folder / 'inner_scores.csv')
    return table.pivot(index='fold', columns='candidate', values='uf1')[table['candidate'].unique()].to_numpy()


def temperature_by_hand(logits, truth):
    """The temperature with the least log loss, which may have none: useless scores want all classes alike."""
    found = minimize_scalar(lambda log_t: log_loss(truth, softmax(logits / np.exp(log_t), axis=1)))
    return min(HOTTEST, np.exp(found.x))


@pytest.mark.parametrize(
    ('text', 'models'),
    [
        (LOGISTIC, [make_pipeline(StandardScaler(), LogisticRegression(C=C)) for C in (1e-5, 1e-2, 1e2)]),
        (RIDGE, [make_pipeline(RidgeClassifier(alpha, fit_intercept=False)) for alpha in (1, 30, 300)]),
    ],
)
def test_the_result_is_that_of_a_plain_nested_loop_of_scikit_learn(tmp_path, data, text, models):
    run = choose(tmp_path, data, text, audit_candidates=True)
    clips = mer_bench.load_annotations(data).sort_values('sample_id')
    y, groups = clips['emotion'].to_numpy(), clips['subject'].to_numpy()
    X = np.load(data / 'store/flow.npy')[:, 2, 0].reshape(len(y), -1).astype(np.float32)
    inner, chosen, predicted, audited = [], [], np.empty(len(y), object), np.empty((len(y), 3), object)
    temperatures = []
    for train, test in LeaveOneGroupOut().split(X, y, groups):
        uf1, scores = [], np.empty((3, len(train), 3))
        for column, model in enumerate(models):
            answers = np.empty(len(train), object)
            for part, rest in GroupKFold(2).split(train, groups=groups[train]):
                answers[rest] = model.fit(X[train[part]], y[train[part]]).predict(X[train[rest]])
                logistic = hasattr(model, 'predict_log_proba')
                scores[column, rest] = (model.predict_log_proba if logistic else model.decision_function)(
                    X[train[rest]]
                )
            uf1.append(f1_score(y[train], answers, average='macro', labels=CLASSES))
            audited[test, column] = model.fit(X[train], y[train]).predict(X[test])
        inner.append(uf1)
        chosen.append(int(np.argmax(uf1)))
        temperatures.append(temperature_by_hand(scores[chosen[-1]], y[train]))
        predicted[test] = audited[test, chosen[-1]]
    assert len({*chosen}) > 1  # else the choice would not be tested
    np.testing.assert_allclose(scores_of(run), inner)
    names = [candidate['name'] for candidate in run.record['selection']['candidates']]
    noted = [*run.record['selection']['chosen'].values()]
    assert [names.index(found['candidate']) for found in noted] == chosen
    assert [found['temperature']['value'] for found in noted] == pytest.approx(temperatures, rel=1e-3)
    assert {found['temperature']['of'] for found in noted} == {'probabilities' if logistic else 'scores'}
    assert run.predictions['y_pred'].tolist() == predicted.tolist()
    audit = read_audit(run.folder / 'candidates.csv', CLASSES)
    assert np.array(CLASSES)[audit.codes].tolist() == audited.tolist()
    best = max(f1_score(y, column, average='macro') for column in audited.T)
    assert leak_meter([audit])[1]['uf1'].value == pytest.approx(best)
    assert not (run.folder / '.inner').exists()


@pytest.mark.parametrize(
    ('text', 'way'),
    [
        (RIDGE, BLOCK),
        (SVM, GRAM),
        (HALF_FACES, KERNEL),
        (HALF_FACES.replace("Classifier'", "Classifier', power=0"), BLOCK),
    ],
)
def test_shared_fits_score_the_candidates_as_scikit_learn_alone(tmp_path, data, text, way):
    runs = [choose(tmp_path, data, text, str(stack), stack=stack) for stack in ('auto', 'off')]
    assert [run.record['fit'] for run in runs] == [way, PLAIN]
    np.testing.assert_allclose(*map(scores_of, runs))
    assert len(np.unique(scores_of(runs[0]))) > 3


def second_fold(run):
    fold = json.loads((run.folder / 'folds/smic_s02/fold.json').read_text())
    table = pd.read_csv(run.folder / 'folds/smic_s02/predictions.csv')
    del fold['inner']['seconds']
    return fold['inner'], table.drop(columns='y_true')


NETWORK = dict(folds='smic/s02', stack=1)


@pytest.fixture(scope='module')
def network(data, tmp_path_factory):
    """A run of one fold that chooses among two learning rates and three epochs, the last of which is not the best."""
    return choose(tmp_path_factory.mktemp('network'), data, NETWORKS, save_checkpoints=True, **NETWORK)


def test_a_network_is_scored_at_the_chosen_epoch_of_its_whole_schedule(tmp_path, data, network):
    """Independent runs of both learning rates, on inner subjects alone and on all, give every number."""
    inner, table = second_fold(network)
    looks = [(f'lr={lr}', epoch) for lr in (0.0001, 0.01) for epoch in (1, 2, 3)]
    best = int(np.argmax(inner['uf1']))
    assert (inner['candidate'], inner['epoch']) == looks[best]
    assert inner['epoch'] < 3  # else the last one would do
    found = {key: inner[key] for key in ('candidate', 'epoch', 'temperature')} | dict(uf1=max(inner['uf1']))
    assert network.record['selection']['chosen'] == {'smic/s02': found}
    assert network.record['epoch_rule'] == 'inner'
    plain = NETWORKS.partition('candidates')[0] + f'optim_wrapper = dict(optimizer=dict({inner["candidate"]}))'
    run = choose(tmp_path, data, plain, select=None, audit_epochs=True, **NETWORK)
    audit = read_audit(run.folder / 'folds/smic_s02/audit.csv', CLASSES)
    assert table['y_pred'].tolist() == audit.predictions(inner['epoch'] - 1)['y_pred'].tolist()


def test_checkpoints_are_tested_with_what_each_fold_chose(tmp_path, data, network):
    options = RunOptions('mer_smic', [str(network.folder.parent / 'grid.py')], (), [str(data)], ['smic/s02'], 'cpu')
    experiment = open_trained(options, network.folder)
    predict_with_checkpoints(experiment, network.folder, tmp_path / 'again.csv')
    first, again = (
        pd.read_csv(path) for path in (network.folder / 'folds/smic_s02/predictions.csv', tmp_path / 'again.csv')
    )
    pd.testing.assert_frame_equal(first, again, rtol=1e-5)
    (fold,) = experiment.chosen
    rate = chosen_by(experiment, fold, network.record).method.cfg.optim_wrapper.optimizer.lr
    assert f'lr={rate}' == network.record['selection']['chosen']['smic/s02']['candidate']


def test_a_network_alone_chooses_its_epoch(tmp_path, data, network, monkeypatch):
    fitted = []
    monkeypatch.setattr(selection, 'fit_temperature', lambda *given: fitted.append(given) or fit_temperature(*given))
    alone = NETWORKS.partition('candidates')[0] + 'optim_wrapper = dict(optimizer=dict(lr=1e-2))'
    run = choose(tmp_path, data, alone, **NETWORK)
    assert run.record['method'] == 'grid+inner'
    assert second_fold(run)[0]['uf1'] == second_fold(network)[0]['uf1'][3:]
    # the temperature is of the scores of that epoch: they give its inner UF1
    ((scores, truth),) = fitted
    assert f1_score(truth, scores.argmax(1), average='macro') == pytest.approx(max(second_fold(run)[0]['uf1']))


def test_a_method_alone_keeps_its_predictions_and_gets_temperatures(tmp_path, data):
    text = LOGISTIC.partition('candidates')[0]
    run, plain = (choose(tmp_path, data, text, str(select), select=select) for select in ('inner', None))
    assert run.record['method'] == 'grid+inner'
    assert (run.folder / 'predictions.csv').read_bytes() == (plain.folder / 'predictions.csv').read_bytes()
    assert temperatures_of(run.record).keys() == {*run.predictions['fold']}
    assert temperatures_of(plain.record) is None
    options = RunOptions('mer_smic', [str(tmp_path / 'grid.py')], (), [str(data)])
    with pytest.raises(InputError, match='grid has no weights to test; its scores are those of '):
        predict_with_checkpoints(open_trained(options, plain.folder), plain.folder, tmp_path / 'again.csv')


def test_a_stopped_choice_of_a_network_trains_nothing_twice(tmp_path, data, network, monkeypatch):
    finish, finished = group.finish_fold, []

    def stop(fold, *result):
        if len(finished) == 3:
            raise KeyboardInterrupt
        finished.append(fold.name)
        finish(fold, *result)

    monkeypatch.setattr(group, 'finish_fold', stop)
    with pytest.raises(KeyboardInterrupt):
        choose(tmp_path, data, NETWORKS, **NETWORK)
    monkeypatch.setattr(group, 'finish_fold', lambda *args: finished.append(args[0].name) or finish(*args))
    run = choose(tmp_path, data, NETWORKS, **NETWORK)
    assert finished == [*['smic/s02/fold01', 'smic/s02/fold02'] * 2, 'smic/s02']  # of two candidates
    assert second_fold(run)[0] == second_fold(network)[0]


def test_a_stopped_choice_goes_on_where_it_stopped(tmp_path, data, monkeypatch):
    honest, scored = selection.score_estimator, []

    def stopped(experiment, *how):
        if len(scored) == 2:
            raise KeyboardInterrupt
        scored.append(experiment.method.name)
        honest(experiment, *how)

    monkeypatch.setattr(selection, 'score_estimator', stopped)
    with pytest.raises(KeyboardInterrupt):
        choose(tmp_path, data, LOGISTIC)
    monkeypatch.setattr(selection, 'score_estimator', lambda *args: scored.append(args[0].method.name) or honest(*args))
    run = choose(tmp_path, data, LOGISTIC)
    assert len(scored) == len({*scored}) == 3
    np.testing.assert_array_equal(scores_of(run), scores_of(choose(tmp_path, data, LOGISTIC, 'at once')))


def test_overrides_are_candidates_too(tmp_path, data):
    usual = dict(select='inner', inner_folds=2, jobs=1, device='cpu')
    names = ['majority', 'ridge']
    run = mer_bench.train('mer_smic', (), data, work_dir=tmp_path / 'run', candidates=names, **usual)
    assert run.record['method'] == 'majority,ridge+inner'
    assert [candidate['name'] for candidate in run.record['selection']['candidates']] == names
    assert run.record['config']['input'] is None  # that of one is not that of the other
    (tmp_path / 'two.py').write_text(f'candidates = {names}')
    listed = mer_bench.train('mer_smic', tmp_path / 'two.py', data, work_dir=tmp_path / 'listed', **usual)
    assert listed.record['method'] == 'two+inner'
    assert listed.record['overrides'][0]['text'] == f'candidates = {names}'
    assert listed.record['selection'] == run.record['selection']
    assert listed.predictions.equals(run.predictions)


def test_names_are_short_as_long_as_they_differ():
    grid = [{'model.steps.0.size': size, 'model.steps.1.size': size, 'model.C': 1} for size in (8, 10)]
    assert names_of(grid) == ['size=8, C=1', 'size=10, C=1']
    assert names_of([{'a.x': 1}, {'b.x': 1}]) == ['a.x=1', 'b.x=1']


def test_a_run_folder_keeps_to_its_candidates(tmp_path, data):
    choose(tmp_path, data, LOGISTIC, folds='smic/s01')
    with pytest.raises(InputError, match=r'holds folds of another config .*selection'):
        choose(tmp_path, data, LOGISTIC.replace('1e2', '1e3'))
    with pytest.raises(InputError, match=r'holds folds of another config .*selection'):
        choose(tmp_path, data, LOGISTIC, inner_folds=3)


@pytest.mark.parametrize(
    ('text', 'settings', 'message'),
    [
        (LOGISTIC, dict(select=None), 'lists candidates; let each fold choose among them'),
        (LOGISTIC, dict(select='outer'), "select 'outer': expected 'inner'"),
        (LOGISTIC, dict(select=None, candidates=['ridge']), 'expected --select inner with them'),
        (LOGISTIC, dict(inner_folds=1), 'inner_folds 1: expected a whole number of at least 2'),
        (LOGISTIC, dict(inner_folds=5), '--inner-folds 5: expected at most 4'),
        (LOGISTIC, dict(audit_epochs=True), 'leave it out'),
        (LOGISTIC.replace('(1e-5, 1e-2, 1e2)', '[]'), {}, 'expected at least one, got an empty list'),
        (LOGISTIC.replace('1e-5', '1e2'), {}, 'C=100.0 and C=100.0 are the same'),
        (LOGISTIC.replace('steps.1.C', 'steps.1.D.x'), {}, 'candidates: x=1e-05: unknown config key'),
        (LOGISTIC.replace('{', '').replace('}', ''), {}, 'is not a config that can be read'),
        ('candidates = 3', {}, 'candidates: expected a list of options'),
        ("candidates = ['ridge', 'ststnet']", {}, 'networks alone or methods of scikit-learn alone'),
        ("candidates = ['ridge', 'redge']", {}, 'no such config file: redge'),
        (
            LOGISTIC.replace('model.steps.1.C', 'label_scheme').replace(
                '1e-5, 1e-2, 1e2', "'smic_3class', 'composite_4class'"
            ),
            {},
            'the same label_scheme in all',
        ),
    ],
)
def test_a_choice_that_cannot_be_is_one_sentence(tmp_path, data, text, settings, message):
    with pytest.raises(InputError, match=message):
        choose(tmp_path, data, text, **settings)
    assert not (tmp_path / 'run').exists()


def test_inner_scores_that_were_changed_do_not_count(tmp_path):
    place = tmp_path / 'candidate.json'
    assert selection.scored(place) == {}
    write_json(place, sealed(dict(folds={'smic/s01': dict(uf1=[0.5])})))
    assert selection.scored(place) == {'smic/s01': dict(uf1=[0.5])}
    place.write_text(place.read_text().replace('0.5', '0.6'))
    assert selection.scored(place) == {}
