"""Saved results of benchmarks, `DIR/<machine>/<benchmark>[-<label>].json`, and their tables in pages of docs/."""

import json
import os
import re
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from benchmarks.machine import slug
from mer_bench.errors import InputError, cause_of
from mer_bench.escaping import for_markdown, markdown_link
from mer_bench.files import write_json

START = '<!-- written by tools/benchmark.py report -->'  # or `report: NAME`, for the results of one benchmark
END = '<!-- end of the written part -->'
PARTS = ('benchmark', 'command', 'settings', 'seconds', 'ratios', 'machine', 'peak', 'shares')


class Goal(NamedTuple):
    """What a number of a benchmark should be.

    Attributes:
        benchmark: Its name.
        part: ratios (their median is compared), shares (of the bf16 peak), seconds, or beside_ms of its result.
        key: Of that part.
        limit: What the number should reach, or stay below.
        device: cpu or cuda.
        words: What is compared, for a reader.
        below: Whether it should stay below.
        settings: Those of a result that counts.
    """

    benchmark: str
    part: str
    key: str
    limit: float
    device: str
    words: str
    below: bool = False
    settings: dict[str, object] = {}


PUBLISHED = {'method': 'ststnet', 'run_folds': 68, 'run_epochs': 800}
GOALS = [
    Goal('model', 'ratios', 'speedup', 3, 'cpu', 'the full model in bf16, as fast as in fp32'),
    Goal('model', 'shares', 'full_as_trained', 0.35, 'cpu', 'the full model, of the bf16 matrix peak'),
    Goal('loso', 'ratios', 'run', 8, 'cpu', 'STSTNet over all folds, as fast as a plain loop', settings=PUBLISHED),
    Goal(
        'loso', 'ratios', 'sequential_all_cores', 1.3, 'cpu', 'small networks without a kernel, as fast as a plain loop'
    ),
    Goal('loso', 'beside_ms', 'median', 50, 'cpu', 'a fold beside its training', below=True, settings={'folds': 12}),
    Goal('sweep', 'ratios', 'workers', 1.05, 'cpu', 'two workers, as fast as one with two threads'),
    Goal(
        'prepare', 'ratios', 'end_to_end', 1.1, 'cpu', 'preparing a data set, of the time of its TV-L1 flow', below=True
    ),
    Goal('gpu', 'shares', 'full_captured', 0.3, 'cuda', 'the full model, of the bf16 matrix peak'),
    Goal('gpu', 'ratios', 'stacked', 10, 'cuda', 'STSTNet, folds stacked, as fast as a plain loop'),
    Goal(
        'gpu', 'seconds', 'loso_run', 180, 'cuda', 'the full model over all folds of a SMIC-sized data set', below=True
    ),
]


def save(result: dict, folder: Path, label: str = '') -> Path:
    """Write a result in place of an earlier one of the same benchmark, label and machine, and return the file.

    Args:
        label: Separates results of one benchmark with different settings.
    """
    name = '-'.join(filter(None, (result['benchmark'], slug(label))))
    path = folder / slug(result['machine']['name']) / f'{name}.json'
    write_json(path, result)
    return path


def read_saved(folder: Path) -> dict[Path, dict]:
    """Return the saved results by their path relative to `folder`, in the order of machines and benchmarks."""
    if not folder.is_dir():
        raise InputError(f'{folder}: expected a folder of results, found none; run a benchmark with --save {folder}')
    return {path.relative_to(folder): read(path) for path in sorted(folder.glob('*/*.json'))}


def read(path: Path) -> dict:
    """Return one saved result."""
    try:
        result = json.loads(path.read_text(encoding='utf-8'))
        missing = [part for part in PARTS if part not in result]
    except (ValueError, TypeError) as error:
        raise InputError(f'{path}: expected a result of tools/benchmark.py, found no JSON; remove it') from error
    if missing:
        raise InputError(f'{path}: expected a result of tools/benchmark.py, found no {missing[0]!r}; remove it')
    return result


def read_page(path: Path) -> str:
    """Return the text of a page."""
    try:
        return path.read_text(encoding='utf-8')
    except (OSError, ValueError) as error:
        raise InputError(
            f'{path}: expected a page with a generated part, found {cause_of(error)!r}; put it back'
        ) from None


