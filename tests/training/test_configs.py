"""Every shipped config, alone and with each ablation: it is read, its model is built, its names are known."""

from ast import literal_eval
from functools import lru_cache

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

from mer_bench.protocols.action_units import CD6ME_UNITS
from mer_bench.training.data_places import data_places
from mer_bench.training.method import load_method
from tests.conftest import ROOT

CONFIGS = sorted((ROOT / 'configs').glob('*.py'))
OVERRIDES = [None, *sorted((ROOT / 'ablations').glob('*.py')), ROOT / 'configs/reduced/quarter_width.py']


@lru_cache  # most configs share their model
def outputs_of(model: str) -> set[int]:
    """Build a model and return the widths of its classifiers."""
    init_default_scope('mmaction')
    with torch.device('meta'):  # no memory, no random weights
        head = MODELS.build(ConfigDict(literal_eval(model))).cls_head
    return {layer.out_features for layer in head.classifiers.values()}


@pytest.mark.parametrize('override', OVERRIDES, ids=lambda path: path.stem if path else 'full')
@pytest.mark.parametrize('config', CONFIGS, ids=lambda path: path.stem)
def test_the_model_of_every_config_is_built(config, override):
    method = load_method(str(config), [str(override)] if override else [])
    assert outputs_of(repr(method.cfg.model.to_dict())) == {len(method.scheme.classes)}
    assert method.name.endswith(f'+{override.stem}' if override else method.cfg.method)


@pytest.mark.parametrize('config', CONFIGS, ids=lambda path: path.stem)
def test_the_data_sets_of_every_config_are_in_its_scheme(config):
    method = load_method(str(config))
    roots, sources = data_places(method.cfg, None)
    assert roots == [f'data/{source["dataset"]}' for source in sources]
    datasets = {rule.dataset for rule in method.scheme.rules}
    assert {source['dataset'].replace('megc2019_flow', 'smic') for source in sources} <= datasets


def test_cd6me_learns_its_twelve_units():
    cfg = load_method(str(ROOT / 'configs/mer_cd6me.py')).cfg
    assert tuple(cfg.action_units) == CD6ME_UNITS
    assert cfg.model.cls_head.num_action_units == 12
