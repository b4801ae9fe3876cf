"""The runs of a sweep: failures, folders that another process uses, and the progress."""

import io
import re
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from mer_bench.errors import InputError
from mer_bench.files import locked
from mer_bench.sweeps import local as sweep_run
from mer_bench.sweeps.estimate import TimeEstimate
from mer_bench.sweeps.local import Outcome, in_one_line, run_sweep
from mer_bench.sweeps.plan import SweepOptions, plan_runs
from mer_bench.sweeps.progress import SweepProgress
from mer_bench.sweeps.status import has_failed, read_reason, write_failure
from tests.conftest import ROOT

CONFIG = str(ROOT / 'configs/mer_smic.py')


@pytest.fixture
def args(prepared_data):
    return SweepOptions(roots={CONFIG: [str(prepared_data)]}, device='cpu', threads=1, stack='auto')


@pytest.fixture
def runs(args, tmp_path):
    return plan_runs([CONFIG], [()], (0, 1), tmp_path / 'runs', args)[0]


@pytest.fixture
def trained(monkeypatch):
    """The seeds that run_opened was called with, in their order; no fold is trained."""
    seeds = []

    def run_opened(experiment, settings, record):
        with locked(settings.work_dir, 'busy'):
            seeds.append(settings.seed)

    monkeypatch.setattr(sweep_run, 'run_opened', run_opened)
    return seeds


def sweep(runs, args, **options):
    progress = SweepProgress(runs, TimeEstimate(runs[0].folder.parents[2], 1), Console(file=io.StringIO()))
    with progress:
        outcomes = run_sweep(runs, 1, args, progress, **options)
    return list(outcomes.values()), progress.console.file.getvalue().splitlines()


def test_a_failing_run_does_not_stop_the_others(runs, args, trained, monkeypatch):
    whole = sweep_run.run_opened

    def run_opened(experiment, settings, record):
        if settings.seed == 0:
            raise MemoryError('out of\nmemory')
        whole(experiment, settings, record)

    monkeypatch.setattr(sweep_run, 'run_opened', run_opened)
    outcomes, lines = sweep(runs, args)
    assert outcomes == [Outcome('failed', 'MemoryError: out of memory'), Outcome('finished')]
    assert [has_failed(run) for run in runs] == [True, False]
    assert [re.sub(r' \(0:\d\d:\d\d\)$', '', line) for line in lines] == [
        '[1/2] multiscale_resnet3d50 on mer_smic, seed 0: failed: MemoryError: out of memory',
        '[2/2] multiscale_resnet3d50 on mer_smic, seed 1: finished',
    ]


def test_epochs_of_networks_are_audited_and_estimators_run_without(args, prepared_data, tmp_path, monkeypatch):
    asked = {}

    def run_opened(experiment, settings, record):
        asked[experiment.method.name] = settings.audit_epochs

    monkeypatch.setattr(sweep_run, 'run_opened', run_opened)
    majority = str(ROOT / 'configs/baselines/majority.py')
    options = replace(args, audit_epochs=True)
    sweep(plan_runs([CONFIG], [(), (majority,)], (0,), tmp_path / 'runs', options)[0], options)
    assert asked == {'multiscale_resnet3d50': True, 'majority': False}


def test_methods_choose_what_they_can(args, prepared_data, tmp_path, monkeypatch):
    """A network its epoch, a list of candidates one of them; a method with neither is trained as ever."""
    (tmp_path / 'two.py').write_text("candidates = ['ridge', 'linear_svm']")
    (tmp_path / 'broken.py').write_text('model = dict(nek=1)')
    options, chosen = replace(args, inner_folds=2), {}

    def run_opened(experiment, settings, record):
        chosen[experiment.method.name] = settings.select, settings.inner_folds if settings.select else None

    monkeypatch.setattr(sweep_run, 'run_opened', run_opened)
    methods = [(), ('majority',), (str(tmp_path / 'two.py'),), (str(tmp_path / 'broken.py'),)]
    runs, _ = plan_runs([CONFIG], methods, (0,), tmp_path / 'runs', options)
    sweep(runs, options)
    network = 'multiscale_resnet3d50+inner'
    assert chosen == {network: ('inner', 2), 'majority': (None, None), 'two+inner': ('inner', 2)}
    assert runs[0].folder == tmp_path / 'runs/mer_smic' / network / 'seed0'
    assert runs[3].method == 'multiscale_resnet3d50+broken+inner'
    assert 'unknown config key' in runs[3].fault


