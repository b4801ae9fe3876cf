"""Which methods the words of a sweep stand for, its plan on the tiny data set, and the state of run folders."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from mmengine.config import Config

from mer_bench.errors import InputError
from mer_bench.experiment.experiment import default_work_dir
from mer_bench.experiment.method import load_method
from mer_bench.sweeps.estimate import TimeEstimate
from mer_bench.sweeps.plan import (
    SweepOptions,
    expand_methods,
    expand_patterns,
    expand_word,
    plan_runs,
    roots_by_config,
)
from mer_bench.sweeps.report import format_plan, format_rest
from mer_bench.sweeps.status import count_folds, is_complete, read_reason, write_failure
from tests.conftest import ROOT

CONFIG = str(ROOT / 'configs/mer_smic.py')
ABLATION = str(ROOT / 'ablations/no_attention.py')


@pytest.fixture
def plan(prepared_data, tmp_path):
    def planned(*methods, config=CONFIG, seeds=(0,), root=prepared_data):
        args = SweepOptions(roots={config: [str(root)]}, device='cpu', threads=1)
        return plan_runs([config], methods, seeds, tmp_path / 'runs', args)

    return planned


def finish(run, fold, seconds, **more):
    folder = run.folder / 'folds' / fold.folder
    folder.mkdir(parents=True)
    fields = dict(fold=fold.name, n_train=12, n_test=6, train_seconds=seconds, test_seconds=0.0, **more)
    (folder / 'fold.json').write_text(json.dumps(fields))
    (run.folder / 'record.json').write_text(json.dumps({'config': {'text': 'train_cfg = dict(max_epochs=50)'}}))


def test_a_run_lies_where_train_py_puts_it(plan, tmp_path):
    runs, _ = plan((), (ABLATION,), seeds=(0, 2))
    methods = [load_method(CONFIG, overrides) for overrides in ([], [ABLATION])]
    assert [run.folder for run in runs] == [
        tmp_path / 'runs' / default_work_dir(method, seed).relative_to('work_dirs')
        for seed in (0, 2)
        for method in methods
    ]


def test_equal_methods_of_other_names_are_planned_once(plan, tmp_path):
    other = tmp_path / 'without_attention.py'
    other.write_text('model = dict(neck=dict(attention=None))')
    runs, equal = plan((ABLATION,), (str(other),))
    assert [run.overrides for run in runs] == [(ABLATION,)]
    assert 'without_attention on mer_smic equals multiscale_resnet3d50+no_attention' in equal[0]


def test_a_plan_reads_each_file_once(plan, tmp_path, monkeypatch):
    other, read = tmp_path / 'other.py', []
    other.write_text('train_cfg = dict(max_epochs=3)')
    whole = Config.fromfile
    monkeypatch.setattr(Config, 'fromfile', lambda path, *rest, **more: read.append(path) or whole(path, *rest, **more))
    runs, _ = plan((str(other),), (ABLATION, str(other)))
    assert [run.max_epochs for run in runs] == [3, 3]
    assert read.count(str(other)) == 1


def test_methods_that_see_the_same_of_a_clip_are_equal(plan, tmp_path):
    other = tmp_path / 'both_frames.py'
    other.write_text('input = dict(frames=2)')  # of two
    _, equal = plan((), (str(other),))
    assert equal == ['multiscale_resnet3d50+both_frames on mer_smic equals multiscale_resnet3d50 and is skipped']


def test_a_method_that_cannot_be_opened_is_not_finished(plan, tmp_path):
    """Whatever an earlier run left in its folder."""
    (run,), _ = plan(())
    for fold, _ in run.folds:
        finish(run, fold, 1.0)
    record = json.loads((run.folder / 'record.json').read_text())
    (run.folder / 'record.json').write_text(json.dumps(record | dict(complete=True)))
    (run.folder / 'predictions.csv').touch()
    assert not is_complete(replace(run, fault='no such file', settings=None, folds=()))


def test_two_methods_of_one_name_are_refused(plan, tmp_path):
    other = tmp_path / 'no_attention.py'
    other.write_text('train_cfg = dict(max_epochs=1)')
    with pytest.raises(InputError, match=r'ablations/no_attention\.py and .*/no_attention\.py have the same; rename'):
        plan((ABLATION,), (str(other),))


def test_a_missing_override_is_an_error_before_anything_else(plan):
    with pytest.raises(InputError, match='no such config file: nothing'):
        plan((), ('nothing',))


def test_missing_data_are_an_error_before_anything_else(plan, tmp_path):
    with pytest.raises(InputError, match=r'mer_smic\.py: .*no prepared data set smic'):
        plan((), (ABLATION,), root=tmp_path)


def test_a_method_that_does_not_fit_is_in_the_plan_with_its_reason(plan, tmp_path):
    wrong = tmp_path / 'wrong.py'
    wrong.write_text('model = dict(nek=None)')
    runs, _ = plan((), (str(wrong),))
    assert [bool(run.fault) for run in runs] == [False, True]
    assert (runs[1].method, runs[1].dataset) == ('multiscale_resnet3d50+wrong', 'smic')
    assert 'cannot be opened: multiscale_resnet3d50+wrong on mer_smic: ' in format_plan(runs, [None, None])


def test_folds_are_counted_by_state(plan):
    (run,), _ = plan(())
    assert count_folds(run) == {'new': 3}
    finish(run, run.folds[0][0], 1.0)
    (run.folder / 'folds/.smic_s02').mkdir()
    assert count_folds(run) == {'finished': 1, 'continued': 1, 'new': 1}
    write_failure(run, 'out of memory')
    assert count_folds(run) == {'finished': 1, 'failed': 2}
    assert read_reason(run) == 'out of memory'


def test_the_plan_names_folders_with_folds_of_other_settings(plan):
    (run,), _ = plan(())
    finish(run, run.folds[0][0], 1.0)
    assert 'holds folds of another config or other data' in format_plan([run], [None])


def test_the_time_is_that_of_clips_and_epochs(plan):
    """12 clips x 50 epochs took 60 s, so two folds of 12 clips x 50 epochs take 120 s, or 60 s side by side."""
    (run, other_seed), _ = plan((), seeds=(0, 1))
    assert run.max_epochs == 50
    assert [n_train for _, n_train in run.folds] == [12, 12, 12]
    base = run.folder.parents[2]
    assert TimeEstimate(base, 1).seconds(run) is None
    finish(run, run.folds[0][0], 60.0)
    assert TimeEstimate(base, 1).seconds(run) == pytest.approx(120)
    assert TimeEstimate(base, 2).seconds(run) == pytest.approx(60)
    assert TimeEstimate(base, 1).seconds(other_seed) == pytest.approx(180)
    finish(run, run.folds[1][0], 60.0, inner=dict(seconds=240.0))  # a choice beside it: 360 s for two folds
    assert TimeEstimate(base, 1).seconds(other_seed) == pytest.approx(540)


def test_the_time_of_another_data_set_is_taken_where_this_one_has_none(plan):
    (run,), _ = plan(())
    finish(run, run.folds[0][0], 60.0)
    base = run.folder.parents[2]
    (base / 'mer_smic').rename(base / 'mer_other')
    assert TimeEstimate(base, 1).seconds(run) == pytest.approx(180)


@pytest.mark.parametrize(
    ('times', 'text'),
    [
        ([3600.0, 60.0], 'about 1:01:00 left'),
        ([60.0, None], 'about 0:01:00 and 1 run of methods not measured yet left'),
        ([None, None], 'time unknown: 2 runs of methods not measured yet'),
    ],
)
def test_unknown_times_are_counted(times, text):
    assert format_rest(times) == text


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('b.py', 'a.py', 'short.py', 'note.txt'):
        (tmp_path / name).touch()


def test_a_pattern_stands_for_its_files_in_the_order_of_their_names(files):
    assert expand_patterns(['short.py', '[ab].py', 'a.py'], '--configs') == ['short.py', 'a.py', 'b.py']


def test_a_pattern_without_a_file_is_an_error(files):
    with pytest.raises(InputError, match=r'--overrides c\*\.py: expected files that match this pattern, found none'):
        expand_methods(['c*.py'], [])


def test_names_stand_for_shipped_files(files):
    assert expand_word('ststnet+no_*', '--overrides') == expand_word(
        'configs/baselines/ststnet.py+ablations/no_*.py', '--overrides'
    )
    (config,) = expand_patterns(['mer_smic', 'configs/mer_smic.py'], '--configs')
    assert Path(config).parts[-2:] == ('configs', 'mer_smic.py')


def test_joined_words_are_merged_one_after_another(files):
    assert expand_word('a.py+short.py', '--overrides') == [('a.py', 'short.py')]


def test_a_pattern_in_a_joined_word_gives_a_method_a_match(files):
    assert expand_word('[ab].py+short.py', '--overrides') == [('a.py', 'short.py'), ('b.py', 'short.py')]


def test_a_plus_in_the_name_of_a_file_joins_nothing(files, tmp_path):
    (tmp_path / 'a+b.py').touch()
    assert expand_word('a+b.py', '--overrides') == [('a+b.py',)]


def test_a_grid_of_three_gives_its_eight_subsets(files, tmp_path):
    for name in 'xyz':
        (tmp_path / name).touch()
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


def test_no_method_at_all_is_an_error(files):
    with pytest.raises(InputError, match='expected at least one method, got none'):
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
