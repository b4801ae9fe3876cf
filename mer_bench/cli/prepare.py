"""Prepare a data set for training: turn a raw folder into annotations.csv and a flow store.

mer-bench prepare smic --raw FOLDER_OF_SMIC
mer-bench prepare casme2 --raw FOLDER_OF_CASME2 --faces dlib --out data/casme2_aligned
"""

import argparse
import shlex
from pathlib import Path
from textwrap import fill

import pandas as pd

from mer_bench.cli.arguments import Parser, add_json, report
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

WIDTH = 100  # of a description


def make_parser() -> Parser:
    """Make the parser of the command, with one for everything that can be prepared."""
    parser = Parser(
        description=__doc__, epilog='If interrupted, run the same command again: it continues, with the same result.'
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    for name in DATASETS:
        add_dataset(commands, name)
    add_check(commands)
    add_flow_images(commands)
    add_synthetic(commands)
    return parser


def main(argv: list[str] | None = None) -> int | None:
    """Prepare or check a data set; return 1 if a check found faults."""
    options = vars(make_parser().parse_args(argv))
    return options.pop('run')(**options)


def run_dataset(**options: object) -> None:
    from mer_bench.preparation.prepare import prepare

    prepare(**options)


def add_dataset(commands: argparse._SubParsersAction, name: str) -> None:
    dataset = DATASETS[name]
    words = '--raw FOLDER --columns subject clip onset offset emotion' if name == 'csv' else '--raw FOLDER'
    examples = (f'{name} {words}', f'{name} {words} --faces dlib --out data/{name}_aligned')
    parser = add_command(commands, name, run_dataset, dataset.title, *examples)
    source = '' if name == 'csv' else f' It is available on request from {dataset.owner}.'
    parser.description = fill(f'{dataset.title}: {dataset.layout}.{source}', WIDTH)
    parser.set_defaults(dataset=name)
    add_places(parser)
    if name == 'csv':
        add_table(parser)
    add = parser.add_argument
    add('--out', default=f'data/{name}', metavar='DIR', help='where to write')
    add('--annotations-only', action='store_true', help='write table and report only; read no frames')
    add('--workers', type=int, metavar='N', help='processes (default: one per core, or one for RAFT on a GPU)')
    add('--skip-damaged', action='store_true', help='read every picture first, and leave out clips with a damaged one')
    add_flow(parser.add_argument_group('optical flow'))
    add_faces(parser.add_argument_group('faces'))


def add_places(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add('--raw', type=Path, metavar='DIR', help='the folder as its owner ships it, searched for files')
    text = 'sheets, if not those in --raw'
    add('--sheet', type=Path, nargs='+', default=(), dest='sheets', metavar='FILE', help=text)
    add('--frames', type=Path, metavar='DIR', help='folder of frames, if not the one in --raw')
    text = (
        'which number in the names of the frames is the frame number: first, last, or its position from 1 (default: '
        'the one that varies)'
    )
    add('--frame-number', default='', metavar='PLACE', help=text)


def add_table(parser: argparse.ArgumentParser) -> None:
    many = dict(nargs='+', default=(), metavar='NAME')
    parser.add_argument('--columns', help='columns of a table without a header, in order; - skips one', **many)
    parser.add_argument('--classes', help='names of emotions 0, 1, ...', **many)


def add_flow(group: argparse._ArgumentGroup) -> None:
    add, given = group.add_argument, FlowSettings()
    add('--flow', choices=flow_names(), default=given.flow, help='method; still: the apex frame alone, as a control')
    add('--raft-weights', metavar='FILE', help="state dict of torchvision's RAFT, for --flow raft")
    add('--clip-len', type=int, default=given.clip_len, metavar='T', help='sampled frames per clip')
    add('--size', type=int, default=given.size, metavar='PIXELS', help='height and width to store')
    add('--reference', choices=REFERENCES, default=given.reference, help='the frame from which motion is measured')
    add('--channels', nargs='+', choices=CHANNELS, default=given.channels, help='maps to store, in this order')
    text = "the data set's own; or for every clip: the middle frame, or the largest motion since the onset"
    add('--apex', choices=APEXES, default=given.apex, help=text)
    text = 'how to choose the apex of clips without one'
    add('--missing-apex', choices=MISSING_APEXES, default=given.missing_apex, help=text)


def add_faces(group: argparse._ArgumentGroup) -> None:
    add, given = group.add_argument, FaceSettings()
    add('--faces', choices=DETECTORS, default=given.detector, help='detect and align; none: frames unchanged')
    add('--face-size', type=int, default=given.size, metavar='PIXELS', help='size of the aligned crop')
    add('--stabilise', action='store_true', help='remove head motion, measured on the nose and beside the eyes')
    add('--preview', type=Path, metavar='FILE.png', help='write a contact sheet of the crops')


def run_check(dataset: str, columns: list, classes: list, out: Path, json: bool, **places: object) -> int:
    from mer_bench.preparation.check import check_dataset
    from mer_bench.preparation.summary import REPORT

    found, out = find_dataset(dataset, columns, classes), out or Path(f'data/{dataset}_check')
    places['sheets'] = tuple(places['sheets'])
    with report(json) as show:
        fine = check_dataset(found, Places(**places), out)
        notes = pd.read_csv(out / REPORT, keep_default_na=False)
        show(f'report: {out / REPORT}, {len(notes)} notes', dict(complete=fine, notes=notes))
    return 0 if fine else 1


def add_check(commands: argparse._SubParsersAction) -> None:
    examples = ('check smic --raw FOLDER', 'check casme2 --raw FOLDER --json')
    parser = add_command(commands, 'check', run_check, 'report clips with missing or damaged frames', *examples)
    parser.add_argument('dataset', choices=DATASETS, metavar='DATASET', help=', '.join(DATASETS))
    add_places(parser)
    add_table(parser)
    parser.add_argument(
        '--out', type=Path, metavar='DIR', help='where to write report.csv (default: data/DATASET_check)'
    )
    add_json(parser)


def run_flow_images(**options: object) -> None:
    from mer_bench.preparation.flow.published import prepare_flow_images

    prepare_flow_images(**options)


def add_flow_images(commands: argparse._SubParsersAction) -> None:
    examples = ('flow-images FOLDER', 'flow-images FOLDER --labels labels.csv --steps rise fall')
    text = 'read the published flow pictures of MEGC2019'
    parser = add_command(commands, 'flow-images', run_flow_images, text, *examples)
    parser.add_argument(
        'folder', metavar='DIR', help='pictures `<subject>_<clip> .png`, or folders <subject>/{u_train,u_test}/{0,1,2}'
    )
    parser.add_argument('--labels', metavar='FILE', help='CSV of subject, file name and label, if DIR has no folds')
    parser.add_argument(
        '--steps',
        nargs='+',
        default=('rise',),
        metavar='STEP',
        help='rise: one picture per clip, onset to apex; rise fall: also `<subject>_<clip>_1 .png`, apex to offset',
    )
    parser.add_argument(
        '--out',
        metavar='DIR',
        help='where to write (default: data/megc2019_flow, or data/megc2019_rise_fall with the fall)',
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
    examples = ('synthetic --like smic --out raw', 'synthetic --like casme2 --out raw --subjects 4 --strength 0.5')
    text = 'draw faces in the layout of a data set; needs no data'
    parser = add_command(commands, 'synthetic', run_synthetic, text, *examples)
    names, add = [name for name in DATASETS if name != 'csv'], parser.add_argument
    text = f'the data set to imitate: {", ".join(names)}'
    add('--like', choices=names, required=True, metavar='DATASET', help=text)
    add('--out', required=True, metavar='DIR', help='where to write the raw tree')
    add('--subjects', type=int, default=6, metavar='N', help='number of faces')
    add('--clips', type=int, default=9, dest='clips_per_subject', metavar='N', help='clips per subject')
    add('--seed', type=int, default=0, metavar='N', help='different seeds draw different faces')
    text = 'strength of the expressions, above 0 and up to 2; weaker is harder'
    add('--strength', type=float, default=1.0, metavar='X', help=text)
    add('--layout', dest='variant', metavar='TREE', help='which of the trees that the owner ships: cropped, raw, ...')


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Adds the default where there is one, several values as the user would write them."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or action.default in ('', ()):
            return action.help
        if isinstance(action.default, tuple):
            return f'{action.help} (default: {" ".join(action.default)})'
        return super()._get_help_string(action)


def add_command(
    commands: argparse._SubParsersAction, name: str, run, text: str, *examples: str
) -> argparse.ArgumentParser:
    epilog = '\n'.join(['examples:', *(f'mer-bench prepare {words}' for words in examples)])
    parser = commands.add_parser(name, help=text, description=text, epilog=epilog, formatter_class=HelpFormatter)
    parser.set_defaults(run=run)
    return parser
