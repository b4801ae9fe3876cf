"""`mer-bench audit` finds each leak of a toy method that has one, by name, and none in honest methods."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from sklearn.pipeline import make_pipeline

from mer_bench.experiment.experiment import RunOptions
from mer_bench.files import sealed, write_json
from mer_bench.loading.prepared_data import PreparedData
from mer_bench.protocols.folds import Fold
from mer_bench.results.file_audit import LEAK, PASSED, UNTOLD
from mer_bench.runs import selection
from mer_bench.runs.leak_audit import audit
from mer_bench.runs.run import RunSettings
from mer_bench.training import fold
from mer_bench.training.sklearn.shared_fit import BLOCK, PLAIN, SharedFit
from tests.conftest import ROOT, rewrite_flow, write_prepared_data
from tests.runs.test_selection import LOGISTIC, MIRRORED, NETWORKS

EMOTIONS = ('negative', 'positive', 'surprise') * 4  # of a subject, so that no order of 12 labels is likely
SHORT = """
model = dict(data_preprocessor=dict(flip_prob=0.0), cls_head=dict(dropout_ratio=0.0))
train_dataloader = dict(batch_size=8)
optim_wrapper = dict(optimizer=dict(lr=1e-2))
amp = False
"""
STEPS = """
model = dict(_delete_=True, type='Pipeline', steps=[{}, dict(type='LogisticRegression')])
input = dict(frames='apex', size=8)
"""


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Four subjects of twelve clips."""
    return write_prepared_data(tmp_path_factory.mktemp('data') / 'smic', 4, emotions=EMOTIONS, clip_len=1, size=28)


@pytest.fixture
def audited(data, tmp_path, monkeypatch):
    """Return a function that audits a method of configs/baselines, or the text of an override."""
    monkeypatch.chdir(tmp_path)

    def run(method, text='', epochs=2, folds=('smic/s02',), root=data, **settings):
        overrides = []
        for number, part in enumerate(filter(None, (method, text))):
            if '\n' not in part:
                overrides.append(str(ROOT / f'configs/baselines/{part}.py'))
                continue
            overrides.append(str(tmp_path / f'override{number}.py'))
            (tmp_path / f'override{number}.py').write_text(part)
        options = RunOptions(str(ROOT / 'configs/mer_smic.py'), overrides, data_root=[str(root)], folds=folds)
        options = replace(options, device='cpu')
        return audit(options, RunSettings(0, None, **settings), epochs)

    return run


def status_of(found):
    """The statuses by the name of the check, of several folds the last one."""
    return {check.name: check.status for check in found.checks}


def leaks_of(found):
    return {check.name for check in found.checks if check.status == LEAK}


@pytest.mark.parametrize(
    ('method', 'text', 'settings', 'compared'),
    [
        ('majority', '', {}, ['classifier']),
        ('logistic_regression_centred', '', {}, ['classifier']),
        ('ridge', '', {}, []),
        ('one_hidden_layer', SHORT, dict(stack='off'), ['chosen epoch']),  # by the Runner
        ('one_hidden_layer', SHORT, dict(stack=2, folds=('s01', 's02')), ['normalisation', 'class weights']),
        ('ststnet', '', {}, ['weights of the network', 'chosen epoch']),  # by the compiled kernel where there is one
    ],
)
def test_honest_methods_pass(audited, method, text, settings, compared):
    found = audited(method, text, **settings)
    assert not found.leaks
    status = status_of(found)
    for name in (*compared, 'a subject on both sides of a fold', 'decisions on training clips'):
        assert status[name] == PASSED
    assert status['score after shuffled labels'] == PASSED
    assert found.folds == (['smic/s01', 'smic/s02'] if 'folds' in settings else ['smic/s02'])


@pytest.mark.parametrize('text', [MIRRORED, NETWORKS])
def test_a_choice_among_candidates_passes(audited, text):
    found = audited(text, epochs=1, stack=1 if text == NETWORKS else 'auto', select='inner', inner_folds=2)
    assert status_of(found)['chosen candidate'] == PASSED
    assert not found.leaks


@pytest.mark.parametrize('part', ['uf1', 'temperature'])
def test_a_choice_or_temperature_that_saw_the_held_out_subject_is_found(audited, monkeypatch, part):
    honest = selection.score_estimator

    def leaky(experiment, folds, inner_folds, settings, place, worker):
        found = []
        for each in (folds, [Fold(one.name, one.subjects, ()) for one in folds]):
            honest(experiment, each, inner_folds, settings, place, worker)
            found.append(selection.scored(place))
        fair, leaked = found
        write_json(place, sealed(dict(folds={name: fair[name] | {part: leaked[name][part]} for name in fair})))

    monkeypatch.setattr(selection, 'score_estimator', leaky)
    assert leaks_of(audited(LOGISTIC, select='inner', inner_folds=2)) >= {'chosen candidate'}


