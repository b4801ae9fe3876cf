"""What several overrides may do together, and how the method is named then."""

import pytest

from mer_bench.errors import InputError
from mer_bench.experiment.method import load_method
from tests.conftest import ROOT

CONFIG = str(ROOT / 'configs/mer_smic.py')


def ablation(name):
    return str(ROOT / 'ablations' / f'{name}.py')


def baseline(name):
    return str(ROOT / 'configs/baselines' / f'{name}.py')


def test_ablations_append_their_names_and_another_model_begins_anew():
    assert load_method(CONFIG, [ablation('frames_8')]).name == 'multiscale_resnet3d50+frames_8'
    assert load_method(CONFIG, [baseline('swin3d_t'), ablation('frames_8')]).name == 'swin3d_t+frames_8'


def test_what_stands_before_another_model_is_refused():
    with pytest.raises(InputError, match='name this override first'):
        load_method(CONFIG, [ablation('frames_8'), baseline('swin3d_t')])


def test_data_are_prepared_in_one_way():
    assert load_method(CONFIG, [ablation('flow_dis')]).cfg.data_variant.to_dict() == dict(
        name='flow_dis', options='--flow dis', flow='dis'
    )
    with pytest.raises(InputError, match='a second beside flow_dis'):
        load_method(CONFIG, [ablation('flow_dis'), ablation('apex_middle')])


@pytest.mark.parametrize('text', ['model = None', 'train_cfg = 3', "input = 'apex'", 'optim_wrapper = None'])
def test_a_part_of_the_config_stays_a_dict(text, tmp_path):
    (tmp_path / 'wrong.py').write_text(text)
    with pytest.raises(InputError, match=rf'expected {text.split(" ")[0]}=dict'):
        load_method(CONFIG, [str(tmp_path / 'wrong.py')])
