import argparse

import numpy as np
import pytest

from mer_bench.protocols.folds import Fold
from mer_bench.training.experiment import open_experiment
from mer_bench.training.fold_config import balanced_weights, fold_config
from tests.conftest import ROOT, write_prepared_data

FOLD = Fold('smic/s02', ('smic/s01', 'smic/s03'), ('smic/s02',))


def experiment_on(data_root, **changes):
    args = dict(config=str(ROOT / 'configs/mer_smic.py'), override=[], fold=[], cfg_options=[], device='cpu', threads=1)
    return open_experiment(argparse.Namespace(**(args | dict(data_root=str(data_root)) | changes)))


def test_the_held_out_subject_is_in_no_training_list(prepared_data, tmp_path):
    cfg = fold_config(experiment_on(prepared_data), FOLD, 0, tmp_path)
    assert cfg.train_dataloader.dataset.subjects == ['smic/s01', 'smic/s03']
    assert cfg.test_dataloader.dataset.subjects == ['smic/s02']
    assert cfg.get('val_dataloader') is None
    assert cfg.default_hooks.checkpoint.save_best is None


def test_nothing_of_the_held_out_subject_changes_what_is_fitted(tmp_path):
    fitted = []
    for name, value, relabel in (('a', 0.0, {}), ('b', 9.0, {2: 'negative'})):
        root = write_prepared_data(tmp_path / name, relabel=relabel)
        clips = np.load(root / 'store/flow.npy', mmap_mode='r+')
        clips[6:12] = value  # the rows of s02
        clips.flush()
        experiment = experiment_on(root)
        assert experiment.data.mean[6:12].max() == pytest.approx(value)
        cfg = fold_config(experiment, FOLD, 0, tmp_path)
        fitted.append((cfg.model.data_preprocessor, cfg.model.cls_head.loss_cls))
    assert fitted[0] == fitted[1]
    assert fitted[0][1]['class_weight'] == [1, 1, 1]


def test_class_weights_are_inverse_to_the_training_counts():
    # 6 clips, 2 classes present: 6 / (2 * 4) and 6 / (2 * 2); the absent class gets a weight that no term uses
    assert balanced_weights(np.array([0, 0, 0, 0, 2, 2]), 3) == [0.75, 1.0, 1.5]
