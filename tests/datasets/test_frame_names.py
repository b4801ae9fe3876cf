import os
import re

import pytest

from mer_bench.datasets.catalogue import DATASETS
from mer_bench.datasets.frame_names import FrameName, frames_of
from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import read_dataset
from mer_bench.errors import InputError
from tests.datasets.raw_data import details, read, touch_frames, write_sheet

OWN = re.compile(r'reg_img(\d+)\.jpg')
CODING = ['Subject', 'Filename', 'OnsetFrame', 'ApexFrame', 'OffsetFrame', 'Action Units', 'Estimated Emotion']
SAMM = ['Subject', 'Filename', 'Onset Frame', 'Apex Frame', 'Offset Frame', 'Action Units', 'Estimated Emotion']


def frames(folder, *names, own=OWN, which=''):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    frames_of.cache_clear()
    return frames_of(folder, FrameName(own, which))


@pytest.mark.parametrize(
    'name',
    [
        *(
            '{}.jpg',
            '{:05d}.jpg',
            'frame_{}.png',
            'img ({}).jpg',
            'img{}.tif',
            '{:04d}.WEBP',
            'img{}.jpg.jpg',
            'a-{}.bmp',
        ),
        *('{:05d}_crop224.jpg', 'frame_{:04d}_v2.jpg', '006_1_2_{:05d}.tiff', '224x224_{}_2024.jpeg'),
    ],
)
def test_the_number_that_varies_is_the_frame_number(tmp_path, name):
    found = frames(tmp_path, *(name.format(number) for number in (9, 46, 110)))
    assert list(found.paths) == [9, 46, 110]
    assert found.remark == ''


def test_names_of_the_owner_come_before_all_others(tmp_path):
    found = frames(tmp_path, 'reg_img46.jpg', *(f'flow_x_{number}.jpg' for number in range(46, 90)), 'Thumbs.db')
    assert {number: path.name for number, path in found.paths.items()} == {46: 'reg_img46.jpg'}


@pytest.mark.parametrize(('which', 'numbers'), [('', [1, 2]), ('first', [12, 15]), ('2', [1, 2]), ('last', [1, 2])])
def test_of_several_numbers_that_vary_the_last_is_taken_with_a_remark_unless_one_is_named(tmp_path, which, numbers):
    found = frames(tmp_path, '12_0001.jpg', '15_0002.jpg', which=which)
    assert list(found.paths) == numbers
    assert ('in names such as 12_0001.jpg: number 2 is taken, 1 there; --frame-number' in found.remark) is (not which)


def test_a_number_that_frames_share_is_not_the_frame_number(tmp_path):
    found = frames(tmp_path, 'f1_blink0.jpg', 'f2_blink1.jpg', 'f3_blink0.jpg')
    assert list(found.paths) == [1, 2, 3]


def test_a_constant_number_does_not_count_where_names_look_like_the_owners_either(tmp_path):
    samm = re.compile(r'(?:\d+_)?(\d+)\.jpg')
    assert list(frames(tmp_path, '05562_224.jpg', '05563_224.jpg', own=samm).paths) == [5562, 5563]


def test_a_few_files_of_another_form_are_left_aside_with_a_remark(tmp_path):
    found = frames(tmp_path, *(f'{number}.jpg' for number in range(1, 9)), '7 (1).jpg')
    assert list(found.paths) == list(range(1, 9))
    assert '1.jpg (8) and 7 (1).jpg (1): only the former are frames' in found.remark


@pytest.mark.parametrize(
    ('names', 'which', 'fault'),
    [
        (['1.jpg', '2.jpg', '1_flow2.jpg', '2_flow2.jpg'], '', r'one form of names for the frames, found 1.jpg \(2\)'),
        (['a1.jpg', 'b1.png'], '', r'frame 1 is there twice \(a1.jpg, b1.png\); keep one, or choose the frame number'),
        (['1.jpg', '2.jpg'], '2', r'1.jpg: expected 2 numbers in the name, found 1; choose another --frame-number'),
    ],
)
def test_what_is_ambiguous_is_refused_in_one_sentence(tmp_path, names, which, fault):
    with pytest.raises(InputError, match=fault):
        frames(tmp_path, *names, which=which)


def test_the_number_that_the_user_names_is_taken_for_the_frames_of_every_reader(tmp_path):
    touch_frames(tmp_path / 'smic/HS/s1/micro/negative/s1_ne_01', range(3, 9), '{}.bmp')
    for path in list((tmp_path / 'smic/HS/s1/micro/negative/s1_ne_01').iterdir()):
        path.rename(path.with_name(f'7{path.stem}_{path.name}'))
    sheet = ['dataset', 'subject', 'clip', 'onset', 'offset', 'emotion', 'frames_dir']
    write_sheet(
        tmp_path / 'clips.csv', sheet, [('mine', 'p1', 'a', 73, 78, 'fear', 'smic/HS/s1/micro/negative/s1_ne_01')]
    )
    for name, places in (('smic', {'raw': tmp_path / 'smic'}), ('csv', {'sheets': (tmp_path / 'clips.csv',)})):
        (found,) = read_dataset(DATASETS[name], Places(**places, frame_number='first')).frames.values()
        assert list(found) == [73, 74, 75, 76, 77, 78]