@HOOKS.register_module()
class BestOnTest(Hook):
    """Keeps the weights of the epoch with the least loss on the test clips, as much public code does."""

    priority = 'LOWEST'

    def before_train(self, runner):
        self.best = np.inf, None

    def after_train_epoch(self, runner):
        _ = runner.test_loop.evaluator
        runner.model.eval()
        with torch.no_grad():
            losses = [loss_of(runner, batch) for batch in runner.test_dataloader]
        runner.model.train()
        if np.mean(losses) < self.best[0]:
            self.best = np.mean(losses), copy.deepcopy(runner.model.state_dict())

    def after_train(self, runner):
        runner.model.load_state_dict(self.best[1])


@HOOKS.register_module()
class TrainsOnTest(Hook):
    """Takes a step on the test clips after every epoch."""

    def after_train_epoch(self, runner):
        _ = runner.test_loop.evaluator
        for _ in range(12):
            for batch in runner.test_dataloader:
                runner.model.train_step(batch, runner.optim_wrapper)


def loss_of(runner, batch):
    inputs = runner.model.data_preprocessor(batch, training=False)
    return float(runner.model(**inputs, mode='loss')['loss_cls'])


def hooked(name, rate):
    return f"{SHORT}custom_hooks = [dict(type='{name}')]\n".replace('1e-2', rate)


def test_an_epoch_chosen_on_the_held_out_clips_is_named(audited):
    found = audited('one_hidden_layer', hooked('BestOnTest', '1e-4'), epochs=4)
    assert leaks_of(found) >= {'chosen epoch', 'weights of the network', 'decisions on training clips'}
    assert status_of(found)['normalisation'] == PASSED


def test_a_training_on_the_test_clips_is_named(audited):
    found = audited('one_hidden_layer', hooked('TrainsOnTest', '1e-2'), epochs=4)
    assert leaks_of(found) == {
        'weights of the network',
        'decisions on training clips',
        'score after shuffled labels',
    }
    assert status_of(found)['chosen epoch'] == UNTOLD


def test_normalisation_and_class_weights_of_all_clips_are_named(audited, monkeypatch):
    honest = fold.fold_config

    def leaky(experiment, one, seed, folder):
        cfg, of_all = (honest(experiment, part, seed, folder) for part in (one, Fold(one.name, one.subjects, ())))
        cfg.model = of_all.model
        return cfg

    monkeypatch.setattr(fold, 'fold_config', leaky)
    found = audited('one_hidden_layer', f"{SHORT}class_weight = 'balanced'\n", stack='off')
    assert leaks_of(found) >= {'normalisation', 'class weights', 'weights of the network'}


def test_a_codebook_of_all_clips_is_named(audited, monkeypatch):
    step = "dict(type='PCA', n_components=4)"

    def leaky(self, labels, train, test):
        before = self.model[0].fit(self.values(train | test))
        last = self.model[-1].fit(before.transform(self.values(train)), labels[train])
        return make_pipeline(before, last), self.values(test), PLAIN

    assert not audited(STEPS.format(step)).leaks
    monkeypatch.setattr(SharedFit, 'fit', leaky)
    assert 'scalers, codebooks and other steps' in leaks_of(audited(STEPS.format(step)))


def test_one_factorisation_that_keeps_the_held_out_clips_is_named(audited, monkeypatch):
    """Their targets are left out of the formula, and their features are not."""
    honest = SharedFit.fit

    def leaky(self, labels, train, test):
        fitted, values, way = honest(self, labels, train, test)
        if way == BLOCK:
            kept = -(self.residual[test][:, train] @ (np.equal.outer(labels[train], fitted.classes_) * 2.0 - 1))
            fitted = replace(fitted, decision=kept)
        return fitted, values, way

    monkeypatch.setattr(SharedFit, 'fit', leaky)
    assert leaks_of(audited('ridge')) == {'decisions on training clips'}


def test_a_subject_on_both_sides_is_named(audited, monkeypatch):
    monkeypatch.setattr(Fold, 'train_subjects', property(lambda self: self.subjects))
    assert 'a subject on both sides of a fold' in leaks_of(audited('logistic_regression', stack='off'))


def test_a_copy_of_a_clip_of_another_subject_is_named(audited, tmp_path):
    root = write_prepared_data(tmp_path / 'smic', emotions=EMOTIONS, clip_len=1, size=28)
    clips = np.load(root / 'store/flow.npy')
    rewrite_flow(root, slice(0, 1), clips[30])  # the first clip of s01 becomes one of s03
    found = audited('majority', root=root)
    assert leaks_of(found) == {'near-duplicates across subjects'}
    assert found.pairs[0].same
    assert found.pairs[0].distance == 0
    assert {found.pairs[0].first[:8], found.pairs[0].second[:8]} == {'smic/s01', 'smic/s03'}


def test_a_method_that_is_never_the_same_is_not_called_a_leak(audited, monkeypatch):
    rng = np.random.default_rng()
    monkeypatch.setattr(PreparedData, 'normalisation', lambda *args: (rng.normal(size=2).tolist(), [1.0, 1.0]))
    found = audited('one_hidden_layer')
    assert not found.leaks
    assert status_of(found)['weights of the network'] == UNTOLD
