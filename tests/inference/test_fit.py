import json
from dataclasses import replace

import numpy as np
import pytest
from huggingface_hub import ModelCard
from safetensors.numpy import load_file

from mer_bench.errors import InputError
from mer_bench.evaluation.metrics import score_table
from mer_bench.experiment.experiment import open_experiment
from mer_bench.experiment.provenance import start_record
from mer_bench.inference import fit as fitting
from mer_bench.inference.card import model_card
from mer_bench.inference.fit import fit, read_linked
from mer_bench.inference.model import read_info
from mer_bench.results.record import write_record
from mer_bench.training import fold
from tests.evaluation.test_metrics import table_of


def write_run_of(folder, experiment, **keys):
    """Write the record of a finished run of a method, with the scores of four invented clips."""
    table = table_of([[2, 0, 0], [0, 1, 0], [1, 0, 0]], experiment.method.cfg.classes, 'casme2')
    scores = score_table(table, list(experiment.method.cfg.classes))
    record = start_record(experiment, 0) | dict(complete=True, parameters=1683, flops=1.0, scores=scores) | keys
    write_record(folder / 'record.json', record)
    return record


@pytest.fixture(scope='module')
def experiment(drawn):
    return open_experiment(drawn.options)


def test_the_network_is_trained_on_all_clips_and_normalised_over_all(drawn):
    info, stored = read_info(drawn.model), np.load(drawn.data / 'store/flow.npy').astype(np.float64)
    assert (info['n_clips'], info['n_subjects'], info['epochs']) == (6, 2, 4)
    apex = stored[:, :, [1]]  # of four frames the second shows the apex, the only frame that STSTNet sees
    assert info['mean'] == pytest.approx(apex.mean(axis=(0, 2, 3, 4)))
    assert info['std'] == pytest.approx(apex.std(axis=(0, 2, 3, 4)))
    log = json.dumps(info)
    assert str(drawn.data) not in log  # no path of this machine


def test_the_card_claims_no_score_without_a_record(drawn):
    card = ModelCard((drawn.model / 'README.md').read_text())
    assert card.data.eval_results is None
    assert card.data.library_name == 'mer_bench'
    for part in ('no lie detector', 'drawn faces', 'None. It was trained on all clips'):
        assert part in card.content


def test_the_card_gives_the_scores_of_its_record_and_their_intervals(drawn, experiment, tmp_path):
    record = write_run_of(tmp_path, experiment)
    linked = read_linked(tmp_path, experiment)
    text = model_card(read_info(drawn.model) | dict(record=linked.note))
    found = {result.metric_type: result for result in ModelCard(text).data.eval_results}
    assert {*found} == {'uf1', 'uar', 'accuracy'}
    assert found['accuracy'].metric_value == 0.75
    full = record['scores']['full']
    assert found['uf1'].metric_value == pytest.approx(full['uf1'], abs=1e-4)
    assert 'no clip is left that it did not see' in text
    assert '| accuracy | 0.750' in text


def test_temperature_and_epochs_are_the_medians_of_the_folds_that_chose_the_method(experiment, tmp_path):
    digest = experiment.method.digest
    candidates = [dict(name=name, text='', digest=sha, epochs=4) for name, sha in (('a', digest), ('b', 'other'))]
    chosen = {
        str(place): dict(candidate=name, epoch=epoch, uf1=0.5, temperature=dict(value=value, of='probabilities'))
        for place, (name, epoch, value) in enumerate([('a', 1, 2.0), ('a', 3, 8.0), ('a', 2, 3.0), ('b', 4, 100.0)])
    }
    selection = dict(rule='inner', metric='uf1', inner_folds=2, candidates=candidates, chosen=chosen)
    write_run_of(tmp_path, experiment, selection=selection)
    linked = read_linked(tmp_path, experiment)
    assert (linked.epoch, linked.calibration) == (2, dict(value=3.0, of='probabilities', folds=3))


@pytest.mark.parametrize(
    ('keys', 'what'),
    [
        (dict(config=dict(name='c', text='', digest='other')), 'another config'),
        (dict(data=dict(annotations_digest='other', store_digest='other', store={})), 'another annotations'),
        (dict(complete=False), 'a run that is not finished'),
        (dict(scores=None), 'a run that is not finished'),
        (dict(epoch_rule='test_selected'), 'chosen by test scores'),
    ],
)
def test_a_record_of_something_else_is_refused(experiment, tmp_path, keys, what):
    write_run_of(tmp_path, experiment, **keys)
    with pytest.raises(InputError, match=what):
        read_linked(tmp_path, experiment)


def test_a_second_fit_leaves_the_model_alone_and_other_settings_are_refused(drawn, capsys):
    before = {path.name: path.stat().st_mtime_ns for path in drawn.model.iterdir()}
    assert fit(drawn.options, drawn.model) == drawn.model
    assert 'already there' in capsys.readouterr().out
    assert {path.name: path.stat().st_mtime_ns for path in drawn.model.iterdir()} == before
    with pytest.raises(InputError, match='holds a model of another seed'):
        fit(drawn.options, drawn.model, seed=1)
    with pytest.raises(InputError, match='expected an empty place'):
        fit(drawn.options, drawn.data)


def test_a_stopped_fit_leaves_no_model_and_continues_to_the_same_weights(drawn, tmp_path, monkeypatch):
    report = fold.report_epoch

    def stop(folder, epoch):
        report(folder, epoch)
        if epoch == 3:
            raise KeyboardInterrupt

    options = replace(drawn.options, cfg_options={**drawn.options.cfg_options})
    with monkeypatch.context() as patch:
        patch.setattr(fold, 'report_epoch', stop)
        with pytest.raises(KeyboardInterrupt):
            fit(options, tmp_path / 'model')
    assert [path.name for path in tmp_path.iterdir()] == ['.model.fit']
    with pytest.raises(InputError, match='unfinished training of another seed'):
        fit(options, tmp_path / 'model', seed=1)
    fit(options, tmp_path / 'model')
    assert [path.name for path in tmp_path.iterdir()] == ['model']
    weights, expected = (load_file(folder / 'model.safetensors') for folder in (tmp_path / 'model', drawn.model))
    assert weights.keys() == expected.keys()
    for name, values in weights.items():
        np.testing.assert_array_equal(values, expected[name])


def test_a_method_of_scikit_learn_is_refused_before_any_training(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, 'train_everybody', None)
    with pytest.raises(InputError, match='fit a network'):
        fit(replace(drawn.options, overrides=['majority'], cfg_options={}), tmp_path / 'model')
    assert not (tmp_path / 'model').exists()
