"""The data sets that tools/prepare.py reads, by name."""

from collections.abc import Sequence

from mer_bench.datasets import casme, casme2, casme3, casme_sq, csv_table, dfme, fourdme, mmew, samm, smic
from mer_bench.datasets.csv_table import table_of_your_own
from mer_bench.datasets.dataset import DataSet
from mer_bench.errors import InputError, did_you_mean

DATASETS: dict[str, DataSet] = {
    dataset.name: dataset
    for dataset in (
        *smic.SMIC,
        *smic.SMIC_E,
        casme2.DATASET,
        samm.DATASET,
        casme.DATASET,
        casme_sq.DATASET,
        casme3.DATASET,
        mmew.DATASET,
        fourdme.DATASET,
        dfme.DATASET,
        csv_table.DATASET,
    )
}


def find_dataset(name: str, columns: Sequence[str] = (), classes: Sequence[str] = ()) -> DataSet:
    """Return the data set of this name.

    Args:
        name: a key of :data:`DATASETS`.
        columns: of a table of your own (`csv`), see :func:`~mer_bench.datasets.csv_table.table_of_your_own`.
        classes: of such a table.
    """
    if name not in DATASETS:
        raise InputError(f'no data set {name!r}{did_you_mean(name, DATASETS)}; choose one of {", ".join(DATASETS)}')
    if name == csv_table.DATASET.name:
        return table_of_your_own(columns, classes)
    if columns or classes:
        raise InputError(f'--columns and --classes are for a table of your own (csv), not for {name}; leave them out')
    return DATASETS[name]
