import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from mer_bench.datasets.table import annotation_table
from mer_bench.errors import InputError
from mer_bench.files import digest_file
from mer_bench.preparation.store.build import (
    DoneClip,
    append_done,
    finish_build,
    locked,
    read_done,
    read_remarks,
    start_build,
    write_clip,
)
from mer_bench.preparation.store.fill import damage, is_complete, other_parameters, what_changed
from mer_bench.preparation.store.flow_store import FlowStore
from tests.conftest import largest_file

SHAPE = (2, 3, 1, 28, 28)
PARAMETERS = {'dataset': 'smic', 'synthetic': False, 'flow': 'dis', 'flow_parameters': {'preset': 2}, 'clip_len': 1}
PARAMETERS |= {'size': [28, 28], 'apex': {'middle': 2}, 'sampling': 'apex', 'opencv': '5.0.0', 'reference': 'onset'}
PARAMETERS |= {'channels': ['u', 'v', 'strain'], 'faces': {'detector': 'none'}}


@pytest.fixture
def table():
    names = ('s1_ne_01', 's1_po_01')
    rows = [
        {'sample_id': f'smic/s01/{name}', 'dataset': 'smic', 'subject': 'smic/s01', 'clip': name, 'synthetic': False}
        for name in names
    ]
    return annotation_table(rows)


def fill(build):
    for row in range(2):
        write_clip(build, row, np.full(SHAPE[1:], row))
        append_done(build, DoneClip(row, 50 + row, 1.5))


def test_a_finished_build_becomes_the_store(tmp_path, table):
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    fill(build)
    finish_build(build, tmp_path, table, PARAMETERS, 'pixels')
    store = FlowStore(tmp_path / 'store')
    assert store.index == {'smic/s01/s1_ne_01': 0, 'smic/s01/s1_po_01': 1}
    assert store.clips.dtype == np.float16
    assert (store.clips[1] == 1).all()
    assert store.info['seconds'] == 3.0
    assert store.info['data_digest'] == digest_file(tmp_path / 'store' / 'flow.npy')
    assert sorted(path.name for path in (tmp_path / 'store').iterdir()) == ['flow.npy', 'index.csv', 'store.json']
    assert pd.read_csv(tmp_path / 'annotations.csv')['apex'].isna().all()  # as the data set says it
    index = pd.read_csv(tmp_path / 'store' / 'index.csv', keep_default_na=False)
    assert index.columns.tolist() == ['row', 'sample_id', 'apex', 'remark']
    assert index['apex'].tolist() == [50, 51]
    assert is_complete(tmp_path, PARAMETERS)


@pytest.mark.parametrize(
    ('part', 'content', 'fault'),
    [
        ('flow.npy', b'other', 'flow.npy: its header cannot be read'),
        ('index.csv', b'', 'index.csv: it is not what was written'),
        ('store.json', b'{"parameters_', 'store.json is missing or cannot be read'),
        ('store.json', b'\xff', 'store.json is missing or cannot be read'),
        ('store.json', b'[]', 'store.json is missing or cannot be read'),
    ],
)
def test_damage_is_named_and_not_taken_for_a_store(tmp_path, table, part, content, fault):
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    fill(build)
    finish_build(build, tmp_path, table, PARAMETERS, 'pixels')
    assert damage(tmp_path, PARAMETERS) is None
    (tmp_path / 'store' / part).write_bytes(content)
    assert damage(tmp_path, PARAMETERS) == fault
    assert not is_complete(tmp_path, PARAMETERS)
    with pytest.raises(InputError, match=rf'{part} is damaged .* run mer-bench prepare again'):
        FlowStore(tmp_path / 'store')


def test_a_build_with_damaged_parameters_is_begun_anew(tmp_path):
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    fill(build)
    (build / 'parameters.json').write_text('{')
    assert other_parameters(tmp_path, PARAMETERS) == []
    assert read_done(start_build(tmp_path, PARAMETERS, SHAPE)) == {}


