"""Prepare a data set: raw folder -> annotations.csv and the flow store that training reads."""

import argparse

from mer_bench.errors import InputError, run_tool
from mer_bench.preparation.settings import APEXES, FLOWS, FlowSettings


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    args.run(args)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog='Stopped? Run the same command again: it continues with the same result.'
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    add_smic(commands)
    add_flow_images(commands)
    add_synthetic(commands)
    return parser.parse_args(argv)


def add_smic(commands: argparse._SubParsersAction) -> None:
    defaults = FlowSettings()
    parser = add_command(commands, 'smic', run_smic, 'SMIC-HS frames -> optical flow and strain')
    parser.add_argument(
        '--raw', required=True, metavar='DIR', help='the folder HS of the cropped or the raw tree, or one that holds it'
    )
    parser.add_argument('--out', default='data/smic', metavar='DIR', help='where to write')
    parser.add_argument(
        '--flow', choices=FLOWS, default=defaults.flow, help='optical flow; still: the apex frame alone, a control'
    )
    parser.add_argument('--clip-len', type=int, default=defaults.clip_len, metavar='T', help='sampled frames per clip')
    parser.add_argument('--size', type=int, default=defaults.size, metavar='PIXELS', help='height and width to store')
    parser.add_argument(
        '--apex',
        choices=APEXES,
        default=defaults.apex,
        help='SMIC has no apex label: take the middle frame, or the one with the largest mean motion since the onset',
    )
    parser.add_argument('--workers', type=int, metavar='N', help='processes; all cores if not given')


def add_flow_images(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, 'flow-images', run_flow_images, 'published flow pictures of the MEGC2019 clips')
    parser.add_argument(
        'dir', metavar='DIR', help='pictures `<subject>_<clip> .png`, or folders <subject>/{u_train,u_test}/{0,1,2}'
    )
    parser.add_argument('--out', default='data/megc2019_flow', metavar='DIR', help='where to write')
    parser.add_argument('--labels', metavar='FILE', help='CSV of subject, file name and label, if DIR has no folds')


def add_synthetic(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, 'synthetic', run_synthetic, 'write a raw tree of procedural faces, no data needed')
    parser.add_argument('--like', choices=('smic',), required=True, help='the data set whose folder layout to write')
    parser.add_argument('--out', required=True, metavar='DIR', help='where to write the raw tree')
    parser.add_argument('--subjects', type=int, default=6, metavar='N', help='number of faces')
    parser.add_argument('--clips', type=int, default=9, metavar='N', help='clips per subject')
    parser.add_argument('--seed', type=int, default=0, metavar='N', help='other numbers give other faces')
    parser.add_argument(
        '--layout', choices=('cropped', 'raw'), default='cropped', help='SMIC_all_cropped or SMIC_all_raw'
    )


def add_command(commands, name: str, run, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=text, description=text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.set_defaults(run=run)
    return parser


def run_smic(args: argparse.Namespace) -> None:
    settings = FlowSettings(args.flow, args.clip_len, args.size, args.apex)
    if args.workers is not None and args.workers < 1:
        raise InputError(f'workers must be at least 1, got {args.workers}; leave --workers out for all cores')
    from mer_bench.preparation.prepare import prepare_smic

    prepare_smic(args.raw, args.out, settings, args.workers)


def run_flow_images(args: argparse.Namespace) -> None:
    from mer_bench.preparation.prepare import prepare_flow_images

    prepare_flow_images(args.dir, args.out, args.labels)


def run_synthetic(args: argparse.Namespace) -> None:
    from mer_bench.preparation.prepare import write_synthetic

    cropped = args.layout == 'cropped'
    write_synthetic(args.out, subjects=args.subjects, clips=args.clips, seed=args.seed, cropped=cropped)


if __name__ == '__main__':
    run_tool(main)
