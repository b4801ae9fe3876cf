import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.registry import init_default_scope

from mer_bench.errors import InputError
from mer_bench.loading.clip_table import open_store
from mer_bench.loading.prepared_data import open_prepared_data
from mer_bench.protocols.label_schemes import load_scheme

SCHEME = load_scheme('smic_3class')
SOURCE = {'dataset': 'smic', 'owner': 'its owner', 'prepare': 'python tools/prepare.py smic --raw DIR'}


@pytest.fixture
def dataset(prepared_data):
    init_default_scope('mmaction')
    pipeline = [{'type': 'LoadFlowClip'}, {'type': 'PackActionInputs', 'meta_keys': ('sample_id', 'subject')}]
    config = {'type': 'FlowStoreDataset', 'ann_file': 'annotations.csv', 'data_root': str(prepared_data)}
    config |= {'label_scheme': 'smic_3class', 'subjects': ['smic/s02'], 'pipeline': pipeline}
    return DATASETS.build(config)


def test_only_the_clips_of_the_chosen_subjects_are_loaded(dataset):
    assert {dataset.get_data_info(i)['subject'] for i in range(len(dataset))} == {'smic/s02'}
    assert len(dataset) == 6


def test_a_clip_is_joined_with_its_flow_by_sample_id(dataset, prepared_data):
    store = open_store(str(prepared_data / 'store'))
    item = dataset[3]
    sample = item['data_samples']
    assert np.array_equal(item['inputs'][0].numpy(), store.clips[store.index[sample.sample_id]])
    # the clip names begin with the first letters of their emotion
    assert sample.sample_id.split('/')[-1][:2] == ['ne', 'po', 'su'][int(sample.gt_label)]


def test_action_units_are_coded_for_the_units_that_are_learnt(dataset):
    config = {
        'type': 'FlowStoreDataset',
        'ann_file': 'annotations.csv',
        'data_root': [dataset.roots[0]],
        'pipeline': [],
    }
    clips = DATASETS.build(config | {'label_scheme': 'smic_3class', 'action_units': [7, 12]})
    coded = {clip['label']: (clip['action_units'], clip['action_unit_targets']) for clip in clips}
    # the cells are 4+L7, 12 and ?
    assert coded == {0: ('4+7', [1, 0]), 1: ('12', [0, 1]), 2: ('?', [-1, -1])}
    assert clips.metainfo['action_units'] == (7, 12)


def test_normalisation_is_that_of_the_named_subjects(prepared_data):
    data = open_prepared_data([prepared_data], SCHEME, [SOURCE])
    mean, std = data.normalisation(('smic/s01', 'smic/s03'))
    clips = open_store(str(prepared_data / 'store')).clips
    chosen = clips[data.annotations['subject'].isin(['smic/s01', 'smic/s03'])].astype(np.float64)
    assert np.allclose(mean, chosen.mean((0, 2, 3, 4)))
    assert np.allclose(std, chosen.std((0, 2, 3, 4)))


def test_missing_data_tells_where_whom_to_ask_and_what_to_run(tmp_path):
    with pytest.raises(InputError) as error:
        open_prepared_data([tmp_path / 'nothing'], SCHEME, [SOURCE])
    for part in (
        'data set smic',
        str(tmp_path / 'nothing'),
        'its owner',
        'tools/prepare.py smic --raw DIR --out',
        'make demo',
    ):
        assert part in str(error.value)


def test_a_table_that_was_changed_after_the_preparation_is_refused(prepared_data, tmp_path):
    (tmp_path / 'store').symlink_to(prepared_data / 'store')
    table = (prepared_data / 'annotations.csv').read_text()
    (tmp_path / 'annotations.csv').write_text(table.replace('negative', 'positive', 1))
    with pytest.raises(InputError, match=r'annotations\.csv is not the table that .*store was made from'):
        open_prepared_data([tmp_path], SCHEME, [SOURCE])
