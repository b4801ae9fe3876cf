import copy
import pickle
import re
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope, init_default_scope
from torch.utils.data import DataLoader

from mer_bench.errors import InputError
from mer_bench.loading import flow_store_dataset
from mer_bench.loading.flow_data_preprocessor import FlowDataPreprocessor
from mer_bench.loading.flow_store_dataset import FlowStoreDataset
from mer_bench.loading.prepared_data import open_prepared_data, open_store
from mer_bench.protocols.label_schemes import load_scheme
from tests.conftest import write_prepared_data

SCHEME = load_scheme('smic_3class')
SOURCE = {'dataset': 'smic', 'owner': 'its owner', 'prepare': 'python tools/prepare.py smic --raw DIR'}


PACK = {'type': 'PackActionInputs', 'meta_keys': ('sample_id', 'subject')}


def build(root, *transforms, subjects=('smic/s02',), **options):
    init_default_scope('mmaction')
    config = {'type': 'FlowStoreDataset', 'ann_file': 'annotations.csv', 'data_root': str(root)}
    config |= {'label_scheme': 'smic_3class', 'subjects': list(subjects), 'pipeline': [*transforms, PACK]}
    return DATASETS.build(config | options)


@pytest.fixture
def dataset(prepared_data):
    return build(prepared_data, {'type': 'LoadFlowClip'})


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
        'mer-bench demo',
    ):
        assert part in str(error.value)


def test_a_table_that_was_changed_after_the_preparation_is_refused(prepared_data, tmp_path):
    (tmp_path / 'store').symlink_to(prepared_data / 'store')
    table = (prepared_data / 'annotations.csv').read_text()
    (tmp_path / 'annotations.csv').write_text(table.replace('negative', 'positive', 1))
    with pytest.raises(InputError, match=r'annotations\.csv is not the table that .*store was made from'):
        open_prepared_data([tmp_path], SCHEME, [SOURCE])


def epoch_of(dataset, workers: int = 0, batch_size: int = 4, order: list[int] | None = None, device='cpu') -> dict:
    """Augmented and normalised clips of an epoch by sample_id."""
    preprocessor = FlowDataPreprocessor([0.1] * 3, [0.5] * 3, max_shift=0.2, max_jitter=1, max_scale=0.3).to(device)
    preprocessor.set_epoch(7, 3)
    sampler = order or list(range(len(dataset)))
    options = dict(sampler=sampler, num_workers=workers, collate_fn=pseudo_collate)
    out = [preprocessor(data, training=True) for data in DataLoader(dataset, batch_size, **options)]
    clips = torch.cat([data['inputs'] for data in out])
    names = [sample.sample_id for data in out for sample in data['data_samples']]
    return dict(zip(names, clips, strict=True))


def assert_same(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(clip, other[name]) for name, clip in one.items())


@pytest.mark.parametrize('load', [{}, {'channels': ['v', 'magnitude', 'u'], 'size': 16}])
def test_an_epoch_is_the_same_from_memory_map_and_workers_in_any_order(prepared_data, load):
    subjects = ('smic/s01', 'smic/s03')
    load = {'type': 'LoadFlowClip', **load}
    resident = build(prepared_data, load, subjects=subjects, resident=True)
    mapped = build(prepared_data, load, subjects=subjects, resident=False)
    expected = epoch_of(mapped)
    assert len(expected) == 12
    assert_same(epoch_of(resident), expected)
    assert_same(epoch_of(resident, workers=2, batch_size=5), expected)
    assert_same(epoch_of(resident, batch_size=3, order=[*range(11, -1, -1)]), expected)


def test_all_subjects_share_one_tensor_and_each_data_set_gives_its_own(prepared_data):
    train, test = (
        build(prepared_data, {'type': 'LoadFlowClip'}, subjects=names, resident=True)
        for names in (('smic/s01', 'smic/s03'), ('smic/s02',))
    )
    storage = {item['inputs'].untyped_storage().data_ptr() for data in (train, test) for item in data}
    assert len(storage) == 1
    names = [{item['data_samples'].subject for item in data} for data in (train, test)]
    assert names == [{'smic/s01', 'smic/s03'}, {'smic/s02'}]


