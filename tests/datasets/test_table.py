import os

import pandas as pd
import pytest

from mer_bench.datasets.sheet import read_tables
from mer_bench.datasets.table import (
    COLUMNS,
    annotation_table,
    digest_clips,
    load_annotations,
    read_annotations,
    write_annotations,
)
from mer_bench.errors import InputError


def row(clip, **more):
    return {'sample_id': f'samm/006/{clip}', 'dataset': 'samm', 'subject': 'samm/006', 'clip': clip, 'fps': 200.0} | {
        'frames_dir': f'006/{clip}',
        'emotion': 'negative',
        'synthetic': False,
        **more,
    }


def test_a_written_table_reads_back_equal(tmp_path):
    table = annotation_table([row('006_1_2', onset=1, apex=3, offset=9, action_units='1+2'), row('006', onset=4)])
    write_annotations(table, tmp_path / 'annotations.csv')
    pd.testing.assert_frame_equal(read_annotations(tmp_path / 'annotations.csv'), table)


def test_the_digest_of_clips_depends_on_what_is_said_of_them_alone(tmp_path):
    rows = [row('006_1_2', onset=1, apex=3, offset=9), row('006', onset=4, fps=29.97)]
    table = annotation_table(rows)
    digest = digest_clips(table)
    write_annotations(annotation_table([one | {'frames_dir': 'elsewhere'} for one in rows]), tmp_path / 'a.csv')
    path = tmp_path / 'a.csv'
    header, *lines = path.read_bytes().splitlines()
    path.write_bytes(b'\r\n'.join([header, *lines[::-1], b'']))  # another order and other line ends
    assert digest_clips(read_annotations(path)) == digest_clips(table[::-1]) == digest
    for changes in (dict(emotion='positive'), dict(apex=4), dict(fps=30.0), dict(action_units='4')):
        assert digest_clips(table.assign(**changes)) != digest


def test_a_table_is_loaded_from_its_folder_or_by_its_file(tmp_path):
    table = annotation_table([row('006_1_2', onset=1, apex=3, offset=9), row('006', onset=4)])
    for name in ('annotations.csv', 'other.csv'):
        write_annotations(table, tmp_path / name)
    for place in (tmp_path, str(tmp_path), tmp_path / 'other.csv'):
        pd.testing.assert_frame_equal(load_annotations(place), table)


def test_digits_and_na_stay_text_and_unknown_frames_stay_empty(tmp_path):
    write_annotations(annotation_table([row('006'), row('NA')]), tmp_path / 'annotations.csv')
    table = read_annotations(tmp_path / 'annotations.csv')
    assert table['clip'].tolist() == ['006', 'NA']
    assert table['apex'].isna().all()
    assert table['action_units'].tolist() == ['', '']


def test_the_file_has_the_agreed_columns_and_is_sorted(tmp_path):
    write_annotations(annotation_table([row('b'), row('a', synthetic=True)])[::-1], tmp_path / 'annotations.csv')
    lines = (tmp_path / 'annotations.csv').read_text().splitlines()
    assert lines[0].split(',') == COLUMNS
    assert lines[1] == 'samm/006/a,samm,samm/006,a,,,,200.0,006/a,negative,,,true'
    assert lines[2].startswith('samm/006/b')


@pytest.mark.parametrize(
    ('name', 'sentence'),
    [
        ('full', "the data set is called 'full', which names the scores of all data sets together; rename it"),
        ('sanity', 'a column of the leaderboards'),
        ('..', 'expected the name of a data set as the name of a folder'),
        ('a+b', "found 'a+b'; rename it"),
        ('', 'expected the name of a data set'),
    ],
)
def test_a_data_set_with_a_name_that_means_something_else_is_refused(name, sentence, tmp_path):
    other = {'dataset': name, 'subject': f'{name}/006', 'sample_id': f'{name}/006/a'}
    with pytest.raises(InputError) as error:
        annotation_table([row('a', **other)])
    assert sentence in str(error.value)
    write_annotations(annotation_table([row('a')]), tmp_path / 'a.csv')
    (tmp_path / 'a.csv').write_text((tmp_path / 'a.csv').read_text().replace('samm', name))
    with pytest.raises(InputError, match='rename it'):  # a table of an earlier version, before any training
        read_annotations(tmp_path / 'a.csv')


def test_a_repeated_clip_is_named():
    with pytest.raises(InputError, match="'samm/006/a' occurs twice"):
        annotation_table([row('a'), row('a')])


@pytest.mark.parametrize(
    ('text', 'fault'),
    [(None, 'no such annotation table'), ('sample_id,clip\na,b\n', 'missing'), ('onset\nfirst\n', 'not an annotation')],
)
def test_a_file_that_is_no_annotation_table_is_refused(tmp_path, text, fault):
    if text:
        (tmp_path / 'annotations.csv').write_text(text)
    with pytest.raises(InputError, match=fault):
        read_annotations(tmp_path / 'annotations.csv')


def test_a_sample_id_must_be_subject_and_clip():
    with pytest.raises(InputError, match='is not <subject>/<clip>'):
        annotation_table([row('a') | {'clip': 'b'}])


@pytest.mark.parametrize('read', [read_annotations, read_tables])
def test_a_pipe_in_place_of_a_table_is_refused_and_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / 'annotations.csv')
    with pytest.raises(InputError, match=r'annotations.csv: expected a file, found a pipe'):
        read(tmp_path / 'annotations.csv')
