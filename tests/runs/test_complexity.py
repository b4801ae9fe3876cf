import torch
from mmaction.registry import MODELS

from mer_bench.runs.model import complexity

HEAD = {'type': 'MultiOutputHead', 'num_classes': 3, 'in_channels': [8, 8]}
NECK = {'type': 'AttentionFusion', 'in_channels': [3], 'channels': 8}


class Eye(torch.nn.Module):
    """A backbone that does nothing."""

    def forward(self, x):
        return x


def eye_model():
    MODELS.register_module('Eye', module=Eye, force=True)
    return MODELS.build({'type': 'Recognizer3D', 'backbone': {'type': 'Eye'}, 'neck': NECK, 'cls_head': HEAD})


def test_parameters_and_flops_of_neck_and_head_are_counted_by_hand():
    parameters, flops = complexity(eye_model(), (3, 4, 5, 6))
    assert parameters == 3 * 8 + 2 * 8 + 2 * (8 * 3 + 3)
    assert flops == 2 * (4 * 5 * 6 * 3 * 8 + 2 * 8 * 3)


def test_the_model_stays_in_its_modes():
    model = eye_model().train()
    model.neck.eval()
    model.neck.projections.train()
    complexity(model, (3, 1, 4, 4))
    assert (model.training, model.neck.training, model.neck.projections.training) == (True, False, True)
    assert model.neck.projections[0].bn.num_batches_tracked == 0
