"""Prepare a data set: raw folder -> annotations.csv and the flow store that training reads."""

import argparse
from pathlib import Path

from mer_bench.datasets.catalogue import DATASETS
from mer_bench.datasets.csv_table import DATASET as TABLE
from mer_bench.datasets.csv_table import table_of_your_own
from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import DataSet
from mer_bench.errors import InputError
from mer_bench.preparation.faces.settings import DETECTORS, FaceSettings
from mer_bench.preparation.settings import APEXES, CHANNELS, FLOWS, MISSING_APEXES, REFERENCES, FlowSettings


def main(argv: list[str] | None = None) -> int | None:
    args = parse_args(argv)
    return args.run(args)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog='Stopped? Run the same command again: it continues with the same result.'
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    for dataset in DATASETS.values():
        add_dataset(commands, dataset)
    add_check(commands)
    add_flow_images(commands)
    add_synthetic(commands)
    return parser.parse_args(argv)


def add_dataset(commands: argparse._SubParsersAction, dataset: DataSet) -> None:
    parser = add_command(commands, dataset.name, run_dataset, dataset.title)
    parser.description = f'{dataset.title}: {dataset.layout}. It is available on request from {dataset.owner}.'
    parser.set_defaults(dataset=dataset)
    add_places(parser)
    if dataset.name == TABLE.name:
        add_table(parser)
    parser.add_argument('--out', default=f'data/{dataset.name}', metavar='DIR', help='where to write')
    parser.add_argument(
        '--annotations-only', action='store_true', help='write the table and the report, touch no frame'
    )
    parser.add_argument(
        '--workers', type=int, metavar='N', help='processes; all cores if not given, one for RAFT on a GPU'
    )
    parser.add_argument(
        '--skip-damaged', action='store_true', help='read every picture first, leave clips with a damaged one out'
    )
    add_flow(parser.add_argument_group('optical flow'))
    add_faces(parser.add_argument_group('faces'))


def add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--raw', type=Path, metavar='DIR', help='the folder that the owner ships, looked through')
    parser.add_argument('--sheet', type=Path, nargs='+', default=[], metavar='FILE', help='annotation sheets by name')
    parser.add_argument('--frames', type=Path, metavar='DIR', help='the folder of the frames by name')
    parser.add_argument(
        '--frame-number',
        default='',
        metavar='PLACE',
        help='which number in the names of the frames counts: first, last, or its place from 1; the one that varies '
        'if not given',
    )


def add_table(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--columns',
        nargs='+',
        default=[],
        metavar='NAME',
        help='of a table without a header, in order; - leaves one out',
    )
    parser.add_argument('--classes', nargs='+', default=[], metavar='NAME', help='emotions that 0, 1, ... stand for')


def add_flow(group: argparse._ArgumentGroup) -> None:
    defaults = FlowSettings()
    group.add_argument(
        '--flow', choices=FLOWS, default=defaults.flow, help='method; still: the apex frame alone, a control'
    )
    group.add_argument('--raft-weights', metavar='FILE', help="state dict of torchvision's RAFT, for --flow raft")
    group.add_argument('--clip-len', type=int, default=defaults.clip_len, metavar='T', help='sampled frames per clip')
    group.add_argument('--size', type=int, default=defaults.size, metavar='PIXELS', help='height and width to store')
    group.add_argument(
        '--reference', choices=REFERENCES, default=defaults.reference, help='where the motion of a frame starts'
    )
    group.add_argument(
        '--channels', nargs='+', choices=CHANNELS, default=defaults.channels, help='maps to store, in this order'
    )
    group.add_argument(
        '--apex',
        choices=APEXES,
        default=defaults.apex,
        help="the data set's own, or chosen for every clip: middle frame, or largest motion since the onset",
    )
    group.add_argument(
        '--missing-apex',
        choices=MISSING_APEXES,
        default=defaults.missing_apex,
        help='how to choose the apex of a clip for which the data set has none',
    )


def add_faces(group: argparse._ArgumentGroup) -> None:
    defaults = FaceSettings()
    group.add_argument(
        '--faces', choices=DETECTORS, default=defaults.detector, help='detect and align; none: frames as they are'
    )
    group.add_argument('--face-size', type=int, default=defaults.size, metavar='PIXELS', help='of the aligned crop')
    group.add_argument(
        '--stabilise', action='store_true', help="take the head's own motion out of every frame, measured on the nose"
    )
    group.add_argument('--preview', type=Path, metavar='FILE.png', help='write a contact sheet of the crops')


