"""The scores of a run on the screen."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

SCORES = dict(accuracy='accuracy', uf1='UF1', uar='UAR')


def print_summary(record: dict, work_dir: Path) -> None:
    """Print accuracy, UF1 and UAR with their intervals and the confusion matrix, or what is still missing."""
    console = Console()
    if not record['complete']:
        folds = record['folds']
        console.print(
            f'{folds["done"]} of {folds["total"]} folds are finished in {work_dir}; there are no scores before the last'
        )
        return
    note = ', synthetic data' if record['synthetic'] else ''
    console.print(
        f'\n[bold]{record["method"]}[/bold] on {record["dataset"]} ({record["protocol"]}, seed {record["seed"]}{note})'
    )
    console.print(_score_table(record['scores']))
    console.print(_confusion_table(record['scores']['full']['confusion_matrix'], record['classes']))
    console.print(f'{work_dir}/record.json and predictions.csv', highlight=False)


def _score_table(scores: dict) -> Table:
    table = Table('', 'clips', *SCORES.values(), title='pooled over the folds, 95 % interval over subjects')
    # a single data set needs no second row
    parts = scores if len(scores) > 2 else {'full': scores['full']}
    for part, values in parts.items():
        table.add_row(part, str(values['n']), *(_with_interval(values, name) for name in SCORES))
    return table


def _with_interval(values: dict, name: str) -> str:
    interval = values['intervals'][name] if values['intervals'] else None
    return f'{values[name]:.4f}' + (f' [{interval[0]:.3f}, {interval[1]:.3f}]' if interval else '')


def _confusion_table(matrix: list[list[int]], classes: list[str]) -> Table:
    table = Table('true \\ predicted', *classes, title='confusion matrix')
    for name, row in zip(classes, matrix, strict=True):
        table.add_row(name, *map(str, row))
    return table
