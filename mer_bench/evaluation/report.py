"""A score table as text for the screen."""

from tabulate import tabulate

from mer_bench.evaluation.metrics import METRICS, mean_of_datasets

MEAN = 'mean of data sets'


def format_scores(table: dict) -> str:
    """Lay out what `score_table` returns: scores with intervals, the full confusion matrix, notes."""
    rows = [
        [name, part['n'], part['n_subjects'], *(_with_interval(part, metric.name) for metric in METRICS)]
        for name, part in table.items()
        if name != 'full' or len(table) != 2  # a single data set is the full table
    ]
    if len(table) > 2:  # the full table and several data sets
        rows.append([MEAN, '', '', *(f'{mean_of_datasets(table, metric.name):.4f}' for metric in METRICS)])
    headers = ['', 'clips', 'subjects', *(metric.header for metric in METRICS)]
    align = ('left', 'right', 'right', *['left'] * len(METRICS))
    scores = tabulate(rows, headers=headers, disable_numparse=True, colalign=align)
    return '\n\n'.join([scores, _confusion(table['full']), _notes(table)])


def format_action_units(table: dict) -> str:
    """Lay out what `score_action_units` returns: the F1 of every unit, and their mean."""
    if table['full'] is None:
        return 'Action units: no clip of these data has any'
    units = list(table['full']['f1_per_unit'])
    rows = [[name, *(_unit_cells(part) if part else ['-'] * (len(units) + 3))] for name, part in table.items()]
    if len(table) > 2:
        rows.append([MEAN, '', '', f'{mean_of_datasets(table, "f1"):.4f}', *[''] * len(units)])
    headers = ['', 'clips', 'unknown', 'mean F1', *(f'AU{unit}' for unit in units)]
    align = ('left', *['right'] * (len(headers) - 1))
    text = tabulate(rows, headers=headers, disable_numparse=True, colalign=align)
    notes = 'unknown clips count as showing no unit; a unit that no clip shows has F1 0; -: no units, not in full'
    return f'Action units, F1 at threshold 0.5 ({notes})\n{text}'


def format_calibration(found: dict) -> str:
    """Lay out what `calibration` returns: calibration error and Brier score, or why there is none."""
    raw, scaled = found['raw'], found['scaled']
    lines = ['Calibration: are the class scores probabilities that can be believed?']
    if raw is None:
        lines.append(
            'The scores are no probabilities, so they have neither calibration error nor Brier score as they are.'
        )
    for words, part in (('scores as they are', raw), ('after temperature scaling', scaled)):
        if part:
            lines.append(
                f'{words}: ECE {part["ece"]:.4f} (15 bins; about {part["ece_by_chance"]:.2f} by chance alone), '
                f'Brier score {part["brier"]:.4f}'
            )
    if scaled is None:
        lines.append('No temperature was fitted on training subjects; train with --select inner for one.')
    return '\n'.join(lines)


def _unit_cells(part: dict) -> list:
    return [part['n'], part['n_unknown'], *(f'{f1:.4f}' for f1 in (part['f1'], *part['f1_per_unit'].values()))]


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
    notes = ['Predictions of all folds pooled; in brackets the 95 % interval over the subjects (each left out once).']
    absent = _classes_without_clip(table['full'])
    notes += [f'class {name} has no clip in these data; its recall and F1 count as 0.' for name in absent]
    for name, part in table.items():
        if part['n_subjects'] == 1:
            notes.append(f'{name}: one subject only, so no interval.')
        more = [other for other in _classes_without_clip(part) if other not in absent]
        if more:
            notes.append(f'{name}: no clip of class {", ".join(more)}; its recall and F1 count as 0.')
    return '\n'.join(notes)


def _classes_without_clip(part: dict) -> list[str]:
    return [name for name, row in zip(part['f1_per_class'], part['confusion_matrix'], strict=True) if not sum(row)]
