import importlib.util
import json
import re
import shlex
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchmarks import machine, model_cost
from benchmarks.report import END, PARTS, START, read_saved
from mer_bench.errors import InputError

TOOL = Path(__file__).parents[2] / 'tools/benchmark.py'
SMALLEST = ['--size', '28', '--clip-len', '5', '--batch', '2', '--rounds', '1', '--precision', 'fp32']


@pytest.fixture(scope='module')
def tool():
    """The tool, whose peak is that of tiny matrices."""
    spec = importlib.util.spec_from_file_location('benchmark_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, 'SIDE', {'cpu': 64})
        patch.setattr(machine, 'COPIED', {'cpu': 2**16})
        patch.setattr(machine, 'SECONDS', 0.001)
        yield module
    torch.set_num_threads(threads)


@pytest.fixture(scope='module')
def measured(tool):
    """What `model --json` prints; its steps run where they are counted, and each takes a second."""
    out = StringIO()
    with redirect_stdout(out), pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_cost, 'interleave', lambda steps, rounds: {name: [1.0] * rounds for name in steps})
        tool.main(['model', *SMALLEST, '--json'])
    return json.loads(out.getvalue())


@pytest.fixture
def main(tool):
    return tool.main


def test_the_model_has_counts_times_peak_and_shares(measured):
    result = measured
    full, plain, _ = result['models'].values()
    assert set(PARTS) <= set(result)
    assert list(result['models']) == ['multiscale_resnet3d50', 'ResNet3d-50', 'multiscale_resnet3d50+trunk_i3d']
    assert plain['parameters'] == 46_198_976 + 2049 * 3  # 46.2 M: Hara et al., and three classes
    assert 1 < full['parameters'] / plain['parameters'] < 1.35
    assert 1 < full['flops'] / plain['flops'] < 1.35
    assert set(result['ratios']['blocks']) == {'median', 'min', 'max'}
    work, seconds = result['work']['full_fp32_contiguous']['flops'], result['seconds']['full_fp32_contiguous']
    share = result['shares']['full_fp32_contiguous']['share']
    assert share == pytest.approx(work / seconds / result['peak']['matrix']['fp32'])


def test_the_tables_name_alternatives_ratios_counts_and_the_share(tool, capsys, monkeypatch, measured):
    monkeypatch.setattr(tool, 'run', lambda *arguments: measured)
    tool.main(['model'])
    shown = capsys.readouterr().out
    words = ('full fp32 contiguous', 'blocks', '46.21 M parameters', 'fp32 matrix product', 'copy')
    assert all(word in shown for word in words)


def test_too_small_a_size_is_refused(main, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(['model', '--size', '20'])
    assert stopped.value.code == 2
    assert 'argument --size: expected at least 28, got 20' in capsys.readouterr().err


def test_a_result_is_saved_without_the_folder_where_it_is_saved(main, tmp_path, capsys):
    main(['machine', '--threads', '1', '--save', str(tmp_path), '--json'])
    ((_, result),) = read_saved(tmp_path).items()
    assert json.loads(capsys.readouterr().out) == result
    assert result['command'] == shlex.join(['python', 'tools/benchmark.py', 'machine', '--threads', '1'])


def test_the_help_of_the_tool_is_that_of_the_modules(tool):
    assert {name: words for name, (_, words) in tool.BENCHMARKS.items()} == {
        name: tool.load(name).HELP for name in tool.BENCHMARKS
    }


def test_help_is_shown_for_the_tool_and_every_benchmark(main, tool, capsys):
    for words in ([], *([name] for name in (*tool.BENCHMARKS, 'all', 'report'))):
        with pytest.raises(SystemExit) as stopped:
            main([*words, '--help'])
        assert stopped.value.code == 0
        shown = capsys.readouterr().out
        assert shown.startswith('usage: ')
        assert words in (['all'], ['report']) or len(re.findall('^python tools/', shown, re.M)) == 2


def test_all_is_every_benchmark_of_speed_but_the_longest(tool):
    assert set(tool.ALL) == set(tool.BENCHMARKS) - {'full-loso', 'coverage', 'faults', 'fuzz', 'gpu'}


def test_all_gathers_what_each_prints(tool, capsys, monkeypatch):
    ran = []
    answer = SimpleNamespace(returncode=0, stdout='{"seconds": {}}')
    monkeypatch.setattr(tool.subprocess, 'run', lambda command, **options: ran.append(command[2:]) or answer)
    tool.main(['all', '--json'])
    assert ran == [[name, '--json'] for name in tool.ALL]
    assert json.loads(capsys.readouterr().out) == {name: {'seconds': {}} for name in tool.ALL}


def test_all_ends_with_the_fault_of_a_benchmark(tool, monkeypatch):
    monkeypatch.setattr(tool, 'ALL', ['no-such-benchmark'])
    assert tool.main(['all']) == 2


def test_the_report_is_written_and_then_checked(main, tmp_path, capsys):
    page = tmp_path / 'page.md'
    page.write_text(f'{START}\n{END}\n')
    main(['machine', '--save', str(tmp_path / 'saved')])
    options = ['--saved', str(tmp_path / 'saved'), '--page', str(page)]
    assert main(['report', *options, '--check']) == 1
    assert not main(['report', *options])
    assert main(['report', *options, '--check']) == 0
    assert 'matrix product' in page.read_text()


def test_a_missing_page_or_folder_is_refused(main, tmp_path):
    with pytest.raises(InputError, match='a page with a generated part'):
        main(['report', '--page', str(tmp_path / 'none.md')])
    page = tmp_path / 'page.md'
    page.write_text(f'{START}\n{END}\n')
    with pytest.raises(InputError, match='expected a folder of results'):
        main(['report', '--page', str(page), '--saved', str(tmp_path / 'none')])
