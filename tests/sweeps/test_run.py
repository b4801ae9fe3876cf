"""A sweep as a function of Python."""

import ast
import inspect
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from mer_bench.errors import InputError
from mer_bench.results.record import read_record
from mer_bench.runs.run import run_folds
from mer_bench.sweeps import local, sweep
from tests.conftest import ROOT

CONFIG = str(ROOT / 'configs/mer_smic.py')
MAJORITY = str(ROOT / 'configs/baselines/majority.py')


@pytest.fixture
def options(prepared_data, tmp_path):
    wrong = tmp_path / 'wrong.py'
    wrong.write_text('model = dict(nek=None)')
    roots = {'mer_smic': prepared_data}
    return dict(overrides=[MAJORITY, wrong], no_full=True, data_roots=roots, work_dir=tmp_path / 'runs', device='cpu')


def test_a_row_gives_state_reason_and_folder_of_a_run(options, tmp_path, monkeypatch):
    def here(experiment, settings, record):  # without a worker process
        return run_folds(experiment, replace(settings, isolated=False), record)

    monkeypatch.setattr(local, 'run_opened', here)
    planned = sweep(CONFIG, **options, dry_run=True, show=None)
    assert [*planned['state']] == ['unfinished', 'invalid']
    assert not (tmp_path / 'runs').exists()
    texts = []
    runs = sweep(CONFIG, **options, seeds=[3], show=texts.append)
    shown = runs[['config', 'method', 'dataset', 'seed', 'state']]
    assert [*shown.iloc[0]] == ['mer_smic', 'majority', 'smic', 3, 'finished']
    assert runs['uf1'][0] == pytest.approx(1 / 6)  # one of three classes with recall 1 and precision 1/3
    assert (runs['folder'][0] / 'predictions.csv').is_file()
    command = read_record(runs['folder'][0] / 'record.json')['command']  # of a training of its own
    assert re.fullmatch(
        r'mer-bench train \S*mer_smic.py --override .*majority.py --data-root .* --seed 3 --device cpu', command
    )
    assert (runs['state'][1], runs['reason'][1]) == ('invalid', planned['reason'][1])
    assert 'unknown config key model.nek' in runs['reason'][1]
    assert ['majority', 'mer_smic', '0.167', 'finished'] in [line.split() for line in texts[1].splitlines()]


@pytest.mark.parametrize(
    ('wrong', 'sentence'),
    [
        (dict(engine='slurm'), "expected local or ray, got 'slurm'"),
        (dict(select='outer'), "select 'outer': expected 'inner'"),
        (dict(select='inner', audit_epochs=True), '--audit-epochs: expected a run without --select'),
        (dict(jobs=0), 'jobs 0: expected a whole number of at least 1'),
        (dict(seeds=[-1]), 'seed -1: expected a whole number from 0 to 4294967295'),
        (dict(engine='ray', gpu_share=2), 'gpu_share: expected a number above 0, at most 1, got 2'),
        (dict(memory=3), '--memory applies to --engine ray only'),
        (dict(overrides=['nothing.py']), 'no such config file: nothing.py'),
    ],
)
def test_wrong_arguments_are_one_sentence(wrong, sentence, options, tmp_path):
    with pytest.raises(InputError, match=sentence):
        sweep(CONFIG, **options | wrong | dict(dry_run=True))
    assert not (tmp_path / 'runs').exists()


def test_the_page_calls_it_with_arguments_and_columns_that_it_has():
    (block,) = re.findall(
        r'## From Python\n\n((?:    .*\n|\n)+)', (ROOT / 'docs/sweeps.md').read_text(encoding='utf-8')
    )
    calls = [node for node in ast.walk(ast.parse(inspect.cleandoc(block))) if isinstance(node, ast.Call)]
    (call,) = [node for node in calls if getattr(node.func, 'id', '') == 'sweep']
    inspect.signature(sweep).bind(*call.args, **{word.arg: word.value for word in call.keywords})


def test_a_plan_imports_no_torch(tmp_path, prepared_data):
    """Importing it takes longer than the plan; also for other channels than 3, and on a processor with bf16."""
    overrides = [ROOT / f'ablations/{name}.py' for name in ('channels_uv', 'attention_se')]
    overrides += [ROOT / f'configs/baselines/{name}.py' for name in ('mmnet', 'ststnet', 'x3d_s', 'linear_svm')]
    arguments = ['--configs', ROOT / 'configs/mer_smic.py', '--data-root', prepared_data, '--work-dir', tmp_path]
    arguments += ['--dry-run', '--device', 'cpu', '--overrides', *overrides]
    code = 'import sys; from mer_bench.cli.sweep import main; main(sys.argv[1:]); print("torch" in sys.modules)'
    command = [sys.executable, '-c', code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert '7 runs; folds:' in done.stdout, done.stderr
    assert done.stdout.endswith('\nFalse\n')
