from io import StringIO

from rich.console import Console

from benchmarks.shares import shares, shares_table

PEAK = {'threads': 1, 'device': 'cpu', 'matrix': {'fp32': 100e9, 'bf16': None}, 'copy': 20e9}
RESULT = {
    'seconds': {'full': 2.0, 'half': 2.0, 'copying': 0.5, 'uncounted': 1.0},
    'work': {
        'full': {'flops': 100e9, 'precision': 'fp32'},
        'half': {'flops': 100e9, 'precision': 'bf16'},
        'copying': {'bytes': 5e9},
    },
}


def test_work_over_time_is_compared_with_the_matching_peak():
    found = shares(RESULT, PEAK)
    assert found['full'] == {'of': 'fp32 matrix product', 'rate': 50e9, 'share': 0.5}
    assert found['copying'] == {'of': 'copy', 'rate': 10e9, 'share': 0.5}


def test_without_the_instructions_there_is_a_rate_and_no_share():
    assert shares(RESULT, PEAK)['half'] == {'of': 'bf16 matrix product', 'rate': 50e9, 'share': None}


def test_work_that_cannot_be_counted_has_no_share():
    assert 'uncounted' not in shares(RESULT, PEAK)


def test_the_table_names_rate_peak_and_share():
    result = {'shares': shares(RESULT, PEAK), 'peak': PEAK, 'machine': {'name': 'Some Processor', 'gpu': None}}
    console = Console(file=StringIO(), width=200)
    console.print(shares_table(result))
    shown = console.file.getvalue()
    assert all(word in shown for word in ('50 GFLOP/s', '100 GFLOP/s', '50.0 %', '10 GB/s', 'no such instructions'))
