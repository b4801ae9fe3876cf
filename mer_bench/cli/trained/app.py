"""Try a model of mer-bench fit in a browser: drop a video or use the webcam, see the prediction and what it rests on.

The page is of this machine alone, and nothing leaves it. A micro-expression is no lie detector: do not use this to
judge or to monitor people.

mer-bench app model
mer-bench app model --port 8000
"""

from pathlib import Path

from mer_bench.cli.arguments import Parser


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add('model', metavar='MODEL', help='the folder that mer-bench fit wrote')
    add('--port', type=int, metavar='N', help='of the page (default: the first that is free from 7860)')
    add('--raft-weights', type=Path, metavar='FILE', help='of a model whose flow is by RAFT')
    return parser


def main(argv: list[str] | None = None) -> None:
    """Serve the page until Ctrl-C."""
    args = make_parser().parse_args(argv)

    from mer_bench.inference.app import serve  # takes seconds to import
    from mer_bench.inference.model import load_model

    serve(load_model(args.model, args.raft_weights), args.port)
