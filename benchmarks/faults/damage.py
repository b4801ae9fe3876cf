"""Every kind of file that mer_bench writes, with a changed or lost byte, and the commands that read it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from shlex import split

from benchmarks.faults.commands import (
    INNER_RUN,
    LINEAR,
    LINEAR_RUN,
    NETWORK,
    NETWORK_RUN,
    PREPARE_DATA,
    TRAIN,
    finished,
    sandbox,
)
from benchmarks.faults.kills import CIRCUMSTANCES, leaves, snapshot
from benchmarks.faults.process import Running

BOARD = split('leaderboard runs --out board/synthetic.md')
CHECK = split('leaderboard --check results --out-dir boards')
NEW = [*TRAIN, *LINEAR, '--work-dir', 'new']
TEST = ['test', 'mer_smic', 'runs/network', *NETWORK, '--data-root', 'data', '--device', 'cpu']
PAGE = ['benchmark', 'saved', 'page.md']
VOLATILE = ('.log', '.lock')


@dataclass(frozen=True)
class Reader:
    """A file, and a command that reads it, or must not care for it.

    Attributes:
        file: A pattern of its path.
        words: The command.
        needs: What it is given, of :func:`benchmarks.faults.commands.make_base` and :func:`add_pages`.
    """

    file: str
    words: list[str]
    needs: tuple[str, ...]

    def __str__(self) -> str:
        return f'{self.file}, {" ".join(self.words)[:60]}'


RUNS = ('runs', 'data', 'candidates.py')
PAGES = ('results', 'boards')
READERS = [
    *(Reader(f'data/{name}', NEW, ('data',)) for name in ('annotations.csv', 'store/flow.npy', 'store/index.csv')),
    Reader('data/store/store.json', NEW, ('data',)),
    *(Reader(f'data/store/features/*.{ending}', NEW, ('data',)) for ending in ('npy', 'json')),
    *(Reader(f'data/{name}', PREPARE_DATA, ('data', 'raw')) for name in ('report.csv', 'annotations.csv')),
    *(Reader(f'data/store/{name}', PREPARE_DATA, ('data', 'raw')) for name in ('flow.npy', 'index.csv', 'store.json')),
    *(
        Reader(f'runs/linear/{name}', LINEAR_RUN, RUNS)
        for name in ('record.json', 'predictions.csv', 'label_scheme.csv', 'dropped.csv', 'train.log')
    ),
    *(
        Reader(f'runs/linear/folds/*/{name}', LINEAR_RUN, RUNS)
        for name in ('fold.json', 'predictions.csv', 'config.py', 'train.log')
    ),
    *(Reader(f'runs/inner/{name}', INNER_RUN, RUNS) for name in ('inner_scores.csv', 'candidates.csv')),
    *(Reader(f'runs/inner/{name}', BOARD, ('runs',)) for name in ('inner_scores.csv', 'candidates.csv', 'record.json')),
    Reader('runs/inner/folds/*/fold.json', INNER_RUN, RUNS),
    *(Reader(f'runs/linear/{name}', BOARD, ('runs',)) for name in ('record.json', 'predictions.csv')),
    Reader('runs/sweep/**/failure.json', BOARD, ('runs',)),
    *(Reader(f'results/**/{name}', CHECK, PAGES) for name in ('record.json', 'predictions.csv', 'SHA256SUMS')),
    *(Reader(f'results/**/{name}', CHECK, PAGES) for name in ('candidates.csv', 'failure.json')),
    *(Reader(f'boards/*.{ending}', CHECK, PAGES) for ending in ('md', 'csv', 'tex')),
    *(Reader(name, PAGE, ('saved', 'page.md')) for name in ('saved/*/*.json', 'page.md')),
]
OF_NETWORKS = [
    *(Reader(f'runs/network/folds/*/{name}', NETWORK_RUN, RUNS) for name in ('audit.csv', 'fold.json')),
    *(Reader(f'runs/network/{name}', BOARD, ('runs',)) for name in ('audit.csv', 'record.json')),
    Reader('runs/network/audit.csv', NETWORK_RUN, RUNS),
    *(Reader(f'runs/network/folds/*/{name}', TEST, RUNS) for name in ('checkpoint.pth', 'config.py', 'fold.json')),
    Reader('results/**/audit.csv', CHECK, PAGES),
]


@dataclass
class Found:
    """What came of the damages to one kind of file; `faults` has a sentence for each that nobody noticed."""

    cases: int = 0
    named: int = 0
    mended: int = 0
    same: int = 0
    silent: int = 0
    traceback: int = 0
    faults: list[str] = field(default_factory=list)


def add_pages(base: Path, log: Path) -> None:
    """Write what else is read: collected results, their pages, and a page of benchmarks."""
    from benchmarks.report import END, START, renew

    finished(['leaderboard', '--collect', 'runs', '--into', 'results/drawn'], base, log)
    finished(['leaderboard', 'results', '--out-dir', 'boards'], base, log)
    saved = next(path for path in sorted(Path(__file__).parents[2].glob('docs/trust/*')) if path.is_dir())
    (base / 'saved' / saved.name).mkdir(parents=True)
    shutil.copy2(saved / 'coverage.json', base / 'saved' / saved.name)
    page = base / 'page.md'
    page.write_text(renew(f'{START}\n{END}\n', base / 'saved', page), encoding='utf-8')


def flip(content: bytes, rng: Random) -> bytes:
    """Change one byte."""
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ rng.randrange(1, 256)]) + content[place + 1 :]


def other_digit(content: bytes, rng: Random) -> bytes:
    """Change one digit; where there is none, one byte."""
    places = [place for place, byte in enumerate(content) if 48 <= byte < 58]
    if not places:
        return flip(content, rng)
    place = rng.choice(places)
    digit = rng.choice([digit for digit in range(48, 58) if digit != content[place]])
    return content[:place] + bytes([digit]) + content[place + 1 :]


def cut(content: bytes, rng: Random) -> bytes:
    """Lose the end."""
    return content[: rng.randrange(len(content))]


def cut_line(content: bytes, rng: Random) -> bytes:
    """Lose the last lines, whole."""
    ends = [place + 1 for place, byte in enumerate(content[:-1]) if byte == 10]
    return content[: rng.choice(ends)] if ends else cut(content, rng)


DAMAGES: list[Callable[[bytes, Random], bytes]] = [other_digit, flip, other_digit, cut, other_digit, cut_line]


def damage_often(reader: Reader, times: int, base: Path, place: Path, log: Path, seed: int) -> Found:
    """Damage files of a kind at seeded places, and run the command that reads them on each."""
    found = Found()
    with sandbox(base, place, reader.needs) as folder:
        before = snapshot(folder)
        running = Running(reader.words, folder, log)
        if running.wait():
            return Found(faults=[f'{" ".join(reader.words)} fails undamaged: {running.errors.strip()}'])
        printed, after = running.out, snapshot(folder)
    slow = reader.words[0] in ('train', 'test') and any('network' in word for word in reader.words)
    for number in range(-(-times // 3) if slow else times):
        rng = Random(f'{seed} {reader.file} {" ".join(reader.words)} {number}')
        with sandbox(base, place, reader.needs) as folder:
            files = [path for path in sorted(folder.glob(reader.file)) if path.is_file() and path.stat().st_size]
            path = rng.choice(files)
            name = path.relative_to(folder).as_posix()
            path.write_bytes(DAMAGES[number % len(DAMAGES)](before[name], rng))
            damaged = path.read_bytes()
            running = Running(reader.words, folder, log)
            code, now = running.wait(), snapshot(folder)
            running.left_alive()
        found.cases += 1
        case = f'{name}, {DAMAGES[number % len(DAMAGES)].__name__} {number}, {" ".join(reader.words)[:60]}'
        count(found, case, code, running, printed, after, now, name, damaged)
    return found


def count(
    found: Found,
    case: str,
    code: int,
    running: Running,
    printed: str,
    after: dict,
    now: dict,
    name: str,
    damaged: bytes,
) -> None:
    """Tell what a command made of a damaged file."""
    sentences = [line for line in running.errors.splitlines() if line.startswith('error: ')]
    if 'Traceback' in running.errors or (code and not sentences):
        found.traceback += 1
        found.faults.append(f'{case}: {running.errors.strip()[-300:]}')
    elif code:
        found.named += 1
    else:
        others = [
            path
            for path, content in after.items()
            if path != name
            and not ('/features/' in path and path not in now)  # kept for speed
            and not path.endswith(VOLATILE)
            and content != now.get(path)
            and not same_json(path, content, now)
        ]
        if others or (running.out != printed and 'prepare' not in case):  # which tells what it computes again
            found.silent += 1
            found.faults.append(f'{case}: silent: {", ".join(others) or "printed something else"}'[:400])
        elif now.get(name) == damaged:
            found.same += 1
        else:
            found.mended += 1


def same_json(path: str, content: bytes | None, now: dict) -> bool:
    """Whether two records differ in times alone, or in whether features were kept: they were trained anew."""
    if not path.endswith('.json') or content is None or now.get(path) is None:
        return False
    one, two = (dict(leaves(json.loads(text))) for text in (content, now[path]))
    changed = {key for key in one | two if one.get(key) != two.get(key)}
    return all('seconds' in key or key.endswith(CIRCUMSTANCES) for key in changed)
