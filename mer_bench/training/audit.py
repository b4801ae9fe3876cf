"""Predicts the held-out clips of a fold after every epoch, for the leak meter; training never sees the result.

See :mod:`mer_bench.evaluation.epoch_audit` for what the file means.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.epoch_audit import AUDIT, audit_table
from mer_bench.files import refuse_special, write_array
from mer_bench.training.fold_folder import EPOCH_SCORES, PREDICTIONS, write_predictions

NOTES = '.audit.txt'  # in a fold in work: one line an epoch, from which a continued training goes on
# an epoch, the place of the predicted class of each clip, and the scores of its classes, which older notes lack
SCORE = r'(?:-?(?:inf|[0-9]+(?:\.[0-9]+)?(?:e[-+][0-9]{1,3})?)|nan)'
NOTE = re.compile(rf'([0-9]{{1,9}}): ([0-9]{{1,3}}(?: [0-9]{{1,3}})*);(?: ({SCORE}(?: {SCORE})*);)?')


def note_epoch(folder: Path, epoch: int, rows: list[dict], classes: list[str]) -> None:
    """Note the predicted class and the class scores of each held-out clip after an epoch, counted from 0.

    Args:
        folder: Of the fold in work.
        epoch: Its number.
        rows: sample_id, y_pred and `score_<class>` of each clip.
        classes: Names of the classes.
    """
    place = {name: str(number) for number, name in enumerate(classes)}
    rows = sorted(rows, key=lambda row: row['sample_id'])
    line = ' '.join(place[row['y_pred']] for row in rows)
    scores = ' '.join(f'{row[f"score_{name}"]:.9g}' for row in rows for name in classes)
    with open(folder / NOTES, 'a', encoding='utf-8') as file:
        file.write(f'\n{epoch}: {line}; {scores};')  # on a line of its own even after one that a stop cut off


def finish_audit(folder: Path, epochs: int, classes: list[str]) -> None:
    """Write audit.csv and epoch_scores.npy of a fold from its notes and predictions.csv.

    Raises:
        InputError: The fold was begun without an audit, so that epochs are missing.
    """
    columns = ['sample_id', 'dataset', 'subject', 'fold', 'seed', 'y_true']
    clips = pd.read_csv(folder / PREDICTIONS, dtype=str, keep_default_na=False)[columns]
    notes, found = folder / NOTES, {}
    refuse_special(notes, 'remove it and run the same command again')
    for line in notes.read_text(encoding='utf-8', errors='replace').splitlines() if notes.exists() else ():
        if noted := NOTE.fullmatch(line):  # else a stop cut it off; an epoch that was trained again replaces the first
            places, scores = [*map(int, noted[2].split())], (noted[3] or '').split()
            if len(places) == len(clips) and max(places) < len(classes):
                found[int(noted[1])] = places, scores
    if missing := [epoch for epoch in range(epochs) if epoch not in found]:
        raise InputError(
            f'{folder}: expected an audit of {epochs} epochs, but epoch {missing[0] + 1} has none, because its note is '
            'damaged or this fold was begun without --audit-epochs; remove the folder and run the same command again'
        )
    codes = np.array([found[epoch][0] for epoch in range(epochs)]).T  # clips by their names, as in the table
    write_predictions(audit_table(clips, codes, classes), folder / AUDIT)
    scores = [found[epoch][1] for epoch in range(epochs)]
    if all(len(of_epoch) == len(clips) * len(classes) for of_epoch in scores):
        scores = np.array(scores, np.float32).reshape(epochs, len(clips), len(classes))
        write_array(folder / EPOCH_SCORES, scores.swapaxes(0, 1))
