"""Prepare a data set: raw folder -> annotations.csv and the flow store that training reads."""

import argparse
import shlex
from pathlib import Path

from mer_bench.cli.arguments import Parser
from mer_bench.datasets.catalogue import DATASETS, find_dataset
from mer_bench.datasets.places import Places
from mer_bench.errors import command
from mer_bench.preparation.flow.optical_flow import flow_names
from mer_bench.preparation.settings import (
    APEXES,
    CHANNELS,
    DETECTORS,
    MISSING_APEXES,
    REFERENCES,
    FaceSettings,
    FlowSettings,
)


def main(argv: list[str] | None = None) -> int | None:
    parser = Parser(
        description=__doc__, epilog='Stopped? Run the same command again: it continues with the same result.'
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    for name in DATASETS:
        add_dataset(commands, name)
    add_check(commands)
    add_flow_images(commands)
    add_synthetic(commands)
    options = vars(parser.parse_args(argv))
    return options.pop('run')(**options)


def run_dataset(**options: object) -> None:
    from mer_bench.preparation.prepare import prepare

    prepare(**options)


def add_dataset(commands: argparse._SubParsersAction, name: str) -> None:
    dataset = DATASETS[name]
    parser = add_command(commands, name, run_dataset, dataset.title)
    parser.description = f'{dataset.title}: {dataset.layout}. It is available on request from {dataset.owner}.'
    parser.set_defaults(dataset=name)
    add_places(parser)
    if name == 'csv':
        add_table(parser)
    parser.add_argument('--out', default=f'data/{name}', metavar='DIR', help='where to write')
    parser.add_argument('--annotations-only', action='store_true', help='write the table and the report, read no frame')
    parser.add_argument(
        '--workers', type=int, metavar='N', help='processes; all cores if not given, one for RAFT on a GPU'
    )
    parser.add_argument(
        '--skip-damaged', action='store_true', help='read every picture first, leave clips with a damaged one out'
    )
    add_flow(parser.add_argument_group('optical flow'))
    add_faces(parser.add_argument_group('faces'))


def add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--raw', type=Path, metavar='DIR', help='the folder that the owner ships, searched for files')
    parser.add_argument(
        '--sheet', type=Path, nargs='+', default=(), dest='sheets', metavar='FILE', help='annotation sheets by name'
    )
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
        default=(),
        metavar='NAME',
        help='of a table without a header, in order; - leaves one out',
    )
    parser.add_argument('--classes', nargs='+', default=(), metavar='NAME', help='emotions that 0, 1, ... mean')


def add_flow(group: argparse._ArgumentGroup) -> None:
    defaults = FlowSettings()
    group.add_argument(
        '--flow', choices=flow_names(), default=defaults.flow, help='method; still: the apex frame alone, a control'
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
        '--stabilise', action='store_true', help="remove the head's own motion from every frame, measured on the nose"
    )
    group.add_argument('--preview', type=Path, metavar='FILE.png', help='write a contact sheet of the crops')


def run_check(
    dataset: str,
    raw: Path,
    sheets: list[Path],
    frames: Path,
    frame_number: str,
    columns: list,
    classes: list,
    out: Path,
) -> int:
    from mer_bench.preparation.check import check_dataset

    places = Places(raw, tuple(sheets), frames, frame_number=frame_number)
    found = find_dataset(dataset, columns, classes)
    return 0 if check_dataset(found, places, out or Path(f'data/{dataset}_check')) else 1


def add_check(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, 'check', run_check, 'report which clips lack frames or have damaged ones')
    parser.add_argument('dataset', choices=DATASETS, metavar='DATASET', help=', '.join(DATASETS))
    add_places(parser)
    add_table(parser)
    parser.add_argument(
        '--out', type=Path, metavar='DIR', help='where to write report.csv; data/DATASET_check if not given'
    )


def run_flow_images(**options: object) -> None:
    from mer_bench.preparation.flow.published import prepare_flow_images

    prepare_flow_images(**options)


def add_flow_images(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, 'flow-images', run_flow_images, 'published flow pictures of the MEGC2019 clips')
    parser.add_argument(
        'folder', metavar='DIR', help='pictures `<subject>_<clip> .png`, or folders <subject>/{u_train,u_test}/{0,1,2}'
    )
    parser.add_argument('--labels', metavar='FILE', help='CSV of subject, file name and label, if DIR has no folds')
    parser.add_argument(
        '--steps',
        nargs='+',
        default=('rise',),
        metavar='STEP',
        help='rise: one picture a clip, onset to apex; rise fall: also `<subject>_<clip>_1 .png`, apex to offset',
    )
    parser.add_argument(
        '--out',
        metavar='DIR',
        help='where to write; data/megc2019_flow if not given, data/megc2019_rise_fall with the fall',
    )


def run_synthetic(like: str, out: str, subjects: int, clips_per_subject: int, **options: object) -> None:
    from mer_bench.datasets.synthetic.tree import write_synthetic_tree
    from mer_bench.preparation.summary import progress_bar

    with progress_bar() as bar:
        shown = bar.add_task('clips', total=subjects * clips_per_subject)
        write_synthetic_tree(
            out,
            like,
            subjects=subjects,
            clips_per_subject=clips_per_subject,
            progress=lambda done, _: bar.update(shown, completed=done),
            **options,
        )
    print(f'{subjects * clips_per_subject} synthetic clips of {subjects} subjects in {out}')
    raw, prepared = shlex.quote(out), shlex.quote(f'{out}_prepared')
    print(f'next: {command("prepare")} {like} --raw {raw} --out {prepared}')


def add_synthetic(commands: argparse._SubParsersAction) -> None:
    parser = add_command(commands, 'synthetic', run_synthetic, 'write a raw tree of drawn faces, no data needed')
    names = [name for name in DATASETS if name != 'csv']
    parser.add_argument(
        '--like', choices=names, required=True, metavar='DATASET', help=f'whose layout: {", ".join(names)}'
    )
    parser.add_argument('--out', required=True, metavar='DIR', help='where to write the raw tree')
    parser.add_argument('--subjects', type=int, default=6, metavar='N', help='number of faces')
    parser.add_argument('--clips', type=int, default=9, dest='clips_per_subject', metavar='N', help='clips per subject')
    parser.add_argument('--seed', type=int, default=0, metavar='N', help='other numbers give other faces')
    parser.add_argument(
        '--strength',
        type=float,
        default=1.0,
        metavar='X',
        help='of the expressions, above 0 and up to 2: the weaker, the harder',
    )
    parser.add_argument(
        '--layout', dest='variant', metavar='TREE', help='cropped, raw, ...: which of the trees that its owner ships'
    )


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Adds the default where there is one, several values as the user would write them."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or action.default in ('', ()):
            return action.help
        if isinstance(action.default, tuple):
            return f'{action.help} (default: {" ".join(action.default)})'
        return super()._get_help_string(action)


def add_command(commands: argparse._SubParsersAction, name: str, run, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text, formatter_class=HelpFormatter)
    parser.set_defaults(run=run)
    return parser
