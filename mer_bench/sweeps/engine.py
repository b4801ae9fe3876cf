"""Where the trainings of a sweep run: in processes of this machine, or on a Ray cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from numbers import Real

from mer_bench.errors import InputError
from mer_bench.experiment.experiment import refuse_count
from mer_bench.experiment.precision import choose_device, refuse_device
from mer_bench.runs.run import default_jobs
from mer_bench.sweeps.local import Outcome, run_sweep
from mer_bench.sweeps.plan import PlannedRun, SweepOptions
from mer_bench.sweeps.progress import SweepProgress

Run = Callable[[Sequence[PlannedRun], SweepOptions, SweepProgress], dict[PlannedRun, Outcome]]


@dataclass(frozen=True)
class EngineOptions:
    """Where and how the trainings of a sweep run.

    Attributes:
        engine: `local`, or `ray`.
        device: auto, cpu, cuda or cuda:N; Ray chooses the GPU itself.
        jobs: Trainings at a time; None: one per core or GPU, on Ray all.
        threads: CPU threads of a training.
        address: Of a Ray cluster, or `auto`; None: Ray on this machine alone.
        gpu_share: Share of a GPU and its memory for each training; None: a whole GPU.
        memory: GiB for each training; None: 5, or what the largest node has.
    """

    engine: str = 'local'
    device: str = 'auto'
    jobs: int | None = None
    threads: int = 1
    address: str | None = None
    gpu_share: float | None = None
    memory: float | None = None

    def __post_init__(self) -> None:
        if self.engine not in ('local', 'ray'):
            raise InputError(f'--engine: expected local or ray, got {self.engine!r}; choose one of them')
        refuse_device(self.device)
        refuse_count('threads', self.threads)
        for name, most in (('gpu_share', 1), ('memory', inf)):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, Real) and 0 < value <= most and value < inf):
                raise InputError(
                    f'{name}: expected a number above 0{", at most 1" * (most == 1)}, got {value!r}; fix it'
                )
        ray_only = {'--address': self.address, '--gpu-share': self.gpu_share, '--memory': self.memory}
        unused = [option for option, value in ray_only.items() if value is not None]
        if self.engine == 'local' and unused:
            raise InputError(f'{unused[0]} applies to --engine ray only; add --engine ray or omit {unused[0]}')
        if self.engine == 'ray' and self.device not in ('auto', 'cpu', 'cuda'):
            raise InputError(
                f'--device {self.device} --engine ray: expected auto, cpu or cuda, because Ray chooses the GPU'
            )


@dataclass(frozen=True)
class Engine:
    """An engine that is ready.

    Attributes:
        planning_device: Of the process that opens methods; with Ray it needs no GPU.
        device: Of the trainings.
        jobs: Trainings at a time.
        share: Cores, or the share of a GPU, of a training.
        together: Whether the folds of all runs share one queue.
        run: Trains the runs of a sweep.
    """

    planning_device: str
    device: str
    jobs: int
    share: float
    together: bool
    run: Run

    @property
    def unit(self) -> str:
        """`core` or `GPU`: whose hours a training takes."""
        return 'core' if self.device == 'cpu' else 'GPU'


@contextmanager
def open_engine(options: EngineOptions, dry_run: bool = False) -> Iterator[Engine]:
    """Start an engine, and stop it when the block ends; a dry run connects to no cluster and knows only `options`.

    Raises:
        InputError: There is no such device, no Ray or no cluster.
    """
    if options.engine == 'local':
        yield local_engine(options)
    elif dry_run:
        device, share = options.device, options.threads
        if device == 'cuda':
            share = options.gpu_share or 1.0
        yield Engine('cpu', 'cpu' if device == 'auto' else device, options.jobs or 1, share, True, run_sweep)
    else:
        with ray_engine(options) as engine:
            yield engine


def local_engine(options: EngineOptions) -> Engine:
    """Return the engine of this machine, which trains one run after another."""
    device = choose_device(options.device)
    jobs = options.jobs or default_jobs(device)

    def run(runs: Sequence[PlannedRun], shared: SweepOptions, progress: SweepProgress) -> dict:
        return run_sweep(runs, jobs, shared, progress)

    return Engine(device, device, jobs, options.threads if device == 'cpu' else 1, False, run)


@contextmanager
def ray_engine(options: EngineOptions) -> Iterator[Engine]:
    """Join a Ray cluster, or start Ray on this machine, and leave it when the block ends."""
    from mer_bench.sweeps.ray import pool as ray_pool  # an extra
    from mer_bench.sweeps.ray.driver import RaySweep

    if options.address is None:
        choose_device(options.device)  # a cluster may get a GPU later, this machine will not
    with ray_pool.connected(options.address):
        device = options.device
        if device == 'auto':
            device = 'cuda' if ray_pool.has_gpus() else 'cpu'
        share = options.gpu_share or 1.0
        resources = ray_pool.resources(options.threads, share if device == 'cuda' else 0.0, options.memory)
        ray_pool.warn_if_nothing_fits(resources)
        hardware = ray_pool.ask_hardware(device, resources)

        def run(runs: Sequence[PlannedRun], shared: SweepOptions, progress: SweepProgress) -> dict:
            return RaySweep(runs, shared, progress, ray_pool.RayPool(resources), hardware, options.jobs).run()

        slots = max(1, ray_pool.slots(resources))
        jobs = min(options.jobs or slots, slots)
        yield Engine('cpu', device, jobs, share if device == 'cuda' else options.threads, True, run)
