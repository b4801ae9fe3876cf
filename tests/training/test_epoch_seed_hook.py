"""What every epoch of a training is told to draw from."""

from types import SimpleNamespace

import torch
from mmengine.model import BaseDataPreprocessor

from mer_bench.loading.flow_data_preprocessor import FlowDataPreprocessor
from mer_bench.models import clip_dropout
from mer_bench.training.runner import EpochSeedHook


def begin_epoch(preprocessor, epoch: int) -> object:
    """Return the data set of a runner whose epoch begins."""
    dataset = object()
    model = SimpleNamespace(data_preprocessor=preprocessor)
    loader = SimpleNamespace(dataset=dataset)
    EpochSeedHook(5).before_train_epoch(SimpleNamespace(model=model, epoch=epoch, train_dataloader=loader))
    return dataset


def test_a_flow_preprocessor_is_told_seed_epoch_and_the_clips_of_the_fold():
    preprocessor = FlowDataPreprocessor()
    dataset = begin_epoch(preprocessor, 2)
    assert preprocessor.epoch == (5, 2)
    assert preprocessor.training_clips is dataset


def test_no_dropout_draws_from_what_another_training_was_told():
    clip_dropout.set_draws(clip_dropout.BatchDraws(torch.zeros(1, dtype=torch.int32), 0, 0))
    begin_epoch(BaseDataPreprocessor(), 0)
    assert clip_dropout._current is None


def test_torch_is_seeded_by_the_number_of_the_epoch():
    drawn = []
    for epoch in (0, 1, 0):
        begin_epoch(BaseDataPreprocessor(), epoch)
        drawn.append(float(torch.rand(())))
    assert drawn[0] == drawn[2] != drawn[1]
