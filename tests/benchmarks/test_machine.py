import pytest
import torch

from benchmarks import machine
from benchmarks.machine import describe_machine, describe_peak, measure_rates, name_cpu, precisions, shares, slug

PEAK = {'threads': 1, 'device': 'cpu', 'matrix': {'fp32': 100e9, 'bf16': None}, 'copy': 20e9}
RESULT = {
    'seconds': {'full': 2.0, 'half': 2.0, 'copying': 0.5, 'uncounted': 1.0},
    'work': {
        'full': {'flops': 100e9, 'precision': 'fp32'},
        'half': {'flops': 100e9, 'precision': 'bf16'},
        'copying': {'bytes': 5e9},
    },
}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(machine, 'SIDE', {'cpu': 64})
    monkeypatch.setattr(machine, 'COPIED', {'cpu': 2**16})
    monkeypatch.setattr(machine, 'SECONDS', 0.0001)


def test_instructions_come_from_the_flags_the_best_first(monkeypatch):
    monkeypatch.setattr(machine, 'processor_flags', lambda: {'fpu', 'avx2', 'avx512f', 'avx512_bf16', 'amx_bf16'})
    assert describe_machine()['cpu']['instructions'] == ['amx_bf16', 'avx512_bf16', 'avx512f', 'avx2']


def test_a_cpu_is_named_with_cores_and_best_instructions():
    cpu = {'processor': 'Some Processor', 'cores': 2, 'instructions': ['avx512_bf16', 'avx2']}
    assert name_cpu(cpu) == 'Some Processor, 2 cores, avx512-bf16'
    assert slug(name_cpu(cpu)) == 'some-processor-2-cores-avx512-bf16'


def test_a_description_names_versions_and_no_gpu_for_a_cpu():
    found = describe_machine('cpu')
    assert found['gpu'] is None
    assert {'python', 'torch', 'mmengine', 'mmaction2', 'numpy', 'sklearn'} <= set(found['versions'])
    assert found['cpu']['cores'] >= 1


def test_each_round_gives_a_rate_of_every_precision_of_the_hardware_and_of_the_copy(small):
    rates = measure_rates(1, 'cpu')
    assert set(rates) == {name for name, has in precisions('cpu').items() if has} | {'copy'}
    assert all(len(rounds) == machine.ROUNDS and min(rounds) > 0 for rounds in rates.values())


def test_rates_are_work_over_time(small, monkeypatch):
    monkeypatch.setattr(machine, 'seconds_of', lambda function, device, calls=1: 0.5 * calls)
    rates = measure_rates(1, 'cpu')
    assert rates['fp32'][0] == 2 * 64**3 / 0.5  # a multiply and an add
    assert rates['copy'][0] == 2 * 2**16 / 0.5  # read and written


def test_the_number_of_threads_is_put_back(small):
    before = torch.get_num_threads()
    measure_rates(before + 1, 'cpu')
    assert torch.get_num_threads() == before


def test_rounds_before_and_after_a_benchmark_are_joined(monkeypatch):
    monkeypatch.setattr(machine, 'precisions', lambda device: {'fp32': True, 'bf16': False})
    before, after = {'fp32': [1.0, 2.0], 'copy': [10.0, 10.0]}, {'fp32': [3.0], 'copy': [40.0]}
    peak = describe_peak([before, after], 1, 'cpu')
    assert peak['matrix'] == {'fp32': 2.0, 'bf16': None}
    assert (peak['copy'], peak['rounds']) == (10.0, 3)


def test_work_over_time_is_compared_with_the_matching_peak():
    found = shares(RESULT, PEAK)
    assert found['full'] == {'of': 'fp32 matrix product', 'rate': 50e9, 'share': 0.5}
    assert found['copying'] == {'of': 'copy', 'rate': 10e9, 'share': 0.5}


def test_without_the_instructions_there_is_a_rate_and_no_share():
    assert shares(RESULT, PEAK)['half'] == {'of': 'bf16 matrix product', 'rate': 50e9, 'share': None}


def test_work_that_cannot_be_counted_has_no_share():
    assert 'uncounted' not in shares(RESULT, PEAK)