def test_numbers_that_no_table_can_hold_are_no_frame_numbers(tmp_path):
    assert frames(tmp_path, 'reg_img99999999999999999999.jpg', 'a9223372036854775808_5.jpg').paths.keys() == {5}
    samm = re.compile(r'(?:\d+_)?(\d+)\.jpg')
    assert frames(tmp_path / 'b', '7_99999999999999999999.jpg', '7_8.jpg', own=samm).paths.keys() == {8}


def test_renamed_frames_of_casme2_and_samm_are_found(tmp_path):
    write_sheet(tmp_path / 'c/CASME2-coding.csv', CODING, [(1, 'EP90_01f', 46, 59, 86, '12', 'happiness')])
    touch_frames(tmp_path / 'c/frames/sub01/EP90_01f', range(40, 90), '{:05d}.webp')
    write_sheet(tmp_path / 's/SAMM.csv', SAMM, [('006', '006_9_2', 5562, 5580, 5632, '12', 'Happiness')])
    touch_frames(tmp_path / 's/SAMM/006/006_9_2', range(5562, 5640), 'img{}.jpg')
    assert len(read('casme2', tmp_path / 'c').frames['casme2/sub01/EP90_01f']) == 41
    assert len(read('samm', tmp_path / 's').frames['samm/006/006_9_2']) == 71


def test_a_tree_with_the_owners_names_comes_before_one_of_flow_pictures(tmp_path):
    write_sheet(tmp_path / 'CASME2-coding.csv', CODING, [(1, 'EP90_01f', 46, 59, 86, '12', 'happiness')])
    touch_frames(tmp_path / 'Cropped/deeper/sub01/EP90_01f', range(40, 90), 'reg_img{}.jpg')
    touch_frames(tmp_path / 'Flow/sub01/EP90_01f', range(40, 90), 'flow_x_{}.jpg')
    assert read('casme2', tmp_path).rows.frames == tmp_path / 'Cropped/deeper'


def test_videos_in_place_of_frames_are_named_beside_what_is_accepted(tmp_path):
    write_sheet(tmp_path / 'CASME2-coding.csv', CODING, [(1, 'EP90_01f', 46, 59, 86, '12', 'happiness')])
    touch_frames(tmp_path / 'CASME2/sub01', range(2), 'EP90_0{}f.avi')
    expected = (
        r'expected .* \.tif.* found 2 .avi \(such as CASME2/sub01/EP90_00f.avi\), 1 .csv .* videos are not read: write'
    )
    with pytest.raises(InputError, match=expected):
        read('casme2', tmp_path)


def test_a_clip_folder_without_numbered_pictures_is_noted_with_what_it_holds(tmp_path):
    header = ['dataset', 'subject', 'clip', 'onset', 'offset', 'emotion', 'frames_dir']
    rows = [('mine', f'p{number}', 'a', 1, 9, 'fear', f'p{number}') for number in (1, 2)]
    write_sheet(tmp_path / 'clips.csv', header, rows)
    touch_frames(tmp_path / 'p1', range(1, 10), '{}.jpg')
    touch_frames(tmp_path / 'p2', [1], 'clip.mp4')
    detail = details(read('csv', tmp_path))['p2', 'a', 'left out']
    assert detail.startswith('p2: expected pictures (.jpg')
    assert 'found 1 .mp4 (such as clip.mp4), and videos are not read' in detail


@pytest.mark.parametrize('value', ['middle', '0', '-1', '1.5', '100'])
def test_a_frame_number_option_of_another_form_is_refused(value):
    with pytest.raises(InputError, match='frame-number: expected first, last or a place such as 2'):
        Places(frame_number=value)


def test_a_link_that_leads_to_itself_is_no_folder(tmp_path):
    write_sheet(tmp_path / 'CASME2-coding.csv', CODING, [(1, 'EP90_01f', 46, 59, 86, '12', 'happiness')])
    touch_frames(tmp_path / 'Cropped/sub01/EP90_01f', range(40, 90), 'reg_img{}.jpg')
    os.symlink('loop', tmp_path / 'Cropped/loop')
    os.symlink('loop', tmp_path / 'Cropped/sub01/loop')
    assert len(read('casme2', tmp_path).table) == 1
