"""Measure what parts of mer_bench cost on this machine, e.g. ``python tools/benchmark.py model``."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mer_bench.errors import run_tool

CONFIG = Path(__file__).resolve().parents[1] / 'configs/_base_/models/multiscale_resnet3d50.py'


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True)
    model = commands.add_parser('model', help='the full model against plain ResNet3d-50')
    model.add_argument('--size', type=int, default=112, help='height and width in pixels (default: %(default)s)')
    model.add_argument('--clip-len', type=int, default=16, help='frames of a clip (default: %(default)s)')
    model.add_argument('--batch', type=int, default=2, help='clips of a timed step (default: %(default)s)')
    model.add_argument('--rounds', type=int, default=9, help='timed steps of each model (default: %(default)s)')
    model.add_argument('--threads', type=int, default=1, help='CPU threads of torch (default: %(default)s)')
    model.add_argument('--device', default='cpu', help='cpu or cuda (default: %(default)s)')
    model.add_argument('--json', action='store_true', help='print JSON instead of a table')
    model.set_defaults(run=benchmark_model)
    prepare = commands.add_parser('prepare', help='two workers against one, the store, and the flow methods')
    prepare.add_argument('--clips', type=int, default=12, help='synthetic clips (default: %(default)s)')
    prepare.add_argument('--rounds', type=int, default=5, help='timed runs of each part (default: %(default)s)')
    prepare.add_argument('--clip-len', type=int, default=16, help='sampled frames of a clip (default: %(default)s)')
    prepare.add_argument('--size', type=int, default=112, help='stored height and width (default: %(default)s)')
    prepare.add_argument('--json', action='store_true', help='print JSON instead of a table')
    prepare.set_defaults(run=benchmark_prepare)
    return parser.parse_args(argv)


def benchmark_model(args: argparse.Namespace) -> None:
    from mer_bench.benchmarks.model_cost import Settings, compare, table
    from mer_bench.training.device import set_device

    device = set_device(args.device)
    settings = Settings(args.size, args.clip_len, args.batch, args.rounds, args.threads, device)
    show(compare(CONFIG, settings), table, args.json)


def benchmark_prepare(args: argparse.Namespace) -> None:
    from mer_bench.benchmarks.prepare_cost import Settings, measure, table

    show(measure(Settings(args.clips, args.rounds, args.clip_len, args.size)), table, args.json)


def show(result: dict, table: Callable[[dict], Table], as_json: bool) -> None:
    if as_json:
        print(json.dumps(result, indent=2))
    else:
        Console().print(table(result))


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    args.run(args)


if __name__ == '__main__':
    run_tool(main)
