"""What a few steps of a method say of its time, in workers that are this process, against times by hand."""

import json
import shutil

import pytest

from mer_bench.errors import InputError
from mer_bench.protocols.folds import Fold
from mer_bench.sweeps import measure, sweep
from mer_bench.sweeps.estimate import Steps, TimeEstimate
from mer_bench.sweeps.measure import Clock, TimeIsUp, fit_parts
from mer_bench.sweeps.plan import PlannedRun, SweepOptions
from mer_bench.sweeps.progress import SweepProgress
from tests.conftest import ROOT

CONFIG = str(ROOT / 'configs/mer_smic.py')
MAJORITY = ROOT / 'configs/baselines/majority.py'
HOOF = ROOT / 'configs/baselines/hoof.py'
STSTNET = ROOT / 'configs/baselines/ststnet.py'


@pytest.fixture
def here(monkeypatch):
    """Let tasks run in this process."""

    def in_workers(tasks, jobs, threads, report=None):
        yield from (task(0) for task in tasks)

    for module in ('mer_bench.sweeps.measure', 'mer_bench.runs.run', 'mer_bench.runs.model'):
        monkeypatch.setattr(f'{module}.in_workers', in_workers)
    measure.start_workers.cache_clear()
    yield
    measure.start_workers.cache_clear()


@pytest.fixture
def plan(prepared_data, tmp_path, here):
    """`plan(method, ..., **options)` returns the text of a plan that measures."""

    def planned(*methods, **options):
        usual = dict(work_dir=tmp_path / 'runs', data_roots=prepared_data, device='cpu', jobs=1, stack='off')
        options, texts = usual | dict(measure=0) | options, []
        runs = sweep(CONFIG, methods, no_full=True, dry_run=True, estimate=True, show=texts.append, **options)
        return texts[0], runs.attrs['cost']['methods']

    return planned


def planned(method, clips, epochs=1):
    folds = tuple((Fold(f's{i}', (), ()), n) for i, n in enumerate(clips))
    folder = ROOT / 'nowhere/mer_smic' / method / 'seed0'
    return PlannedRun('configs/mer_smic.py', (), (), method, 0, folder, 'smic', folds=folds, max_epochs=epochs)


def test_free_workers_take_the_next_group_of_folds():
    """Folds of 1 + 0.5 * 2 * clips seconds: groups of 11 + 11, 21 + 11 and 11; 22 + 11 beside 32, and 5 once."""
    steps = Steps(once=5.0, fold=1.0, clip=0.5, group=2, jobs=2)
    clips = [10, 10, 20, 10, 10]
    assert steps.seconds(clips, 2, jobs=8) == pytest.approx(5 + 22 + 11)
    assert steps.seconds(clips, 2, jobs=1) == pytest.approx(5 + 65)


def test_only_the_first_run_of_a_kind_waits_for_its_processes():
    runs = [planned(name, (10,)) for name in ('one', 'two', 'svm', 'unknown')]
    steps = [Steps(0.0, 1.0, start=8.0), Steps(0.0, 2.0, start=8.0), Steps(0.0, 3.0, start=4.0, kind='estimator')]
    known = {run.folder.parent: found for run, found in zip(runs, steps, strict=False)}
    estimate = TimeEstimate(ROOT / 'nowhere', 1, steps=known)
    assert estimate.all_seconds(runs, started=False) == [9.0, 2.0, 7.0, None]
    assert estimate.all_seconds(runs, started=True) == [1.0, 2.0, 3.0, None]


def test_the_progress_of_a_sweep_starts_from_the_measured_steps():
    run = planned('one', (10, 20), epochs=2)
    steps = {run.folder.parent: Steps(once=5.0, fold=1.0, clip=0.5)}
    assert SweepProgress([run], TimeEstimate(ROOT / 'nowhere', 1, steps=steps)).rest == {run: 5 + 11 + 21}


@pytest.mark.parametrize(
    ('times', 'limit', 'expected'),
    [
        ((0, 9, 10, 12, 20), 100, 11 / 3),  # the first step is not counted
        ((0, 9, 10, 12, 20), 1, 1.5),  # two more are, however long they take
        ((0, 9), 100, 9),  # unless there is no other
    ],
)
def test_a_clock_counts_the_steps_after_the_first_until_the_time_is_up(monkeypatch, times, limit, expected):
    ticks = iter(times)
    monkeypatch.setattr(measure.time, 'perf_counter', lambda: next(ticks))
    clock = Clock(limit)
    try:
        for step in range(len(times)):
            clock.note(step)
    except TimeIsUp:
        assert limit == 1
    assert clock.seconds == pytest.approx(expected)


def test_what_was_measured_is_kept_until_something_that_decides_it_changes(plan, tmp_path, monkeypatch):
    text, (method,) = plan(MAJORITY)
    assert 'unknown' not in text
    assert 0 < method['seconds'] < 60
    assert method['measured'] == ['a few steps on this machine']
    assert [path.name for path in (tmp_path / 'runs').iterdir()] == ['measured.json']
    monkeypatch.setattr(measure, 'measure', lambda *arguments: pytest.fail('it was measured again'))
    assert plan(MAJORITY, measure=None)[1] == [method]
    assert plan(MAJORITY)[1] == [method]
    assert 'time unknown: 1 run' in plan(MAJORITY, measure=None, threads=2)[0]
    with monkeypatch.context() as other:
        other.setattr(measure, 'planned_precision', lambda device: 'of another processor of this name')
        assert 'time unknown: 1 run' in plan(MAJORITY, measure=None)[0]
    monkeypatch.setattr(measure, 'source_digest', lambda: 'another version')
    assert 'time unknown: 1 run' in plan(MAJORITY, measure=None)[0]


