"""Draw faces, prepare them, train the full model and three ablations in a reduced size, and show what came out.

It needs no data and takes about 5 minutes on two cores. Stopped? Run the same command again: it continues.

mer-bench demo
mer-bench demo --out somewhere/else
"""

from importlib import import_module
from pathlib import Path

from mer_bench.cli.arguments import Parser
from mer_bench.errors import InputError

ABLATIONS = ('no_multiscale', 'no_attention', 'single_head')
REDUCED = ('quarter_width', 'small_input')
PICTURES = {
    'ablations': ('what each part of the model adds', 'runs'),
    'curves': ('how the full model learns', 'runs/full'),
}
PAGE = 'the leaderboard as a web page'


def steps(out: Path) -> list[tuple[str, list[str]]]:
    """Return the headings and the commands of the demo, in their order.

    Args:
        out: The folder that everything is written to.
    """
    prepare = ['prepare', 'smic', '--raw', f'{out}/raw', '--clip-len', '8', '--size', '48', '--out']
    raw = ['prepare', 'synthetic', '--like', 'smic', '--out', f'{out}/raw', '--subjects', '4', '--clips', '15']
    control = 'control: the full model on the still pictures, which show no motion, must stay near chance (1/3)'
    return [
        ('synthetic faces in the folder layout of SMIC-HS', raw),
        ('optical flow', [*prepare, f'{out}/smic']),
        ('still pictures of the same clips, for the control', [*prepare, f'{out}/smic_still', '--flow', 'still']),
        ('the full model, leave one subject out', train(f'{out}/smic', f'{out}/runs/full')),
        *((f'ablation {name}', train(f'{out}/smic', f'{out}/runs/{name}', name)) for name in ABLATIONS),
        (control, train(f'{out}/smic_still', f'{out}/still_control')),
        ('leaderboard', ['leaderboard', f'{out}/runs', '--out', f'{out}/leaderboards/synthetic_smic.md']),
        *(
            (heading, ['plot', f'{out}/{runs}', '--kind', kind, '--out', f'{out}/{kind}.png'])
            for kind, (heading, runs) in PICTURES.items()
        ),
        (PAGE, ['leaderboard', f'{out}/runs', '--html', f'{out}/site']),
    ]


def train(data: str, work_dir: str, *ablation: str) -> list[str]:
    """Return the command that trains the full model or one of its ablations in the reduced size."""
    return ['train', 'mer_smic', '--data-root', data, '--work-dir', work_dir, '--override', *REDUCED, *ablation]


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = Parser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('demo'), metavar='DIR', help='default: %(default)s')
    return parser


def main(argv: list[str] | None = None) -> None:
    """Run the steps one after another in this process."""
    out = make_parser().parse_args(argv).out
    if out.is_dir() and any(out.iterdir()) and not (out / 'raw').exists():
        raise InputError(
            f'--out {out}: expected an empty folder or that of an earlier demo, found files; give a new one'
        )
    for heading, (command, *words) in steps(out):
        print(f'== {heading}', flush=True)
        import_module(f'mer_bench.cli.{command}').main(words)
    print('== look at')
    for kind, (heading, _) in PICTURES.items():
        print(f'{out}/{kind}.png: {heading}')
    print(f'{out}/site/index.html: {PAGE}')
