"""Train and score many methods: every config x method x seed. Run the same command again to continue after a stop.

python tools/sweep.py --configs configs/mer_smic.py --overrides ablations/*.py --seeds 0 1 2 --dry-run
"""

import argparse
import json
from pathlib import Path

from mer_bench.cli.arguments import positive, positive_number, seed, share, stack
from mer_bench.errors import InputError


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
    add('--jobs', type=positive, metavar='N', help='folds at a time (default: one per core or GPU; with Ray all)')
    add('--stack', type=stack, default='auto', metavar='auto|N|off', help='as of tools/train.py (default: auto)')
    add('--work-dir', type=Path, default=Path('work_dirs'), metavar='DIR', help='default: work_dirs')
    add('--data-root', metavar='DIR', help='of the prepared data of one config, or CONFIG=DIR', **many)
    add('--device', default='auto', help='auto (default), cpu, cuda or cuda:N')
    add('--threads', type=positive, default=1, metavar='N', help='CPU threads of a training (default: 1)')
    add('--dry-run', action='store_true', help='print the plan and stop')
    add('--only-failed', action='store_true', help='only the runs that failed before')
    add_ray_arguments(parser.add_argument_group('on Ray, see docs/scaling.md'))
    add_estimate_arguments(parser.add_argument_group('what the whole sweep costs'))
    return parser


def add_ray_arguments(group) -> None:
    """Add what only `--engine ray` reads."""
    add = group.add_argument
    add('--engine', choices=['local', 'ray'], default='local', help='default: local, the processes of this machine')
    add('--address', metavar='ADDRESS', help='of a cluster, or auto (default: Ray on this machine alone)')
    add('--gpu-share', type=share, metavar='X', help='of a GPU and its memory for each training (default: 1)')
    add('--memory', type=positive_number, metavar='GIB', help='for each training (default: 5)')


def add_estimate_arguments(group) -> None:
    """Add what only `--estimate` reads."""
    add = group.add_argument
    add('--estimate', action='store_true', help='print hours and wall time of all trainings, from measured ones')
    add('--workers', type=positive, metavar='N', help='trainings at a time (default: --jobs)')
    add('--price', type=positive_number, metavar='P', help='of an hour of a core or GPU')
    add('--measured', type=Path, metavar='DIR', help='more runs or records, such as results', nargs='+', default=[])
    add('--json', action='store_true', help='print JSON; with --dry-run --estimate')


def main(argv: list[str] | None = None) -> int:
    """Plan, print the plan, run what is missing, print what came of it."""
    args = make_parser().parse_args(argv)
    refuse_options_without_use(args)

    from rich.console import Console

    from mer_bench.sweeps.engine import open_engine  # the stack takes seconds to import
    from mer_bench.sweeps.estimate import TimeEstimate
    from mer_bench.sweeps.plan import SweepOptions, plan_runs
    from mer_bench.sweeps.price import format_price, price_sweep, same_device
    from mer_bench.sweeps.progress import SweepProgress
    from mer_bench.sweeps.report import format_outcomes, format_plan
    from mer_bench.sweeps.status import has_failed
    from mer_bench.sweeps.words import expand_methods, expand_patterns, roots_by_config

    configs = expand_patterns(args.configs, '--configs')
    methods = expand_methods(args.overrides, args.grid, args.shared, not args.no_full)
    roots = roots_by_config(configs, args.data_root)
    with open_engine(args) as engine:
        options = SweepOptions(roots, engine.planning_device, args.threads, args.stack)
        with Console(stderr=True).status('planning') as status:
            runs, equal = plan_runs(configs, methods, args.seeds or [0], args.work_dir, options, status.update)
        if args.only_failed:
            runs = [run for run in runs if has_failed(run)]
            if not runs:
                print('no run of this sweep has failed')
                return 0
        fits = same_device(engine.unit, args.threads)
        estimate = TimeEstimate(args.work_dir, engine.jobs, engine.together, args.measured, fits)
        workers = args.workers or engine.jobs
        price = price_sweep(runs, estimate, workers, engine.unit, engine.share, args.price) if args.estimate else None
        if args.json:
            print(json.dumps(price.as_json(), indent=2))
            return int(any(run.fault for run in runs))
        print(*equal, sep='\n', end='\n' * bool(equal))
        print(format_plan(runs, [estimate.seconds(run) for run in runs]), flush=True)
        if price:
            print('', format_price(price), sep='\n', flush=True)
        if args.dry_run:
            return int(any(run.fault for run in runs))
        with SweepProgress(runs, estimate) as progress:
            outcomes = engine.run(runs, options, progress)
    print('', format_outcomes(runs), sep='\n')
    return int(any(outcome.state == 'failed' for outcome in outcomes.values()))


def refuse_options_without_use(args: argparse.Namespace) -> None:
    """Refuse what the chosen engine or report would not read."""
    ray_only = {'--address': args.address, '--gpu-share': args.gpu_share, '--memory': args.memory}
    unused = [option for option, value in ray_only.items() if value is not None]
    if args.engine == 'local' and unused:
        raise InputError(f'{unused[0]} is of --engine ray; add --engine ray or leave {unused[0]} out')
    if args.json and not (args.dry_run and args.estimate):
        raise InputError('--json is of --dry-run --estimate; add both or leave --json out')
    if (args.workers or args.price or args.measured) and not args.estimate:
        raise InputError('--workers, --price and --measured are of --estimate; add --estimate or leave them out')
