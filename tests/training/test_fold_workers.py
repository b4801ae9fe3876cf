"""Folds in worker processes of which the system ends one."""

import argparse
import os
import signal
import threading
import time

import pytest
from joblib.externals.loky.process_executor import TerminatedWorkerError

from mer_bench.errors import InputError
from mer_bench.training import fold_workers
from mer_bench.training.experiment import open_experiment
from mer_bench.training.fold_workers import default_jobs
from mer_bench.training.loso import run_folds
from mer_bench.training.separate_workers import worker_ids
from tests.conftest import ROOT, TINY


@pytest.fixture
def experiment(tmp_path, prepared_data):
    """Of a training that lasts long enough to be killed."""
    override = tmp_path / 'tiny.py'
    override.write_text(TINY.replace('max_epochs=2', 'max_epochs=4'))
    arguments = dict(config=str(ROOT / 'configs/mer_smic.py'), override=[str(override)], cfg_options=[], fold=[])
    return open_experiment(argparse.Namespace(**arguments, data_root=[str(prepared_data)], device='cpu', threads=1))


@pytest.mark.slow
def test_no_fold_is_lost_when_a_worker_is_killed(experiment, tmp_path):
    """Its fold goes on from its checkpoint, the others are left alone, and nothing else differs."""

    def kill_first():
        while not (begun := [*(tmp_path / 'killed/folds').glob('.smic_*/last_checkpoint')]):
            time.sleep(0.02)
        os.kill(worker_ids(threads=1)[0], signal.SIGKILL)
        killed.append(begun)

    killed = []
    thread = threading.Thread(target=kill_first, daemon=True)
    thread.start()
    record = run_folds(experiment, 0, tmp_path / 'killed', 2, stack='off')
    assert len(killed) == 1
    assert record['complete']
    run_folds(experiment, 0, tmp_path / 'undisturbed', 1, stack='off')
    killed_run, undisturbed = ((tmp_path / run / 'predictions.csv').read_bytes() for run in ('killed', 'undisturbed'))
    assert killed_run == undisturbed


def test_a_fold_whose_worker_is_killed_again_is_told_in_one_sentence(experiment, tmp_path, monkeypatch):
    def killed(*arguments):
        raise TerminatedWorkerError
        yield

    monkeypatch.setattr(fold_workers, 'in_workers', killed)
    with pytest.raises(InputError, match='run the same command again with fewer --jobs than 2'):
        run_folds(experiment, 0, tmp_path / 'run', 2, stack='off')


def test_a_gpu_takes_one_training_unless_jobs_says_otherwise(monkeypatch):
    monkeypatch.setattr(fold_workers.torch.cuda, 'device_count', lambda: 4)
    assert default_jobs('cuda') == 4
    assert default_jobs('cuda:1') == 1
