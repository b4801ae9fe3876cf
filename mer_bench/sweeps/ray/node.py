"""What a node of a cluster does for a sweep: it gets the data, trains some folds and returns their files."""

import copy
import getpass
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from filelock import FileLock

from mer_bench.errors import InputError
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.method import weights_places
from mer_bench.experiment.precision import PrecisionCheck, source_digest
from mer_bench.experiment.provenance import describe_pretrained
from mer_bench.files import digest_of
from mer_bench.preparation.store.flow_store import PARTS
from mer_bench.protocols.folds import Fold
from mer_bench.protocols.label_schemes import EXCLUDED_CLIPS
from mer_bench.runs.model import check_at_place
from mer_bench.runs.run import RunSettings, run_at_place
from mer_bench.runs.selection import no_bar, train_chosen
from mer_bench.sweeps.plan import in_one_line
from mer_bench.training.fold_folder import finished_folders
from mer_bench.training.sklearn.estimator_fold import describe_clips
from mer_bench.training.stacking.strategy import StackChoice

Content = TypeVar('Content')
Files = dict[str, dict[str, bytes]]  # name and content of the files of every fold


@dataclass(frozen=True)
class Places:
    """Where the files of a run are: prepared data, a custom label scheme, pretrained weights (None: there is none)."""

    roots: tuple[str, ...]
    scheme: str | None
    weights: str | None

    @property
    def files(self) -> dict[str, Path]:
        """All files by the names that :meth:`within` gives them."""
        files = {}
        for number, root in enumerate(self.roots):
            parts = ('annotations.csv', *(f'store/{part}' for part in PARTS))
            files |= {f'data{number}/{part}': Path(root, part) for part in parts}
        if self.scheme:
            excluded = Path(self.scheme).with_name(EXCLUDED_CLIPS)
            files |= {f'scheme/{path.name}': path for path in (Path(self.scheme), excluded) if path.is_file()}
        if self.weights:
            files[f'weights/{Path(self.weights).name}'] = Path(self.weights)
        return files

    def within(self, folder: Path) -> 'Places':
        """Return the places of the same files in one folder."""
        return Places(
            roots=tuple(str(folder / f'data{number}') for number in range(len(self.roots))),
            scheme=self.scheme and str(folder / 'scheme' / Path(self.scheme).name),
            weights=self.weights and str(folder / 'weights' / Path(self.weights).name),
        )


@dataclass(frozen=True)
class RunJob:
    """What all tasks of a run share.

    Attributes:
        experiment: With the hardware of the tasks, and its files in `places`.
        places: Those of the driver, absolute.
        seed: Of the run.
        choice: How folds are trained; None before the precision is known.
        pretrained: Name and digest of the weights that the run starts from.
        code: :func:`source_digest` of the driver.
        audit_epochs: Whether the epochs are audited.
    """

    experiment: Experiment
    places: Places
    seed: int
    choice: StackChoice | None
    pretrained: dict | None
    code: str
    audit_epochs: bool = False


@dataclass(frozen=True)
class TaskResult:
    """The result of a task.

    Attributes:
        files: Of the finished folds, by the names of their folders.
        fault: Why the other folds could not be trained, if so.
        lacks_files: The node does not see the data; they must be shipped.
        other_code: The node has another mer_bench than the driver.
        check: Of the precision, by a task without folds.
    """

    files: Files = field(default_factory=dict)
    fault: str | None = None
    lacks_files: bool = False
    other_code: bool = False
    check: PrecisionCheck | None = None


def places_of(experiment: Experiment) -> Places:
    """Return the places of an experiment as absolute paths, because a node has another working directory."""
    scheme, cfg = experiment.method.scheme, experiment.method.cfg
    weights = next((holder[key] for holder, key in weights_places(cfg)), None) if describe_pretrained(cfg) else None
    return Places(
        roots=tuple(str(Path(root).absolute()) for root in experiment.data.roots),
        scheme=None if scheme.built_in else str(scheme.path.absolute()),
        weights=weights and str(Path(weights).absolute()),
    )


def relocate(experiment: Experiment, places: Places) -> Experiment:
    """Return the experiment, and its candidates, on the same files in other places."""
    pairs = zip(experiment.data.roots, places.roots, strict=True)
    stores = {str(Path(old, 'store')): str(Path(new, 'store')) for old, new in pairs}
    annotations = experiment.data.annotations
    annotations = annotations.assign(store=annotations['store'].map(stores))  # one table, which all share

    def move(one: Experiment) -> Experiment:
        cfg = copy.deepcopy(one.method.cfg)
        if places.scheme:
            cfg.label_scheme = places.scheme
        if places.weights:
            ((holder, key),) = weights_places(cfg)
            holder[key] = places.weights
        data = replace(one.data, roots=places.roots, annotations=annotations)
        return replace(one, data=data, method=replace(one.method, cfg=cfg))

    return experiment.with_each(move)


def run_task(
    job: RunJob, folds: list[Fold], shipped: Mapping[str, Content] | None, fetch: Callable[[Content], np.ndarray]
) -> TaskResult:
    """Train some folds of a run on this node.

    Args:
        job: Of the run.
        folds: A group of folds, see `plan_groups`. Without any, the precision of the run is checked, for which no
            file is needed.
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
    if not sees_files(experiment, job.pretrained):
        if shipped is None:
            return TaskResult(lacks_files=True)
        identity = [experiment.data.digests, experiment.method.scheme.digest, job.pretrained]
        experiment = relocate(experiment, job.places.within(stage_files(shipped, identity, fetch)))
    with tempfile.TemporaryDirectory(prefix='mer_bench_') as folder:
        work_dir, fault = Path(folder), None
        try:
            settings = RunSettings(job.seed, work_dir, stack=job.choice.asked, audit_epochs=job.audit_epochs)
            if experiment.candidates:
                train_chosen(experiment, [folds], replace(settings, show=no_bar), job.choice, '')
            else:
                if experiment.method.is_estimator:
                    describe_clips(experiment, job.seed, work_dir, jobs=1, quiet=True, shared=settings.stack != 'off')
                run_at_place(experiment, folds, settings, job.choice, 0)
        except Exception as error:  # a method can fail in any way
            fault = in_one_line(error)
        finished = [*finished_folders(work_dir, folds).values()]  # small files
        return TaskResult(
            {path.name: {file.name: file.read_bytes() for file in path.iterdir()} for path in finished}, fault
        )


def sees_files(experiment: Experiment, pretrained: dict | None) -> bool:
    """Whether this node has the very files of an experiment in their places.

    Args:
        pretrained: Name and digest of the weights that are expected.
    """
    try:
        experiment.check_unchanged()
    except InputError:
        return False
    return describe_pretrained(experiment.method.cfg) == pretrained


def stage_files(shipped: Mapping[str, Content], identity: object, fetch: Callable[[Content], np.ndarray]) -> Path:
    """Write shipped files into a folder of this node, once for all tasks and sweeps, and return the folder.

    Args:
        shipped: A content by file name.
        identity: Distinguishes these files from others.
        fetch: Turns a content into bytes (uint8).
    """
    base = Path(tempfile.gettempdir(), f'mer_bench_{getpass.getuser()}')
    base.mkdir(mode=0o700, exist_ok=True)
    folder = base / digest_of([sorted(shipped), identity])[:16]
    with FileLock(f'{folder}.lock'):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=base) as scratch:
                whole = Path(scratch, 'whole')
                for name, content in shipped.items():
                    path = whole / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(fetch(content))  # tofile can lose the last bytes on a full disk
                whole.rename(folder)
    return folder
