"""The page of a prepared data set: what comes first, what it shows, and that it is safe to open."""

import base64

import cv2
import numpy as np
import pandas as pd
import pytest

from mer_bench.cli.browse import main
from mer_bench.datasets.table import load_annotations
from mer_bench.errors import InputError
from mer_bench.html import browse
from mer_bench.preparation.store.flow_store import FlowStore
from tests.conftest import rewrite_flow, write_prepared_data

HOSTILE = '"><img src=https://example.org/x onerror=alert(1)>'


@pytest.fixture
def data(tmp_path):
    """18 clips of smic; the sixth moves as a whole, the seventh not at all."""
    root = write_prepared_data(tmp_path / 'data' / 'smic')
    rewrite_flow(root, slice(5, 6), 5)
    rewrite_flow(root, slice(6, 7), 0)
    return root


def measured(root, faces=(), **columns):
    table = load_annotations(root).assign(**columns)
    return browse.measured(table, FlowStore(root / 'store'), dict(faces)).set_index('row')


def test_clips_that_move_as_a_whole_or_not_at_all_come_first(data):
    clips = measured(data)
    assert [*clips.index[:2]] == [5, 6]
    assert clips.loc[5, 'marks'] == ['head moves', 'hardly moves']  # beside the motion of the whole, there is none
    assert clips.loc[5, 'head'] == pytest.approx(np.hypot(5, 5))
    assert clips.loc[6, 'motion'] == 0
    assert clips.loc[6, 'marks'] == ['hardly moves']


def test_an_apex_beside_the_onset_is_marked(data):
    index = pd.read_csv(data / 'store/index.csv')
    store = FlowStore(data / 'store')
    store.path = data.parent  # with apexes of our own
    index.assign(apex=[0, 5, 10, *[4] * (len(index) - 3)]).to_csv(data.parent / 'index.csv', index=False)
    clips = browse.measured(load_annotations(data).assign(onset=0, offset=10), store, {}).set_index('row')
    assert sorted(row for row in clips.index if 'apex at the edge' in clips.loc[row, 'marks']) == [0, 2]


def test_doubtful_faces_are_marked(data):
    whole = dict(frame='1', a='1', b='0', dx='0', dy='0', left='0', top='0', right='9', bottom='9', n_faces='1')
    names = [*load_annotations(data)['sample_id']]
    faces = dict.fromkeys(names[:-1], whole) | {
        names[0]: whole | dict(a='0.8', b='0.6'),
        names[1]: whole | dict(n_faces='2'),
    }
    faces[names[2]] = whole | dict(frame='3')
    marks = measured(data, faces, onset=1, offset=9)['marks']
    of = {row: {*marks[row]} - {'head moves', 'hardly moves'} for row in (0, 1, 2, 3, len(names) - 1)}
    assert [*of.values()] == [
        {'face unlike the others'},
        {'several faces'},
        {'face not on the onset'},
        set(),
        {'no face'},
    ]


def test_still_pixels_are_white_and_all_clips_have_one_scale():
    flow = np.zeros((2, 2, 4, 4), np.float32)
    flow[0, 0], flow[1, 0, 0] = 1, 2
    coloured, wheel, scale = browse.colour_flow([*flow])
    assert coloured[1, 3, 3].tolist() == wheel[0, 0].tolist() == [255, 255, 255]
    assert scale == 2
    saturation = np.ptp(coloured.astype(int), axis=-1)
    assert saturation[1, 0, 0] == pytest.approx(2 * saturation[0, 0, 0], abs=2)


def test_a_store_without_flow_is_refused(tmp_path):
    root = write_prepared_data(tmp_path / 'smic', channels=['grey'])
    with pytest.raises(InputError, match="expected the channels u and v, found \\['grey'\\]"):
        browse.browse(root, tmp_path / 'page.html')


def test_onset_and_apex_come_from_the_folder_of_the_clip_and_no_other(tmp_path):
    for place, grey in (('frames/c', 200), ('secret', 50)):
        (tmp_path / place).mkdir(parents=True)
        for number in (3, 7):
            cv2.imwrite(str(tmp_path / place / f'{number}.png'), np.full((60, 40), grey + number, np.uint8))
    clip = pd.Series({'frames_dir': 'c', 'onset': 3, 'apex_used': 7})
    found = browse.pictures(clip, None, tmp_path / 'frames')
    greys = [round(float(decoded(found[name]).mean())) for name in ('onset_picture', 'apex_picture')]
    assert greys == pytest.approx([203, 207], abs=1)
    outside = browse.pictures(clip.replace('c', '../secret'), None, tmp_path / 'frames')
    assert {*outside.values()} == {''}


def decoded(uri):
    content = base64.b64decode(uri.partition('base64,')[2])
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)


def test_a_folder_without_the_frames_is_refused(data, tmp_path):
    with pytest.raises(InputError, match=r'expected the folders of annotations\.csv below it, such as .*, found no'):
        browse.browse(data, tmp_path / 'page.html', frames=tmp_path)
    assert not (tmp_path / 'page.html').exists()


def test_the_page_filters_and_neither_asks_the_network_nor_runs_text_of_a_sheet(
    data, tmp_path, monkeypatch, capsys, open_page
):
    monkeypatch.setattr(browse, 'load_annotations', lambda root: load_annotations(root).assign(action_units=HOSTILE))
    main([str(data), '--html', str(tmp_path / 'page.html'), '--clips', '12'])
    assert '12 of 18 clips' in capsys.readouterr().out
    page, faults = open_page(f'file://{tmp_path}/page.html')
    assert 'drawn by a program' in page.inner_text('.warn')
    assert HOSTILE in page.inner_text('tbody tr:first-child')
    page.select_option('select[name=emotion]', 'surprise')
    rows = [row for row in page.query_selector_all('tbody tr') if row.is_visible()]
    assert rows
    assert all('surprise' in row.inner_text() for row in rows)
    assert len(rows) < 12
    page.select_option('select[name=emotion]', '')
    page.click('thead button:text-is("head")')
    heads = [
        float(cell) for cell in page.eval_on_selector_all('tbody tr', 'rows => rows.map(r => r.cells[5].innerText)')
    ]
    assert heads == sorted(heads, reverse=True)
    assert faults == []