def test_a_half_written_last_line_does_not_count(tmp_path):
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    (build / 'done.txt').write_text('0,50,1.500,\n1,5')
    assert read_done(build) == {0: DoneClip(0, 50, 1.5)}
    append_done(build, DoneClip(1, None, 2.0, 'kind: a, b'))
    assert read_done(build)[1] == DoneClip(1, None, 2.0, 'kind: a, b')


def test_a_build_is_continued_only_with_the_same_parameters(tmp_path):
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    fill(build)
    assert start_build(tmp_path, PARAMETERS, SHAPE) == build
    assert len(read_done(build)) == 2
    other = start_build(tmp_path, PARAMETERS | {'apex': 'spotted'}, SHAPE)
    assert other != build
    assert read_done(other) == {}


def test_unfinished_builds_of_other_settings_stay_until_a_new_store_is_whole(tmp_path, table):
    first = start_build(tmp_path, PARAMETERS, SHAPE)
    fill(first)
    other = PARAMETERS | {'clip_len': 2}
    second = start_build(tmp_path, other, SHAPE)
    assert len(read_done(first)) == 2
    fill(second)
    finish_build(second, tmp_path, table, other, 'pixels')
    assert not list(tmp_path.glob('.store-*'))


def test_a_stop_between_the_two_renames_is_mended(tmp_path, table):
    for parameters in (PARAMETERS, PARAMETERS | {'apex': 'spotted'}):
        build = start_build(tmp_path, parameters, SHAPE)
        fill(build)
        if parameters is not PARAMETERS:
            (tmp_path / 'store').rename(tmp_path / '.store-old')
            build = start_build(tmp_path, parameters, SHAPE)
        finish_build(build, tmp_path, table, parameters, 'pixels')
    assert FlowStore(tmp_path / 'store').info['apex'] == 'spotted'
    assert not list(tmp_path.glob('.store-*'))


def test_changes_are_named_without_what_follows_from_them():
    other = PARAMETERS | {'flow': 'tvl1', 'flow_parameters': {}, 'clip_len': 16}
    assert what_changed(other, PARAMETERS) == 'flow tvl1 -> dis, clip_len 16 -> 1'
    assert what_changed(PARAMETERS, PARAMETERS) == 'the clips or their frames'


def test_of_a_dict_only_the_keys_that_differ_are_named():
    sizes = [PARAMETERS | {'faces': {'detector': 'dlib', 'size': size}} for size in (224, 256)]
    assert what_changed(*sizes) == 'faces size 224 -> 256'
    spotted = PARAMETERS | {'apex': {'spotted': 2}, 'spotting_regions': {'mouth': [0.6, 0.92, 0.2, 0.8]}}
    assert what_changed(PARAMETERS, spotted) == 'apex middle 2 -> none, apex spotted none -> 2'


def test_a_file_is_no_folder_to_write_to(tmp_path):
    (tmp_path / 'out').touch()
    with pytest.raises(InputError, match='choose another --out'), locked(tmp_path / 'out'):
        pass


def test_what_killed_runs_were_writing_is_removed(tmp_path):
    (tmp_path / '.annotations.csv.123.tmp').touch()
    kept = [tmp_path / name for name in ('mine.tmp', '.mine.tmp', '.faces.csv')]
    for path in kept:
        path.touch()
    with locked(tmp_path):
        assert not (tmp_path / '.annotations.csv.123.tmp').exists()
    assert all(path.exists() for path in kept)


