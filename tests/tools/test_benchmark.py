import importlib.util
import json
from pathlib import Path

import pytest
import torch

from mer_bench.errors import InputError, run_tool

TOOL = Path(__file__).parents[2] / 'tools/benchmark.py'
SMALLEST = ['--size', '28', '--clip-len', '5', '--batch', '2', '--rounds', '1']


@pytest.fixture
def main():
    spec = importlib.util.spec_from_file_location('benchmark_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    threads = torch.get_num_threads()
    yield module.main
    torch.set_num_threads(threads)


def test_json_holds_parameters_flops_and_times_of_both_models(main, capsys):
    main(['model', *SMALLEST, '--json'])
    result = json.loads(capsys.readouterr().out)
    full, plain = result['models'].values()
    assert list(result['models']) == ['multiscale_resnet3d50', 'ResNet3d-50']
    assert plain['parameters'] == 27_230_019  # mmaction's I3D ResNet-50 with three classes
    assert result['ratios']['parameters'] == full['parameters'] / plain['parameters']
    assert 1 < result['ratios']['parameters'] < 1.35
    assert 1 < result['ratios']['flops'] < 1.35
    assert set(result['ratios']['time']) == {'median', 'min', 'max'}


def test_the_table_names_both_models_and_the_ratio(main, capsys):
    main(['model', *SMALLEST])
    shown = capsys.readouterr().out
    assert all(word in shown for word in ('multiscale_resnet3d50', 'ResNet3d-50', 'ratio', '27.23 M'))


def test_too_small_a_size_is_one_sentence_and_exit_code_2(main, capsys):
    with pytest.raises(InputError, match='size of at least 28, got 20'):
        main(['model', '--size', '20'])
    with pytest.raises(SystemExit) as stopped:
        run_tool(lambda: main(['model', '--rounds', '0']))
    assert stopped.value.code == 2
    assert capsys.readouterr().err == 'error: expected rounds of at least 1, got 0; raise it\n'
