"""McNemar's test and Holm's correction against numbers worked out by hand."""

import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.evaluation.paired_tests import holm, mcnemar


def table(right):
    """One clip per letter: 1 is answered rightly."""
    names = [f'd/s/{i}' for i in range(len(right))]
    return pd.DataFrame({'sample_id': names, 'subject': 's', 'y_true': 'x', 'y_pred': ['yx'[int(r)] for r in right]})


def test_mcnemar_counts_the_clips_that_one_method_alone_answers_rightly():
    # 6 clips only the first, 1 only the second, 2 both, 1 none: two-sided P = 2 * (C(7,0) + C(7,1)) / 2**7 = 16/128
    result = mcnemar(table('1111110110'), table('0000001110'))
    assert (result['only_first'], result['only_second']) == (6, 1)
    assert result['p'] == pytest.approx(0.125)


def test_methods_that_never_differ_have_probability_one():
    assert mcnemar(table('101'), table('101')) == {'only_first': 0, 'only_second': 0, 'p': 1.0}


def test_clips_are_joined_by_name():
    # by position every clip would differ
    result = mcnemar(table('1100'), table('1100').iloc[::-1])
    assert (result['only_first'], result['only_second']) == (0, 0)


def test_other_clips_are_refused():
    with pytest.raises(InputError, match='the same clips'):
        mcnemar(table('11'), table('111'))


def test_holm_multiplies_the_smallest_by_their_number_and_never_falls():
    # sorted 0.01, 0.03, 0.04 times 3, 2, 1: 0.03, 0.06, and 0.04 is lifted to 0.06
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