def test_two_preparations_do_not_share_a_folder(tmp_path):
    code = 'import sys\nfrom pathlib import Path\nfrom mer_bench.preparation.store.build import locked\n'
    code += f'with locked(Path({str(tmp_path)!r})):\n    print("held", flush=True)\n    sys.stdin.read()\n'
    with subprocess.Popen([sys.executable, '-c', code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with pytest.raises(InputError, match='another preparation is using this folder'), locked(tmp_path):
            pass
        holder.stdin.close()
    with locked(tmp_path):
        pass


@pytest.mark.parametrize('part', ['flow.npy', 'index.csv', 'store.json'])
def test_an_incomplete_store_is_refused(tmp_path, table, part):
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    fill(build)
    finish_build(build, tmp_path, table, PARAMETERS, 'pixels')
    (tmp_path / 'store' / part).unlink()
    with pytest.raises(InputError, match=rf'missing {part}; run mer-bench prepare'):
        FlowStore(tmp_path / 'store')


def test_room_for_all_clips_is_taken_before_the_first(tmp_path):
    with (
        largest_file(5000),
        pytest.raises(InputError, match=r'the store needs 0.01 MB, .* \(File too large\); make room'),
    ):
        start_build(tmp_path, PARAMETERS, SHAPE)
    assert not [*tmp_path.iterdir()]
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    assert (build / 'flow.npy').stat().st_blocks * 512 >= np.prod(SHAPE) * 2


def test_the_array_is_the_one_that_numpy_writes(tmp_path):
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    clips = np.random.default_rng(0).normal(size=SHAPE).astype(np.float16)
    for row in (1, 0):
        write_clip(build, row, clips[row])
    np.save(tmp_path / 'expected.npy', clips)
    assert (build / 'flow.npy').read_bytes() == (tmp_path / 'expected.npy').read_bytes()


def test_a_disk_that_fills_at_a_clip_costs_that_clip_alone(tmp_path):
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    write_clip(build, 0, np.ones(SHAPE[1:]))
    append_done(build, DoneClip(0, 50, 1.5))
    with largest_file(5000), pytest.raises(OSError, match=r'File too large: .*flow.npy'):
        write_clip(build, 1, np.ones(SHAPE[1:]))
    assert [*read_done(start_build(tmp_path, PARAMETERS, SHAPE))] == [0]
    write_clip(build, 1, np.ones(SHAPE[1:]))
    assert (np.load(build / 'flow.npy') == 1).all()


@pytest.mark.parametrize('content', [None, b'', b'\x93NUMPY\x01\x00'])
def test_a_build_whose_array_is_not_whole_is_begun_anew(tmp_path, content):
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    fill(build)
    (build / 'flow.npy').unlink() if content is None else (build / 'flow.npy').write_bytes(content)
    assert read_done(start_build(tmp_path, PARAMETERS, SHAPE)) == {}


@pytest.mark.parametrize(
    'line', [b'1,5', b'one,5,1.000,\n', b'1,5,nan,\n', b'\xff,5,1.000,\n', b'9' * 5000 + b',5,1.0,\n']
)
def test_a_damaged_line_of_a_finished_clip_does_not_count(tmp_path, line):
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    (build / 'done.txt').write_bytes(b'0,50,1.500,\n' + line)
    assert read_done(build) == {0: DoneClip(0, 50, 1.5)}


def test_reading_a_store_needs_no_opencv():
    code = 'import sys, mer_bench.preparation.store.flow_store; assert not {"cv2", "torch"} & set(sys.modules)'
    subprocess.run([sys.executable, '-c', code], check=True)


@pytest.mark.parametrize('name', ['flow.npy', 'done.txt', 'parameters.json'])
def test_a_build_in_which_a_file_is_none_begins_anew(tmp_path, name):
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    fill(build)
    (build / name).unlink()
    os.mkfifo(build / name)
    assert start_build(tmp_path, PARAMETERS, SHAPE) == build
    assert read_done(build) == {}
    assert (build / 'flow.npy').is_file()


def test_an_index_without_remarks_is_named(tmp_path, table):
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    fill(build)
    finish_build(build, tmp_path, table, PARAMETERS, 'pixels')
    (tmp_path / 'store/index.csv').write_text('row,sample_id\n0,a\n')
    with pytest.raises(
        InputError, match=r'index\.csv is damaged .it is no table with the columns sample_id and remark'
    ):
        read_remarks(tmp_path)
