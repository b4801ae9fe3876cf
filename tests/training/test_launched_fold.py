"""One fold over several processes, against the same fold in one."""

import argparse
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from mmengine.config import Config

from mer_bench.errors import InputError
from mer_bench.training.experiment import open_experiment
from mer_bench.training.launched_fold import divide, launch
from mer_bench.training.loso import run_folds
from tests.conftest import ROOT


@pytest.mark.slow
def test_two_processes_with_half_a_batch_each_learn_what_one_learns(tmp_path, prepared_data):
    """In a network without batch norm, whose gradient of a batch is the mean of those of its halves."""
    override = str(ROOT / 'configs/baselines/one_hidden_layer.py')
    options = ['train_cfg.max_epochs=4', 'train_dataloader.batch_size=6', 'amp=False']
    arguments = dict(config=str(ROOT / 'configs/mer_smic.py'), override=[override], cfg_options=options, fold=['s01'])
    experiment = open_experiment(
        argparse.Namespace(**arguments, data_root=[str(prepared_data)], device='cpu', threads=1)
    )
    run_folds(experiment, 0, tmp_path / 'run', stack='off')
    fold, out = tmp_path / 'run/folds/smic_s01', tmp_path / 'launched'
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
    command += ['tools/launch_fold.py', fold / 'config.py', '--out', out, '--device', 'cpu']
    done = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    one, two = (pd.read_csv(folder / 'predictions.csv', index_col='sample_id') for folder in (fold, out))
    scores = [column for column in one if 'score' in column]
    assert sorted(two.index) == sorted(one.index)
    np.testing.assert_allclose(two.loc[one.index, scores], one[scores], atol=1e-5)


def test_a_batch_is_divided_and_batch_norm_sees_all_of_it_on_gpus(tmp_path):
    cfg = Config(dict(train_dataloader=dict(batch_size=16), test_evaluator=dict(), work_dir='x'))
    divided = divide(cfg, 4, tmp_path, on_gpu=True)
    assert divided.train_dataloader.batch_size == 4
    assert (divided.launcher, divided.sync_bn) == ('pytorch', 'torch')
    with pytest.raises(InputError, match='divide a batch of 4, got 3'):
        divide(divided, 3, tmp_path, on_gpu=True)


def test_a_process_that_torchrun_did_not_start_is_told_so(tmp_path, monkeypatch):
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    with pytest.raises(InputError, match='torchrun --nproc_per_node'):
        launch(tmp_path / 'config.py', tmp_path, 'cpu')
