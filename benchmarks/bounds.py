"""The least that a benchmark can be asked for."""

from mer_bench.errors import InputError


def refuse_below(settings: object, smallest: dict[str, int]) -> None:
    """Refuse settings of which one is smaller than it may be.

    Args:
        settings: Has an attribute for each name.
        smallest: The least value by name.
    """
    for name, least in smallest.items():
        if getattr(settings, name) < least:
            raise InputError(f'expected {name} of at least {least}, got {getattr(settings, name)}; raise it')
