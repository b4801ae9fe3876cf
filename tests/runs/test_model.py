"""What a record holds of a model, and models that are refused before the first fold."""

import pytest

from mer_bench.errors import InputError
from mer_bench.models.backbones.multiscale_resnet3d import MultiScaleResNet3d
from mer_bench.runs.model import build_model, describe_model
from tests.training.test_fold_config import experiment_on


def described(experiment):
    return describe_model(experiment, build_model(experiment))


def test_parts_of_a_model_that_do_not_fit_are_one_sentence(prepared_data, tiny_override, tmp_path):
    (tmp_path / 'head.py').write_text("model = dict(cls_head=dict(_delete_=True, type='I3DHead', in_channels=8))")
    overrides = [str(tiny_override), str(tmp_path / 'head.py')]
    with pytest.raises(InputError, match=r'the parts of this model.* do not fit together: .*; correct config or ov'):
        described(experiment_on(prepared_data, overrides=overrides))


@pytest.mark.parametrize('option', ['optimizer.lr=abc', 'optimizer.lr=nan', 'optimizer.type=Nothing', 'type=Nothing'])
def test_an_optimiser_that_cannot_be_built_is_one_sentence(prepared_data, tiny_override, option):
    wrong = experiment_on(prepared_data, overrides=[str(tiny_override)], cfg_options=[f'optim_wrapper.{option}'])
    with pytest.raises(InputError, match=r'optim_wrapper cannot be built: .*; correct config or override$'):
        described(wrong)


@pytest.mark.parametrize(
    ('sizes', 'expected'),
    [
        ({'layer1': (8, 28, 28), 'layer2': (4, 14, 14), 'layer3': (2, 7, 7)}, None),
        (
            {'layer2': (2, 7, 7), 'layer3': (1, 2, 4)},
            '5x1x1 on 2x7x7 after stage 2; 3x1x1, 1x5x5 on 1x2x4 after stage 3;',
        ),
    ],
)
def test_kernels_that_the_clips_do_not_fill_are_named_in_one_line(sizes, expected):
    backbone = MultiScaleResNet3d(base_channels=4)
    for name, block in backbone.multiscale.items():
        block.seen = sizes.get(name, (16, 56, 56))
    note = backbone.note_on_taps()
    assert note is None if expected is None else expected in note
    assert '\n' not in str(note)
