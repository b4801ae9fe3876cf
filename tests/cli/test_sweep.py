"""tools/sweep.py as a user meets it: failures, resuming, kill -9, two at a time."""

import json
import os
import signal
import subprocess
import sys
import threading
from importlib import import_module

import pytest

from mer_bench.errors import run_tool
from mer_bench.sweeps import local as sweep_run
from tests.conftest import ROOT
from tests.events import group_has_ended, has_ended, started, wait_for
from tests.gate import Gate

CONFIG = 'configs/mer_smic.py'
SWEEP = [sys.executable, 'tools/sweep.py', '--configs', CONFIG, '--device', 'cpu', '--jobs', '1']
CHANCE = "model = dict(_delete_=True, type='Pipeline', steps=[dict(type='DummyClassifier', strategy='{}')])"


@pytest.fixture(scope='module')
def overrides(tmp_path_factory):
    """Methods that take no time to train, and one whose model cannot be built."""
    folder = tmp_path_factory.mktemp('methods')
    for strategy in ('prior', 'uniform'):
        (folder / f'{strategy}.py').write_text(CHANCE.format(strategy))
    (folder / 'broken.py').write_text("model = dict(backbone=dict(type='Nothing'))")
    return folder


def sweep(monkeypatch, *arguments):
    """Run the tool in this process and return its exit code."""
    monkeypatch.chdir(ROOT)
    main = import_module('mer_bench.cli.sweep').main
    try:
        run_tool(lambda: main(['--configs', CONFIG, '--device', 'cpu', '--jobs', '1', *map(str, arguments)]))
    except SystemExit as stop:
        return stop.code
    return 0


def records(work_dir):
    return [json.loads(path.read_text()) for path in sorted(work_dir.rglob('record.json'))]


@pytest.mark.slow
def test_a_broken_method_is_listed_and_can_be_tried_again_alone(
    prepared_data, overrides, tmp_path, monkeypatch, capsys
):
    broken = tmp_path / 'broken.py'
    broken.write_text((overrides / 'broken.py').read_text())
    work_dir = tmp_path / 'runs'
    arguments = ['--no-full', '--overrides', broken, overrides / 'prior.py', '--data-root', prepared_data]
    arguments += ['--work-dir', work_dir]
    assert sweep(monkeypatch, *arguments, '--dry-run') == 0
    assert 'folds: 6 new, 0 continued, 0 finished, 0 failed' in capsys.readouterr().out
    assert not work_dir.exists()

    assert sweep(monkeypatch, *arguments) == 1
    printed = capsys.readouterr()
    failure = json.loads((work_dir / 'mer_smic/multiscale_resnet3d50+broken/seed0/failure.json').read_text())
    assert {key: failure[key] for key in failure if key not in ('reason', 'date', 'digest')} == {
        'schema_version': 1,
        'method': 'multiscale_resnet3d50+broken',
        'config': 'mer_smic',
        'dataset': 'smic',
        'protocol': 'LOSO, smic_3class',
        'seed': 0,
        'synthetic': True,
    }
    assert 'the model of this config cannot be built' in failure['reason']
    assert f'multiscale_resnet3d50+broken on mer_smic, seed 0: {failure["reason"]}' in printed.out
    assert f'mer-bench leaderboard {work_dir}/mer_smic --out my_tables/synthetic_smic.md' in printed.out
    assert [line[:5] for line in printed.err.splitlines() if line.startswith('[')] == ['[1/2]', '[2/2]']
    assert (work_dir / 'mer_smic/prior/seed0/predictions.csv').exists()

    tried = []
    whole = sweep_run.run_opened

    def run_opened(experiment, *args):
        tried.append(experiment.method.name)
        return whole(experiment, *args)

    monkeypatch.setattr(sweep_run, 'run_opened', run_opened)
    assert sweep(monkeypatch, *arguments) == 1
    assert 'folds: 0 new, 0 continued, 3 finished, 3 failed' in capsys.readouterr().out
    assert tried == ['multiscale_resnet3d50+broken']

    broken.write_text((overrides / 'uniform.py').read_text())  # mended; another network has a name of its own
    assert sweep(monkeypatch, *arguments) == 0
    assert sweep(monkeypatch, *arguments, '--only-failed') == 0
    assert tried == ['multiscale_resnet3d50+broken', 'broken']


@pytest.mark.slow
def test_only_failed_runs_nothing_else(prepared_data, overrides, tmp_path, monkeypatch, capsys):
    arguments = ['--no-full', '--data-root', prepared_data, '--work-dir', tmp_path, '--overrides']
    assert sweep(monkeypatch, *arguments, overrides / 'broken.py') == 1
    assert sweep(monkeypatch, *arguments, overrides / 'broken.py', overrides / 'prior.py', '--only-failed') == 1
    assert [record['method'] for record in records(tmp_path)] == []
    assert '[1/1] multiscale_resnet3d50+broken' in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_sweep_continues_where_it_stopped(prepared_data, finished_run, tmp_path, monkeypatch):
    gate, runs = Gate(tmp_path, 'smic_s02'), tmp_path / 'runs'
    arguments = ['--no-full', '--overrides', gate.override, '--data-root', prepared_data, '--work-dir', runs]
    with started(*SWEEP, *arguments) as process:
        wait_for(lambda: gate.waiting() or process.poll() is not None)
        process.kill()  # alone
        wait_for(lambda: group_has_ended(process.pid))  # as its worker does by itself
    assert [*gate.waiting()] == ['smic_s02']
    gate.open()
    run = runs / 'mer_smic/multiscale_resnet3d50+tiny/seed0'
    written = (run / 'folds/smic_s01/fold.json').stat().st_mtime_ns
    assert sweep(monkeypatch, *arguments) == 0
    assert [record['complete'] for record in records(runs)] == [True]
    assert (run / 'folds/smic_s01/fold.json').stat().st_mtime_ns == written
    assert (run / 'predictions.csv').read_bytes() == (finished_run / 'predictions.csv').read_bytes()


