"""Every shipped config, alone and with each override: it is read, its model is built, its names are known."""

from ast import literal_eval
from functools import lru_cache

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

from mer_bench.errors import InputError
from mer_bench.experiment.method import load_method
from mer_bench.experiment.sources import find_data, source_names
from mer_bench.preparation.flow.published import DATASETS as PICTURES
from mer_bench.protocols.action_units import CD6ME_UNITS
from tests.conftest import ROOT

CONFIGS = sorted((ROOT / 'configs').glob('*.py'))
# a model for clips, one for single pictures, one with action units; the other configs differ in their classes alone
DIFFERENT = ('mer_smic', 'mer_megc2019_flow', 'mer_cd6me')
OVERRIDES = [*sorted((ROOT / 'ablations').glob('*.py')), ROOT / 'configs/reduced/quarter_width.py']


@lru_cache  # most configs share their model
def outputs_of(model: str) -> set[int]:
    """Build a model and return the widths of its classifiers."""
    init_default_scope('mmaction')
    with torch.device('meta'):  # no memory, no random weights
        head = MODELS.build(ConfigDict(literal_eval(model))).cls_head
    return {layer.out_features for layer in head.classifiers.values()}


@pytest.mark.parametrize('config', CONFIGS, ids=lambda path: path.stem)
def test_the_model_of_every_config_is_built(config):
    method = load_method(str(config))
    assert outputs_of(repr(method.cfg.model.to_dict())) == {len(method.scheme.classes)}
    assert method.name == method.cfg.method


@pytest.mark.parametrize('override', OVERRIDES, ids=lambda path: path.stem)
def test_an_override_of_the_full_model_fits_every_config(override):
    for config in CONFIGS:
        method = load_method(str(config), [str(override)])
        assert method.name == f'{method.cfg.method}+{override.stem}'
        assert method.cfg.model.cls_head.num_classes == len(method.scheme.classes)
        if config.stem in DIFFERENT:
            assert outputs_of(repr(method.cfg.model.to_dict())) == {len(method.scheme.classes)}


@pytest.mark.parametrize('override', sorted((ROOT / 'configs/baselines').glob('*.py')), ids=lambda path: path.stem)
def test_a_baseline_takes_the_classes_of_every_config_and_refuses_action_units(override):
    for config in CONFIGS:
        units = {'action_units': None} if config.stem == 'mer_cd6me' else None
        method = load_method(str(config), [str(override)], units)
        assert method.name.startswith(override.stem)
        head = method.cfg.model.get('cls_head', method.cfg)
        assert head.get('num_classes', len(method.cfg.classes)) == len(method.scheme.classes)
    with pytest.raises(InputError, match='predicts emotions alone'):
        load_method(str(ROOT / 'configs/mer_cd6me.py'), [str(override)])


@pytest.mark.parametrize('config', CONFIGS, ids=lambda path: path.stem)
def test_the_data_sets_of_every_config_are_in_its_scheme(config):
    method = load_method(str(config))
    roots, sources = find_data(method.cfg, None)
    assert roots == [f'data/{source["dataset"]}' for source in sources]
    datasets = {rule.dataset for rule in method.scheme.rules}
    assert {*('smic' if name in PICTURES.values() else name for name in source_names(method.cfg))} <= datasets


def test_cd6me_learns_its_twelve_units():
    cfg = load_method(str(ROOT / 'configs/mer_cd6me.py')).cfg
    assert tuple(cfg.action_units) == CD6ME_UNITS
    assert cfg.model.cls_head.num_action_units == 12
