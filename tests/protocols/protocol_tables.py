"""Annotation tables of the shape of the real data sets, with made-up subjects."""

import numpy as np
import pandas as pd

from mer_bench.datasets.table import annotation_table

# emotions of the sheets, with CASME II's two clips that MEGC 2019 leaves out
SHEETS = {
    'smic': {'negative': 70, 'positive': 51, 'surprise': 43},
    'casme2': dict(others=99, disgust=63, happiness=32, repression=27, surprise=25, sadness=7, fear=2),
    'samm': dict(anger=57, others=26, happiness=26, surprise=15, contempt=12, disgust=9, fear=8, sadness=6),
}
LEFT_OUT = {'casme2': [('sub04', 'EP12_01f', 'disgust'), ('sub05', 'EP09_05f', 'repression')]}


def sheet_table(dataset: str, n_subjects: int, column: str = 'emotion', counts: dict | None = None) -> pd.DataFrame:
    """Return the clips of a data set: every class spread over the subjects in turn."""
    values = [value for value, number in (counts or SHEETS[dataset]).items() for _ in range(number)]
    rows = []
    for subject, clip, value in LEFT_OUT.get(dataset, []) if counts is None else []:
        values.remove(value)
        rows.append(clip_row(dataset, subject, clip, emotion=value))
    spread = enumerate(values)
    rows += [clip_row(dataset, f'sub{i % n_subjects + 1:02d}', f'c{i}', **{column: value}) for i, value in spread]
    return annotation_table(rows)


def clip_row(dataset: str, subject: str, clip: str, **cells) -> dict:
    name = f'{dataset}/{subject}'
    return {
        'sample_id': f'{name}/{clip}',
        'dataset': dataset,
        'subject': name,
        'clip': clip,
        'synthetic': True,
        **cells,
    }


def random_table(seed: int) -> pd.DataFrame:
    """Return 2 to 4 data sets whose subjects have the same numbers, each with 1 to 12 clips, in random order."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(['smic', 'casme2', 'samm', 'mmew'])[: rng.integers(2, 5)]
    rows = [
        clip_row(name, f'{subject:02d}', f'c{clip}', emotion='surprise')
        for name in names
        for subject in range(1, rng.integers(3, 9))
        for clip in range(rng.integers(1, 13))
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=seed, ignore_index=True)
