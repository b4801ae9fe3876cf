"""Draw runs as a figure for a paper: pdf, png or svg, in colours that everyone can tell apart.

Runs are run folders, records, folders of several runs, files of predictions or published logs (`score --help` lists
the formats). Kinds that need predictions only:

- confusion: which class is taken for which
- subjects: how many clips of each subject are right
- intervals: UF1 of each method with its 95 % interval over the subjects
- critical-difference: average ranks of three methods or more, joined where the data do not tell them apart
- reliability: how often a method is right against how sure it is, before and after temperature scaling

Kinds that need a record.json beside the predictions:

- curves: loss and training accuracy of each epoch, median and quartiles of the folds, from curves.csv of the run
- ablations: how UF1 changes by each ablation of a model, with paired 95 % intervals
- parameters: UF1 against the number of parameters
- cost: UF1 against the time of training

python tools/plot.py results/megc2019_flow/mer_megc2019_flow/ststnet/seed0 --kind confusion
python tools/plot.py results/megc2019_flow --kind cost --out cost.pdf
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mer_bench.cli.arguments import Parser, add_json, report
from mer_bench.errors import visible
from mer_bench.evaluation.compare import short_names
from mer_bench.evaluation.curves import CURVES, read_curves
from mer_bench.evaluation.drawn import Drawn
from mer_bench.evaluation.figures import KINDS
from mer_bench.evaluation.predictions import classes_of, load_predictions
from mer_bench.evaluation.style import save
from mer_bench.results.methods import display_name, kind_of
from mer_bench.results.record import PREDICTIONS, RECORD, record_of, refuse_changed_files, temperatures_of


def make_parser() -> Parser:
    """Make the parser of the command."""
    parser = Parser(description=__doc__)
    parser.add_argument('runs', metavar='RUN', nargs='+', help='a run folder, its record, or a file of predictions')
    parser.add_argument('--kind', choices=KINDS, required=True, help='what to draw')
    text = 'what to call the runs (default: short names of their methods)'
    parser.add_argument('--names', nargs='+', default=(), help=text)
    parser.add_argument('--classes', nargs='+', default=(), help='all classes, if some never occur in the predictions')
    text = 'a file that ends in .pdf, .png or .svg, or several (default: KIND.pdf and KIND.png)'
    parser.add_argument('--out', nargs='+', type=Path, metavar='FILE', help=text)
    add_json(parser)
    return parser


def main(argv: list[str] | None = None) -> None:
    """Draw the runs and print which files were written."""
    parser = make_parser()
    args = parser.parse_args(argv)
    args.runs = [run for word in args.runs for run in expand(word)]
    if args.names and len(args.names) != len(args.runs):
        parser.error(f'--names: expected a name for each of {len(args.runs)} runs, got {len(args.names)}')
    paths = args.out or [Path(f'{args.kind}{suffix}') for suffix in ('.pdf', '.png')]
    save(lambda: KINDS[args.kind](read_runs(args.runs, args.names, args.classes)), *paths)
    with report(args.json) as show:
        show('\n'.join(f'written: {path}' for path in paths), dict(kind=args.kind, written=paths))


def expand(word: str) -> list[str]:
    """Return the run folders below a folder that is no run itself; anything else as it is."""
    path = Path(word)
    if not path.is_dir() or (path / RECORD).exists() or (path / PREDICTIONS).exists():
        return [word]
    return [str(record.parent) for record in sorted(path.rglob(RECORD))] or [word]


def read_runs(runs: Sequence[str], names: Sequence[str] = (), classes: Sequence[str] = ()) -> list[Drawn]:
    """Read the runs: their predictions and, where they have them, records, temperatures and learning curves."""
    records, drawn = [record_of(run) for run in runs], []
    called = [(name, name) for name in names] or call(runs, records)
    for (name, method), source, record in zip(called, runs, records, strict=True):
        table, found = load_predictions(source), dict(method=method)
        if record:
            folder = Path(source) if Path(source).is_dir() else Path(source).parent
            refuse_changed_files(folder / RECORD, record, (CURVES,))
            curves = read_curves(folder / CURVES) if (folder / CURVES).exists() else None
            temperatures = temperatures_of(record)
            found |= dict(record=record, temperatures=temperatures, curves=curves, kind=kind_of(record['method']))
        drawn.append(Drawn(name, table, classes_of(table, source, classes), **found))
    return drawn


def call(runs: Sequence[str], records: Sequence[dict | None]) -> list[tuple[str, str]]:
    """Return a label for each run and for its method: short names of methods, or ends of paths where these are alike.

    Seeds of one method have the same name, and the same label of the method.
    """
    if None not in records:
        methods = [visible(display_name(record['method'])) for record in records]
        several = Counter(methods)
        names = [
            f'{name}, seed {record["seed"]}' if several[name] > 1 and 'seed' in record else name
            for name, record in zip(methods, records, strict=True)
        ]
        keys = {(name, *key_of(record)) for name, record in zip(methods, records, strict=True)}
        if len({*names}) == len(names) and len(keys) == len({*methods}):
            return [*zip(names, methods, strict=True)]
    names = short_names(runs) if len(runs) > 1 else [name_of(runs[0])]
    return [(name, name) for name in names]


def key_of(record: dict) -> tuple:
    """Return what the seeds of one method share."""
    return record['dataset'], record['protocol'], record.get('config', {}).get('digest'), record['epoch_rule']


def name_of(source: str) -> str:
    """Name a single run by its method, another file by its own name."""
    path = Path(source).absolute()
    path = path.parent if path.name in (PREDICTIONS, RECORD) else path
    return path.parent.name if path.name.startswith('seed') else path.name
