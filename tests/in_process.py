"""A tool as a user starts it, but in this process: a new one takes seconds to import the stack."""

import contextlib
import io
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from mer_bench.cli.main import main
from tests.conftest import ROOT


def tool(name: str, *words, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    """Run tools/<name>.py, or a command without such a file, in a folder; return what subprocess.run does.

    Warnings do not reach stderr.
    """
    code, out, err = 0, io.StringIO(), io.StringIO()
    path = ROOT / f'tools/{name}.py'
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(cwd)
        patch.setattr(sys, 'argv', [*([str(path)] if path.exists() else ['mer-bench', name]), *map(str, words)])
        try:
            if path.exists():
                runpy.run_path(str(path), run_name='__main__')
            else:
                code = main() or 0
        except SystemExit as stop:
            code = stop.code or 0
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())
