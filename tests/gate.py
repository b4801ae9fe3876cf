"""A training that waits at a known point until a test has disturbed it: tests wait for events, never for a time."""

import os
from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mer_bench.files import write_atomically
from tests.conftest import TINY
from tests.events import wait_for

GATED = """
custom_hooks = [dict(type='GateHook', gate={gate!r}, folds={folds!r})]
custom_imports = dict(imports=['mer_bench.registry', 'tests.gate'])
"""


@HOOKS.register_module()
class GateHook(Hook):
    """Waits after the first epoch, whose checkpoint is written, until the gate is open.

    Args:
        gate: Folder; the file `open` in it lets every training pass, and a file named after its fold holds the id of
            each process that waits.
        folds: Folders of the folds that wait.
    """

    def __init__(self, gate: str, folds: list[str]) -> None:
        self.gate, self.folds = Path(gate), folds

    def before_train_epoch(self, runner: Runner) -> None:
        """Wait before the second epoch."""
        fold = Path(runner.work_dir).name.removeprefix('.')
        if fold in self.folds and runner.epoch == 1:
            with write_atomically(self.gate / fold) as path:
                path.write_text(str(os.getpid()))
            wait_for((self.gate / 'open').exists)


class Gate:
    """The folder of a gate, and an override of the small training that waits there."""

    def __init__(self, folder: Path, *folds: str) -> None:
        self.folder, self.override = folder / 'gate', folder / 'tiny.py'
        self.folder.mkdir(parents=True)
        self.override.write_text(TINY + GATED.format(gate=str(self.folder), folds=list(folds)))

    def waiting(self) -> dict[str, int]:
        """The process id of each fold that waits, or waited."""
        return {path.name: int(path.read_text()) for path in self.folder.glob('smic_*')}

    def forget(self) -> None:
        """Forget those that waited."""
        for path in self.folder.glob('smic_*'):
            path.unlink()

    def open(self) -> None:
        """Let every training pass, now and later."""
        (self.folder / 'open').touch()
