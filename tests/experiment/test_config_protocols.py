"""Data sets, label scheme and folds of every shipped config on random tables: nobody is on both sides of a fold."""

import numpy as np
import pandas as pd
import pytest

from mer_bench.experiment.method import load_method
from mer_bench.experiment.sources import find_data
from mer_bench.preparation.flow.published import DATASETS as PICTURES
from mer_bench.protocols.clip_selection import select_clips
from mer_bench.protocols.folds import make_folds
from mer_bench.protocols.label_schemes import ANY
from tests.conftest import ROOT
from tests.protocols.protocol_tables import clip_row

CONFIGS = sorted((ROOT / 'configs').glob('*.py'))


def random_table(dataset, scheme, rng):
    """12 to 15 subjects, of the same numbers in every data set; the first clip of each is in use, others may not be."""
    known = [rule.value for rule in scheme.rules if rule.dataset == dataset and rule.value != ANY]
    rows = []
    for subject in range(1, rng.integers(13, 17)):
        for clip in range(rng.integers(1, 6)):
            value = rng.choice(known if clip == 0 else [*known, 'unheard of', ''])
            rows.append(clip_row(dataset, f'{subject:02d}', f'c{clip}', emotion=value, objective_class=value))
    return pd.DataFrame(rows).sample(frac=1, random_state=int(rng.integers(1000)))


@pytest.mark.parametrize('config', CONFIGS, ids=lambda path: path.stem)
def test_no_person_is_on_both_sides_and_every_clip_in_use_is_tested_once(config):
    method = load_method(str(config))
    sources = [source['dataset'] for source in find_data(method.cfg, None)[1]]
    datasets = ['smic', 'casme2', 'samm'] if sources[0] in PICTURES.values() else sources
    for seed in range(5):
        rng = np.random.default_rng(seed)
        tables = [(dataset, random_table(dataset, method.scheme, rng)) for dataset in datasets]
        kept, dropped = select_clips(tables, method.scheme)
        assert len(kept) + len(dropped) == sum(len(table) for _, table in tables)
        folds = make_folds(kept, method.cfg.folds)
        tested = [clip for fold in folds for clip in kept.loc[kept['subject'].isin(fold.test_subjects), 'sample_id']]
        assert sorted(tested) == sorted(kept['sample_id'])
        for fold in folds:
            assert not {*fold.train_subjects} & {*fold.test_subjects}
            assert {*fold.train_subjects, *fold.test_subjects} == {*kept['subject']}
            if method.cfg.folds.type == 'loso':  # subject 01 of another data set is another person, who is trained on
                namesakes = {f'{dataset}/{fold.name.split("/")[1]}' for dataset in datasets} & {*kept['subject']}
                assert namesakes - {fold.name} <= {*fold.train_subjects}
