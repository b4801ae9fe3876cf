"""Write a model of mer-bench fit as ONNX or TorchScript, which runs without mer_bench.

Its input is flow as the store holds it; normalisation, softmax and temperature are inside. The file is compared with
the model, and FILE.py beside it is a program that runs it.

mer-bench export model --onnx model.onnx
mer-bench export model --torchscript model.pt --json
"""

from pathlib import Path

from mer_bench.cli.arguments import Parser, add_json, report


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = Parser(description=__doc__)
    parser.add_argument('model', metavar='MODEL', help='the folder that mer-bench fit wrote')
    kind = parser.add_mutually_exclusive_group(required=True).add_argument
    kind('--onnx', type=Path, metavar='FILE', help="for onnxruntime; needs pip install 'mer_bench[export]'")
    kind('--torchscript', type=Path, metavar='FILE', help='for torch.jit.load, of C++ too')
    add_json(parser)
    return parser


def main(argv: list[str] | None = None) -> None:
    """Write the file and print how far its probabilities are from those of the model."""
    args = make_parser().parse_args(argv)

    from mer_bench.inference.export import TOLERANCE, export  # takes seconds to import
    from mer_bench.inference.model import load_model

    kind, path = ('onnx', args.onnx) if args.onnx else ('torchscript', args.torchscript)
    with report(args.json) as show:
        found = export(load_model(args.model), path, kind)
        text = f'probabilities within {found:.1e} of the model ({TOLERANCE:g} allowed)\nwritten: {path} and {path}.py'
        show(text, dict(kind=kind, difference=found, tolerance=TOLERANCE, written=[path, f'{path}.py']))
