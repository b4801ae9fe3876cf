"""Which methods the words of a sweep stand for."""

import pytest

from mer_bench.errors import InputError
from mer_bench.sweeps.words import expand_methods, expand_patterns, expand_word, roots_by_config


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('b.py', 'a.py', 'short.py', 'note.txt'):
        (tmp_path / name).touch()


def test_a_pattern_stands_for_its_files_in_the_order_of_their_names(files):
    assert expand_patterns(['short.py', '[ab].py', 'a.py'], '--configs') == ['short.py', 'a.py', 'b.py']


def test_a_pattern_without_a_file_is_told(files):
    with pytest.raises(InputError, match=r'--overrides c\*\.py: expected files that match this pattern, found none'):
        expand_methods(['c*.py'], [])


def test_joined_words_are_merged_one_after_another(files):
    assert expand_word('a.py+short.py', '--overrides') == [('a.py', 'short.py')]


def test_a_pattern_in_a_joined_word_gives_a_method_a_match(files):
    assert expand_word('[ab].py+short.py', '--overrides') == [('a.py', 'short.py'), ('b.py', 'short.py')]


def test_a_plus_in_the_name_of_a_file_joins_nothing(files, tmp_path):
    (tmp_path / 'a+b.py').touch()
    assert expand_word('a+b.py', '--overrides') == [('a+b.py',)]


def test_a_grid_of_three_gives_its_eight_subsets(files):
    assert expand_methods([], ['x', 'y', 'z']) == [
        (),
        ('x',),
        ('y',),
        ('z',),
        ('x', 'y'),
        ('x', 'z'),
        ('y', 'z'),
        ('x', 'y', 'z'),
    ]


def test_methods_named_twice_are_planned_once(files):
    assert expand_methods(['a.py', 'timm_resnet18', 'a.py'], ['a.py', 'b.py']) == [
        (),
        ('a.py',),
        ('timm_resnet18',),
        ('b.py',),
        ('a.py', 'b.py'),
    ]


def test_shared_files_come_last_and_only_once(files):
    assert expand_methods(['a.py', 'a.py+short.py'], [], ['short.py']) == [('short.py',), ('a.py', 'short.py')]


def test_the_bare_config_can_be_left_out(files):
    assert expand_methods(['a.py'], ['b.py'], ['short.py'], full=False) == [('a.py', 'short.py'), ('b.py', 'short.py')]


def test_no_method_at_all_is_told(files):
    with pytest.raises(InputError, match='expected a method, got none'):
        expand_methods([], [], full=False)


def test_roots_of_several_configs_are_named(files):
    configs = ['configs/mer_smic.py', 'configs/mer_megc2019.py']
    roots = roots_by_config(configs, ['mer_megc2019=d/smic', 'configs/mer_smic.py=e', 'mer_megc2019=d/samm'])
    assert roots == {configs[0]: ['e'], configs[1]: ['d/smic', 'd/samm']}
    with pytest.raises(InputError, match='expected CONFIG=DIR, such as mer_smic=DIR, because there are 2 configs'):
        roots_by_config(configs, ['data/smic'])


def test_roots_of_one_config_need_no_name(files):
    assert roots_by_config(['configs/mer_smic.py'], ['data/x=y', 'mer_smic=z']) == {
        'configs/mer_smic.py': ['data/x=y', 'z']
    }