def test_steps_on_a_cpu_are_not_those_on_a_gpu_nor_steps_on_one_gpu_those_on_another(plan, tmp_path, monkeypatch):
    plan(MAJORITY)
    on_cluster = dict(measure=None, engine='ray', device='cuda', jobs=1)
    assert 'time unknown: 1 run' in plan(MAJORITY, **on_cluster)[0]
    run, options = planned('majority', [4]), SweepOptions({}, device='cuda')
    names = iter(('NVIDIA H100', 'NVIDIA T4'))
    monkeypatch.setattr(measure, 'name_gpu', lambda device: next(names))
    assert measure.made_of(run, options, 1) != measure.made_of(run, options, 1)


def test_a_damaged_file_of_measurements_is_one_without(plan, tmp_path):
    path = tmp_path / 'runs/measured.json'
    path.parent.mkdir()
    for content in ('[', '[]', '{"methods": 3}', '{"methods": {"mer_smic/majority": {}}, "digest": "of another"}'):
        path.write_text(content)
        assert 'time unknown: 1 run' in plan(MAJORITY, measure=None)[0]


@pytest.mark.parametrize('stack', ['off', 1])
def test_steps_of_a_network_train_on_the_training_subjects_of_a_fold(plan, stack, monkeypatch, tmp_path):
    """Whatever reads flow for a training asks for two of the three subjects; the third is only tested."""
    from mer_bench.training import runner
    from mer_bench.training.stacking import train

    seen, before, stepped = [], runner.build_runner, train.FoldBatches

    def build_runner(cfg):
        seen.append({*cfg.train_dataloader.dataset.subjects})
        return before(cfg)

    class Batches(stepped):
        def __init__(self, rows, *arguments):
            seen.append({len(part) for part in rows})
            super().__init__(rows, *arguments)

    monkeypatch.setattr(runner, 'build_runner', build_runner)
    monkeypatch.setattr(train, 'FoldBatches', Batches)
    few = tmp_path / 'few.py'
    few.write_text('train_cfg = dict(max_epochs=2)\ninput = dict(frames=1, size=28)')
    text, _ = plan(f'{STSTNET}+{few}', stack=stack)
    assert 'unknown' not in text
    assert seen
    assert all(part in ({'smic/s02', 'smic/s03'}, {12}) for part in seen)
    assert [path.name for path in (tmp_path / 'runs').iterdir()] == ['measured.json']


def test_a_method_that_cannot_be_measured_says_why_and_the_others_are(plan, tmp_path, capfd):
    broken = tmp_path / 'broken.py'
    broken.write_text('model = dict(cls_head=dict(in_channels=7))')
    _, methods = plan(f'{STSTNET}+{broken}', MAJORITY)
    lines = capfd.readouterr().err.splitlines()
    assert any(line.startswith('1/2 ststnet+broken on mer_smic: cannot be measured: ') for line in lines)
    assert any(line.startswith('2/2 majority on mer_smic: measured in ') for line in lines)
    assert [method['seconds'] is None for method in methods] == [True, False]


def test_finished_folds_come_before_steps(plan, tmp_path):
    folder = tmp_path / 'runs/mer_smic/majority/seed0'
    record = dict(config=dict(text=''), n_clips=18, folds=dict(total=3), seconds=dict(train=350.0, test=10.0))
    folder.mkdir(parents=True)
    (folder / 'record.json').write_text(json.dumps(record))
    _, (method,) = plan(MAJORITY)  # 360 s for 18 * 2 clips: 10 s each, and three folds train on 12
    assert method['seconds'] == pytest.approx(360)


def test_fits_that_take_long_are_scaled_by_the_growth_of_smaller_ones():
    """A fit that takes as many seconds as the square of its 2, 4, 8 or 16 subjects takes 256 s with all."""
    tried = []

    def fit(groups):
        ((fold,),) = groups
        assert fold.test_subjects == ('held out',)
        tried.append(len(fold.train_subjects))
        return float(tried[-1] ** 2)

    fold = Fold('one', (*map(str, range(16)), 'held out'), ('held out',))
    assert fit_parts(fold, fit, limit=60) == (256.0, 'fits scaled from one to 1/4 of the training subjects')
    assert tried == [2, 4]
    tried.clear()
    assert fit_parts(fold, fit, limit=1000) == (256.0, '')
    assert tried == [2, 4, 8, 16]


def test_a_fold_that_cannot_be_fitted_is_no_fit_without_time():
    def fit(groups):
        raise InputError('the training subjects lack a class')

    with pytest.raises(InputError, match='lack a class'):
        fit_parts(Fold('one', ('a', 'b'), ('b',)), fit, limit=1)


def test_features_that_take_long_are_scaled_from_a_few_clips(plan, prepared_data, tmp_path, capfd):
    """The limit of no time at all is always too short; a chunk of 16 of the 18 clips is described."""
    data = shutil.copytree(prepared_data, tmp_path / 'data', ignore=shutil.ignore_patterns('features'))
    text, (method,) = plan(HOOF, data_roots=data)
    assert 'unknown' not in text
    assert method['seconds'] > 0
    assert 'features scaled from those of a few clips' in capfd.readouterr().err
    assert not (data / 'store/features').exists()
    plan(HOOF, data_roots=data, measure=5, threads=2)
    assert [*(data / 'store/features').glob('*.npy')]  # for the sweep
