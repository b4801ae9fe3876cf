"""Lists of clips to predict, and predictions as a table, CSV or JSON."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from mer_bench.errors import InputError, in_one_line, visible
from mer_bench.escaping import for_csv
from mer_bench.files import refuse_special, write_atomically
from mer_bench.inference.clip import frame_number
from mer_bench.inference.model import WARNING, Prediction, Span

NUMBERS = ('onset', 'apex', 'offset')


def read_spans(path: Path) -> list[Span]:
    """Read a CSV of clips: the column `path`, relative to its folder, and if known `onset`, `apex` and `offset`."""
    refuse_special(path)
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise InputError(f'{path}: expected a CSV of clips, it cannot be read ({in_one_line(error)})') from None
    if 'path' not in table or table.empty:
        found = ', '.join(map(str, table.columns[:8])) if len(table) else 'no row'
        raise InputError(f'{path}: expected clips in a column path, found {found}; name the columns in the first row')
    spans = []
    rows = table.reindex(columns=['path', *NUMBERS], fill_value='').itertuples(index=False)
    for line, (name, *cells) in enumerate(rows, start=2):
        try:
            numbers = [frame_number(*pair) for pair in zip(NUMBERS, cells, strict=True)]
        except InputError as error:
            raise InputError(f'{path}: line {line}: {error}') from None
        spans.append(Span(path.parent / name, *numbers))
    return spans


def as_table(predictions: Sequence[Prediction]) -> str:
    """Lay out predictions for the screen, each with its notes below the table."""
    classes = list(predictions[0].probabilities)
    rows = [
        [visible(each.path.name), each.label, *(f'{each.probabilities[name]:.2f}' for name in classes), *span_of(each)]
        for each in predictions
    ]
    table = tabulate(rows, ['clip', 'class', *classes, *NUMBERS], disable_numparse=True)
    of = {}
    for each in predictions:
        for note in each.notes:
            of.setdefault(note, []).append(visible(each.path.name))
    everywhere = len(predictions)
    notes = [
        f'note: {note}' + ('' if len(names) == everywhere else f' ({", ".join(names)})') for note, names in of.items()
    ]
    how = 'calibrated' if predictions[0].calibrated else 'not calibrated: 0.9 need not mean right in 9 of 10 cases'
    return '\n'.join([table, '', *notes, f'note: the probabilities are {how}', WARNING])


def span_of(prediction: Prediction) -> list[int]:
    """Return onset, apex and offset."""
    return [getattr(prediction, name) for name in NUMBERS]


def as_json(predictions: Sequence[Prediction]) -> str:
    """Return predictions as JSON."""
    content = dict(warning=WARNING, predictions=[each.to_dict() for each in predictions])
    return json.dumps(content, indent=2, ensure_ascii=False)


def as_csv(predictions: Sequence[Prediction]) -> str:
    """Return predictions as CSV, one row a clip, with the columns score_<class> of predictions.csv."""
    rows = [
        {
            'path': for_csv(str(each.path)),
            'y_pred': for_csv(each.label),
            **{f'score_{name}': score for name, score in each.probabilities.items()},
            'calibrated': each.calibrated,
            **dict(zip(NUMBERS, span_of(each), strict=True)),
            'notes': '; '.join(each.notes),
        }
        for each in predictions
    ]
    return pd.DataFrame(rows).to_csv(index=False, lineterminator='\n')


FORMS = {'.csv': as_csv, '.json': as_json}


def check_out(path: Path) -> None:
    """Refuse a file for predictions whose ending is none of :data:`FORMS`, or a folder."""
    refuse_special(path, 'give another name')
    if path.suffix.lower() not in FORMS:
        raise InputError(f'--out {path}: expected a name that ends in {" or ".join(FORMS)}; rename it')


def write(predictions: Sequence[Prediction], path: Path) -> None:
    """Write predictions to a file, in the form that its ending says."""
    with write_atomically(path) as temporary:
        temporary.write_text(FORMS[path.suffix.lower()](predictions).rstrip('\n') + '\n', encoding='utf-8')
