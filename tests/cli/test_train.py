"""tools/train.py and tools/test.py as a user meets them: kill -9, and one sentence for what is wrong."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from importlib import import_module

import pytest

from mer_bench.errors import run_tool
from mer_bench.runs import train as a_run
from tests.conftest import ROOT, write_prepared_data
from tests.events import started, wait_for
from tests.gate import Gate
from tests.in_process import tool

CONFIG = 'configs/mer_smic.py'


def main_of(name):
    return import_module(f'mer_bench.cli.{name}').main


@pytest.mark.slow
def test_a_training_killed_in_a_fold_ends_with_the_same_predictions(prepared_data, finished_run, tmp_path):
    gate, run = Gate(tmp_path, 'smic_s02'), tmp_path / 'run'
    arguments = [CONFIG, '--override', gate.override, '--data-root', prepared_data, '--device', 'cpu', '--jobs', 1]
    with started(sys.executable, 'tools/train.py', *arguments, '--work-dir', run) as process:
        wait_for(lambda: gate.waiting() or process.poll() is not None)
        assert process.poll() is None
    assert (run / 'folds/.smic_s02/epoch_1.pth').exists()
    assert not (run / 'predictions.csv').exists()
    gate.open()
    again = tool('train', *arguments, '--work-dir', run, '--verbose')
    assert '1 of 3 folds are finished already' in again.stderr
    assert '━' not in again.stderr  # no bar where nobody sees it move
    assert 'smic/s02: 12 clips to train, 6 to test, continued' in again.stderr
    assert 'Confusion matrix' in again.stdout
    assert (run / 'predictions.csv').read_bytes() == (finished_run / 'predictions.csv').read_bytes()


def test_json_is_the_record_of_a_training_and_the_scores_of_a_test(
    prepared_data, finished_run, tiny_override, tmp_path
):
    run = shutil.copytree(finished_run, tmp_path / 'run')
    words = ['--override', tiny_override, '--data-root', prepared_data, '--device', 'cpu', '--json']
    trained = json.loads(tool('train', CONFIG, *words, '--work-dir', run).stdout)
    assert (trained['folder'], trained['complete']) == (str(run), True)
    tested = json.loads(tool('test', CONFIG, run, *words).stdout)
    assert tested['full'] == trained['scores']['full']


class Code:
    """What a harmful checkpoint may do: run a command while it is read."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.fixture
def harmful_checkpoint(tmp_path):
    path = tmp_path / 'harmful.pth'
    path.write_bytes(pickle.dumps({'state_dict': Code(f'touch {tmp_path}/harmed')}))
    return path


@pytest.mark.parametrize('key', ['model.backbone.pretrained', 'load_from'])
def test_a_checkpoint_with_code_is_refused_and_not_run(prepared_data, tiny_override, harmful_checkpoint, tmp_path, key):
    options = ['--cfg-options', f'{key}={harmful_checkpoint}', '--work-dir', tmp_path / 'run']
    done = tool('train', CONFIG, '--override', tiny_override, '--data-root', prepared_data, *options)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith('error: ')
    assert str(harmful_checkpoint) in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'harmed').exists()