def add_check(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, 'check', run_check, 'say which clips lack frames or have damaged ones')
    parser.add_argument('dataset', choices=DATASETS, metavar='DATASET', help=', '.join(DATASETS))
    add_places(parser)
    add_table(parser)


def add_flow_images(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, 'flow-images', run_flow_images, 'published flow pictures of the MEGC2019 clips')
    parser.add_argument(
        'dir', metavar='DIR', help='pictures `<subject>_<clip> .png`, or folders <subject>/{u_train,u_test}/{0,1,2}'
    )
    parser.add_argument('--out', default='data/megc2019_flow', metavar='DIR', help='where to write')
    parser.add_argument('--labels', metavar='FILE', help='CSV of subject, file name and label, if DIR has no folds')


def add_synthetic(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, 'synthetic', run_synthetic, 'write a raw tree of procedural faces, no data needed')
    names = [name for name in DATASETS if name != 'csv']
    parser.add_argument(
        '--like', choices=names, required=True, metavar='DATASET', help=f'whose layout: {", ".join(names)}'
    )
    parser.add_argument('--out', required=True, metavar='DIR', help='where to write the raw tree')
    parser.add_argument('--subjects', type=int, default=6, metavar='N', help='number of faces')
    parser.add_argument('--clips', type=int, default=9, metavar='N', help='clips per subject')
    parser.add_argument('--seed', type=int, default=0, metavar='N', help='other numbers give other faces')
    parser.add_argument(
        '--strength',
        type=float,
        default=1.0,
        metavar='X',
        help='of the expressions, above 0 and up to 2: the weaker, the harder',
    )
    parser.add_argument('--layout', metavar='TREE', help='cropped, raw, ...: which of the trees that its owner ships')


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Adds the default where there is one, several values as the user would write them."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or action.default == []:
            return action.help
        if isinstance(action.default, tuple):
            return f'{action.help} (default: {" ".join(action.default)})'
        return super()._get_help_string(action)


def add_command(commands, name: str, run, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text, formatter_class=HelpFormatter)
    parser.set_defaults(run=run)
    return parser


def places_of(args: argparse.Namespace) -> Places:
    """Return where the user's files are."""
    if args.raw is None and not args.sheet and args.frames is None:
        raise InputError(
            'expected --raw DIR, the folder of the data set, or its files by name with --sheet and --frames'
        )
    return Places(args.raw, tuple(args.sheet), args.frames, frame_number=args.frame_number)


def dataset_of(args: argparse.Namespace, name: str) -> DataSet:
    """Return the data set of this name; the options of a table of one's own belong to `csv` alone."""
    if name == TABLE.name:
        return table_of_your_own(args.columns, args.classes)
    if getattr(args, 'columns', None) or getattr(args, 'classes', None):
        raise InputError(f'--columns and --classes are for a table of your own (csv), not for {name}; leave them out')
    return DATASETS[name]


def run_dataset(args: argparse.Namespace) -> None:
    places, dataset = places_of(args), dataset_of(args, args.dataset.name)
    if args.workers is not None and args.workers < 1:
        raise InputError(f'workers must be at least 1, got {args.workers}; leave --workers out for all cores')
    flow = FlowSettings(
        args.flow,
        args.clip_len,
        args.size,
        args.apex,
        args.missing_apex,
        args.reference,
        tuple(args.channels),
        args.raft_weights,
    )
    faces = FaceSettings(args.faces, args.face_size, args.stabilise)
    if args.annotations_only and (faces.detector != 'none' or args.preview):
        raise InputError('--annotations-only touches no frame; leave out --faces and --preview, or --annotations-only')
    from mer_bench.preparation.prepare import prepare_dataset, write_table

    if args.annotations_only:
        write_table(dataset, places, args.out)
    else:
        prepare_dataset(dataset, places, args.out, flow, faces, args.workers, args.preview, args.skip_damaged)


def run_check(args: argparse.Namespace) -> int:
    from mer_bench.preparation.check import check_dataset

    return 0 if check_dataset(dataset_of(args, args.dataset), places_of(args)) else 1


def run_flow_images(args: argparse.Namespace) -> None:
    from mer_bench.preparation.flow_pictures import prepare_flow_images

    prepare_flow_images(args.dir, args.out, args.labels)


def run_synthetic(args: argparse.Namespace) -> None:
    from mer_bench.preparation.synthetic_tree import write_synthetic

    write_synthetic(
        args.out,
        args.like,
        subjects=args.subjects,
        clips=args.clips,
        seed=args.seed,
        strength=args.strength,
        variant=args.layout,
    )
