"""Train and score many methods: every config x method x seed. Run the same command again to continue.

python tools/sweep.py --configs configs/mer_smic.py --overrides ablations/*.py --seeds 0 1 2 --dry-run
python tools/sweep.py --configs configs/mer_smic.py --overrides ststnet majority --no-full --dry-run --json
"""

from pathlib import Path

from mer_bench.cli.arguments import Parser, add_json, number_or_word, report


def make_parser() -> Parser:
    """Make the parser; its destinations are the arguments of :func:`mer_bench.sweeps.run.sweep`, beside `json`."""
    parser = Parser(description=__doc__)
    many = dict(nargs='+', action='extend', default=[])
    add = parser.add_argument
    add('--configs', metavar='FILE', required=True, help='configs, or patterns of them', nargs='+', action='extend')
    add('--overrides', metavar='WORD', help='one method each: FILE, FILE+FILE, a pattern, or timm_NAME', **many)
    add('--grid', metavar='WORD', help='each subset of these is a method', **many)
    add('--with', dest='shared', metavar='FILE', help='merged onto every method, such as a reduced size', **many)
    add('--no-full', action='store_true', help='leave out the config without overrides')
    add('--seeds', type=int, metavar='N', help='default: 0', nargs='+', action='extend', default=[])
    add('--jobs', type=int, metavar='N', help='folds at a time (default: one per core or GPU; on Ray all)')
    text = 'as for tools/train.py (default: auto)'
    add('--stack', type=number_or_word, default='auto', metavar='auto|N|off', help=text)
    text = 'as for tools/train.py; methods of scikit-learn have no epochs and ignore it'
    add('--audit-epochs', action='store_true', help=text)
    text = (
        'inner: as for tools/train.py, for networks and for methods that list candidates; others have nothing to choose'
    )
    add('--select', metavar='inner', help=text)
    add('--inner-folds', type=int, default=5, metavar='N', help='as for tools/train.py (default: 5)')
    text = 'as for tools/train.py, for networks'
    add('--track', metavar='TOOL', help=text)
    add('--work-dir', type=Path, default=Path('work_dirs'), metavar='DIR', help='default: work_dirs')
    add('--data-root', dest='data_roots', metavar='DIR', help='prepared data of the only config, or CONFIG=DIR', **many)
    add('--device', default='auto', help='auto (default), cpu, cuda or cuda:N')
    add('--threads', type=int, default=1, metavar='N', help='CPU threads per training (default: 1)')
    add('--dry-run', action='store_true', help='print the plan and stop')
    add('--only-failed', action='store_true', help='retry only the runs that failed before')
    add = parser.add_argument_group('on Ray, see docs/scaling.md').add_argument
    add('--engine', choices=['local', 'ray'], default='local', help='default: local, processes on this machine')
    add('--address', metavar='ADDRESS', help='of the cluster, or auto (default: Ray on this machine only)')
    add('--gpu-share', type=float, metavar='X', help='share of a GPU and its memory per training (default: 1)')
    add('--memory', type=float, metavar='GIB', help='memory per training (default: 5)')
    add = parser.add_argument_group('the cost of the whole sweep').add_argument
    add('--estimate', action='store_true', help='estimate hours and wall time of all trainings from measured ones')
    add('--workers', type=int, metavar='N', help='trainings at a time (default: --jobs)')
    add('--measured', type=Path, metavar='DIR', help='more runs or records, such as results', nargs='+', default=[])
    add = parser.add_argument_group('the time of methods that were never trained').add_argument
    text = 'before the plan, time a few steps of each method without finished folds, for so many seconds (default: 3)'
    add('--measure', type=float, nargs='?', const=3.0, metavar='SECONDS', help=text)
    add_json(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run a sweep; return 1 if a method cannot be opened or, after a sweep that is no dry run, if a run failed."""
    options = vars(make_parser().parse_args(argv))
    as_json = options.pop('json')

    from mer_bench.sweeps.run import sweep  # takes seconds to import

    with report(as_json) as show:
        runs = sweep(**options, show=print_now)
        if as_json:
            show('', dict(runs=runs, cost=runs.attrs.get('cost')))
    return int(runs['state'].isin(['invalid'] if options['dry_run'] else ['invalid', 'failed']).any())


def print_now(text: str) -> None:
    """Print a text at once: a training follows."""
    print(text, flush=True)
