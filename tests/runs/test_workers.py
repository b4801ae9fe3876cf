"""Folds in worker processes, of which the system ends one twice; once is in tests/cli/test_sweep.py."""

import pytest
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError

from mer_bench.errors import InputError
from mer_bench.experiment.experiment import RunOptions, open_experiment
from mer_bench.runs import run as whole_run
from mer_bench.runs.run import RunSettings, default_jobs, run_folds
from tests.conftest import ROOT


def open_small(override, prepared_data):
    arguments = dict(config=str(ROOT / 'configs/mer_smic.py'), overrides=[str(override)], cfg_options=[], folds=[])
    return open_experiment(RunOptions(**arguments, data_root=[str(prepared_data)], device='cpu', threads=1))


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
