"""The driver of a sweep on Ray, with a pool that runs its tasks in this process."""

import importlib
import io
import sys
from contextlib import ExitStack
from functools import cache

import pytest
from rich.console import Console

from mer_bench.errors import InputError
from mer_bench.files import FolderInUse, locked
from mer_bench.results.record import read_record
from mer_bench.sweeps.estimate import TimeEstimate
from mer_bench.sweeps.local import Outcome
from mer_bench.sweeps.plan import SweepOptions, plan_runs
from mer_bench.sweeps.progress import SweepProgress
from mer_bench.sweeps.ray.node import TaskResult, run_task
from mer_bench.sweeps.status import is_complete, read_reason
from tests.conftest import ROOT

pytest.importorskip('ray')
from mer_bench.sweeps.ray import driver as sweep_ray
from mer_bench.sweeps.ray import pool as ray_pool
from mer_bench.sweeps.ray.driver import RaySweep
from mer_bench.sweeps.ray.pool import GIB, Hardware, Resources

CONFIG = str(ROOT / 'configs/mer_smic.py')
PRIOR = "model = dict(_delete_=True, type='Pipeline', steps=[dict(type='DummyClassifier', strategy='{}')])"


class PoolHere:
    """Has the methods of a RayPool; runs one task each time it is asked what is done.

    Args:
        faults: A fault for each seed whose tasks cannot be trained.
    """

    def __init__(self, faults=None):
        self.faults, self.running, self.lengths, self.cancelled = faults or {}, {}, [], []

    def share(self, job):
        return job

    def submit(self, key, job, folds):
        self.running[key] = job, folds

    def cancel(self, keys):
        self.cancelled += keys

    def done(self, seconds):
        self.lengths.append(len(self.running))
        if seconds == 0 or not self.running:
            return []
        key, (job, folds) = next(iter(self.running.items()))
        del self.running[key]
        fault = self.faults.get(job.seed)
        return [(key, TaskResult(fault=fault) if fault else run_task(job, folds, None, None))]


@pytest.fixture
def args(prepared_data):
    return SweepOptions(roots={CONFIG: [str(prepared_data)]}, device='cpu', threads=1)


@pytest.fixture
def runs(args, tmp_path):
    override = tmp_path / 'prior.py'
    override.write_text(PRIOR.format('prior'))
    return plan_runs([CONFIG], [(str(override),)], (0, 1, 2), tmp_path / 'runs', args)[0]


def sweep(runs, args, pool, jobs=None, mixed='fp32'):
    console = Console(file=io.StringIO(), width=200)
    with SweepProgress(runs, TimeEstimate(runs[0].folder.parents[2], 1, together=True), console) as progress:
        outcomes = RaySweep(runs, args, progress, pool, Hardware('cpu', None, mixed), jobs).run()
    return [outcomes[run] for run in runs], console.file.getvalue().splitlines()


def test_the_folds_of_all_runs_are_in_the_queue_together(runs, args):
    pool = PoolHere()
    outcomes, lines = sweep(runs, args, pool)
    assert outcomes == [Outcome('finished')] * 3
    assert max(pool.lengths) == 3
    assert all(is_complete(run) for run in runs)
    assert [line.partition(':')[0] for line in lines] == [
        f'[{1 + seed}/3] prior on mer_smic, seed {seed}' for seed in range(3)
    ]


def test_the_precision_of_a_run_is_checked_by_a_task_before_its_folds(args, tiny_override, tmp_path):
    mixed = tmp_path / 'mixed.py'
    mixed.write_text("amp = 'auto'")
    (run,) = plan_runs([CONFIG], [(str(tiny_override), str(mixed))], (0,), tmp_path / 'runs', args)[0]
    done = []

    class Checking(PoolHere):
        def done(self, seconds):
            if not self.running:
                return []
            key, (job, folds) = self.running.popitem()
            done.append((job.experiment.check, folds))
            return [(key, TaskResult(fault='no training') if folds else run_task(job, folds, None, None))]

    assert sweep([run], args, Checking(), mixed='bf16')[0] == [Outcome('failed', 'no training')]
    checked, folds = done[-1]
    assert done[0] == (None, [])
    assert len(folds) == 1
    assert read_record(run.folder / 'record.json')['precision'] == checked.record