def test_test_py_refuses_a_checkpoint_with_code(prepared_data, tiny_override, harmful_checkpoint, tmp_path):
    shared = ['--override', tiny_override, '--data-root', prepared_data, '--fold', 's01']
    run = tmp_path / 'run'
    assert tool('train', CONFIG, *shared, '--work-dir', run, '--save-checkpoints').returncode == 0
    harmful_checkpoint.replace(run / 'folds/smic_s01/checkpoint.pth')
    done = tool('test', CONFIG, run, *shared)
    assert (done.returncode, done.stdout) == (2, '')
    assert 'folds/smic_s01/checkpoint.pth' in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'harmed').exists()


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['configs/nothing.py'], 'no such config file: configs/nothing.py'),
        ([CONFIG, '--data-root', 'nowhere'], '`mer-bench demo` needs no data'),
        (
            [CONFIG, '--data-root', 'a', '--data-root', 'b'],
            'expected 1 data roots, one for each of smic in this order, got 2',
        ),
        ([CONFIG, '--fold', 's77', '--data-root', 'DATA'], '--fold s77: this subject has no clips'),
        ([CONFIG, '--cfg-options', 'model.nek=None', '--data-root', 'DATA'], 'unknown config key model.nek'),
        ([CONFIG, '--device', 'cuda:99', '--data-root', 'DATA'], '--device cuda:99: expected a GPU'),
        (
            [CONFIG, '--override', 'majority', '--device', 'cpu1', '--data-root', 'DATA'],
            '--device cpu1: expected auto, cpu, cuda or cuda:N',
        ),
        ([CONFIG, '--cfg-options', 'class_weight=inverse', '--data-root', 'DATA'], "class_weight must be 'balanced'"),
        (
            [CONFIG, '--cfg-options', 'train_cfg.max_epochs=0', '--data-root', 'DATA'],
            'max_epochs must be a whole number',
        ),
        ([CONFIG, '--cfg-options', '=(,', '--data-root', 'DATA'], '--cfg-options =(,: expected KEY=VALUE'),
        ([CONFIG, '--cfg-options', 'a(,,)-,', '--data-root', 'DATA'], '--cfg-options a(,,)-,: expected KEY=VALUE'),
        ([CONFIG, '--cfg-options', 'amp=a(,,)-,', '--data-root', 'DATA'], 'brackets or commas that cannot be read'),
        ([CONFIG, '--cfg-options', 'amp=(,', '--data-root', 'DATA'], 'brackets or commas that cannot be read'),
        ([CONFIG, '--cfg-options', 'a..b=1', '--data-root', 'DATA'], 'expected KEY=VALUE'),
        (
            [
                CONFIG,
                '--data-root',
                'DATA',
                '--cfg-options',
                'train_dataloader.batch_size=64',
                'train_dataloader.drop_last=True',
            ],
            'batch_size 64 leaves no batch to train on in fold smic/s01, which has 12 clips to train',
        ),
        ([CONFIG, '--override', 'README.md', '--data-root', 'DATA'], 'README.md is not a config that can be read'),
    ],
)
def test_what_a_user_can_mend_is_one_sentence_and_exit_code_2(arguments, sentence, prepared_data, tmp_path, capfd):
    arguments = [
        str(prepared_data) if word == 'DATA' else str(ROOT / word) if word == CONFIG else word for word in arguments
    ]
    main = main_of('train')
    with pytest.raises(SystemExit) as stop:
        run_tool(lambda: main([*arguments, '--work-dir', str(tmp_path / 'run')]))
    errors = capfd.readouterr().err.splitlines()
    assert stop.value.code == 2
    assert len(errors) == 1
    assert errors[0].startswith('error: ')
    assert sentence in errors[0]
    assert not (tmp_path / 'run').exists()


def test_what_differs_between_data_sets_is_said_before_the_training(prepared_data, tmp_path, monkeypatch, capsys):
    other = write_prepared_data(tmp_path / 'casme2', dataset='casme2', apex='annotated')
    options = ['--cfg-options', 'data_source=[smic,casme2]', 'label_scheme=megc2019_3class', '--device', 'cpu']
    monkeypatch.setattr(a_run, 'run_folds', lambda *args, **settings: sys.exit(3))
    with pytest.raises(SystemExit):
        main_of('train')([str(ROOT / CONFIG), '--data-root', str(prepared_data), str(other), *options])
    counts = '18 clips of 3 subjects (negative 6, positive 6, surprise 6)'
    assert capsys.readouterr().out.splitlines() == [
        f'casme2: {counts}',
        f'smic: {counts}',
        'note: the data sets were prepared differently: apex smic: middle, casme2: annotated',
    ]


@pytest.mark.parametrize(('name', 'usage'), [('train', 'CONFIG [options]'), ('test', 'CONFIG RUN [options]')])
def test_the_usage_begins_with_what_must_come_first(name, usage, capsys):
    with pytest.raises(SystemExit):
        main_of(name)(['--data-root', 'data/smic', CONFIG])
    assert f'{usage}\n' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['train', 'test'])
def test_help_does_not_wait_for_torch(name):
    code = (
        f'import sys, runpy; sys.argv = ["x", "--help"]\ntry: runpy.run_path("tools/{name}.py", run_name="__main__")\n'
    )
    code += 'except SystemExit: sys.exit("torch" in sys.modules)'
    assert (
        subprocess.run([sys.executable, '-c', code], cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode == 0
    )
