"""Display names and kinds of methods."""

import pytest
import yaml

from mer_bench.results.methods import (
    ABLATIONS,
    FORMS,
    KINDS,
    display_name,
    display_names,
    kind_of,
    metafile,
    registry,
)
from tests.conftest import ROOT

OVERRIDES = ABLATIONS | FORMS


def names_in(folder):
    return {path.stem for path in (ROOT / folder).glob('*.py')}


def test_every_method_and_override_of_the_package_has_an_entry():
    assert names_in('configs/baselines') <= registry().keys()
    assert names_in('configs/choices') <= registry().keys() | OVERRIDES.keys()
    assert names_in('ablations') | names_in('configs/reduced') <= OVERRIDES.keys()
    assert {entry.kind for entry in registry().values()} <= {*KINDS}


def test_every_entry_is_of_a_file_or_is_the_full_model():
    files = names_in('configs/baselines') | names_in('configs/choices')
    assert registry().keys() - files == {'multiscale_resnet3d50', 'multiscale_resnet3d50_28x28'}
    assert OVERRIDES.keys() - names_in('ablations') - names_in('configs/reduced') - files == {'inner'}


def test_no_two_entries_share_a_display_name():
    names = [entry.name for entry in registry().values()]
    assert len({*names}) == len(names)
    words = [word for name, word in OVERRIDES.items() if not name.startswith('narrow_')]  # each is of one network
    assert len({*words}) == len(words)


@pytest.mark.parametrize(
    ('method', 'name', 'kind'),
    [
        ('majority', 'Majority class', 'sanity'),
        ('class_prior+two_folds', 'Class prior, 2 folds', 'sanity'),
        ('off_apexnet+train_cfg.max_epochs=60', 'OFF-ApexNet, 60 epochs', 'small network'),
        ('logistic_regression_centred+input.size=28', 'Centred logistic regression, 28x28', 'shallow'),
        ('shallow_methods+inner', 'Shallow methods, inner choice', 'shallow'),
        ('timm_resnet18+small_clips', 'resnet18 (timm), small clips', 'video network'),
        ('i3d_r50', 'I3D-R50', 'video network'),
        (
            'multiscale_resnet3d50_28x28+eighth_width+input_centred+input_scaled+no_multiscale',
            'Full model 28x28, 1/8 width, centred, scaled, no multi-scale',
            'ablation',
        ),
        ('multiscale_resnet3d50_28x28+eighth_width+input_scaled', 'Full model 28x28, 1/8 width, scaled', 'ours'),
        ('ridge+frames_all (store 1f0c2a9b)', 'Ridge, all frames (store 1f0c2a9b)', 'shallow'),
        ('my_net+optim_wrapper.x=1e+3', 'my_net, optim_wrapper.x=1e+3', 'other'),
    ],
)
def test_names_of_runs_become_short_ones(method, name, kind):
    assert display_name(method) == name
    assert kind_of(method) == kind


def test_methods_of_one_table_never_share_a_name():
    names = display_names(['ststnet', 'STSTNet', 'ridge'])  # the second is a file of a user
    assert names == {'ststnet': 'ststnet', 'STSTNet': 'STSTNet', 'ridge': 'Ridge'}


def test_the_metafiles_agree_with_the_registry():
    assert (ROOT / 'configs/baselines/metafile.yml').read_text(encoding='utf-8') == metafile()
    (ours,) = yaml.safe_load((ROOT / 'configs/metafile.yml').read_text(encoding='utf-8'))['Collections']
    entry = registry()[ours['Name']]
    assert ours['Paper'] == {'Title': entry.paper, 'URL': entry.url}


def test_the_address_of_a_paper_is_one_that_the_head_of_its_config_names():
    for entry in registry().values():
        file = ROOT / f'configs/baselines/{entry.method}.py'
        if entry.url and file.is_file():
            assert entry.url in file.read_text(encoding='utf-8'), entry.method
