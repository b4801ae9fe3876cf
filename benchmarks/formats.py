"""How numbers of benchmarks are written."""


def format_value(value: float | dict, unit: str) -> str:
    """Return a number, or a median with the smallest and the largest round.

    Args:
        value: A number or {median, min, max}.
        unit: `x` a ratio, `%` a share of 1, `s` seconds, else what is counted.
    """
    if not isinstance(value, dict):
        return format_number(value, unit)
    low, high = (format_number(value[key], unit) for key in ('min', 'max'))
    return f'{format_number(value["median"], unit)} ({low} to {high})'


def format_number(value: float, unit: str) -> str:
    """Return a number with its unit, see :func:`format_value`."""
    if unit == '%':
        return f'{value * 100:.0f} %'
    if unit == 's':
        return f'{value:.0f} s'
    if unit != 'x':
        return f'{value:.0f} {unit}'
    return f'{value:.3g}x' if value < 100 else f'{value:.0f}x'


def format_seconds(seconds: float) -> str:
    """Return seconds or milliseconds with three digits."""
    if seconds >= 100:
        return f'{seconds:.0f} s'
    return f'{seconds:.3g} s' if seconds >= 1 else f'{seconds * 1e3:.3g} ms'


def format_rate(rate: float, of: str) -> str:
    """Return bytes a second of a copy, or FLOP/s of anything else."""
    if of == 'copy':
        return f'{rate / 1e9:.3g} GB/s' if rate < 1e12 else f'{rate / 1e12:.3g} TB/s'
    return f'{rate / 1e9:.3g} GFLOP/s' if rate < 1e12 else f'{rate / 1e12:.3g} TFLOP/s'


def plural(count: int, word: str) -> str:
    """Return `1 core`, `2 cores`."""
    return f'{count} {word}{"s" * (count != 1)}'
