"""Run tools/sweep.py on the nodes of a Slurm job: a cluster of Ray that lives as long as the job.

python tools/slurm_sweep.py --nodes 4 --cpus 32 --hours 12 -- --configs configs/mer_smic.py --overrides ablations/*.py
"""

import argparse
from pathlib import Path

from mer_bench.errors import InputError, run_tool
from mer_bench.training.arguments import positive, positive_number


def make_parser() -> argparse.ArgumentParser:
    """Make the parser; what stands after -- is for tools/sweep.py."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--nodes', type=positive, default=1, metavar='N', help='default: 1')
    add('--cpus', type=positive, required=True, metavar='N', help='of each node')
    add('--gpus', type=int, default=0, metavar='N', help='of each node (default: 0)')
    add('--memory', type=positive_number, metavar='GIB', help='of each node (default: that of the partition)')
    add('--hours', type=positive_number, default=24, metavar='H', help='default: 24; then it is queued again')
    add('--partition', metavar='NAME', help='default: that of the cluster')
    add('--account', metavar='NAME')
    add('--logs', type=Path, default=Path('slurm_logs'), metavar='DIR', help='default: slurm_logs')
    add('--here', action='store_true', help='as processes of this machine, to try a command without Slurm')
    add('sweep', nargs='+', metavar='ARGUMENT', help='of tools/sweep.py, after --')
    return parser


def main(argv: list[str] | None = None) -> int:
    """Put the job into the queue and print its number; with --here run it."""
    args = make_parser().parse_args(argv)

    from mer_bench.training.slurm_node import SweepNode

    try:
        import submitit
    except ImportError as error:
        raise InputError("submitit is not installed; run `pip install 'mer_bench[ray]'`") from error

    executor = submitit.AutoExecutor(folder=args.logs, cluster='local' if args.here else 'slurm')
    executor.update_parameters(**job_parameters(args))
    job = executor.submit(SweepNode(tuple(args.sweep), args.cpus, args.gpus, str(Path.cwd())))
    print(f'job {job.job_id}; what it prints is in {job.paths.stdout} and {job.paths.stderr}')
    return job.results()[0] if args.here else 0


def job_parameters(args: argparse.Namespace) -> dict:
    """Return what submitit is to ask Slurm for: one process a node; --here as many processes as nodes."""
    parameters = dict(
        name='mer_bench',
        nodes=1 if args.here else args.nodes,
        tasks_per_node=args.nodes if args.here else 1,
        cpus_per_task=args.cpus,
        gpus_per_node=args.gpus,
        timeout_min=round(args.hours * 60),
        slurm_partition=args.partition,
        slurm_account=args.account,
    )
    if args.memory:
        parameters['mem_gb'] = args.memory
    return {name: value for name, value in parameters.items() if value is not None}


if __name__ == '__main__':
    run_tool(main)
