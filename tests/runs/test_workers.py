"""Folds in worker processes of which the system ends one."""

import os
import signal
import threading

import pytest
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError

from mer_bench.errors import InputError
from mer_bench.experiment.experiment import RunOptions, open_experiment
from mer_bench.runs import run as whole_run
from mer_bench.runs.run import RunSettings, default_jobs, run_folds
from mer_bench.training.fold_folder import read_result
from tests.conftest import ROOT
from tests.events import has_ended, wait_for
from tests.gate import Gate


def open_small(override, prepared_data):
    arguments = dict(config=str(ROOT / 'configs/mer_smic.py'), overrides=[str(override)], cfg_options=[], folds=[])
    return open_experiment(RunOptions(**arguments, data_root=[str(prepared_data)], device='cpu', threads=1))


@pytest.mark.slow
def test_no_fold_is_lost_when_a_worker_is_killed(prepared_data, finished_run, tmp_path):
    """Its fold goes on from its checkpoint, the others are left alone, and nothing else differs."""

    def kill_first():
        wait_for(lambda: len(gate.waiting()) == 2)
        worker = gate.waiting()['smic_s01']
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: has_ended(worker))
        gate.open()

    gate = Gate(tmp_path, 'smic_s01', 'smic_s02')
    thread = threading.Thread(target=kill_first, daemon=True)
    thread.start()
    experiment = open_small(gate.override, prepared_data)
    record = run_folds(experiment, RunSettings(0, tmp_path / 'run', 2, stack='off'))
    thread.join()
    assert record['complete']
    # a training that was continued does not know how long it took
    seconds = [read_result(tmp_path / 'run', fold)['train_seconds'] for fold in experiment.folds]
    assert [value is None for value in seconds] == [True, False, False]
    assert (tmp_path / 'run/predictions.csv').read_bytes() == (finished_run / 'predictions.csv').read_bytes()


def test_a_fold_whose_worker_is_killed_again_is_told_in_one_sentence(
    prepared_data, tiny_override, tmp_path, monkeypatch
):
    def killed(*arguments):
        raise TerminatedWorkerError
        yield

    monkeypatch.setattr(whole_run, 'in_workers', killed)
    with pytest.raises(InputError, match='run the same command again with fewer --jobs than 2'):
        run_folds(open_small(tiny_override, prepared_data), RunSettings(0, tmp_path / 'run', 2, stack='off'))


def test_a_gpu_takes_one_training_unless_jobs_says_otherwise(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 4)
    assert default_jobs('cuda') == 4
    assert default_jobs('cuda:1') == 1
