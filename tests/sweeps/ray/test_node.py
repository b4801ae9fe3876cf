"""What a node of a cluster does, without a cluster: it sees the data or receives them, and returns files of folds."""

import json
import tempfile
from dataclasses import replace

import numpy as np
import pytest

from mer_bench.experiment.candidates import open_candidates
from mer_bench.experiment.experiment import RunOptions, open_experiment
from mer_bench.experiment.provenance import describe_pretrained
from mer_bench.runs.run import RunSettings, run_folds
from mer_bench.runs.selection import run_selected
from mer_bench.sweeps.ray import node
from mer_bench.sweeps.ray.driver import save_folds
from mer_bench.sweeps.ray.node import RunJob, places_of, relocate, run_task, sees_files, stage_files
from mer_bench.training.stacking.strategy import StackChoice
from tests.conftest import ROOT, write_prepared_data
from tests.runs.test_selection import NETWORKS

LOGISTIC = "model = dict(_delete_=True, type='Pipeline', steps=[dict(type='LogisticRegression', C=0.01)])"
MEANING = {'negative': 'bad', 'positive': 'good', 'surprise': 'good'}
SCHEME = '\n'.join(
    ['dataset,column,value,label,source', *(f'smic,emotion,{name},{label},x' for name, label in MEANING.items())]
)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Prepared data of the driver; temporary files lie beside them."""
    (tmp_path / 'tmp').mkdir()
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'tmp'))
    return write_prepared_data(tmp_path / 'driver/smic')


@pytest.fixture
def make_job(root, tmp_path):
    def make(text=LOGISTIC, options=()):
        override = tmp_path / 'override.py'
        override.write_text(text)
        arguments = dict(config=str(ROOT / 'configs/mer_smic.py'), overrides=[str(override)], cfg_options=[*options])
        how = RunOptions(**arguments, data_root=[str(root)], folds=[], device='cpu', threads=1)
        experiment = open_candidates(how, (), 2) if 'candidates' in text else open_experiment(how)
        places = places_of(experiment)
        pretrained = describe_pretrained(experiment.method.cfg)
        choice = StackChoice('off', asked='off')
        return RunJob(relocate(experiment, places), places, 0, choice, pretrained, node.source_digest())

    return make


def ship(job):
    return {name: np.fromfile(path, np.uint8) for name, path in job.places.files.items()}


def on_node(job, shipped=None):
    return run_task(job, job.experiment.folds, shipped, lambda content: content)


def test_the_files_of_a_node_that_sees_the_data_are_those_of_a_local_run(make_job, tmp_path):
    job = make_job()
    run_folds(job.experiment, RunSettings(0, tmp_path / 'local'))
    result = on_node(job)
    save_folds(tmp_path / 'saved', result.files)
    assert result.fault is None
    for fold in job.experiment.folds:
        saved, local = (tmp_path / run / 'folds' / fold.folder for run in ('saved', 'local'))
        assert sorted(path.name for path in saved.iterdir()) == sorted(path.name for path in local.iterdir())
        assert (saved / 'predictions.csv').read_bytes() == (local / 'predictions.csv').read_bytes()


@pytest.mark.parametrize(
    'text',
    [
        LOGISTIC + "\ncandidates = [{'model.steps.0.C': C} for C in (1e-4, 0.01)]",
        NETWORKS,
    ],
)
def test_a_node_chooses_as_a_local_run_does_from_shipped_files(make_job, root, tmp_path, text):
    job, stack = make_job(text), 1 if text == NETWORKS else 'auto'
    job, (fold, *_) = replace(job, choice=StackChoice('off', asked=stack)), job.experiment.folds
    run_selected(replace(job.experiment, chosen=[fold]), RunSettings(0, tmp_path / 'local', stack=stack))
    shipped = ship(job)
    root.rename(root.with_name('gone'))
    result = run_task(job, [fold], shipped, lambda content: content)
    assert result.fault is None
    local, files = tmp_path / 'local/folds' / fold.folder, result.files[fold.folder]
    assert (local / 'predictions.csv').read_bytes() == files['predictions.csv']
    found = [json.loads(content)['inner'] for content in ((local / 'fold.json').read_text(), files['fold.json'])]
    assert found[0] | dict(seconds=0) == found[1] | dict(seconds=0)


def test_a_node_that_does_not_see_the_data_asks_for_them_and_then_computes_the_same(make_job, root):
    job = make_job()
    shipped, seen = ship(job), on_node(job)
    root.rename(root.with_name('away'))
    assert on_node(job).lacks_files
    result = on_node(job, shipped)
    assert result.fault is None
    assert [fold['predictions.csv'] for fold in result.files.values()] == [
        fold['predictions.csv'] for fold in seen.files.values()
    ]


def test_a_node_with_other_data_in_the_same_place_asks_for_those_of_the_driver(make_job, root):
    job = make_job()
    root.rename(root.with_name('away'))
    write_prepared_data(root, relabel={1: 'surprise'})
    assert on_node(job).lacks_files


def test_shipped_files_are_written_once(make_job, root, tmp_path):
    job, fetched = make_job(), []
    shipped = ship(job)
    root.rename(root.with_name('away'))
    for _ in range(2):
        run_task(job, job.experiment.folds[:1], shipped, lambda content: fetched.append(1) or content)
    assert len(fetched) == len(shipped) == 4


def test_an_own_label_scheme_travels_too(make_job, tmp_path):
    scheme = tmp_path / 'mine.csv'
    scheme.write_text(SCHEME)
    job = make_job(options=[f'label_scheme={scheme}'])
    shipped = ship(job)
    scheme.unlink()
    assert on_node(job).lacks_files
    result = on_node(job, shipped)
    assert result.fault is None
    assert b'score_bad' in result.files['smic_s01']['predictions.csv']


def test_pretrained_weights_travel_too(make_job, tmp_path):
    weights = tmp_path / 'start.pth'
    weights.write_bytes(b'weights')
    job = make_job(f'load_from = {str(weights)!r}')
    shipped = ship(job)
    weights.write_bytes(b'others')
    assert on_node(job).lacks_files
    experiment = relocate(job.experiment, job.places.within(stage_files(shipped, '', lambda content: content)))
    assert sees_files(experiment, job.pretrained)


def test_a_method_that_raises_is_a_fault_and_finished_folds_are_returned(make_job, monkeypatch):
    job = make_job()
    whole = node.run_at_place

    def fail_later(experiment, folds, *args):
        whole(experiment, folds[:1], *args)
        raise MemoryError('too\nmuch')

    monkeypatch.setattr(node, 'run_at_place', fail_later)
    result = on_node(job)
    assert result.fault == 'MemoryError: too much'
    assert [json.loads(fold['fold.json'])['fold'] for fold in result.files.values()] == ['smic/s01']


def test_a_node_audits_the_epochs_if_the_sweep_does(make_job, monkeypatch):
    asked = []
    monkeypatch.setattr(
        node, 'run_at_place', lambda experiment, folds, settings, *_: asked.append(settings.audit_epochs)
    )
    for wanted in (False, True):
        on_node(replace(make_job(), audit_epochs=wanted))
    assert asked == [False, True]


def test_another_mer_bench_on_a_node_is_noticed(make_job):
    assert on_node(replace(make_job(), code='other')).other_code


def test_what_was_begun_here_gives_way_to_a_fold_of_a_node(tmp_path):
    begun = tmp_path / 'folds/.smic_s01'
    begun.mkdir(parents=True)
    (begun / 'epoch').write_text('3')
    save_folds(tmp_path, {'smic_s01': {'fold.json': b'{}'}})
    assert [path.name for path in (tmp_path / 'folds/smic_s01').iterdir()] == ['fold.json']
    assert not begun.exists()
