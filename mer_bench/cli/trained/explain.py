"""Draw what the prediction of a clip rests on: where and when, which scales, and the vote of each output.

It shows what raised the score of a class in the network, not whether the network is right.

mer-bench explain model clip.mp4 --onset 12 --apex 20 --offset 31 --out why.png
mer-bench explain model folder_of_frames --label surprise --out why.pdf
"""

from pathlib import Path

from mer_bench.cli.arguments import Parser, add_json, report


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add('model', metavar='MODEL', help='the folder that mer-bench fit wrote')
    add('clip', metavar='CLIP', help='a video, or a folder of frames')
    add('--onset', type=int, metavar='N', help='first frame of the motion; frames of a video count from 1 (default: 1)')
    add('--apex', type=int, metavar='N', help='frame of the strongest motion (default: found)')
    add('--offset', type=int, metavar='N', help='last frame of the motion (default: the last)')
    add('--label', metavar='CLASS', help='the class to explain (default: the likeliest)')
    text = 'files that end in .png, .pdf or .svg (default: explanation.png)'
    add('--out', type=Path, nargs='+', metavar='FILE', default=[Path('explanation.png')], help=text)
    add('--raft-weights', type=Path, metavar='FILE', help='of a model whose flow is by RAFT')
    add_json(parser)
    return parser


def main(argv: list[str] | None = None) -> None:
    """Explain one clip and write the picture."""
    args = make_parser().parse_args(argv)

    from mer_bench.evaluation.style import save  # takes seconds to import
    from mer_bench.inference.explain import draw, explain
    from mer_bench.inference.model import load_model

    model = load_model(args.model, args.raft_weights)
    found = explain(model, model.clip(args.clip, args.onset, args.apex, args.offset), args.label)
    save(lambda: draw(found), *args.out)
    with report(args.json) as show:
        lines = [found.sentence, *found.notes, *(f'written: {path}' for path in args.out)]
        show('\n'.join(lines), found.to_dict() | dict(written=args.out))
