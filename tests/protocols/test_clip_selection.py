"""The clips of a run from several tables, and own lists of clips to leave out."""

import pytest

from mer_bench.errors import InputError
from mer_bench.protocols.label_schemes import load_scheme, select_clips
from tests.protocols.protocol_tables import sheet_table

OWN = 'dataset,column,value,label\nsmic,emotion,surprise,surprise\nsmic,emotion,*,rest\nsamm,emotion,*,rest\n'
EXCLUDED = 'scheme,dataset,subject,clip,reason\n'


@pytest.fixture
def own(tmp_path):
    """Return a function that loads the scheme `own` with these rows of excluded_clips.csv beside it."""

    def load(*rows):
        (tmp_path / 'own.csv').write_text(OWN)
        (tmp_path / 'excluded_clips.csv').write_text(EXCLUDED + '\n'.join(rows))
        return load_scheme(tmp_path / 'own.csv')

    return load


def test_tables_are_joined_by_sample_id_and_each_clip_knows_its_place():
    tables = [('there', sheet_table('smic', 16)), ('here', sheet_table('casme2', 24))]
    kept, dropped = select_clips(tables, load_scheme('megc2019_3class'))
    assert kept['place'].value_counts().to_dict() == {'there': 164, 'here': 145}
    assert kept['sample_id'].is_monotonic_increasing
    assert len(dropped) == 255 - 145
    assert select_clips(tables[::-1], load_scheme('megc2019_3class'))[0].equals(kept)


def test_a_place_is_named_that_has_nothing_for_the_scheme_or_a_clip_of_another():
    smic = sheet_table('smic', 16)
    with pytest.raises(InputError, match='here: label scheme samm_5class: expected clips that it uses'):
        select_clips([('there', sheet_table('samm', 28)), ('here', smic)], load_scheme('samm_5class'))
    with pytest.raises(InputError, match='smic/sub01/c0 is in there and in here; give folders that share no clip'):
        select_clips([('there', smic), ('here', smic[:1])], load_scheme('smic_3class'))


def test_own_clips_are_left_out_wherever_they_lie(own):
    smic = sheet_table('smic', 16)
    scheme = own('own,smic,sub01,c0,blurred', 'own,smic,sub02,c1,dark', 'own,samm,sub01,c0,of data not given')
    _, dropped = select_clips([('a', smic[:80]), ('b', smic[80:])], scheme)
    assert dropped.values.tolist() == [['smic/sub01/c0', 'blurred'], ['smic/sub02/c1', 'dark']]


@pytest.mark.parametrize('row', ['own,smic,sub01,C0,x', 'own,SMIC,sub01,c0,x'])
def test_capitals_do_not_matter_for_an_excluded_clip(own, row):
    _, dropped = select_clips([('a', sheet_table('smic', 16))], own(row))
    assert dropped['sample_id'].tolist() == ['smic/sub01/c0']


@pytest.mark.parametrize('row', ['own,smic,smic/sub01,c0,x', 'own,smic,sub99,c0,x'])
def test_an_own_clip_that_the_data_lack_is_told(own, row):
    with pytest.raises(InputError, match=r'excluded_clips\.csv: expected clips of the data, found smic/'):
        select_clips([('a', sheet_table('smic', 16))], own(row))


def test_a_scheme_in_other_letters_is_told(own):
    with pytest.raises(InputError, match=r'excluded_clips\.csv: expected the scheme own, found Own'):
        own('Own,smic,sub01,c0,x')
    assert own('another,smic,sub01,c0,x').excluded == ()


def test_a_clip_that_older_sheets_lack_stops_no_built_in_scheme():
    # sub24/EP02_07 is in no sheet of 2014
    kept, _ = select_clips([('casme2', sheet_table('casme2', 24))], load_scheme('megc2019_3class'))
    assert len(kept) == 145


def scheme_of(folder, *rules):
    path = folder / 'mine.csv'
    path.write_text('\n'.join(['dataset,column,value,label', 'smic,emotion,surprise,surprise', *rules]) + '\n')
    return load_scheme(path)


def test_an_emotion_that_no_clip_has_is_refused_with_the_nearest_one(tmp_path):
    scheme = scheme_of(tmp_path, 'casme2,emotion,hapiness,positive')
    with pytest.raises(
        InputError, match=r'mine.csv: rule casme2,emotion,hapiness,positive: .* \(did you mean happiness\?\); correct'
    ):
        select_clips([('a', sheet_table('smic', 16)), ('b', sheet_table('casme2', 24))], scheme)


def test_without_a_near_emotion_those_of_the_data_are_named(tmp_path):
    with pytest.raises(InputError, match='has the emotion xyz, but negative, positive, surprise; correct'):
        select_clips([('a', sheet_table('smic', 16))], scheme_of(tmp_path, 'smic,emotion,xyz,rest'))


@pytest.mark.parametrize(
    'rule',
    [
        'samm,emotion,hapiness,positive',  # of a data set that is not in the run
        'smic,emotion,*,rest',
    ],
)
def test_a_value_of_another_data_set_or_any_value_is_accepted(tmp_path, rule):
    select_clips([('a', sheet_table('smic', 16))], scheme_of(tmp_path, rule))


def test_an_emotion_of_an_official_scheme_may_be_missing(tmp_path):
    """A release may lack it: a copy of an official scheme is accepted as the scheme itself is."""
    smic = sheet_table('smic', 16)
    smic = smic[smic['emotion'] != 'positive']
    rules = [f'smic,emotion,{emotion},{emotion}' for emotion in ('negative', 'positive')]
    for scheme in (load_scheme('smic_3class'), scheme_of(tmp_path, *rules)):
        assert set(select_clips([('a', smic)], scheme)[0]['label']) == {'negative', 'surprise'}
