"""Learning curves pooled over folds, against numbers worked out by hand, and what a damaged file says."""

import pytest

from mer_bench.errors import InputError
from mer_bench.evaluation.curves import COLUMNS, curves_table, curves_text, pool_curves, read_curves

NAN = float('nan')


def test_curves_are_pooled_by_median_and_quartiles_of_the_folds_that_trained_so_long():
    folds = [
        curves_table([4, 8], [0.1, 0.01], [0.5, NAN]),
        curves_table([1, 9], [0.1, 0.01], [0.25, NAN]),
        curves_table([2], [0.1], [1]),
    ]
    assert curves_text(pool_curves(folds)).splitlines() == [
        'epoch,loss,loss_low,loss_high,lr,train_accuracy,train_accuracy_low,train_accuracy_high',
        '1,2,1.5,3,0.1,0.5,0.375,0.75',  # sorted 1, 2, 4: a quarter lies halfway between the first two
        '2,8.5,8.25,8.75,0.01,,,',
    ]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('epoch,loss\n1,2\n', 'expected the columns epoch, loss, lr, train_accuracy'),
        ('epoch,loss,lr,train_accuracy\n', 'expected the epochs 1, 2'),
        ('epoch,loss,lr,train_accuracy\n1,1,1,1\n1,1,1,1\n', 'expected the epochs 1, 2'),
        ('epoch,loss,lr,train_accuracy\n1,much,1,1\n', 'expected numbers, or empty cells'),
        ('epoch,loss,lr,train_accuracy\n1,inf,1,1\n', 'expected numbers, or empty cells'),
        ('', 'expected learning curves, but'),
    ],
)
def test_a_file_that_holds_no_curves_is_refused(tmp_path, text, message):
    path = tmp_path / 'curves.csv'
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_curves(path, COLUMNS)
