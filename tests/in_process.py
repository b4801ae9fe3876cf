"""A tool as a user starts it, but in this process: a new one takes seconds to import the stack."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import pytest

from mer_bench.cli.main import door
from tests.conftest import ROOT


def tool(name: str, *words, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    """Run a command in a folder; return its exit code and what it printed, as subprocess.run does.

    Warnings do not reach stderr.
    """
    code, out, err = 0, io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(cwd)
        patch.setattr(sys, 'argv', [f'tools/{name}.py', *map(str, words)])
        try:
            door(name)
        except SystemExit as stop:
            code = stop.code or 0
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())
