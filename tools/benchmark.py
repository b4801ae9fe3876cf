"""Measure what parts of mer_bench cost on this machine, and which share of its peak they reach."""

import argparse
import json
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path

from mer_bench.errors import InputError, run_tool

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the benchmarks are no part of the package
KEPT, PAGE = ROOT / 'docs/performance', ROOT / 'docs/performance.md'
WIDTH = 160  # of tables that go into a file
# module and HELP of each benchmark: the modules import the whole stack, --help answers at once
BENCHMARKS = {
    'machine': ('machine_peak', "the machine's peak alone: matrix product and memory copy"),
    'prepare': ('prepare_cost', 'two workers against one, the store, and the flow methods'),
    'loading': ('loading_cost', "loading and augmentation of a batch, against MMAction2's pipeline on the same flow"),
    'model': (
        'model_cost',
        'forward and backward of the full model, against fp32, its plain trunk, and the trunk of I3D',
    ),
    'loso': ('loso_cost', 'STSTNet over 68 folds, against a plain PyTorch loop'),
    'linear': ('linear_cost', 'linear SVM and ridge over 68 folds, against scikit-learn in a loop'),
    'sweep': ('sweep_cost', 'folds over two workers, against one worker with two threads'),
    'full-loso': ('full_loso_cost', 'every fold of the full model on a synthetic data set as large as SMIC'),
}
ALL = [name for name in BENCHMARKS if name != 'full-loso']


def main(argv: list[str] | None = None) -> int | None:
    """Run one benchmark, all of them, or write the page of kept results."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for name, (_, words) in BENCHMARKS.items():
        commands.add_parser(name, help=words, add_help=False)
    commands.add_parser('all', help=f'{", ".join(ALL)} with their own settings', add_help=False)
    commands.add_parser('report', help='write the tables of docs/performance.md from kept results', add_help=False)
    args, rest = parser.parse_known_args(argv)
    prog = f'{parser.prog} {args.command}'
    if args.command == 'report':
        return report(prog, rest)
    return run_all(prog, rest) if args.command == 'all' else run_one(prog, args.command, rest)


def run_one(prog: str, name: str, argv: list[str]) -> None:
    module, output = load(name), output_parser()
    parser = argparse.ArgumentParser(prog=prog, description=module.HELP, parents=[output], allow_abbrev=False)
    module.add_arguments(parser)
    args = parser.parse_args(argv)
    result = run(name, args, output.parse_known_args(argv)[1])
    show(result, args.json)
    keep(result, args)


def run_all(prog: str, argv: list[str]) -> int | None:
    words = f'{", ".join(ALL)} with their own settings'
    args = argparse.ArgumentParser(prog=prog, description=words, parents=[output_parser()]).parse_args(argv)
    results = {}
    for name in ALL:  # each in its own process: threads and memory are as if it ran alone
        command = [sys.executable, __file__, name, *argv]
        ran = subprocess.run(command, stdout=subprocess.PIPE if args.json else None, check=False)
        if ran.returncode:
            return ran.returncode
        results[name] = json.loads(ran.stdout) if args.json else None
    if args.json:
        print(json.dumps(results, indent=2))
    return None


def output_parser() -> argparse.ArgumentParser:
    """Return a parser of what becomes of a result."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument('--json', action='store_true', help='print JSON instead of a table')
    parser.add_argument('--save', type=Path, metavar='DIR', help='keep the result as DIR/<machine>/<benchmark>.json')
    parser.add_argument('--label', default='', metavar='WORD', help='keep it as <benchmark>-WORD.json')
    return parser


def load(name: str):
    return import_module(f'benchmarks.{BENCHMARKS[name][0]}')


def run(name: str, args: argparse.Namespace, argv: list[str]) -> dict:
    """Return the result of a benchmark, with the peak measured before and after it."""
    from benchmarks.machine_peak import measure_rates
    from benchmarks.shares import with_peak
    from mer_bench.training.device import set_device

    device = args.device = set_device(getattr(args, 'device', 'cpu'))
    module = load(name)
    threads = module.peak_threads(args) if hasattr(module, 'peak_threads') else getattr(args, 'threads', 1)
    with redirect_stdout(sys.stderr):  # what libraries say is no part of the result
        before = measure_rates(threads, device)
        result = module.measure(args)
        rates = [before, measure_rates(threads, device)]
    command = shlex.join(['python', 'tools/benchmark.py', name, *argv])
    return with_peak({'benchmark': name, 'command': command, **result}, rates, threads, device)


def show(result: dict, as_json: bool) -> None:
    from rich.console import Console

    from benchmarks.shares import shares_table

    if as_json:
        print(json.dumps(result, indent=2))
        return
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(load(result['benchmark']).table(result))
    if result['shares']:
        console.print(shares_table(result))


def keep(result: dict, args: argparse.Namespace) -> None:
    from benchmarks import kept

    if args.save:
        print(f'kept {kept.keep(result, args.save, args.label)}', file=sys.stderr)


def report(prog: str, argv: list[str]) -> int | None:
    parser = argparse.ArgumentParser(prog=prog, description='Write the tables of a page from kept results.')
    parser.add_argument(
        '--kept', type=Path, default=KEPT, metavar='DIR', help='folder of --save (default: %(default)s)'
    )
    parser.add_argument('--page', type=Path, default=PAGE, metavar='FILE', help='(default: %(default)s)')
    parser.add_argument('--check', action='store_true', help='write nothing; exit code 1 if the page is not up to date')
    args = parser.parse_args(argv)

    from benchmarks.report import renew
    from mer_bench.files import write_atomically

    if not args.page.is_file():
        raise InputError(f'{args.page}: expected a page with a generated part, found none; give another --page')
    old = args.page.read_text(encoding='utf-8')
    new = renew(old, args.kept, args.page)
    if args.check:
        print(f'{args.page} is up to date' if new == old else f'{args.page} is not up to date; run {prog}')
        return int(new != old)
    with write_atomically(args.page) as temporary:
        temporary.write_text(new, encoding='utf-8')
    return None


if __name__ == '__main__':
    run_tool(main)
