"""The stack's breaks stay mended, and the protection against code in checkpoints stays on."""

import email.mime
import pickle
import subprocess
import sys

import pytest
import torch
from mmengine.logging import HistoryBuffer

from mer_bench import compat


class Attack:
    """Unpickles into a call of a function of the attacker's choice."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@pytest.fixture(autouse=True)
def _mended():
    compat.apply()


def run_python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)


def test_everything_is_registered_without_a_warning_and_without_what_takes_long_and_no_fold_uses():
    slow = ['torch.distributed.fsdp', 'torch._dynamo', 'torchvision', 'timm', 'scipy.stats', 'scipy.special']
    code = 'import sys, mer_bench.registry, mmengine.runner, mmaction.models, mmaction.datasets'
    done = run_python(f'{code}; print([name for name in {slow} if name in sys.modules])')
    assert (done.returncode, done.stdout, done.stderr) == (0, '[]\n', '')


def test_what_was_imported_before_is_left_alone(monkeypatch):
    monkeypatch.setattr(compat, 'UNUSED', ('email.mime.text', 'no_such_package.part'))
    monkeypatch.delitem(sys.modules, 'email.mime.text', raising=False)
    monkeypatch.setitem(sys.modules, 'email.mime', email.mime)
    compat.skip_unused()
    assert 'email.mime.text' not in sys.modules
    assert sys.modules.pop('no_such_package.part').Anything().__doc__.startswith('Stand-in')


def test_a_second_call_puts_no_second_stand_in():
    assert compat.allow_missing_drn() is False


def test_the_real_drn_is_left_alone_where_it_is_installed(monkeypatch):
    monkeypatch.delitem(sys.modules, compat.DRN, raising=False)
    monkeypatch.setattr(compat.PathFinder, 'find_spec', lambda *args: object())
    assert compat.allow_missing_drn() is False
    assert compat.DRN not in sys.modules


def test_a_history_buffer_survives_a_weights_only_load(tmp_path):
    history = HistoryBuffer()
    for value in (1.0, 2.0, 6.0):
        history.update(value)
    torch.save({'loss': history}, tmp_path / 'epoch_1.pth')
    loaded = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    assert loaded['loss'].mean() == 3.0


@pytest.mark.parametrize('function', [eval, getattr, exec])
def test_a_checkpoint_that_calls_a_function_is_refused(tmp_path, function):
    torch.save({'state_dict': Attack(function, '1 + 1', 'real')}, tmp_path / 'evil.pth')
    with pytest.raises((pickle.UnpicklingError, ValueError)):
        torch.load(tmp_path / 'evil.pth', weights_only=True)


def test_getattr_reaches_no_other_attribute_of_the_history_buffer(tmp_path):
    torch.save({'state_dict': Attack(getattr, HistoryBuffer, '__init__')}, tmp_path / 'evil.pth')
    with pytest.raises((pickle.UnpicklingError, ValueError), match='__init__'):
        torch.load(tmp_path / 'evil.pth', weights_only=True)
