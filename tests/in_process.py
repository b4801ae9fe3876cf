"""A tool as a user starts it, but in this process: a new one takes seconds to import the stack."""

import contextlib
import io
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


def tool(name: str, *words, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    """Run tools/<name>.py in a folder; return its exit code and what it printed, as subprocess.run does.

    Warnings do not reach stderr.
    """
    code, out, err = 0, io.StringIO(), io.StringIO()
    path = str(ROOT / f'tools/{name}.py')
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(cwd)
        patch.setattr(sys, 'argv', [path, *map(str, words)])
        try:
            runpy.run_path(path, run_name='__main__')
        except SystemExit as stop:
            code = stop.code or 0
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())