@pytest.mark.slow
def test_a_killed_worker_loses_no_fold(prepared_data, finished_run, tmp_path, monkeypatch):
    """Its fold goes on from its checkpoint, the others are left alone, nothing else differs, and the sweep succeeds."""

    def kill_first():
        wait_for(lambda: len(gate.waiting()) == 2)
        worker = gate.waiting()['smic_s01']
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: has_ended(worker))
        gate.open()

    gate, runs = Gate(tmp_path, 'smic_s01', 'smic_s02'), tmp_path / 'runs'
    thread = threading.Thread(target=kill_first, daemon=True)
    thread.start()
    words = ['--no-full', '--overrides', gate.override, '--data-root', prepared_data, '--work-dir', runs]
    assert sweep(monkeypatch, *words, '--jobs', '2') == 0
    thread.join()
    run = runs / 'mer_smic/multiscale_resnet3d50+tiny/seed0'
    # a training that was continued does not know how long it took
    folds = [json.loads(path.read_text()) for path in sorted(run.glob('folds/*/fold.json'))]
    assert [fold['train_seconds'] is None for fold in folds] == [True, False, False]
    assert (run / 'predictions.csv').read_bytes() == (finished_run / 'predictions.csv').read_bytes()


@pytest.mark.slow
def test_two_sweeps_on_one_folder_share_the_work(prepared_data, overrides, tmp_path, monkeypatch, capsys):
    methods = [overrides / f'{strategy}.py' for strategy in ('prior', 'uniform')]
    arguments = ['--no-full', '--overrides', *methods, '--data-root', prepared_data, '--work-dir', tmp_path]
    words = [*map(str, (*SWEEP, *arguments))]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as other:
        wait_for(lambda: [*tmp_path.rglob('.lock')] or other.poll() is not None)  # until it holds a run
        assert sweep(monkeypatch, *arguments) == 0
        out, err = other.communicate()
    assert other.returncode == 0, err
    for printed in (out, capsys.readouterr().out):
        assert [line.split()[-1] for line in printed.split('state\n')[1].splitlines()[1:3]] == ['finished'] * 2
    assert [record['complete'] for record in records(tmp_path)] == [True] * 2


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['--overrides', 'nothing/*.py'], '--overrides nothing/*.py: expected files that match this pattern'),
        (['--overrides', 'nothing.py'], 'no such config file: nothing.py'),
        (['--no-full'], 'expected at least one method, got none'),
        (['--device', 'cuda:99'], '--device cuda:99: expected a GPU'),
        (['--data-root', 'nowhere'], 'no prepared data set smic'),
        (['--address', 'auto'], '--address applies to --engine ray only; add --engine ray'),
        (['--workers', '2'], 'apply to --estimate only'),
        (['--measure', '-1'], '--measure: expected seconds of at least 0, got -1.0'),
        (['--measure', '--engine', 'ray'], 'expected --engine local; measure with --dry-run on a machine'),
        (['--engine', 'ray', '--device', 'cuda:1', '--dry-run'], 'because Ray chooses the GPU'),
        (['--engine', 'ray', '--device', 'auto', '--dry-run', '--estimate'], 'choose --device cpu or cuda'),
    ],
)
def test_what_a_user_can_mend_is_one_sentence_before_any_training(arguments, sentence, tmp_path, monkeypatch, capfd):
    assert sweep(monkeypatch, *arguments, '--work-dir', tmp_path / 'runs') == 2
    errors = capfd.readouterr().err.splitlines()
    assert [line.startswith('error: ') for line in errors] == [True]
    assert sentence in errors[0]
    assert not (tmp_path / 'runs').exists()


def test_a_dry_run_estimates_the_cost_and_needs_no_cluster(prepared_data, overrides, tmp_path, monkeypatch, capsys):
    ststnet = 'configs/baselines/ststnet.py+configs/reduced/two_folds.py'  # as it is in results/
    words = ['--no-full', '--overrides', ststnet, overrides / 'prior.py', '--seeds', '0', '1']
    words += ['--data-root', prepared_data, '--work-dir', tmp_path, '--engine', 'ray', '--measured', 'results']
    assert sweep(monkeypatch, *words, '--dry-run', '--estimate', '--workers', '3', '--json') == 0
    found = json.loads(capsys.readouterr().out)
    assert {(run['state'], run['uf1']) for run in found['runs']} == {('unfinished', None)}
    cost = found['cost']
    assert (cost['trainings'], cost['not_measured'], cost['workers'], cost['unit']) == (10, 6, 3, 'core-hours')
    assert cost['hours'] > 0
    assert not [*tmp_path.iterdir()]


def test_help_does_not_wait_for_torch():
    code = 'import sys, runpy; sys.argv = ["x", "--help"]\ntry: runpy.run_path("tools/sweep.py", run_name="__main__")\n'
    code += 'except SystemExit: sys.exit("torch" in sys.modules)'
    command = [sys.executable, '-c', code]
    assert subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode == 0
