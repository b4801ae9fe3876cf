"""The data sets that tools/prepare.py reads, by name."""

from mer_bench.datasets import casme, casme2, casme3, casme_sq, csv_table, dfme, fourdme, mmew, samm, smic, smic_e
from mer_bench.datasets.reader import DataSet

DATASETS: dict[str, DataSet] = {
    dataset.name: dataset
    for dataset in (
        smic.HS,
        smic.VIS,
        smic.NIR,
        smic_e.HS,
        smic_e.VIS,
        smic_e.NIR,
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
