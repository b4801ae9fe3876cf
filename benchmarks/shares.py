"""Which share of the machine's peak the alternatives of a benchmark reached."""

from rich.table import Table

from benchmarks.formats import format_rate, plural
from benchmarks.machine import describe_machine
from benchmarks.machine_peak import describe_peak


def with_peak(result: dict, rates: list[dict[str, list[float]]], threads: int, device: str) -> dict:
    """Return a benchmark's result with the machine, its peak, and the share of it that each alternative reached."""
    peak = describe_peak(rates, threads, device)
    return {**result, 'machine': describe_machine(device), 'peak': peak, 'shares': shares(result, peak)}


def shares(result: dict, peak: dict) -> dict:
    """Compare the work of alternatives with the peak.

    Args:
        result: seconds {alternative: median}; work {alternative: flops with precision, or bytes read and written;
            of what `seconds` times}, where it can be counted.
        peak: Of :func:`benchmarks.machine_peak.describe_peak`.

    Returns:
        {alternative: of (the name of the peak), rate (FLOP/s or bytes/s), share (1 is the peak; None where the
        hardware has no such instructions)}.
    """
    found = {}
    for name, work in result.get('work', {}).items():
        if 'flops' in work:
            of, most, done = f'{work["precision"]} matrix product', peak['matrix'][work['precision']], work['flops']
        else:
            of, most, done = 'copy', peak['copy'], work['bytes']
        rate = done / result['seconds'][name]
        found[name] = {'of': of, 'rate': rate, 'share': None if most is None else rate / most}
    return found


def shares_table(result: dict) -> Table:
    """The shares of a result for the screen."""
    peak, machine = result['peak'], result['machine']
    where = peak['device'] if machine['gpu'] else plural(peak['threads'], 'thread')
    shown = Table('share of the peak', title=f'{machine["name"]}, {where}')
    for column in ('reached', 'peak', 'share'):
        shown.add_column(column, justify='right')
    for name, part in result['shares'].items():
        share = 'no such instructions' if part['share'] is None else f'{part["share"] * 100:.1f} %'
        most = '' if part['share'] is None else format_rate(part['rate'] / part['share'], part['of'])
        shown.add_row(f'{name.replace("_", " ")}, {part["of"]}', format_rate(part['rate'], part['of']), most, share)
    return shown
