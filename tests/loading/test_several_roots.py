"""Several prepared data sets as the data of one run."""

import numpy as np
import pytest

from mer_bench.errors import InputError
from mer_bench.experiment.provenance import difference_note
from mer_bench.files import digest_file
from mer_bench.loading.prepared_data import common_info, open_prepared_data, open_store
from mer_bench.protocols.label_schemes import load_scheme
from tests.conftest import write_prepared_data

EMOTIONS = ('disgust', 'happiness', 'surprise', 'others')


def opened(*roots, scheme='megc2019_3class'):
    sources = [{'dataset': root.name, 'owner': 'its owner', 'prepare': f'prepare {root.name}'} for root in roots]
    return open_prepared_data(roots, load_scheme(scheme), sources)


@pytest.fixture(scope='module')
def casme2(tmp_path_factory):
    """CASME II, 3 subjects with a clip of each of EMOTIONS and the numbers of the subjects of `prepared_data`."""
    root = tmp_path_factory.mktemp('several') / 'casme2'
    return write_prepared_data(root, dataset='casme2', emotions=EMOTIONS, apex='annotated')


def test_every_clip_keeps_its_own_flow(prepared_data, casme2):
    data = opened(prepared_data, casme2)
    assert data.annotations.groupby('dataset').size().to_dict() == {'casme2': 9, 'smic': 18}
    for root in (prepared_data, casme2):
        store = open_store(str(root / 'store'))
        here = data.annotations['store'] == str(root / 'store')
        for clip, mean in zip(data.annotations[here].itertuples(), data.moments[0][here], strict=True):
            assert np.allclose(mean, store.clips[store.index[clip.sample_id]].astype(float).mean((1, 2, 3)))


def test_labels_are_those_of_the_scheme_and_the_other_clips_are_listed(prepared_data, casme2):
    data = opened(prepared_data, casme2)
    of_casme2 = data.annotations[data.annotations['dataset'] == 'casme2']
    assert dict(zip(of_casme2['emotion'], of_casme2['label'], strict=True)) == {
        'disgust': 'negative',
        'happiness': 'positive',
        'surprise': 'surprise',
    }
    assert data.dropped['sample_id'].tolist() == [f'casme2/s0{i}/ot_0' for i in (1, 2, 3)]
    assert data.dropped['reason'].str.contains('others').all()


def test_the_order_of_the_roots_changes_nothing(prepared_data, casme2):
    one, other = opened(prepared_data, casme2), opened(casme2, prepared_data)
    assert one.digests == other.digests
    assert one.annotations.equals(other.annotations)
    assert np.array_equal(one.moments[1], other.moments[1])


def test_digests_of_one_root_are_its_own_and_of_two_are_new(prepared_data, casme2):
    alone, both = opened(prepared_data).digests, opened(prepared_data, casme2).digests
    assert alone['annotations_digest'] == digest_file(prepared_data / 'annotations.csv')
    assert alone['store_digest'] == digest_file(prepared_data / 'store/flow.npy')
    assert not {*alone.values()} & {*both.values()}


def test_the_apex_may_differ_and_is_said(prepared_data, casme2):
    info = opened(prepared_data, casme2).info
    assert info['apex'] == {'smic': 'middle', 'casme2': 'annotated'}
    assert info['faces'] is None
    assert (info['flow'], info['n_clips'], info['synthetic'], len(info['stores'])) == ('tvl1', 30, True, 2)


@pytest.mark.parametrize(
    ('changes', 'found'),
    [
        ({'clip_len': 1}, 'expected clip_len 2 as in .*, found 1'),
        ({'flow': 'dis'}, 'expected flow tvl1 as in .*, found dis'),
        ({'reference': 'previous'}, 'expected reference onset as in .*, found previous'),
        ({'channels': ['u', 'v', 'angle']}, 'expected channels .*strain.* as in .*, found .*angle.*'),
        ({'sampling': 'another'}, 'expected sampling none: numbers of a test as in .*, found another'),
        ({'size': 28}, r'expected size \[32, 32\] as in .*, found \[28, 28\]'),
    ],
)
def test_stores_that_were_prepared_otherwise_are_refused(prepared_data, tmp_path, changes, found):
    other = write_prepared_data(tmp_path / 'samm', dataset='samm', emotions=EMOTIONS, **changes)
    with pytest.raises(InputError, match=f'samm/store: {found}; prepare both with the same options'):
        opened(prepared_data, other)


def test_what_differs_is_one_note():
    same = dict(flow='dis', n_clips=3, seconds=1.0, synthetic=True)
    smic = dict(same, dataset='smic', apex={'middle': 3}, faces={'detector': 'none'})
    casme2 = dict(same, dataset='casme2', apex={'annotated': 2, 'middle': 1}, faces={'detector': 'dlib', 'size': 224})
    assert difference_note(common_info({'a': smic, 'b': casme2})) == (
        'note: the data sets were prepared differently: apex smic: middle, casme2: annotated and middle; '
        'faces smic: none, casme2: dlib 224'
    )
    more_clips = dict(smic, dataset='smic_vis', apex={'middle': 7})
    assert difference_note(common_info({'a': smic, 'b': more_clips})) is None
    assert difference_note(common_info({'a': smic})) is None


def test_roots_that_share_a_clip_are_refused(prepared_data, tmp_path):
    again = write_prepared_data(tmp_path / 'again')
    with pytest.raises(InputError, match=r'smic/s01/ne_0 is in .*smic and in .*again; give folders that share no'):
        opened(prepared_data, again)
    with pytest.raises(InputError, match='name one folder twice'):
        opened(prepared_data, prepared_data)


def test_a_data_set_that_the_scheme_does_not_know_is_named(prepared_data, casme2):
    with pytest.raises(InputError, match=f'{casme2}: label scheme smic_3class: expected clips that it uses'):
        opened(prepared_data, casme2, scheme='smic_3class')


def test_all_missing_ones_are_named_each_with_its_own_command(prepared_data, tmp_path):
    with pytest.raises(InputError) as error:
        opened(tmp_path / 'casme2', prepared_data, tmp_path / 'samm')
    for name in ('casme2', 'samm'):
        assert f'no prepared data set {name} in {tmp_path / name}' in str(error.value)
        assert f'run `prepare {name} --out {tmp_path / name}`' in str(error.value)
    assert 'data set smic' not in str(error.value)


def test_a_table_without_a_store_is_told(tmp_path):
    root = write_prepared_data(tmp_path / 'smic')
    (root / 'store').rename(root / 'elsewhere')
    with pytest.raises(InputError, match=r'only the table was prepared; run the command without --annotations-only$'):
        opened(root, scheme='smic_3class')
