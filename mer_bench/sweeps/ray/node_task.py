"""What a node of a cluster does for a sweep: it trains some folds in a temporary folder and returns their files."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

import mer_bench
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.precision import PrecisionCheck
from mer_bench.files import digest_of
from mer_bench.protocols.folds import Fold
from mer_bench.runs.precision_check import check_at_place
from mer_bench.sweeps.plan import in_one_line
from mer_bench.sweeps.ray.node_files import Content, Places, is_seen, moved, put_down
from mer_bench.training.fold import finished_folder
from mer_bench.training.sklearn.estimator_fold import describe_clips
from mer_bench.training.stacking.group import run_group
from mer_bench.training.stacking.strategy import StackChoice

Files = dict[str, dict[str, bytes]]  # of every fold: name and content


@dataclass(frozen=True)
class RunJob:
    """What all tasks of a run share.

    Attributes:
        experiment: With the hardware of the tasks, and its files in `places`.
        places: Those of the driver, absolute.
        seed: Of the run.
        choice: How they are trained; None before the precision is known.
        pretrained: Name and digest of the weights that the run starts from.
        code: Digest of the mer_bench of the driver.
        gpu_share: Share of the memory of a GPU that the task may use.
    """

    experiment: Experiment
    places: Places
    seed: int
    choice: StackChoice | None
    pretrained: dict | None
    code: str


@dataclass(frozen=True)
class TaskResult:
    """What came of a task.

    Attributes:
        files: Of the finished folds, by the names of their folders.
        fault: Why the others could not be trained, if so.
        lacks_files: The node does not see the data; they have to be shipped.
        other_code: The node has another mer_bench than the driver.
        check: Of the precision, by a task without folds.
    """

    files: Files = field(default_factory=dict)
    fault: str | None = None
    lacks_files: bool = False
    other_code: bool = False
    check: PrecisionCheck | None = None


def run_task(
    job: RunJob, folds: list[Fold], shipped: Mapping[str, Content] | None, fetch: Callable[[Content], np.ndarray]
) -> TaskResult:
    """Train some folds of a run on this node.

    Args:
        job: Of the run.
        folds: A group of them, see `plan_groups`; none: the precision of the run is checked, for which no file is
            needed.
        shipped: The files of the run, for a node that does not see them.
        fetch: Turns one of them into bytes.
    """
    if job.code != source_digest():
        return TaskResult(other_code=True)
    experiment = job.experiment
    if not folds:
        try:
            return TaskResult(check=check_at_place(experiment, 0))
        except Exception as error:  # as below
            return TaskResult(fault=in_one_line(error))
    if not is_seen(experiment, job.pretrained):
        if shipped is None:
            return TaskResult(lacks_files=True)
        identity = [experiment.data.digests, experiment.method.scheme.digest, job.pretrained]
        experiment = moved(experiment, job.places.within(put_down(shipped, identity, fetch)))
    with tempfile.TemporaryDirectory(prefix='mer_bench_') as folder:
        fault = None
        try:
            train(experiment, job, folds, Path(folder))
        except Exception as error:  # a method may fail in any way
            fault = in_one_line(error)
        return TaskResult(read_files(Path(folder), folds), fault)


def train(experiment: Experiment, job: RunJob, folds: list[Fold], folder: Path) -> None:
    """Train folds in a run folder of their own."""
    if experiment.method.is_estimator:
        describe_clips(experiment, job.seed, folder, jobs=1, quiet=True, shared=job.choice.asked != 'off')
    run_group(experiment, folds, job.seed, folder, False, job.choice)


def read_files(work_dir: Path, folds: list[Fold]) -> Files:
    """Read the files of the finished folds; without checkpoints they are small."""
    finished = [folder for fold in folds if (folder := finished_folder(work_dir, fold)).exists()]
    return {folder.name: {path.name: path.read_bytes() for path in folder.iterdir()} for folder in finished}


@cache
def source_digest() -> str:
    """Digest of the code of mer_bench: nodes with another one may compute other numbers."""
    root = Path(mer_bench.__file__).parent
    return digest_of(
        [
            [str(path.relative_to(root)), path.read_text(encoding='utf-8')]
            for path in sorted(root.rglob('*'))
            if path.suffix in ('.py', '.cpp', '.h', '.csv')
        ]
    )
