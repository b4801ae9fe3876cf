"""The log of the Micro-Expression Grand Challenge (MEGC 2019, See et al., https://doi.org/10.1109/FG.2019.8756611).

A header line `<database> <subject>`, then one line `<clip> <ground truth> <prediction>` for each of the subject's
clips, labels as whole numbers.
"""

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.errors import InputError
from mer_bench.evaluation.labels import WHOLE, plain_label, shown
from mer_bench.evaluation.prediction_csv import RawTable

KNOWN_DATABASES = ('smic', 'casme', 'casme2', 'casme3', 'samm', 'mmew', '4dme', 'dfme')


def read_megc_log(path: str | Path, data: bytes) -> RawTable:
    """Read the log of the Micro-Expression Grand Challenge."""
    columns = ['clip', 'y_true', 'y_pred', 'more']
    try:
        options = dict(sep=r'\s+', header=None, names=columns, quoting=3, skip_blank_lines=False, low_memory=False)
        words = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False, **options)
        fault = not isinstance(words.index, pd.RangeIndex)
    except ValueError:
        fault = True
    if fault:  # a line of five words or more
        line = next(number for number, line in enumerate(data.splitlines()) if len(line.split(None, 4)) > 4)
        raise _no_log(path, line, data.splitlines()[line].decode(errors='replace'), line > 0)
    n_words = (words != '').sum(axis=1).to_numpy()
    lines = np.flatnonzero(n_words)  # of those that are not blank
    words, n_words = words.iloc[lines], n_words[lines]
    is_header, is_clip = n_words == 2, n_words == 3
    of_header = np.maximum.accumulate(np.where(is_header, np.arange(len(words)), -1))
    wrong = ~is_header & (~is_clip | (of_header < 0)) | (is_header & _is_no_header(words, is_header, is_clip))
    labels = {text: plain_label(text) for key in ('y_true', 'y_pred') for text in words[key][is_clip].unique()}
    no_number = [text for text, label in labels.items() if not WHOLE.fullmatch(label)]
    unlabelled = is_clip & (words['y_true'].isin(no_number) | words['y_pred'].isin(no_number)).to_numpy()
    if (wrong | unlabelled).any():
        row = int((wrong | unlabelled).argmax())
        line = ' '.join(word for word in words.iloc[row] if word)
        raise _no_log(path, lines[row], line, of_header[row] >= 0, is_header[row], not wrong[row])
    subjects = words[['clip', 'y_true']].set_axis(['dataset', 'subject'], axis=1).iloc[of_header[is_clip]]
    rows = words[is_clip].reset_index(drop=True)
    subjects = subjects.reset_index(drop=True).assign(dataset=subjects['dataset'].str.lower().to_numpy())
    frame = pd.concat([subjects, rows[columns[:3]]], axis=1)
    lines = lines[is_clip]
    return RawTable(frame, lambda row: f'{path}, line {lines[row] + 1}')


def _is_no_header(words: pd.DataFrame, is_header: np.ndarray, is_clip: np.ndarray) -> np.ndarray:
    """Return which lines of two words have no clips below them, or are clips without a prediction: `EP02_01f 1`."""
    databases = words['clip'].str.lower()
    times = Counter(databases[is_header].tolist())
    known = databases.isin([*KNOWN_DATABASES, *(name for name, number in times.items() if number > 1)]).to_numpy(
        copy=True
    )
    known[0] = True
    has_no_clip = np.append(is_header[1:], True)
    return has_no_clip | (words['y_true'].isin(words['y_true'][is_clip].unique()).to_numpy() & ~known)


def _no_log(path, line, text, has_header, is_header=False, no_label=False) -> InputError:
    where, text = f'{path}, line {line + 1}', shown(text)
    if no_label:
        return InputError(
            f'{where}: expected whole numbers as ground truth and prediction, but got {text}; predict every clip'
        )
    if is_header:
        return InputError(
            f'{where}: expected <clip> <ground truth> <prediction>, or <database> <subject> and its clips, but got '
            f'{text}; add the missing prediction or clips'
        )
    expected = '<clip> <ground truth> <prediction>' if has_header else 'a header <database> <subject>'
    return InputError(
        f'{where}: expected {expected}, but got {text}; give a MEGC log or a csv with sample_id, y_true, y_pred'
    )
