"""Look at a prepared data set: one page with onset, apex, flow, strain and labels of each clip, unusual clips first.

The page is one file that opens from disk. It shows what the licence of the data covers: keep it to yourself.

mer-bench browse data/smic --html smic.html
mer-bench browse data/casme2 --html casme2.html --frames FOLDER_OF_CASME2/Cropped --clips 100
"""

from pathlib import Path

from mer_bench.cli.arguments import Parser, add_json, report
from mer_bench.html.browse import browse


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add('data', type=Path, metavar='DATASET', help='a prepared folder, or the name of one in data/')
    add('--html', type=Path, required=True, metavar='FILE', help='the page to write')
    text = 'the folder of frames that prepare printed, for pictures of onset and apex (default: none)'
    add('--frames', type=Path, metavar='DIR', help=text)
    text = 'at most N clips, unusual ones first (default: %(default)s)'
    add('--clips', type=int, default=500, metavar='N', help=text)
    add_json(parser)
    return parser


def main(argv: list[str] | None = None) -> None:
    """Write the page and print where it is."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if args.clips < 1:
        parser.error(f'--clips: expected 1 or more, got {args.clips}')
    named = Path('data') / args.data
    data = named if not args.data.exists() and named.is_dir() else args.data
    with report(args.json) as show:
        shown, total = browse(data, args.html, args.frames, args.clips)
        size = args.html.stat().st_size
        text = f'written: {args.html}, {size / 1e6:.1f} MB, {shown} of {total} clips; keep it where the data set may be'
        show(text, dict(written=args.html, bytes=size, shown=shown, clips=total))
