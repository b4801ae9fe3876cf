"""Train and score many methods: every config x method x seed. Run the same command again to continue after a stop.

python tools/sweep.py --configs configs/mer_smic.py --overrides ablations/*.py --seeds 0 1 2 --dry-run
"""

import argparse
from pathlib import Path

from mer_bench.errors import run_tool
from mer_bench.training.arguments import positive, seed


def make_parser() -> argparse.ArgumentParser:
    """Make the parser; an option with several words may be given several times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    many = dict(nargs='+', action='extend', default=[])
    add = parser.add_argument
    add('--configs', metavar='FILE', required=True, help='configs or patterns of them', nargs='+', action='extend')
    add('--overrides', metavar='WORD', help='one method each: FILE, FILE+FILE, a pattern, or timm_NAME', **many)
    add('--grid', metavar='WORD', help='every subset of these is a method', **many)
    add('--with', dest='shared', metavar='FILE', help='merged onto every method, such as a reduced size', **many)
    add('--no-full', action='store_true', help='leave out the config without an override')
    add('--seeds', type=seed, metavar='N', help='default: 0', nargs='+', action='extend')
    add('--jobs', type=positive, metavar='N', help='folds at a time (default: one per core on the CPU, else 1)')
    add('--work-dir', type=Path, default=Path('work_dirs'), metavar='DIR', help='default: work_dirs')
    add('--data-root', metavar='DIR', help='of the prepared data of one config, or CONFIG=DIR', **many)
    add('--device', default='auto', help='auto (default), cpu, cuda or cuda:N')
    add('--threads', type=positive, default=1, metavar='N', help='CPU threads of a training (default: 1)')
    add('--dry-run', action='store_true', help='print the plan and stop')
    add('--only-failed', action='store_true', help='only the runs that failed before')
    return parser


def main(argv: list[str] | None = None) -> int:
    """Plan, print the plan, run what is missing, print what came of it."""
    args = make_parser().parse_args(argv)

    from rich.console import Console

    from mer_bench.training.device import set_device  # the stack takes seconds to import
    from mer_bench.training.fold_workers import default_jobs
    from mer_bench.training.sweep_estimate import TimeEstimate
    from mer_bench.training.sweep_plan import plan_runs
    from mer_bench.training.sweep_progress import SweepProgress
    from mer_bench.training.sweep_report import format_outcomes, format_plan
    from mer_bench.training.sweep_run import run_sweep
    from mer_bench.training.sweep_state import has_failed
    from mer_bench.training.sweep_words import expand_methods, expand_patterns, roots_by_config

    configs = expand_patterns(args.configs, '--configs')
    methods = expand_methods(args.overrides, args.grid, args.shared, not args.no_full)
    args.roots = roots_by_config(configs, args.data_root)
    jobs = args.jobs or default_jobs(set_device(args.device))
    with Console(stderr=True).status('planning') as status:
        runs, equal = plan_runs(configs, methods, args.seeds or [0], args.work_dir, args, status.update)
    if args.only_failed:
        runs = [run for run in runs if has_failed(run)]
        if not runs:
            print('no run of this sweep has failed')
            return 0
    estimate = TimeEstimate(args.work_dir, jobs)
    print(*equal, sep='\n', end='\n' * bool(equal))
    print(format_plan(runs, [estimate.seconds(run) for run in runs]), flush=True)
    if args.dry_run:
        return int(any(run.fault for run in runs))
    with SweepProgress(runs, estimate) as progress:
        outcomes = run_sweep(runs, jobs, args, progress)
    print('', format_outcomes(runs), sep='\n')
    return int(any(outcome.state == 'failed' for outcome in outcomes.values()))


if __name__ == '__main__':
    run_tool(main)
