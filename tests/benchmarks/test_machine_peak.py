import pytest
import torch

from benchmarks.machine_peak import describe_peak, measure_rates, precisions
from mer_bench.errors import InputError

SMALL = dict(rounds=2, side=64, copied=2**16)


def test_each_round_gives_a_rate_of_every_precision_of_the_hardware_and_of_the_copy():
    rates = measure_rates(1, 'cpu', **SMALL)
    assert set(rates) == {name for name, has in precisions('cpu').items() if has} | {'copy'}
    assert all(len(rounds) == 2 and min(rounds) > 0 for rounds in rates.values())


def test_rates_are_work_over_time(monkeypatch):
    monkeypatch.setattr('benchmarks.machine_peak.seconds_of', lambda function, device, calls=1: 0.5 * calls)
    rates = measure_rates(1, 'cpu', rounds=1, side=64, copied=2**16)
    assert rates['fp32'] == [2 * 64**3 / 0.5]  # a multiply and an add
    assert rates['copy'] == [2 * 2**16 / 0.5]  # read and written


def test_the_number_of_threads_is_put_back():
    before = torch.get_num_threads()
    measure_rates(before + 1, 'cpu', **SMALL)
    assert torch.get_num_threads() == before


def test_rounds_before_and_after_a_benchmark_are_joined(monkeypatch):
    monkeypatch.setattr('benchmarks.machine_peak.precisions', lambda device: {'fp32': True, 'bf16': False})
    before, after = {'fp32': [1.0, 2.0], 'copy': [10.0, 10.0]}, {'fp32': [3.0], 'copy': [40.0]}
    peak = describe_peak([before, after], 1, 'cpu')
    assert peak['matrix'] == {'fp32': 2.0, 'bf16': None}
    assert (peak['copy'], peak['rounds']) == (10.0, 3)


def test_no_thread_is_refused():
    with pytest.raises(InputError, match='threads of at least 1, got 0'):
        measure_rates(0, 'cpu', **SMALL)
