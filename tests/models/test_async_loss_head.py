"""The loss that stays on the device against MMAction2's own."""

import pytest
import torch
from mmaction.models.heads import BaseHead
from mmaction.structures import ActionDataSample

from mer_bench.models import FlatHead


def samples(labels):
    return [ActionDataSample().set_gt_label(label) for label in labels]


@pytest.mark.parametrize('options', [{}, {'topk': (1, 2)}, {'label_smooth_eps': 0.2}])
@pytest.mark.parametrize('labels', [[0, 2, 1, 1], [2], torch.eye(3)[[0, 1]] * 0.7 + 0.1])
def test_losses_and_accuracies_are_those_of_mmaction(labels, options):
    head = FlatHead(3, 5, **options)
    logits = torch.randn(len(labels), 3)
    ours, stock = head.loss_by_feat(logits, samples(labels)), BaseHead.loss_by_feat(head, logits, samples(labels))
    assert list(ours) == list(stock)
    assert all(float(ours[key]) == pytest.approx(float(stock[key]), abs=1e-6) for key in stock)


def test_only_the_first_step_waits_for_a_copy_to_the_device(monkeypatch):
    waited, to = [], torch.Tensor.to

    def noted(tensor, *args, non_blocking=False, **kwargs):
        moved = to(tensor, *args, non_blocking=non_blocking, **kwargs)
        if moved.device != tensor.device and not non_blocking:
            waited.append(tensor.tolist())
        return moved

    monkeypatch.setattr(torch.Tensor, 'to', noted)
    head = FlatHead(3, 5, loss_cls={'type': 'CrossEntropyLoss', 'class_weight': [1.0, 2.0, 4.0]})
    for _ in range(3):
        losses = head.loss_by_feat(torch.zeros(2, 3, device='meta'), samples([0, 2]))
    assert losses['loss_cls'].device.type == 'meta'
    assert waited == [[1.0, 2.0, 4.0]]
