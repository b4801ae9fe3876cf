import pytest

from benchmarks.formats import format_number, format_rate, format_seconds, format_value, plural


@pytest.mark.parametrize(
    ('value', 'unit', 'text'),
    [
        (0.6, '%', '60 %'),
        (179.6, 's', '180 s'),
        (2.456, 'x', '2.46x'),
        (123.4, 'x', '123x'),
        (0, 'folds lost', '0 folds lost'),
    ],
)
def test_a_number_has_its_unit(value, unit, text):
    assert format_number(value, unit) == text


def test_a_median_stands_with_its_range():
    assert format_value({'median': 2.0, 'min': 1.5, 'max': 2.5}, 'x') == '2x (1.5x to 2.5x)'


@pytest.mark.parametrize(('seconds', 'text'), [(0.0123, '12.3 ms'), (1.5, '1.5 s'), (179.6, '180 s')])
def test_seconds_have_three_digits(seconds, text):
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ('rate', 'of', 'text'),
    [
        (45e9, 'copy', '45 GB/s'),
        (2.6e12, 'copy', '2.6 TB/s'),
        (97.4e9, 'fp32 matrix product', '97.4 GFLOP/s'),
        (6.5e14, 'bf16 matrix product', '650 TFLOP/s'),
    ],
)
def test_rates_are_of_bytes_or_of_flops(rate, of, text):
    assert format_rate(rate, of) == text


def test_one_has_no_plural():
    assert (plural(1, 'core'), plural(0, 'fold')) == ('1 core', '0 folds')
