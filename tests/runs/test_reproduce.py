"""Folds of a record are trained again from its config text, which is read as data."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

import mer_bench
from mer_bench.cli.train import main as train_main
from mer_bench.errors import InputError
from mer_bench.experiment.experiment import RunOptions
from mer_bench.experiment.recorded import method_of, read_text
from mer_bench.files import read_json, write_json
from mer_bench.results.record import read_record
from mer_bench.runs.command import train_command
from mer_bench.runs.reproduce import VARIABLES, reproduce
from mer_bench.runs.run import RunSettings
from tests.conftest import ROOT, rewrite_flow, write_prepared_data
from tests.in_process import tool
from tests.runs.test_selection import LOGISTIC, NETWORKS

LINEAR = {'device': 'cpu', 'jobs': 1, 'cfg_options': ['input.frames=apex', 'model.steps.2.C=0.5']}
NETWORK = NETWORKS.partition('candidates =')[0]


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_prepared_data(tmp_path_factory.mktemp('data') / 'smic', subjects=3, size=16)


@pytest.fixture(scope='module')
def linear(data, tmp_path_factory):
    """A run of logistic regression, whose folder tests may copy."""
    folder = tmp_path_factory.mktemp('linear') / 'run'
    return mer_bench.train('mer_smic', ['logistic_regression'], data, work_dir=folder, **LINEAR).folder


@pytest.fixture(scope='module')
def network(data, tmp_path_factory):
    """A run of a small network, two folds at a time."""
    folder = tmp_path_factory.mktemp('network')
    (folder / 'small.py').write_text(NETWORK)
    how = dict(work_dir=folder / 'run', device='cpu', jobs=1, stack=3, seed=5)
    return mer_bench.train('mer_smic', [folder / 'small.py'], data, **how).folder


def copied(run, tmp_path, **changes):
    """Copy record and predictions, and change keys of the record, which may have dots; return the record's path."""
    for name in ('record.json', 'predictions.csv'):
        shutil.copy(run / name, tmp_path)
    record = read_record(tmp_path / 'record.json')
    for dotted, value in changes.items():
        *parents, last = dotted.split('.')
        part = record
        for key in parents:
            part = part[key]
        part[last] = value
    write_json(tmp_path / 'record.json', record)
    return tmp_path / 'record.json'


def test_a_record_alone_gives_every_digit_again(linear, network, data, tmp_path):
    for run in (linear, network):
        place = tmp_path / run.parent.name
        place.mkdir()
        found = reproduce(copied(run, place), 'all', data, jobs=1)
        assert (found.result, found.total.scores, len(found.folds)) == ('identical', 0, 3)
        # a machine on which the tests run may hide instructions
        assert [line for line in found.differences if not line.startswith(VARIABLES)] == []


def test_the_config_text_can_be_trained_by_hand(network, data, tmp_path):
    record = read_json(network / 'record.json', '')
    (tmp_path / 'by_hand.py').write_text(record['config']['text'])
    how = dict(seed=record['seed'], stack=3, device='cpu', jobs=1, work_dir=tmp_path / 'run')
    run = mer_bench.train(tmp_path / 'by_hand.py', (), data, **how)
    assert (run.folder / 'predictions.csv').read_bytes() == (network / 'predictions.csv').read_bytes()
    assert run.record['config']['digest'] == record['config']['digest']
    with pytest.raises(InputError, match='give --data-root'):
        mer_bench.train(tmp_path / 'by_hand.py', work_dir=tmp_path / 'other')


def test_the_command_in_a_record_trains_it_again(linear, data, tmp_path, monkeypatch, capsys):
    words = shlex.split(read_json(linear / 'record.json', '')['command'])
    assert words[:2] == ['mer-bench', 'train']
    monkeypatch.chdir(tmp_path)
    train_main([*words[2:], '--work-dir', 'run', '--jobs', '1'])
    assert Path('run/predictions.csv').read_bytes() == (linear / 'predictions.csv').read_bytes()


def test_the_command_names_what_decides_the_numbers_and_not_the_home(tmp_path, monkeypatch):
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    monkeypatch.setenv('HOME', str(tmp_path))
    roots = [str(tmp_path / 'my data/smic'), str(tmp_path / 'here/samm'), '/disk/casme2']
    options = {'input.channels': ['u', 'v'], 'amp': False}
    (tmp_path / 'my w.pth').touch()
    (tmp_path / 'here/w.pth').touch()
    files = [f'load_from={tmp_path}/my w.pth', f'a=[{tmp_path}/here/w.pth,{tmp_path}/my w.pth]', f'b={tmp_path}/none']
    command = train_command(RunOptions('mer_smic', cfg_options=files), RunSettings(0, tmp_path))
    words = subprocess.run(['sh', '-c', f'printf "%s\\n" {command}'], capture_output=True, text=True, check=True).stdout
    assert words.splitlines()[4:7] == [files[0], f'a=[w.pth,{tmp_path}/my w.pth]', files[2]]
    assert command.count(str(tmp_path)) == 1  # of what does not exist
    settings = RunSettings(3, tmp_path, jobs=4, stack='off', select='inner', candidates=['ridge', 'hoof'], verbose=True)
    assert train_command(RunOptions('mer_smic', ['ststnet'], options, roots, ['s01'], threads=2), settings) == (
        "mer-bench train mer_smic --override ststnet --cfg-options 'input.channels=[u,v]' amp=False "
        "--data-root ~/'my data/smic' samm /disk/casme2 --seed 3 --threads 2 --stack off --select inner "
        '--candidates ridge hoof --inner-folds 5'
    )
    assert train_command(RunOptions('mer_smic', cfg_options={'model': {'a': 1}}), RunSettings(0, tmp_path)) is None


