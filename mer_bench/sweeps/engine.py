"""Where the trainings of a sweep run: in processes of this machine, or in a cluster of Ray."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mer_bench.errors import InputError
from mer_bench.runs.worker_pool import default_jobs
from mer_bench.sweeps.local import Outcome, run_sweep
from mer_bench.sweeps.plan import PlannedRun, SweepOptions
from mer_bench.sweeps.progress import SweepProgress
from mer_bench.training.device import set_device

Run = Callable[[Sequence[PlannedRun], SweepOptions, SweepProgress], dict[PlannedRun, Outcome]]


@dataclass(frozen=True)
class Engine:
    """An engine that is ready.

    Attributes:
        planning_device: Of the process that opens methods; with Ray it needs no GPU.
        device: Of the trainings.
        jobs: Trainings at a time.
        share: Cores, or the share of a GPU, of a training.
        together: The folds of all runs are in one queue.
        run: Does the runs of a sweep.
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
def open_engine(args: argparse.Namespace) -> Iterator[Engine]:
    """Start the engine that the command line asks for, and end it; a dry run starts nothing.

    Raises:
        InputError: There is no such device, no Ray or no cluster.
    """
    if args.engine == 'local':
        yield local_engine(args)
    elif args.dry_run:
        yield planned_engine(args)
    else:
        with ray_engine(args) as engine:
            yield engine


def local_engine(args: argparse.Namespace) -> Engine:
    """The processes of this machine, run after run."""
    device = set_device(args.device)
    jobs = args.jobs or default_jobs(device)

    def run(runs: Sequence[PlannedRun], options: SweepOptions, progress: SweepProgress) -> dict:
        return run_sweep(runs, jobs, options, progress)

    return Engine(args.device, device, jobs, args.threads if device == 'cpu' else 1, False, run)


def planned_engine(args: argparse.Namespace) -> Engine:
    """A cluster that is not asked: only what the command line says of it is known."""
    device = device_word(args.device)
    if device == 'auto' and args.estimate:
        raise InputError(
            '--estimate --engine ray: say --device cpu or --device cuda, because a dry run asks no cluster'
        )
    share = args.threads if device != 'cuda' else args.gpu_share or 1.0
    return Engine('cpu', 'cpu' if device == 'auto' else device, args.jobs or args.workers or 1, share, True, run_sweep)


@contextmanager
def ray_engine(args: argparse.Namespace) -> Iterator[Engine]:
    """Join a cluster of Ray, or start one on this machine, and leave it."""
    word = device_word(args.device)
    from mer_bench.sweeps.ray import pool as ray_pool  # an extra
    from mer_bench.sweeps.ray.driver import RayOptions, run_sweep_on_ray

    with ray_pool.connected(args.address):
        device = word if word != 'auto' else 'cuda' if ray_pool.has_gpus() else 'cpu'
        share = args.gpu_share or 1.0
        resources = ray_pool.resources(args.threads, share if device == 'cuda' else 0.0, args.memory)
        ray_pool.warn_if_nothing_fits(resources)
        ray_options = RayOptions(ray_pool.ask_hardware(device, resources), args.stack, args.jobs)

        def run(runs: Sequence[PlannedRun], options: SweepOptions, progress: SweepProgress) -> dict:
            return run_sweep_on_ray(runs, options, progress, ray_pool.RayPool(resources), ray_options)

        slots = max(1, ray_pool.slots(resources))
        jobs = min(args.jobs or slots, slots)
        yield Engine('cpu', device, jobs, share if device == 'cuda' else args.threads, True, run)


def device_word(word: str) -> str:
    """Check `--device` for Ray, which deals the GPUs out itself."""
    if word not in ('auto', 'cpu', 'cuda'):
        raise InputError(f'--device {word} --engine ray: auto, cpu or cuda was expected; Ray chooses the GPU')
    return word
