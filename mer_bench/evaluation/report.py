"""A score table as text for the screen."""

from tabulate import tabulate

SHOWN = {'accuracy': 'accuracy', 'uf1': 'UF1', 'uar': 'UAR', 'macro_precision': 'macro precision'}


def format_scores(table: dict) -> str:
    """Lay out what `score_table` returns: scores with intervals, the full confusion matrix, notes."""
    rows = [
        [name, part['n'], part['n_subjects'], *(_with_interval(part, key) for key in SHOWN)]
        for name, part in table.items()
    ]
    headers = ['', 'clips', 'subjects', *SHOWN.values()]
    align = ('left', 'right', 'right', *['left'] * len(SHOWN))
    scores = tabulate(rows, headers=headers, disable_numparse=True, colalign=align)
    return '\n\n'.join([scores, _confusion(table['full']), _notes(table)])


def format_action_units(table: dict) -> str:
    """Lay out what `score_action_units` returns: the F1 of every unit, and their mean."""
    units = list(table['full']['f1_per_unit'])
    rows = [
        [name, part['n'], part['n_unknown'], _f1(part['f1']), *(_f1(part['f1_per_unit'][unit]) for unit in units)]
        for name, part in table.items()
    ]
    headers = ['', 'clips', 'unknown', 'mean F1', *(f'AU{unit}' for unit in units)]
    align = ('left', *['right'] * (len(headers) - 1))
    text = tabulate(rows, headers=headers, disable_numparse=True, colalign=align)
    return f'Action units, F1 at threshold 0.5 (-: no clip shows the unit)\n{text}'


def _f1(value: float | None) -> str:
    return '-' if value is None else f'{value:.4f}'


def _with_interval(part: dict, key: str) -> str:
    interval = (part['intervals'] or {}).get(key)
    return f'{part[key]:.4f}' if interval is None else '{:.4f} [{:.3f}, {:.3f}]'.format(part[key], *interval)


def _confusion(full: dict) -> str:
    classes = list(full['f1_per_class'])
    rows = [
        [
            name,
            *counts,
            sum(counts),
            f'{full["recall_per_class"][name]:.4f}',
            f'{full["f1_per_class"][name]:.4f}',
        ]
        for name, counts in zip(classes, full['confusion_matrix'], strict=True)
    ]
    headers = ['true \\ predicted', *classes, 'clips', 'recall', 'F1']
    align = ('left', *['right'] * (len(headers) - 1))
    return 'Confusion matrix, full\n' + tabulate(rows, headers=headers, disable_numparse=True, colalign=align)


def _notes(table: dict) -> str:
    notes = [
        'Predictions of all folds pooled; in brackets the 95 % interval, 1000 resamples of the subjects '
        '(a class that a resample lacks counts as 0).'
    ]
    for name, part in table.items():
        if part['n_subjects'] == 1:
            notes.append(f'{name}: one subject only, so no interval.')
        absent = [c for c, row in zip(part['f1_per_class'], part['confusion_matrix'], strict=True) if not sum(row)]
        if absent:
            notes.append(f'{name}: no clip of class {", ".join(absent)}; its recall and F1 count as 0.')
    return '\n'.join(notes)