def test_clips_that_do_not_fit_are_read_from_the_memory_map(prepared_data, dataset, monkeypatch):
    monkeypatch.setattr(flow_store_dataset, 'fits', lambda *args: False)
    mapped = build(prepared_data, {'type': 'LoadFlowClip'})
    assert mapped.resident_clips() is None
    for one, other in zip(mapped, dataset, strict=True):
        assert torch.equal(one['inputs'], other['inputs'].float())
        assert one['data_samples'].sample_id == other['data_samples'].sample_id


def test_a_copy_starts_without_the_clips_in_memory(dataset):
    dataset[1]
    for again in (copy.deepcopy(dataset), pickle.loads(pickle.dumps(dataset))):
        assert not again.remembered
        assert torch.equal(again[1]['inputs'], dataset[1]['inputs'])
    last = dataset[5]['data_samples'].sample_id
    assert dataset.get_subset([5])[0]['data_samples'].sample_id == last
    dataset[0]
    dataset.get_subset_([5])
    assert dataset[0]['data_samples'].sample_id == last


def test_transforms_of_mmaction_work_on_the_same_store(prepared_data):
    pipeline = (
        {'type': 'LoadFlowClip', 'as_images': True},
        {'type': 'Flip', 'flip_ratio': 1.0},
        {'type': 'Resize', 'scale': (16, 16), 'keep_ratio': False},
        {'type': 'FormatShape', 'input_format': 'NCTHW'},
    )
    item = build(prepared_data, *pipeline)[2]
    store = open_store(str(prepared_data / 'store'))
    clip = store.clips[store.index[item['data_samples'].sample_id]].astype(np.float32)[..., ::-1]
    # halving by bilinear interpolation is the mean of 2x2 pixels
    means = clip.reshape(3, 2, 16, 2, 16, 2).mean((3, 5))
    assert np.allclose(item['inputs'][0].numpy(), means, atol=1e-6)


def test_stock_preprocessing_takes_resident_clips(dataset):
    data = pseudo_collate([dataset[i] for i in range(3)])
    stock = MODELS.build(dict(type='ActionDataPreprocessor', mean=[0.1] * 3, std=[0.5] * 3, format_shape='NCTHW'))
    own = FlowDataPreprocessor([0.1] * 3, [0.5] * 3)
    assert torch.equal(stock(copy.copy(data))['inputs'], own(copy.copy(data))['inputs'])


def test_an_unknown_residence_is_refused(prepared_data):
    with pytest.raises(InputError, match="expected True, False or 'auto', got 'gpu'"):
        build(prepared_data, {'type': 'LoadFlowClip'}, resident='gpu')


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_an_epoch_is_the_same_from_a_gpu(prepared_data, monkeypatch):
    mapped = build(prepared_data, {'type': 'LoadFlowClip'}, resident=False)
    expected = epoch_of(mapped)
    monkeypatch.setattr(flow_store_dataset, 'get_device', lambda: 'cuda')
    resident = build(prepared_data, {'type': 'LoadFlowClip'}, resident=True)
    assert resident[0]['inputs'].device.type == 'cuda'
    for name, clip in epoch_of(resident, device='cuda').items():
        assert torch.allclose(clip.cpu(), expected[name], rtol=1e-6, atol=1e-6)


@pytest.fixture
def _no_scope(monkeypatch):
    """No default scope, as in a program that has no config."""
    monkeypatch.setattr(DefaultScope, '_instance_dict', OrderedDict())


