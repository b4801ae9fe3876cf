"""tools/sweep.py --engine ray on two simulated nodes: a stopped driver, a killed process, a lost node."""

import argparse
import os
import runpy
import signal
import threading
import time
from pathlib import Path

import pytest

from mer_bench.errors import run_tool
from mer_bench.training.experiment import open_experiment
from mer_bench.training.loso import run_folds
from mer_bench.training.sweep_progress import SweepProgress
from tests.conftest import ROOT, TINY

pytest.importorskip('ray')
CONFIG = 'configs/mer_smic.py'


@pytest.fixture
def override(tmp_path):
    """A training that lasts long enough to be killed."""
    path = tmp_path / 'tiny.py'
    path.write_text(TINY.replace('max_epochs=2', 'max_epochs=4'))
    return path


@pytest.fixture
def cluster(monkeypatch):
    """Two nodes that take one training each."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv('RAY_AUTH_MODE', 'disabled')
    monkeypatch.setenv('RAY_memory_monitor_refresh_ms', '0')  # other tests may need the memory
    node = dict(num_cpus=1, memory=2**30, object_store_memory=80 * 2**20, include_dashboard=False)
    cluster = Cluster(initialize_head=True, head_node_args=node)
    node.pop('include_dashboard')
    cluster.second = cluster.add_node(**node)
    yield cluster
    cluster.shutdown()


def sweep(*arguments):
    """Run the tool in this process and return its exit code."""
    main = runpy.run_path('tools/sweep.py')['main']
    try:
        run_tool(lambda: main([*map(str, arguments)]))
    except SystemExit as stop:
        return stop.code
    return 0


def tasks_on(node):
    """Ids of the processes of a simulated node that train now."""
    (raylet,) = node.all_processes['raylet']
    found = []
    for path in Path('/proc').glob('[0-9]*'):
        try:
            parent = int((path / 'stat').read_text().rpartition(')')[2].split()[1])
            if parent == raylet.process.pid and b'ray::run_on_node' in (path / 'cmdline').read_bytes():
                found.append(int(path.name))
        except OSError:  # it has ended
            continue
    return found


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it did not come to pass'
        time.sleep(0.02)


@pytest.mark.slow
def test_stopped_killed_and_lost_trainings_leave_the_predictions_of_an_undisturbed_run(
    cluster, override, prepared_data, tmp_path, monkeypatch
):
    monkeypatch.chdir(ROOT)
    work_dir, nodes = tmp_path / 'runs', (cluster.head_node, cluster.second)
    arguments = ['--engine', 'ray', '--address', cluster.address, '--device', 'cpu', '--configs', CONFIG, '--no-full']
    arguments += ['--overrides', override, '--data-root', prepared_data, '--work-dir', work_dir]

    def stop(progress, run):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # Ctrl-C when the first fold has come back
        patch.setattr(SweepProgress, 'advance', stop)
        assert sweep(*arguments) == 130
    first = {path: path.stat().st_mtime_ns for path in work_dir.rglob('folds/smic_*/fold.json')}
    assert first
    wait_for(lambda: not any(map(tasks_on, nodes)))  # those of the driver that was stopped end

    def disturb():
        wait_for(lambda: tasks_on(cluster.second))
        cluster.remove_node(cluster.second, allow_graceful=False)
        wait_for(lambda: tasks_on(cluster.head_node))
        os.kill(tasks_on(cluster.head_node)[0], signal.SIGKILL)
        disturbed.append(True)

    disturbed = []
    thread = threading.Thread(target=disturb, daemon=True)
    thread.start()
    assert sweep(*arguments) == 0
    thread.join(1)
    assert disturbed == [True]
    assert {path: path.stat().st_mtime_ns for path in first} == first
    undisturbed = tmp_path / 'undisturbed'
    described = dict(config=CONFIG, override=[str(override)], cfg_options=[], data_root=[str(prepared_data)])
    run_folds(open_experiment(argparse.Namespace(**described, fold=[], device='cpu', threads=1)), 0, undisturbed)
    predicted = work_dir / 'mer_smic/multiscale_resnet3d50+tiny/seed0/predictions.csv'
    assert predicted.read_bytes() == (undisturbed / 'predictions.csv').read_bytes()
