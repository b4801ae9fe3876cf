from mer_bench.training.stacking.timing import interleave, pair_ratios


def test_alternatives_run_in_turns_after_one_untimed_round():
    calls = []
    seconds = interleave({'a': lambda: calls.append('a'), 'b': lambda: calls.append('b')}, rounds=2)
    assert calls == ['a', 'b'] * 3
    assert [len(s) for s in seconds.values()] == [2, 2]


def test_ratios_are_taken_pair_by_pair():
    assert pair_ratios([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == {'median': 2.0, 'min': 1.0, 'max': 3.0}