def test_other_labels_and_their_reasons_are_named(linear, data, tmp_path):
    other = shutil.copytree(data, tmp_path / 'other')
    rewrite_flow(other, slice(0, 18), 0)
    path = copied(linear, tmp_path, commit='0123456789ab')
    done = tool('reproduce', path, '--folds', 2, '--fold-seed', 1, '--data-root', other, '--jobs', 1, '--json')
    found = json.loads(done.stdout)
    assert (done.returncode, found['result'], len(found['folds'])) == (1, 'different', 2)
    # every score is the same for each class: the first is predicted for all 12 clips, and is right for 4
    before = pd.read_csv(path.with_name('predictions.csv')).query('fold in @found["folds"]')
    assert found['other_labels'] == (before['y_pred'] != 'negative').sum()
    assert found['uf1_now'] == pytest.approx(1 / 6)  # F1 of 2 * 4 / (12 + 4), 0 and 0
    reasons = [line.partition(':')[0] for line in found['differences']]
    assert reasons[:2] == ['flow store', 'commit']


@pytest.mark.parametrize('texts', [True, False])
def test_a_choice_among_candidates_is_made_again(texts, data, tmp_path):
    (tmp_path / 'grid.py').write_text(LOGISTIC)
    how = dict(select='inner', inner_folds=2, device='cpu', jobs=1, work_dir=tmp_path / 'run')
    run = mer_bench.train('mer_smic', [tmp_path / 'grid.py'], data, **how)
    notes = run.record['selection']['candidates']
    kept = [{key: note[key] for key in note if texts or key != 'config'} for note in notes]
    (tmp_path / 'copy').mkdir()
    found = reproduce(copied(run.folder, tmp_path / 'copy', **{'selection.candidates': kept}), 2, data, jobs=1)
    assert found.result == 'identical'
    (tmp_path / 'by_hand.py').write_text(run.record['config']['text'])
    with pytest.raises(InputError, match='mer-bench reproduce'):
        mer_bench.train(tmp_path / 'by_hand.py', (), data, work_dir=tmp_path / 'one')


@pytest.mark.parametrize(
    'text',
    [
        "__import__('os').system('touch ran')",
        'import os',
        "_base_ = 'evil.py'",
        "custom_imports = dict(imports=['evil'])",
        "model = dict(type='os.system', command='touch ran')",
        "default_hooks = dict(logger=dict(type='LoggerHook', out_dir='ran'))",
        "visualizer = dict(vis_backends=[dict(type='WandbVisBackend')])",
        "model = dict(backbone=dict(type='antigravity'))",
        "model = dict(cls_head=dict(type='timm.create_model'))",
        "model = dict(backbone=dict(type='timm.resnet18', checkpoint_path='pickle'))",
        'model = dict(**{"a": 1})',
        'lr = lambda: 1',
    ],
)
def test_a_text_that_could_run_code_is_refused(text):
    with pytest.raises(InputError, match='a record is not trusted with more'):
        read_text(text, 'record.json')


def test_options_of_a_candidate_that_could_run_code_are_refused(linear, data, tmp_path):
    for name in ('subprocess.Popen', '__main__'):
        note = dict(name='evil', text=json.dumps({'model.steps.0.type': name}), digest='0')
        choice = dict(rule='inner', metric='uf1', inner_folds=2, candidates=[note])
        with pytest.raises(InputError, match=r'candidate evil: expected .* is not trusted with more'):
            reproduce(copied(linear, tmp_path, selection=choice), 1, data)


def test_one_sentence_and_code_2_for_a_record_with_code_in_a_folder_of_others(linear, data, tmp_path):
    (tmp_path / 'bad').mkdir()
    copied(linear, tmp_path / 'bad', **{'config.text': "__import__('os').mkdir('ran')"})
    (tmp_path / 'good').mkdir()
    copied(linear, tmp_path / 'good')
    done = tool('reproduce', '--all', tmp_path, '--folds', 1, '--data-root', data, '--jobs', 1, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith('error: ')
    assert "__import__('os')" in done.stderr
    assert done.stdout.splitlines()[-1] == 'repeated: 1 (1 identical); cannot be repeated: 1'
    assert not (tmp_path / 'ran').exists()


def test_every_committed_record_can_be_read_as_data():
    for path in sorted((ROOT / 'results').rglob('record.json')):
        record = read_json(path, '')
        method = method_of(record, path)
        assert 'selection' in record or method.digest == record['config']['digest'], path
