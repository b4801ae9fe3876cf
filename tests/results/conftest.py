"""Finished runs written the way training leaves them: record.json beside predictions.csv."""

from pathlib import Path

import pandas as pd
import pytest

from mer_bench.evaluation.metrics import score_table
from mer_bench.files import write_json
from mer_bench.results.record import write_record

CLASSES = ['negative', 'positive', 'surprise']
# Four subjects with two clips each; y_true in the order of the clips.
SUBJECTS = ('s01', 's02', 's03', 's04')
TRUTH = ('negative', 'positive', 'negative', 'surprise', 'negative', 'positive', 'negative', 'surprise')
ANSWERS = {
    'perfect': TRUTH,
    'one wrong': (*TRUTH[:7], 'negative'),  # one surprise clip is taken for negative
    'always negative': ('negative',) * 8,
}


def predictions(answers: str, datasets: tuple = ('smic',), seed: int = 0) -> pd.DataFrame:
    """Return the same eight clips for each data set, answered with ANSWERS[answers]."""
    rows = []
    for dataset in datasets:
        for i, (truth, answer) in enumerate(zip(TRUTH, ANSWERS[answers], strict=True)):
            subject = f'{dataset}/{SUBJECTS[i // 2]}'
            row = {'sample_id': f'{subject}/clip{i}', 'dataset': dataset, 'subject': subject, 'fold': subject}
            scores = {f'score_{name}': float(name == answer) for name in CLASSES}
            rows.append({**row, 'seed': seed, 'y_true': truth, 'y_pred': answer, **scores})
    return pd.DataFrame(rows)


def record(frame: pd.DataFrame, **changes) -> dict:
    """Return a complete record of `frame`; `changes` replace top-level keys."""
    synthetic = changes.get('synthetic', False)
    store = {'flow': 'tvl1', 'clip_len': 16, 'size': [112, 112], 'apex': 'middle', 'synthetic': synthetic}
    complete = {
        'schema_version': 2,
        'method': 'full',
        'config': {'name': 'mer_smic', 'text': 'model = dict()', 'digest': 'c0ffee' * 8},
        'overrides': [],
        'protocol': 'LOSO, smic_3class',
        'label_scheme': {'name': 'smic_3class', 'digest': 'd' * 64},
        'dataset': 'smic',
        'classes': CLASSES,
        'seed': int(frame['seed'].iloc[0]),
        'data': {'annotations_digest': 'a' * 64, 'store_digest': 'b' * 64, 'store': store},
        'n_clips': len(frame),
        'n_subjects': int(frame['subject'].nunique()),
        'clips_per_class': frame['y_true'].value_counts().to_dict(),
        'subjects_per_class': frame.groupby('y_true')['subject'].nunique().to_dict(),
        'folds': {'total': frame['fold'].nunique(), 'done': frame['fold'].nunique(), 'missing': []},
        'complete': True,
        'scores': score_table(frame, CLASSES),
        'parameters': 27_212_345,
        'flops': 10_000_000_000,
        'seconds': {'prepare': 1.0, 'train': 2.0, 'test': 0.5},
        'device': 'cpu, 2 threads',
        'versions': {'python': '3.11.2', 'torch': '2.15.0'},
        'commit': '0123456789ab',
        'date': '2025-01-31',
        'source': 'reproduced',
        'synthetic': False,
        'epoch_rule': 'last',
    }
    return {**complete, **changes}


def write_run(folder: Path, answers: str = 'perfect', datasets: tuple = ('smic',), seed: int = 0, **changes) -> Path:
    """Write predictions.csv and record.json into `folder`."""
    folder.mkdir(parents=True)
    frame = predictions(answers, datasets, seed)
    frame.to_csv(folder / 'predictions.csv', index=False)
    write_record(folder / 'record.json', content := record(frame, **changes))
    write_json(folder / 'record.json', content)  # without a digest, for tests and fuzzing that change it
    return folder


@pytest.fixture
def new_run(tmp_path):
    """Return a function that writes a run into tmp_path/<name>; see `write_run` for its arguments."""
    return lambda name, *args, **kwargs: write_run(tmp_path / name, *args, **kwargs)