@pytest.mark.usefixtures('_no_scope')
def test_a_plain_data_set_feeds_a_training_loop_of_ones_own(prepared_data):
    train = FlowStoreDataset(prepared_data, subjects=['smic/s01', 'smic/s03'], label_scheme='smic_3class')
    (batch,) = DataLoader(train, batch_size=12, num_workers=1)
    assert (batch['inputs'].shape, batch['inputs'].dtype) == ((12, 3, 2, 32, 32), torch.float32)
    assert batch['label'].bincount().tolist() == [4, 4, 4]
    assert train.metainfo['classes'] == ('negative', 'positive', 'surprise')
    assert {*batch['subject']} == {'smic/s01', 'smic/s03'}
    assert len({*batch['sample_id']}) == 12


@pytest.mark.usefixtures('_no_scope')
def test_a_pipeline_needs_no_default_scope(prepared_data):
    clips = FlowStoreDataset(prepared_data, label_scheme='smic_3class', pipeline=[{'type': 'LoadFlowClip'}, PACK])
    assert clips[0]['data_samples'].subject == 'smic/s01'


def test_a_plain_item_is_the_stored_flow_of_its_clip_and_may_be_changed(prepared_data):
    clips = FlowStoreDataset(prepared_data, subjects='smic/s02', label_scheme='smic_3class', action_units=[7, 12])
    store = open_store(str(prepared_data / 'store'))
    item = clips[3]
    assert {*item} == {'inputs', 'label', 'action_units', 'sample_id', 'subject'}
    assert np.array_equal(item['inputs'], store.clips[store.index[item['sample_id']]])
    assert item['action_units'].tolist() == [0, 1]  # the cell is 12
    item['inputs'].zero_()
    assert clips[3]['inputs'].any()


def test_without_a_label_scheme_every_clip_has_the_emotion_of_the_table(prepared_data):
    clips = FlowStoreDataset(prepared_data, input=dict(channels=['v', 'u'], frames='apex', size=16))
    assert len(clips) == 18
    assert {item['emotion'] for item in clips} == {'negative', 'positive', 'surprise'}
    assert clips[0]['inputs'].shape == (2, 1, 16, 16)
    assert {*clips[0]} == {'inputs', 'emotion', 'sample_id', 'subject'}


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(subjects=['smic/s01', 's02']), "got 's02'; did you mean 'smic/s02'?"),
        (dict(subjects=['smic/s1']), "got 'smic/s1'; did you mean 'smic/s01'?"),
        (dict(subjects=['anna']), "got 'anna'; the first of 3 subjects is 'smic/s01'"),
        (dict(subjects=[]), "expected at least one, such as 'smic/s01'"),
        (dict(label_scheme='smic_3clas'), "label scheme 'smic_3clas'"),
        (dict(input=dict(chanels=['u'])), "size, centre, scale, resize, got 'chanels'"),
        (dict(input=dict(channels=['grey'])), "expected 'grey' in the store of smic"),
    ],
)
def test_an_unknown_subject_scheme_or_input_is_refused_when_the_data_set_is_opened(prepared_data, options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        FlowStoreDataset(prepared_data, **options)


def test_a_subject_whose_clips_the_label_scheme_leaves_out_is_named(tmp_path):
    root = write_prepared_data(tmp_path / 'casme2', 2, dataset='casme2', relabel={1: 'others', 2: 'happiness'})
    with pytest.raises(InputError, match="the label scheme leaves out every clip of 'casme2/s01'"):
        FlowStoreDataset(root, subjects=['casme2/s01'], label_scheme='megc2019_3class')


def test_an_unknown_data_set_is_named_with_the_one_beside_it(prepared_data):
    with pytest.raises(InputError, match=f'did you mean {prepared_data}'):
        FlowStoreDataset(prepared_data.with_name('smc'))
    with pytest.raises(InputError, match=r'found none; run mer-bench prepare'):
        FlowStoreDataset(prepared_data.with_name('samm'))


def test_data_sets_that_were_prepared_differently_are_not_joined(prepared_data, tmp_path):
    other = write_prepared_data(tmp_path / 'casme2', 2, clip_len=1, dataset='casme2', emotions=('surprise',))
    with pytest.raises(InputError, match='expected clip_len 2'):
        FlowStoreDataset([prepared_data, other])