def renew(page: str, folder: Path, path: Path) -> str:
    """Return a page with its generated part updated.

    Args:
        page: Text with the lines START and END, once for all results but those that have a part of their own.
        folder: Of saved results.
        path: Of the page: its links lead from there to the results.
    """
    written = re.compile(re.escape(START).replace('report', 'report(?:: (.+))?') + '(?s:.*?)' + re.escape(END))
    own = {*written.findall(page)}
    if '' not in own:
        raise InputError(f'{path}: expected the lines {START!r} and {END!r}, found not both; put them back')
    base = Path(os.path.relpath(folder, path.parent))
    results = {(base / name).as_posix(): result for name, result in read_saved(folder).items()}

    def renewed(match: re.Match) -> str:
        part = {
            link: result
            for link, result in results.items()
            if match[1] == (result['benchmark'] if result['benchmark'] in own else None)
        }
        first, _, _ = match[0].partition('\n')
        return f'{first}\n\n{lay_out(part)}\n\n{END}'

    return written.sub(renewed, page)


def lay_out(results: dict[str, dict]) -> str:
    """Return the results as markdown: those that depend on no machine, then those of each machine.

    Args:
        results: By the link to their file.
    """
    parts = []
    for link, result in results.items():
        if 'tables' in result:
            parts += [
                f'{markdown_link(result["command"], link)}, {circumstances(dict(result, peak=None))}',
                *tables(result, for_markdown),
            ]
    timed = [item for item in results.items() if 'tables' not in item[1]]
    if timed:
        parts += ['## Goals', goals_table(dict(timed))]
    by_machine = sorted(timed, key=lambda item: item[1]['machine']['name'])
    for name, group in groupby(by_machine, key=lambda item: item[1]['machine']['name']):
        members = list(group)
        parts.append(f'## {for_markdown(name, block=True)}')
        parts += dict.fromkeys(for_markdown(hardware(result['machine']), block=True) for _, result in members)
        for link, result in members:
            command = f'{markdown_link(result["command"], link)}, {for_markdown(circumstances(result))}'
            parts += [f'### {for_markdown(Path(link).stem, block=True)}', command, *tables(result, for_markdown)]
    return '\n\n'.join(parts)


def goals_table(results: dict[str, dict]) -> str:
    """Return a row for each goal and each result that measured it, or one that says that none did."""
    rows = []
    for goal in GOALS:
        text = format_limit(goal)
        found = [
            (link, result['machine']['name'], reached)
            for link, result in results.items()
            if (reached := measured(goal, result)) is not None
        ]
        for link, machine, reached in found:
            met = reached <= goal.limit if goal.below else reached >= goal.limit
            shown = for_markdown(f'{machine}, {Path(link).stem}')
            rows.append([goal.words, text, format_number(goal, reached), 'yes' if met else '**no**', shown])
        if not found:
            rows.append([goal.words, text, 'not measured', '', f'a {"GPU" if goal.device == "cuda" else "CPU"}'])
    headers = ['goal', 'limit', 'measured', 'met', 'on']
    return tabulate(rows, headers, tablefmt='pipe', disable_numparse=True)


def measured(goal: Goal, result: dict) -> float | None:
    """Return what a result measured of a goal: a median, a share or seconds."""
    if result['benchmark'] != goal.benchmark or (result['machine']['gpu'] is not None) != (goal.device == 'cuda'):
        return None
    if any(result['settings'].get(name) != value for name, value in goal.settings.items()):
        return None
    number = result.get(goal.part, {}).get(goal.key)
    if goal.part in ('seconds', 'beside_ms') or number is None:
        return number
    if goal.part == 'ratios':
        return number['median']
    return number['share'] if number['of'].startswith('bf16') else None


def format_limit(goal: Goal) -> str:
    """Return the limit of a goal in words."""
    return f'{"at most" if goal.below else "at least"} {format_number(goal, goal.limit)}'


def format_number(goal: Goal, number: float) -> str:
    """Return a number in the unit of a goal."""
    if goal.part in ('seconds', 'beside_ms'):
        return format_seconds(number / 1e3 if goal.part == 'beside_ms' else number)
    return f'{number * 100:.3g} %' if goal.part == 'shares' else f'{number:.3g}x'