def test_a_failure_is_forgotten_when_a_later_attempt_succeeds(runs, args, trained):
    write_failure(runs[0], 'out of memory')
    sweep(runs, args)
    assert trained == [0, 1]
    assert not has_failed(runs[0])


def test_a_reason_keeps_the_last_names_of_the_folders_of_a_machine(runs, monkeypatch, tmp_path):
    monkeypatch.setenv('HOME', '/home/someone')
    reason = f'{runs[0].folder}/folds and {runs[0].data_root[0]}/flow.npy and /home/someone/x are wrong'
    write_failure(runs[0], reason)
    place, root = Path(*runs[0].folder.parts[-4:]), Path(runs[0].data_root[0]).name
    assert read_reason(runs[0]) == f'{place}/folds and {root}/flow.npy and someone/x are wrong'


def test_a_run_that_another_process_uses_is_tried_again(runs, args, trained):
    with ExitStack() as stack:
        stack.enter_context(locked(runs[0].folder, 'busy'))
        outcomes, _ = sweep(runs, args, wait=lambda seconds: stack.close())
    assert trained == [1, 0]
    assert outcomes == [Outcome('finished')] * 2


def test_a_run_that_another_sweep_failed_at_meanwhile_is_not_tried_again(runs, args, trained):
    with ExitStack() as stack:
        stack.enter_context(locked(runs[0].folder, 'busy'))

        def fail_elsewhere(seconds):
            stack.close()
            write_failure(runs[0], 'out of memory')

        outcomes, _ = sweep(runs, args, wait=fail_elsewhere)
    assert trained == [1]
    assert outcomes[0] == Outcome('failed', 'out of memory')


def test_a_failure_is_not_written_while_another_process_uses_the_folder(runs):
    with locked(runs[0].folder, 'busy'):
        write_failure(runs[0], 'out of memory')
    assert not has_failed(runs[0])


def test_the_live_table_has_a_row_for_each_method(runs):
    progress = SweepProgress(runs, TimeEstimate(runs[0].folder.parents[2], 1), Console(file=io.StringIO(), width=100))
    progress.begin(runs[0])
    with progress.follow([fold for fold, _ in runs[0].folds], runs[0].folder, 2):
        progress.console.print(progress.render())
    shown = progress.console.file.getvalue()
    assert '│ multiscale_resnet3d50 │ mer_smic │   0/6 │ seed 0, 0% │' in shown
    assert '0 of 2 runs, 0 failed; 0:00:00 so far, time unknown: 2 runs of methods not measured yet' in shown


def test_the_live_table_keeps_to_the_lines_of_the_terminal(runs, tmp_path):
    many = [replace(runs[0], method=f'method{i}[/red]', folder=tmp_path / f'method{i}/seed0') for i in range(40)]
    console = Console(file=io.StringIO(), width=100, height=20)
    progress = SweepProgress(many, TimeEstimate(tmp_path, 1), console)
    progress.begin(many[25])
    console.print(progress.render())
    shown = console.file.getvalue()
    assert len(shown.splitlines()) < 20
    assert 'method25[/red]' in shown  # which is no markup


def test_an_error_is_one_line_with_its_class_unless_it_was_written_for_users():
    assert in_one_line(InputError('a\nb')) == 'a b'
    assert in_one_line(KeyError()) == 'KeyError'