def test_no_more_tasks_than_asked_for_are_in_the_queue(runs, args):
    pool = PoolHere()
    sweep(runs, args, pool, jobs=2)
    assert max(pool.lengths) == 2


def test_a_run_that_fails_is_noted_and_the_others_go_on(runs, args):
    outcomes, _ = sweep(runs, args, PoolHere({1: 'ValueError: wrong'}))
    assert outcomes == [Outcome('finished'), Outcome('failed', 'ValueError: wrong'), Outcome('finished')]
    assert read_reason(runs[1]) == 'ValueError: wrong'
    assert not read_record(runs[1].folder / 'record.json')['complete']


def test_tasks_of_a_failed_run_are_cancelled(runs, args, monkeypatch):
    monkeypatch.setattr(sweep_ray, 'plan_tasks', lambda experiment, missing, choice: [[fold] for fold in missing])
    pool = PoolHere({1: 'ValueError: wrong'})
    sweep(runs, args, pool)
    assert [(opened.run.seed, number) for opened, number in pool.cancelled] == [(1, 1), (1, 2)]


def test_a_run_that_another_process_uses_is_tried_again(runs, args, monkeypatch):
    monkeypatch.setattr(sweep_ray, 'SECONDS_BETWEEN_TRIES', 0)
    pool = PoolHere()
    with ExitStack() as held:
        held.enter_context(locked(runs[0].folder, 'busy'))
        end = sweep_ray.RaySweep._end

        def release(sweep, run, outcome):
            end(sweep, run, outcome)
            if outcome.state == 'busy':
                held.close()

        monkeypatch.setattr(sweep_ray.RaySweep, '_end', release)
        outcomes, _ = sweep(runs, args, pool)
    assert outcomes == [Outcome('finished')] * 3


def test_the_folders_of_runs_are_held_until_the_sweep_is_stopped(runs, args):
    pool = PoolHere()

    def stop(seconds):
        if len(pool.running) == 3:
            with pytest.raises(FolderInUse), locked(runs[0].folder, 'busy'):
                pass
            raise KeyboardInterrupt
        return []

    pool.done = stop
    with pytest.raises(KeyboardInterrupt):
        sweep(runs, args, pool)
    with locked(runs[0].folder, 'busy'):
        pass


def test_a_node_takes_as_many_trainings_as_its_scarcest_resource_has_room_for():
    node = {'CPU': 16.0, 'GPU': 2.0, 'memory': 60.0 * GIB}
    assert Resources(threads=1, memory=4 * GIB).fits(node) == 15
    assert Resources(threads=4, memory=4 * GIB).fits(node) == 4
    assert Resources(threads=1, gpus=0.3, memory=4 * GIB).fits(node) == 6


def test_an_address_without_a_cluster_is_an_error_in_one_sentence(monkeypatch):
    # a cluster of a test that runs beside this one is not to be found
    monkeypatch.setattr('ray._private.services.find_gcs_addresses', cache(set))
    monkeypatch.setattr('ray._private.services.find_bootstrap_address', lambda temp_dir: None)
    with pytest.raises(InputError, match='--address auto: expected a Ray cluster'), ray_pool.connected('auto'):
        pass


def test_without_ray_the_error_gives_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    monkeypatch.delitem(sys.modules, 'mer_bench.sweeps.ray.pool')
    with pytest.raises(InputError, match=r"run `pip install 'mer_bench\[ray\]'`"):
        importlib.import_module('mer_bench.sweeps.ray.pool')
