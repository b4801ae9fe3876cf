"""Predicts the held-out clips of a fold after every epoch, for the leak meter; training never sees the result.

See :mod:`mer_bench.evaluation.epoch_audit` for what the file means.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.epoch_audit import AUDIT, audit_table
from mer_bench.training.fold_folder import PREDICTIONS, write_predictions

NOTES = '.audit.txt'  # in a fold in work: one line an epoch, from which a continued training goes on
NOTE = re.compile(r'(\d+): ([\d ]+);')  # an epoch, and the place of the predicted class of each clip


def note_epoch(folder: Path, epoch: int, rows: list[dict], classes: list[str]) -> None:
    """Note the predicted class of each held-out clip after an epoch, counted from 0.

    Args:
        folder: Of the fold in work.
        epoch: Its number.
        rows: sample_id and y_pred of each clip.
        classes: Names of the classes.
    """
    place = {name: str(number) for number, name in enumerate(classes)}
    predicted = {row['sample_id']: place[row['y_pred']] for row in rows}
    line = ' '.join(predicted[name] for name in sorted(predicted))
    with open(folder / NOTES, 'a', encoding='utf-8') as file:
        file.write(f'\n{epoch}: {line};')  # on a line of its own even after one that a stop cut off


def finish_audit(folder: Path, epochs: int, classes: list[str]) -> None:
    """Write audit.csv of a fold from its notes and predictions.csv.

    Raises:
        InputError: The fold was begun without an audit, so that epochs are missing.
    """
    columns = ['sample_id', 'dataset', 'subject', 'fold', 'seed', 'y_true']
    clips = pd.read_csv(folder / PREDICTIONS, dtype=str, keep_default_na=False)[columns]
    notes, found = folder / NOTES, {}
    for line in notes.read_text(encoding='utf-8', errors='replace').splitlines() if notes.exists() else ():
        if noted := NOTE.fullmatch(line):  # else a stop cut it off; an epoch that was trained again replaces the first
            found[int(noted[1])] = [*map(int, noted[2].split())]
    if missing := [epoch for epoch in range(epochs) if epoch not in found]:
        raise InputError(
            f'{folder}: expected an audit of {epochs} epochs, but epoch {missing[0] + 1} has none, because this fold '
            'was begun without --audit-epochs; remove the folder and run the same command again'
        )
    codes = np.array([found[epoch] for epoch in range(epochs)]).T  # clips in the order of their names, as in the table
    write_predictions(audit_table(clips, codes, classes), folder / AUDIT)
