import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from mer_bench.datasets.table import annotation_table
from mer_bench.errors import InputError
from mer_bench.files import digest_file
from mer_bench.preparation.flow_store import FlowStore
from mer_bench.preparation.store_build import (
    DoneClip,
    append_done,
    finish_build,
    is_complete,
    locked,
    read_done,
    start_build,
    what_changed,
    write_clip,
)

SHAPE = (2, 3, 1, 28, 28)
PARAMETERS = {'dataset': 'smic', 'synthetic': False, 'flow': 'dis', 'flow_parameters': {'preset': 2}, 'clip_len': 1}
PARAMETERS |= {'size': [28, 28], 'apex': {'middle': 2}, 'sampling': 'apex', 'opencv': '5.0.0', 'reference': 'onset'}
PARAMETERS |= {'channels': ['u', 'v', 'strain'], 'faces': {'detector': 'none'}}


@pytest.fixture
def table():
    names = ('s1_ne_01', 's1_po_01')
    rows = [
        {'sample_id': f'smic/s01/{name}', 'subject': 'smic/s01', 'clip': name, 'synthetic': False} for name in names
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
    assert pd.read_csv(tmp_path / 'annotations.csv')['apex'].tolist() == [50, 51]
    assert is_complete(tmp_path, PARAMETERS)


def test_a_store_is_incomplete_when_its_annotations_changed(tmp_path, table):
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    fill(build)
    finish_build(build, tmp_path, table, PARAMETERS, 'pixels')
    with open(tmp_path / 'annotations.csv', 'a') as file:
        file.write('\n')
    assert not is_complete(tmp_path, PARAMETERS)


def test_a_half_written_last_line_does_not_count(tmp_path):
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    (build / 'done.txt').write_text('0,50,1.500\n1,5')
    assert read_done(build) == {0: DoneClip(0, 50, 1.5)}
    append_done(build, DoneClip(1, None, 2.0))
    assert read_done(build)[1] == DoneClip(1, None, 2.0)


def test_a_build_is_continued_only_with_the_same_parameters(tmp_path):
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    fill(build)
    assert start_build(tmp_path, PARAMETERS, SHAPE) == build
    assert len(read_done(build)) == 2
    other = start_build(tmp_path, PARAMETERS | {'apex': 'spotted'}, SHAPE)
    assert other != build
    assert not build.exists()
    assert read_done(other) == {}


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
    assert what_changed(PARAMETERS, PARAMETERS) == 'the clips, their frames or their table'


def test_a_file_is_no_folder_to_write_to(tmp_path):
    (tmp_path / 'out').touch()
    with pytest.raises(InputError, match='choose another --out'), locked(tmp_path / 'out'):
        pass


def test_two_preparations_do_not_share_a_folder(tmp_path):
    code = 'import sys\nfrom pathlib import Path\nfrom mer_bench.preparation.store_build import locked\n'
    code += f'with locked(Path({str(tmp_path)!r})):\n    print("held", flush=True)\n    sys.stdin.read()\n'
    with subprocess.Popen([sys.executable, '-c', code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with pytest.raises(InputError, match='another preparation is at work'), locked(tmp_path):
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
    with pytest.raises(InputError, match=rf'missing {part}; run tools/prepare.py'):
        FlowStore(tmp_path / 'store')


def test_an_index_that_does_not_match_is_refused(tmp_path, table):
    build = start_build(tmp_path, PARAMETERS, SHAPE)
    fill(build)
    finish_build(build, tmp_path, table, PARAMETERS, 'pixels')
    path = tmp_path / 'store' / 'store.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | {'n_clips': 3}))
    with pytest.raises(InputError, match=r'flow.npy has 2 clips, index.csv 2, store.json 3'):
        FlowStore(tmp_path / 'store')


def test_reading_a_store_needs_no_opencv():
    code = 'import sys, mer_bench.preparation.flow_store; assert not {"cv2", "torch"} & set(sys.modules)'
    subprocess.run([sys.executable, '-c', code], check=True)
