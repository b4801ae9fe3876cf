"""Configs and overrides by path, by name, by pattern, from any folder."""

from pathlib import Path

import pytest

from mer_bench.errors import InputError
from mer_bench.experiment.config_files import find_config, find_override, match_configs, match_overrides
from mer_bench.experiment.method import load_method
from tests.conftest import ROOT


@pytest.mark.parametrize('name', ['mer_smic', 'mer_bench::mer_smic', 'mer_bench::mer_smic.py', 'configs/mer_smic.py'])
@pytest.mark.parametrize('override', ['ststnet', 'baselines/ststnet', 'mer_bench::baselines/ststnet.py'])
def test_every_spelling_names_the_same_method(tmp_path, monkeypatch, name, override):
    monkeypatch.chdir(tmp_path)
    by_path = load_method(str(ROOT / 'configs/mer_smic.py'), [str(ROOT / 'configs/baselines/ststnet.py')])
    by_name = load_method(name, [override])
    assert (by_name.config_name, by_name.name, by_name.digest) == ('mer_smic', 'ststnet', by_path.digest)
    assert by_name.overrides == by_path.overrides


def test_in_a_clone_a_name_becomes_the_path_that_a_user_would_write(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert find_config('mer_smic') == 'configs/mer_smic.py'
    assert find_override('no_attention') == 'ablations/no_attention.py'
    assert find_override('quarter_width') == 'configs/reduced/quarter_width.py'


def test_a_file_wins_over_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'mer_smic').write_text('')
    assert find_config('mer_smic') == 'mer_smic'


def test_a_network_of_timm_is_no_file():
    assert find_override('timm_resnet18') == 'timm_resnet18'


@pytest.mark.parametrize(
    ('find', 'word', 'message'),
    [
        (
            find_config,
            'mer_smik',
            r'no such config file: mer_smik \(did you mean mer_smic or .*\); give a path, or a name',
        ),
        (find_config, 'config/mer_smic.py', r'config/mer_smic\.py \(did you mean mer_smic or '),
        (find_override, 'no_atention', r'no_atention \(did you mean no_attention\?\); give a path'),
        (find_override, 'zzz', r'^no such config file: zzz; give a path'),
        (
            find_config,
            'ststnet',
            r'^ststnet is an override; give a config, such as mer_smic, and ststnet after --override',
        ),
        (find_override, 'mer_smic', r'^mer_smic is a config; give an override'),
    ],
)
def test_a_near_miss_is_answered_with_the_name(find, word, message):
    with pytest.raises(InputError, match=message):
        find(word)


def test_two_files_of_one_name_are_both_named(tmp_path, monkeypatch):
    for folder in ('configs/baselines', 'ablations'):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / 'twin.py').write_text('')
    monkeypatch.setattr('mer_bench.experiment.config_files.SHIPPED', tmp_path)
    with pytest.raises(
        InputError, match=r'^twin names .*configs/baselines/twin\.py and .*ablations/twin\.py; give one'
    ):
        find_override('twin')
    assert find_override('baselines/twin').endswith('configs/baselines/twin.py')


def test_a_pattern_matches_files_here_or_else_names(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    rcn = [f'configs/baselines/rcn_{kind}.py' for kind in 'afsw']
    assert match_overrides('rcn_*') == match_overrides('configs/baselines/rcn_*.py') == rcn
    assert match_configs('mer_casme2*3class') == ['configs/mer_casme2_3class.py', 'configs/mer_casme2_samm_3class.py']
    monkeypatch.chdir(tmp_path)
    assert match_overrides('configs/baselines/rcn_*.py') == [str(ROOT / path) for path in rcn]
    (tmp_path / 'rcn_own.py').write_text('')
    assert match_overrides('rcn_*') == ['rcn_own.py']
    assert match_overrides('zzz_*') == match_overrides('c*.py') == []
    assert [Path(path).stem for path in match_overrides('c*')] == [
        'c3d',
        'capsulenet',
        'causalnet',
        'class_prior',
        'csn_r50',
    ] + [path.stem for path in sorted((ROOT / 'ablations').glob('c*.py'))]
