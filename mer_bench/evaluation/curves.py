"""Learning curves: loss, learning rate and training accuracy of each epoch, of one fold or pooled over all folds.

The accuracy is that of the outputs that the training computes anyway: with its dropout and augmentation, by weights
that change from step to step. It is lower than that of the finished network on the same clips, and it is empty where a
method mixes labels or has a head without `top1_acc`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.errors import InputError
from mer_bench.files import refuse_special

CURVES = 'curves.csv'  # of a fold, and pooled beside predictions.csv
COLUMNS = ('epoch', 'loss', 'lr', 'train_accuracy')
POOLED = (
    'epoch', 'loss', 'loss_low', 'loss_high', 'lr', 'train_accuracy', 'train_accuracy_low', 'train_accuracy_high'
)  # fmt: skip
AGAIN = 'put it back, or remove it to go without learning curves'


def curves_table(loss: Sequence[float], lr: Sequence[float], accuracy: Sequence[float]) -> pd.DataFrame:
    """Return the curves of one fold.

    Args:
        loss: (E,) mean over the steps of each epoch.
        lr: (E,) learning rate of its last step; of several groups of weights that of the first.
        accuracy: (E,) share of the clips that were right when they were trained on; NaN where it is unknown.
    """
    columns = [np.arange(1, len(loss) + 1), *(np.asarray(values, float) for values in (loss, lr, accuracy))]
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def curves_text(table: pd.DataFrame) -> str:
    """Return the text of curves.csv; six digits are more than a figure shows."""
    return table.to_csv(index=False, float_format='%.6g', lineterminator='\n')


def pool_curves(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return median and quartiles over the folds, one row for each epoch, over the folds that trained so long."""
    epochs = pd.concat(tables).groupby('epoch')
    low, middle, high = (epochs.quantile(share) for share in (0.25, 0.5, 0.75))
    pooled = middle.join([low.add_suffix('_low'), high.add_suffix('_high')]).reset_index()
    return pooled[[*POOLED]]


def read_curves(path: str | Path, columns: Sequence[str] = POOLED) -> pd.DataFrame:
    """Read a curves.csv: that of a run, or with `columns=COLUMNS` that of a fold.

    Raises:
        InputError: It has other columns, no epoch, epochs out of order, or what is no finite number.
    """
    refuse_special(Path(path), AGAIN)
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        numbers = table.apply(pd.to_numeric, errors='coerce').astype(float)
    except Exception as error:  # a damaged file can raise anything
        raise InputError(f'{path}: expected learning curves, but {error}; {AGAIN}') from error
    if [*table] != [*columns]:
        raise InputError(f'{path}: expected the columns {", ".join(columns)}, found others; {AGAIN}')
    epochs = numbers['epoch'].tolist()
    if not epochs or epochs != [*range(1, len(epochs) + 1)]:
        raise InputError(f'{path}: expected the epochs 1, 2, ... in this order, found others; {AGAIN}')
    if (numbers.isna() & (table != '') | np.isinf(numbers)).any(axis=None):
        raise InputError(f'{path}: expected numbers, or empty cells, found others; {AGAIN}')
    return numbers.astype({'epoch': int})
