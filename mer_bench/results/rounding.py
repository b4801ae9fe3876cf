"""Numbers of tables rounded so that every version of numpy, scipy and Python writes the same bytes."""

DIGITS = 10  # significant; versions differ from the fifteenth on
ZERO = 1e-14  # what sums leave of a zero


def rounded(row: dict) -> dict:
    """Round the floats of a row to 10 significant digits; what is smaller than 1e-14 is zero."""
    return {key: round_number(value) if isinstance(value, float) else value for key, value in row.items()}


def round_number(number: float) -> float:
    """Round to 10 significant digits, without a negative zero."""
    return 0.0 if abs(number) < ZERO else float(f'{number:.{DIGITS}g}')
