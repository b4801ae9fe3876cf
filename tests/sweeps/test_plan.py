"""The plan of a sweep on the tiny data set, and what it reads from run folders."""

import json
from dataclasses import replace

import pytest

from mer_bench.errors import InputError
from mer_bench.experiment.experiment import default_work_dir
from mer_bench.experiment.method import load_method
from mer_bench.sweeps.estimate import TimeEstimate
from mer_bench.sweeps.plan import SweepOptions, plan_runs
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


def finish(run, fold, seconds):
    folder = run.folder / 'folds' / fold.folder
    folder.mkdir(parents=True)
    fields = dict(fold=fold.name, n_train=12, n_test=6, train_seconds=seconds, test_seconds=0.0)
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


def test_methods_that_see_the_same_of_a_clip_are_equal(plan, tmp_path):
    other = tmp_path / 'both_frames.py'
    other.write_text('input = dict(frames=2)')  # of two
    _, equal = plan((), (str(other),))
    assert equal == ['multiscale_resnet3d50+both_frames on mer_smic equals multiscale_resnet3d50 and is left out']


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
    with pytest.raises(InputError, match=r'ablations/no_attention\.py and .*/no_attention\.py share one; rename'):
        plan((ABLATION,), (str(other),))


def test_an_override_that_is_not_there_is_told_before_all(plan):
    with pytest.raises(InputError, match='no such config file: nothing'):
        plan((), ('nothing',))


def test_missing_data_are_told_before_all(plan, tmp_path):
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


def test_folds_of_other_settings_are_told_in_the_plan(plan):
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


def test_the_time_of_another_data_set_is_taken_where_this_one_has_none(plan):
    (run,), _ = plan(())
    finish(run, run.folds[0][0], 60.0)
    base = run.folder.parents[2]
    (base / 'mer_smic').rename(base / 'mer_other')
    assert TimeEstimate(base, 1).seconds(run) == pytest.approx(180)


@pytest.mark.parametrize(
    ('times', 'told'),
    [
        ([3600.0, 60.0], 'about 1:01:00 left'),
        ([60.0, None], 'about 0:01:00 and 1 run of methods not measured yet left'),
        ([None, None], 'time unknown: 2 runs of methods not measured yet'),
    ],
)
def test_unknown_times_are_told(times, told):
    assert format_rest(times) == told
