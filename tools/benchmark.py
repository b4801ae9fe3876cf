"""Measure the cost of parts of mer_bench on this machine, how often intervals are right, and what faults do.

python tools/benchmark.py model --threads 2 --json
python tools/benchmark.py all --save docs/performance
"""

import argparse
import json
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path

from mer_bench.errors import run_tool

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the benchmarks are not part of the package
SAVED, PAGE = ROOT / 'docs/performance', ROOT / 'docs/performance.md'
# module and HELP of each benchmark: importing the modules takes seconds, and --help must answer at once
BENCHMARKS = {
    'machine': ('machine', 'the peak of the machine alone: matrix product and memory copy'),
    'prepare': ('prepare_cost', 'two workers against one, writing the store, and the flow methods'),
    'loading': ('loading_cost', "loading and augmenting a batch, against MMAction2's pipeline on the same flow"),
    'model': ('model_cost', 'forward and backward of the full model, against fp32, its plain trunk, and an I3D trunk'),
    'loso': ('loso_cost', 'STSTNet, OFF-ApexNet or an RCN over 68 folds, against a plain PyTorch loop'),
    'linear': ('linear_cost', 'linear SVM and ridge over 68 folds, against scikit-learn in a loop'),
    'sweep': ('sweep_cost', 'folds over two workers, against one worker with two threads'),
    'coverage': ('coverage', 'how often 95 % intervals contain the true score of simulated people'),
    'faults': ('faults', 'what kills, full disks and damaged files do: lost work, other numbers, silent damage'),
    'fuzz': ('fuzz', 'damaged and hostile inputs at every reader: how many end in an InputError, or otherwise'),
    'full-loso': ('full_loso_cost', 'every fold of the full model on a synthetic data set as large as SMIC'),
    'gpu': (
        'gpu_cost',
        'on a GPU, in under 8 minutes: the full model as a CUDA graph and over all folds, and stacked STSTNet',
    ),
}
ALL = [name for name in BENCHMARKS if name not in ('coverage', 'faults', 'fuzz', 'full-loso', 'gpu')]
ALL_WORDS = f'{", ".join(ALL)} with their default settings'


def main(argv: list[str] | None = None) -> int | None:
    """Run one benchmark or all of them, or write the page of saved results."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for name, (_, words) in BENCHMARKS.items():
        commands.add_parser(name, help=words.replace('%', '%%'), add_help=False)  # argparse formats it
    commands.add_parser('all', help=ALL_WORDS, add_help=False)
    commands.add_parser('report', help='write the tables of docs/performance.md from saved results', add_help=False)
    args, rest = parser.parse_known_args(argv)
    prog = f'{parser.prog} {args.command}'
    if args.command == 'report':
        return report(prog, rest)
    return run_all(prog, rest) if args.command == 'all' else run_one(prog, args.command, rest)


def run_one(prog: str, name: str, argv: list[str]) -> None:
    """Run a benchmark, print its result and save it if asked to."""
    from benchmarks.report import circumstances, save, tables

    module, output = load(name), output_parser()
    options, rest = output.parse_known_args(argv)
    examples = f'examples:\npython tools/{prog} --json\npython tools/{prog} --save docs/performance'
    look = dict(epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser = argparse.ArgumentParser(prog=prog, description=module.HELP, parents=[output], **look)
    module.add_arguments(parser)
    parser.parse_args(argv)  # so that --help and errors know the options of both
    args = parser.parse_args(rest)
    for key in vars(options):
        delattr(args, key)
    result = run(name, args, rest)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        print(f'{result["machine"]["name"]}, {circumstances(result)}', *tables(result), sep='\n\n')
    if options.save:
        print(f'saved {save(result, options.save, options.label)}', file=sys.stderr)


def run_all(prog: str, argv: list[str]) -> int | None:
    """Run the benchmarks of ALL, each in its own process, so that none affects the threads and memory of another."""
    args = argparse.ArgumentParser(prog=prog, description=ALL_WORDS, parents=[output_parser()]).parse_args(argv)
    results = {}
    for name in ALL:
        command = [sys.executable, __file__, name, *argv]
        ran = subprocess.run(command, stdout=subprocess.PIPE if args.json else None, check=False)
        if ran.returncode:
            return ran.returncode
        results[name] = json.loads(ran.stdout) if args.json else None
    if args.json:
        print(json.dumps(results, indent=2))
    return None


def output_parser() -> argparse.ArgumentParser:
    """Return a parser of the output options."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument('--json', action='store_true', help='print JSON instead of tables')
    parser.add_argument('--save', type=Path, metavar='DIR', help='save the result as DIR/<machine>/<benchmark>.json')
    parser.add_argument('--label', default='', metavar='WORD', help='save it as <benchmark>-WORD.json')
    return parser


def load(name: str):
    """Import the module of a benchmark."""
    return import_module(f'benchmarks.{BENCHMARKS[name][0]}')


def run(name: str, args: argparse.Namespace, argv: list[str]) -> dict:
    """Return the result of a benchmark, with settings, machine, and if it is of times the peak before and after it."""
    from benchmarks.machine import describe_machine, describe_peak, measure_rates, shares
    from mer_bench.training.device import set_device

    module, settings = load(name), vars(args).copy()
    device = settings['device'] = args.device = set_device(getattr(args, 'device', 'cpu'))
    threads = module.peak_threads(args) if hasattr(module, 'peak_threads') else getattr(args, 'threads', 1)
    timed = getattr(module, 'TIMED', True)
    with redirect_stdout(sys.stderr):  # output of libraries is not part of the result
        before = timed and measure_rates(threads, device)
        result = module.measure(args)
        peak = describe_peak([before, measure_rates(threads, device)], threads, device) if timed else None
    command = shlex.join(['python', 'tools/benchmark.py', name, *argv])
    result['settings'] = {key: plain(value) for key, value in settings.items()} | result.get('settings', {})
    head = {'benchmark': name, 'command': command}
    return {**head, **result, 'machine': describe_machine(device), 'peak': peak, 'shares': shares(result, peak)}


def plain(value: object) -> object:
    """Return a setting without the folders of this machine."""
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value.stem if isinstance(value, Path) else value


def report(prog: str, argv: list[str]) -> int | None:
    """Write the tables of the page, or compare them."""
    parser = argparse.ArgumentParser(prog=prog, description='Write the tables of a page from saved results.')
    parser.add_argument(
        '--saved', type=Path, default=SAVED, metavar='DIR', help='folder of saved results (default: %(default)s)'
    )
    parser.add_argument('--page', type=Path, default=PAGE, metavar='FILE', help='page to write (default: %(default)s)')
    parser.add_argument('--check', action='store_true', help='write nothing; exit code 1 if the page is not up to date')
    args = parser.parse_args(argv)

    from benchmarks.report import read_page, renew
    from mer_bench.files import write_atomically

    old = read_page(args.page)
    new = renew(old, args.saved, args.page)
    if args.check:
        print(f'{args.page} is up to date' if new == old else f'{args.page} is not up to date; run {prog}')
        return int(new != old)
    with write_atomically(args.page) as temporary:
        temporary.write_text(new, encoding='utf-8')
    return None


if __name__ == '__main__':
    run_tool(main)
