"""tools/sweep.py --engine ray on two simulated nodes: a stopped driver, a killed process, a lost node."""

import os
import signal
import threading
from contextlib import suppress
from importlib import import_module

import psutil
import pytest

from mer_bench.errors import run_tool
from mer_bench.sweeps.progress import SweepProgress
from tests.conftest import ROOT
from tests.events import has_ended, wait_for
from tests.gate import Gate

pytest.importorskip('ray')
CONFIG = 'configs/mer_smic.py'


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
    main = import_module('mer_bench.cli.sweep').main
    try:
        run_tool(lambda: main([*map(str, arguments)]))
    except SystemExit as stop:
        return stop.code
    return 0


def tasks_on(node):
    """Ids of the processes of a simulated node that train now."""
    (raylet,) = node.all_processes['raylet']
    found = []
    for process in psutil.Process(raylet.process.pid).children():
        with suppress(psutil.Error):  # it has ended
            if 'ray::run_on_node' in ' '.join(process.cmdline()):
                found.append(process.pid)
    return found


@pytest.mark.slow
def test_stopped_killed_and_lost_trainings_leave_the_predictions_of_an_undisturbed_run(
    cluster, prepared_data, finished_run, tmp_path, monkeypatch
):
    monkeypatch.chdir(ROOT)
    gate = Gate(tmp_path, 'smic_s02', 'smic_s03')
    run = tmp_path / 'runs/mer_smic/multiscale_resnet3d50+tiny/seed0'
    arguments = ['--engine', 'ray', '--address', cluster.address, '--device', 'cpu', '--configs', CONFIG, '--no-full']
    arguments += ['--overrides', gate.override, '--data-root', prepared_data, '--work-dir', tmp_path / 'runs']

    def stop(progress, run):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # Ctrl-C when the first fold has come back
        patch.setattr(SweepProgress, 'advance', stop)
        assert sweep(*arguments) == 130
    assert [path.parent.name for path in run.glob('folds/smic_*/fold.json')] == ['smic_s01']
    written = (run / 'folds/smic_s01/fold.json').stat().st_mtime_ns
    wait_for(lambda: not tasks_on(cluster.head_node) + tasks_on(cluster.second))  # those of the driver that was stopped
    gate.forget()

    def disturb():
        try:
            wait_for(lambda: len(gate.waiting()) == 2 and all(map(tasks_on, nodes)))
            waiting = {*gate.waiting().values()}
            here, there = (tasks_on(node)[0] for node in nodes)
            cluster.remove_node(cluster.second, allow_graceful=False)
            os.kill(here, signal.SIGKILL)
            wait_for(lambda: has_ended(here) and has_ended(there))
            disturbed.append({here, there} == waiting)
        finally:  # or the sweep would wait for ever
            gate.open()

    nodes = cluster.head_node, cluster.second
    disturbed = []
    thread = threading.Thread(target=disturb, daemon=True)
    thread.start()
    assert sweep(*arguments) == 0
    thread.join()
    assert disturbed == [True]
    assert (run / 'folds/smic_s01/fold.json').stat().st_mtime_ns == written
    assert (run / 'predictions.csv').read_bytes() == (finished_run / 'predictions.csv').read_bytes()
