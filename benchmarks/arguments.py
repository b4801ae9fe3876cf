"""The options of benchmarks."""

import argparse
from collections.abc import Callable


def add_numbers(parser: argparse.ArgumentParser, **numbers: tuple[int, int, str]) -> None:
    """Add options for whole numbers, given by attribute name as (default, smallest value, help)."""
    for name, (default, least, words) in numbers.items():
        option, of_type = f'--{name.replace("_", "-")}', at_least(least)
        parser.add_argument(option, type=of_type, default=default, metavar='N', help=f'{words} (default: {default})')


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device."""
    parser.add_argument('--device', default='cpu', help='cpu (default), cuda or cuda:N')


def at_least(least: int) -> Callable[[str], int]:
    """Return a reader of whole numbers that refuses smaller ones."""

    def read(text: str) -> int:
        if (number := int(text)) < least:
            raise argparse.ArgumentTypeError(f'expected at least {least}, got {text}')
        return number

    return read
