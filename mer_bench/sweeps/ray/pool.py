"""Trainings as Ray tasks: their resources, files for nodes that do not see them, and lost tasks that run again."""

import os
import sys
import time
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mer_bench.errors import InputError
from mer_bench.experiment.precision import mixed_precision
from mer_bench.protocols.folds import Fold
from mer_bench.runs.run import BYTES_PER_JOB
from mer_bench.sweeps.ray.node import Places, RunJob, TaskResult, run_task

os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')  # no usage reports; Ray reads it at import
try:
    import ray
    from ray import exceptions
except ImportError as error:
    raise InputError("--engine ray: Ray is not installed; run `pip install 'mer_bench[ray]'`") from error

DEATHS = 3  # of the process of one task, after which the task fails
LOSSES = 20  # of the node of one task, likewise
GIB = 2**30


@dataclass(frozen=True)
class Resources:
    """What a task needs.

    Attributes:
        threads: CPU threads of a training; it takes as many cores.
        gpus: Share of a GPU, 0 on the CPU.
        memory: Bytes of main memory.
    """

    threads: int = 1
    gpus: float = 0.0
    memory: int = BYTES_PER_JOB

    @property
    def options(self) -> dict:
        """Options of Ray. RayPool repeats lost tasks: Ray would never stop repeating those that lack memory."""
        return dict(num_cpus=self.threads, num_gpus=self.gpus, memory=self.memory, max_retries=0)

    def fits(self, has: dict[str, float]) -> int:
        """Return how many tasks fit at a time on a node with these resources."""
        counts = [has.get('CPU', 0) // self.threads, has.get('memory', 0) // self.memory]
        if self.gpus:  # a task gets its share of one GPU
            counts.append(int(has.get('GPU', 0)) * int(1 / self.gpus))
        return int(min(counts))


def resources(threads: int, gpus: float, gib: float | None) -> Resources:
    """Return what a task needs; without `gib` the memory of the largest training, or of the largest node if less."""
    most = max((node['Resources'].get('memory', 0) for node in ray.nodes() if node['Alive']), default=0)
    memory = gib * GIB if gib else min(BYTES_PER_JOB, most or BYTES_PER_JOB)
    return Resources(threads, gpus, int(memory))


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Join the cluster at `address` (`auto`: the one of this machine), or start Ray on this machine alone.

    The tasks of this process end with the block, also after an error.

    Raises:
        InputError: There is no cluster at this address.
    """
    own = {} if address else dict(include_dashboard=False)
    try:
        ray.init(address=address or 'local', log_to_driver=False, logging_level='ERROR', **own)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(
            f'--address {address}: expected a Ray cluster, found none ({str(error).strip().splitlines()[0]}); start '
            'one with `ray start --head`, set RAY_AUTH_MODE=token if it has a token, or omit --address to use this '
            'machine alone'
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def has_gpus() -> bool:
    """Whether the cluster has a GPU now."""
    return ray.cluster_resources().get('GPU', 0) > 0


def slots(resources: Resources) -> int:
    """Return how many such tasks fit into the cluster at a time now."""
    return sum(resources.fits(node['Resources']) for node in ray.nodes() if node['Alive'])


@dataclass(frozen=True)
class Hardware:
    """The hardware of the nodes.

    Attributes:
        device: `cpu` or `cuda`.
        gpu: Name of the GPU, None on the CPU.
        mixed: See :func:`mer_bench.experiment.precision.mixed_precision`.
        gpu_share: Of a training, which limits its own memory: Ray divides a GPU, but not its memory.
    """

    device: str
    gpu: str | None
    mixed: str
    gpu_share: float = 1.0


def ask_hardware(device: str, resources: Resources) -> Hardware:
    """Ask the first node that can take a training; the other nodes should be of the same kind."""
    try:
        gpu, mixed = ray.get(look_at_hardware.options(**dict(resources.options, max_retries=LOSSES)).remote(device))
    except exceptions.RayError as error:
        raise InputError(f'a node cannot run trainings ({_last_line(error)}); {SAME_CODE}') from error
    return Hardware(device, gpu, mixed, resources.gpus or 1.0)


@ray.remote
def look_at_hardware(device: str) -> tuple[str | None, str]:
    """Return the name of this node's GPU, None for a CPU, and the best mixed precision."""
    return None if device == 'cpu' else torch.cuda.get_device_name(), mixed_precision(device)


@ray.remote
def run_on_node(job: RunJob, folds: list[Fold], shipped: dict | None) -> TaskResult:
    """Run a task; shipped files are fetched from Ray's object store only if needed."""
    return run_task(job, folds, shipped, ray.get)


SharedJob = tuple[object, Places]  # a RunJob: its reference in the object store, and the places of its files


class RayPool:
    """The tasks in the cluster, by keys of the caller.

    Args:
        resources: Of each task.
    """

    def __init__(self, resources: Resources) -> None:
        self.task = run_on_node.options(**resources.options)
        self.tasks: dict[Hashable, tuple[SharedJob, list[Fold]]] = {}
        self.running: dict[object, Hashable] = {}
        self.deaths, self.losses = Counter(), Counter()
        self.stored: dict[Path, object] = {}
        self.must_ship = False
        self.fault: InputError | None = None

    def share(self, job: RunJob) -> SharedJob:
        """Put what the tasks of a run share into the object store."""
        return ray.put(job), job.places

    def submit(self, key: Hashable, job: SharedJob, folds: list[Fold]) -> None:
        """Submit a task, which trains some folds of a run, to Ray."""
        self.tasks[key] = job, folds
        self._start(key)

    def cancel(self, keys: list[Hashable]) -> None:
        """Cancel waiting and running tasks."""
        for reference, key in [*self.running.items()]:
            if key in keys:
                ray.cancel(reference, force=True)
                del self.running[reference], self.tasks[key]

    def done(self, seconds: float) -> list[tuple[Hashable, TaskResult]]:
        """Wait at most some seconds until a task is done, and return the finished ones.

        Raises:
            InputError: A node cannot run tasks of this driver.
        """
        if self.fault:
            raise self.fault
        references = [*self.running]
        if not references:
            time.sleep(seconds)  # another sweep is using the remaining runs
            return []
        if not ray.wait(references, timeout=seconds)[0]:
            return []
        ready, _ = ray.wait(references, num_returns=len(references), timeout=0)
        results = []
        for reference in ready:
            key = self.running[reference]
            try:
                result = self._result(reference)
            except InputError as error:
                self.fault = error  # raised after the results that arrived with it are saved
                continue
            if result:
                results.append((key, result))
        return results

    def _start(self, key: Hashable) -> None:
        (reference, places), folds = self.tasks[key]
        shipped = {name: self._store(path) for name, path in places.files.items()} if self.must_ship else None
        self.running[self.task.remote(reference, folds, shipped)] = key

    def _store(self, path: Path) -> object:
        """Put a file into the object store once."""
        if path not in self.stored:
            self.stored[path] = ray.put(np.fromfile(path, np.uint8))
        return self.stored[path]

    def _result(self, reference: object) -> TaskResult | None:
        """Return the result of a task; None where it was submitted again."""
        key = self.running.pop(reference)
        try:
            result = ray.get(reference)
        except (exceptions.WorkerCrashedError, exceptions.OutOfMemoryError):
            self.deaths[key] += 1
            result = TaskResult(fault=DIED) if self.deaths[key] == DEATHS else None
        except (exceptions.NodeDiedError, exceptions.ObjectLostError, exceptions.LocalRayletDiedError):
            self.losses[key] += 1
            result = TaskResult(fault=LOST) if self.losses[key] == LOSSES else None
        except exceptions.RayError as error:
            raise InputError(f'a node cannot run trainings ({_last_line(error)}); {SAME_CODE}') from error
        if result and result.other_code:
            raise InputError(
                f'a node has a different version of mer_bench, or its code changed during the sweep; {SAME_CODE}'
            )
        if result and result.lacks_files:
            self.must_ship, result = True, None
        if result is None:
            self._start(key)
        else:
            del self.tasks[key]
        return result


SAME_CODE = 'install the same version of mer_bench and its dependencies on every node'
DIED = (
    f'the system killed the training process {DEATHS} times, usually because memory ran out; '
    'give each training more with --memory'
)
LOST = f'the nodes of this training were lost {LOSSES} times; check the cluster and run the same command again'


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]


def warn_if_nothing_fits(resources: Resources) -> None:
    """Print on stderr that no node can take a training now, and what it needs; the cluster may still grow."""
    if not slots(resources):
        gpu = f', {resources.gpus:g} GPU' if resources.gpus else ''
        needs = f'{resources.threads} CPU{gpu}, {resources.memory / GIB:.1f} GiB'
        print(f'no node of the cluster can take a training ({needs}); waiting for one', file=sys.stderr)