def hardware(machine: dict) -> str:
    """Return hardware and versions in a sentence."""
    cpu, gpu = machine['cpu'], machine['gpu']
    parts = [f'{gpu["name"]} with {gpu["memory_gib"]:g} GiB, CUDA {gpu["cuda"]}'] if gpu else []
    parts += [
        cpu['processor'],
        f'{cpu["cores"]} of {cpu["cores_of_machine"]} cores used',
        ', '.join(cpu['instructions']),
        f'{machine["memory_gib"]:g} GiB',
        *(f'{name} {version}' for name, version in machine['versions'].items()),
    ]
    return '; '.join(parts) + '.'


def circumstances(result: dict) -> str:
    """Return date, commit, and the peak of the same run, if it was measured."""
    machine, peak = result['machine'], result['peak']
    when = f'{machine["date"]}, commit {machine["commit"] or "unknown"}.'
    if peak is None:
        return when
    most = [f'{name} {format_rate(rate, name)}' if rate else f'no {name}' for name, rate in peak['matrix'].items()]
    where = 'of the GPU' if machine['gpu'] else f'with {peak["threads"]} thread{"s" * (peak["threads"] != 1)}'
    return (
        f'{when} Peak {where} in the same run: matrix product {", ".join(most)}; '
        f'copy {format_rate(peak["copy"], "copy")}, read and written.'
    )


def tables(result: dict, shown=str) -> list[str]:
    """Return time and share of each alternative, notes, ratios and other tables, each as markdown.

    Args:
        shown: Makes a text safe for the page.
    """
    parts = []
    if result['seconds']:
        rows = [[shown(cell) for cell in alternative(name, result)] for name in result['seconds']]
        headers = ['alternative', 'median', 'clips/s', 'rate', 'share', 'of the peak']
        aligned = ['left', 'right', 'right', 'right', 'right', 'left']
        parts.append(tabulate(rows, headers, tablefmt='pipe', disable_numparse=True, colalign=aligned))
    notes = [f'{words(name)} was not measured: {why}' for name, why in result.get('missing', {}).items()]
    if notes := [*notes, *result.get('notes', [])]:
        parts.append('\n'.join(f'- {shown(note)}' for note in notes))
    if result['ratios']:
        against = result.get('against', {})
        rows = [[shown(words(k)), format_ratio(v), shown(against.get(k, ''))] for k, v in result['ratios'].items()]
        headers = ['ratio', 'median (smallest to largest)', 'compared']
        parts.append(tabulate(rows, headers, tablefmt='pipe', disable_numparse=True))
    for table in result.get('tables', []):
        headers, *rows = ([shown(cell) for cell in row] for row in (table['headers'], *table['rows']))
        parts += [shown(table['text']), tabulate(rows, headers, tablefmt='pipe', disable_numparse=True)]
    return parts


def alternative(name: str, result: dict) -> tuple[str, ...]:
    """Return time, clips per second, and share of the peak of one alternative, as far as known."""
    share, clips = result['shares'].get(name), result.get('clips_per_second', {}).get(name)
    cells = words(name), format_seconds(result['seconds'][name]), '' if clips is None else f'{clips:.3g}'
    if share is None:
        return *cells, '', '', ''
    reached = 'no such peak' if share['share'] is None else f'{share["share"] * 100:.3g} %'
    return *cells, format_rate(share['rate'], share['of']), reached, share['of']


def words(name: str) -> str:
    """Return a key of JSON as words."""
    return name.replace('_', ' ')


def format_ratio(ratio: dict) -> str:
    """Return the median with the smallest and the largest round."""
    numbers = [ratio[key] for key in ('median', 'min', 'max')]
    middle, low, high = (f'{number:.3g}x' if number < 100 else f'{number:.0f}x' for number in numbers)
    return f'{middle} ({low} to {high})'


def format_seconds(seconds: float) -> str:
    """Return seconds or milliseconds with three digits."""
    if seconds >= 100:
        return f'{seconds:.0f} s'
    return f'{seconds:.3g} s' if seconds >= 1 else f'{seconds * 1e3:.3g} ms'


def format_rate(rate: float, of: str) -> str:
    """Return B/s for a copy, FLOP/s for anything else."""
    unit = 'B/s' if of == 'copy' else 'FLOP/s'
    return f'{rate / 1e9:.3g} G{unit}' if rate < 1e12 else f'{rate / 1e12:.3g} T{unit}'
