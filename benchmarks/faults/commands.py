"""The commands that are disturbed, on drawn faces, and what each leaves behind."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import split

from benchmarks.faults.process import Running

TRAIN = split('train mer_smic --data-root data --device cpu --jobs 1')
LINEAR = split('--override linear_svm')
GRID = split('--override candidates.py')
NETWORK = split('--override ststnet --cfg-options train_cfg.max_epochs=2')
INNER = split('--select inner --inner-folds 2 --audit-candidates')
DRAW = split('prepare synthetic --like smic --clips 3')
PREPARE, SMALL = split('prepare smic --raw raw --out'), split('--clip-len 2 --size 32 --flow dis --workers 1')
SWEEP = split('sweep --configs mer_smic --no-full --data-root data --device cpu --jobs 1')
FEW = split('--work-dir sweep --overrides linear_svm majority class_prior')
CANDIDATES = """
model = dict(_delete_=True, type='Pipeline', steps=[
    dict(type='StandardScaler'), dict(type='LogisticRegression', C=1.0)])
candidates = [{'model.steps.1.C': 0.1}, {'model.steps.1.C': 10.0}]
"""


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: In tables.
        words: After `mer-bench`, for a folder that has what `needs` names.
        needs: Folders of :func:`make_base`.
        kills: How often it is killed, of 200.
        says: Whether its result is what it prints.
    """

    name: str
    words: list[str]
    needs: tuple[str, ...]
    kills: int
    says: bool = False


PREPARE_DATA = [*PREPARE, 'data', *SMALL]
LINEAR_RUN = [*TRAIN, *LINEAR, '--work-dir', 'runs/linear']
INNER_RUN = [*TRAIN, *GRID, '--work-dir', 'runs/inner', *INNER]
NETWORK_RUN = [*TRAIN, *NETWORK, '--work-dir', 'runs/network', '--stack', 'off', '--audit-epochs', '--save-checkpoints']
RUN = [*TRAIN, '--work-dir', 'run']
ALONE = [*RUN, *NETWORK, '--stack', 'off']
COMMANDS = [
    Command('prepare synthetic', [*DRAW, '--out', 'drawn', '--subjects', '2'], (), 14),
    Command('prepare', [*PREPARE, 'out', *SMALL], ('raw',), 24),
    Command('train, linear', [*RUN, *LINEAR], ('data',), 28),
    Command('train, linear, --select inner', [*RUN, *GRID, *INNER], ('data', 'candidates.py'), 16),
    Command('train, network', [*ALONE, '--save-checkpoints'], ('data',), 14),
    Command('train, stack', [*RUN, *NETWORK, '--stack', '2'], ('data',), 14),
    Command('train, network, --audit-epochs', [*ALONE, '--audit-epochs'], ('data',), 10),
    Command('train, network, --jobs 2', [*ALONE, '--jobs', '2'], ('data',), 8),
    Command('sweep', [*SWEEP, *FEW], ('data',), 16),
    Command('sweep on Ray', [*SWEEP, *FEW, '--engine', 'ray'], ('data',), 8),
    Command('leaderboard', split('leaderboard runs --out-dir boards'), ('runs',), 18),
    Command('leaderboard --collect', split('leaderboard --collect runs --into results'), ('runs',), 12),
    Command(
        'reproduce',
        split('reproduce runs/linear --folds all --data-root data --work-dir again'),
        ('runs', 'data'),
        10,
        says=True,
    ),
    Command(
        'audit', ['audit', *TRAIN[1:], *LINEAR, '--epochs', '1', '--run', 'runs/linear'], ('runs', 'data'), 8, says=True
    ),
]


def finished(words: list[str], folder: Path, log: Path, code: int = 0) -> Running:
    """Run a command to its end, without any disturbance."""
    running = Running(words, folder, log)
    if (ended := running.wait()) != code:
        raise RuntimeError(f'mer-bench {" ".join(words)} ended with {ended}:\n{running.errors}')
    return running


def make_base(base: Path, log: Path, networks: bool = True) -> None:
    """Write what commands start from: raw, data, runs, results, boards, candidates.py.

    Args:
        networks: Whether also an audited network is trained.
    """
    base.mkdir(parents=True)
    (base / 'tmp').mkdir()
    (base / 'candidates.py').write_text(CANDIDATES)
    steps = [[*DRAW, '--out', 'raw', '--subjects', '3'], PREPARE_DATA, LINEAR_RUN, INNER_RUN]
    for words in [*steps, *[NETWORK_RUN] * networks]:
        finished(words, base, log)
    (base / 'broken.py').write_text(CANDIDATES.replace('C=1.0', 'C=-1.0').partition('candidates')[0])
    words = [*SWEEP, '--work-dir', 'runs/sweep', '--overrides', 'broken.py']
    finished(words, base, log, code=1)


@contextmanager
def sandbox(base: Path, folder: Path, needs: tuple[str, ...]) -> Iterator[Path]:
    """Give a folder what a command needs, and remove all of it in the end."""
    (folder / 'tmp').mkdir(parents=True, exist_ok=True)
    for name in needs:
        if name == 'raw':  # is only read
            os.symlink(base / name, folder / name)
        elif (base / name).is_dir():
            shutil.copytree(base / name, folder / name)
        else:
            shutil.copy2(base / name, folder / name)
    try:
        yield folder
    finally:
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
