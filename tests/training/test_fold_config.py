import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS

from mer_bench.experiment.experiment import RunOptions, open_experiment
from mer_bench.protocols.folds import Fold
from mer_bench.training.device import activate
from mer_bench.training.fold import balanced_weights, fold_config, positive_weights
from tests.conftest import ROOT, rewrite_flow, write_prepared_data

FOLD = Fold('smic/s02', ('smic/s01', 'smic/s03'), ('smic/s02',))


def experiment_on(*data_roots, **changes):
    args = dict(
        config=str(ROOT / 'configs/mer_smic.py'), overrides=[], folds=[], cfg_options=[], device='cpu', threads=1
    )
    experiment = open_experiment(RunOptions(**(args | dict(data_root=list(map(str, data_roots))) | changes)))
    if not experiment.method.is_estimator:
        activate(experiment)
    return experiment


def test_the_held_out_subject_is_in_no_training_list(prepared_data, tmp_path):
    cfg = fold_config(experiment_on(prepared_data), FOLD, 0, tmp_path)
    assert cfg.train_dataloader.dataset.subjects == ['smic/s01', 'smic/s03']
    assert cfg.test_dataloader.dataset.subjects == ['smic/s02']
    assert cfg.get('val_dataloader') is None
    assert cfg.default_hooks.checkpoint.save_best is None


def test_nothing_of_the_held_out_data_set_changes_what_is_fitted(prepared_data, tmp_path):
    fold = Fold('casme2', ('smic/s01', 'smic/s02', 'smic/s03'), ('casme2/s01', 'casme2/s02'))
    options = ['data_source=[smic,casme2]', 'label_scheme=composite_4class', 'action_units=[4,12]']
    fitted = []
    for name, value, emotions in (('a', 0.0, ('disgust', 'happiness')), ('b', 9.0, ('negative',) * 3)):
        root = write_prepared_data(tmp_path / name, 2, dataset='casme2', emotions=emotions)
        rewrite_flow(root, slice(None), value)
        experiment = experiment_on(prepared_data, root, cfg_options=options)
        assert (experiment.data.annotations['dataset'] == 'casme2').sum() == 2 * len(emotions)
        cfg = fold_config(experiment, fold, 0, tmp_path)
        fitted.append((cfg.model.data_preprocessor, cfg.model.cls_head))
    assert fitted[0] == fitted[1]
    # per subject 2 clips of AU 4, 2 of AU 12 and 2 of an unsure coder
    assert fitted[0][1].action_unit_weight == [1.0, 1.0]


def test_unequal_counts_and_labels_arrive_in_model_and_dataset(tiny_override, tmp_path):
    emotions = ('disgust', 'disgust', 'repression', 'happiness', 'surprise', 'surprise', 'others')
    root = write_prepared_data(tmp_path / 'casme2', dataset='casme2', emotions=emotions)
    config = str(ROOT / 'configs/mer_casme2_3class.py')
    fold = Fold('casme2/s02', ('casme2/s01', 'casme2/s03'), ('casme2/s02',))
    cfg = fold_config(experiment_on(root, config=config, overrides=[str(tiny_override)]), fold, 0, tmp_path)
    head = MODELS.build(cfg.model).cls_head
    clips = DATASETS.build(cfg.train_dataloader.dataset)
    # of each of two training subjects 3 negative, 1 positive, 2 surprise: 12 / (3 * 6), 12 / (3 * 2), 12 / (3 * 4)
    assert torch.allclose(head.loss_cls.class_weight, torch.tensor([2 / 3, 2, 1]))
    assert np.bincount([clips.get_data_info(i)['label'] for i in range(len(clips))]).tolist() == [6, 2, 4]
    assert clips.metainfo['classes'] == ('negative', 'positive', 'surprise')


def test_the_channels_of_the_store_arrive_in_preprocessor_and_backbone(tiny_override, tmp_path):
    root = write_prepared_data(tmp_path / 'smic', channels=['u', 'v', 'strain', 'angle'])
    cfg = fold_config(experiment_on(root, overrides=[str(tiny_override)]), FOLD, 0, tmp_path)
    model = MODELS.build(cfg.model)
    assert model.data_preprocessor.channels == ('u', 'v', 'strain', 'angle')
    assert model.data_preprocessor.mean.shape == (4, 1, 1, 1)
    assert model.backbone.conv1.conv.in_channels == 4


def test_units_are_weighed_by_the_root_of_the_clips_without_over_those_with_them():
    # unit 1: 1 with, 4 without; unit 2: the unknown clip does not count; unit 3 is never seen, unit 4 always
    targets = np.array([[1, 1, 0, 1], [0, -1, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1], [0, -1, 0, 1]])
    assert positive_weights(targets) == pytest.approx([2.0, 2**0.5, 1.0, 1.0])


def test_class_weights_are_inverse_to_the_training_counts():
    # 6 clips, 2 classes present: 6 / (2 * 4) and 6 / (2 * 2); the absent class gets a weight that no term uses
    assert balanced_weights(np.array([0, 0, 0, 0, 2, 2]), 3) == [0.75, 1.0, 1.5]


def test_a_number_is_a_power_of_the_class_weights(tmp_path):
    root = write_prepared_data(tmp_path / 'smic', emotions=('negative', 'negative', 'negative', 'positive', 'surprise'))
    cfg = fold_config(experiment_on(root, cfg_options=['class_weight=0.5']), FOLD, 0, tmp_path)
    # of each of two training subjects 3, 1 and 1 clips: 10 / (3 * 6) and 10 / (3 * 2)
    expected = [(5 / 9) ** 0.5, (5 / 3) ** 0.5, (5 / 3) ** 0.5]
    assert cfg.model.cls_head.loss_cls.class_weight == pytest.approx(expected)
