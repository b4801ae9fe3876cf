import pytest

from mer_bench.errors import InputError
from tests.datasets.raw_data import details, read, repeat, touch_frames, write_sheet

SHEET = 'annotation/cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx'
HEADER = ['Subject', 'Filename', 'Onset', 'Apex', 'Offset', 'AU', 'Objective class', 'emotion']
CLIPS = [
    ('spNO.1', 'b', 66, 75, 79, 4, 'III', 'disgust'),
    ('spNO.1', 'b', 90, 94, 99, 'L14+R14', 'VII ', ' Others'),
    ('spNO.12', 'C', 7, 11, 20, '2+1', 'ii', 'sad'),
]


def write_labels(path, clips=CLIPS, header=HEADER):
    return write_sheet(path, header, clips, sheet='label')


@pytest.fixture
def casme3(tmp_path):
    """The sheet, and the videos of two subjects with colour and depth."""
    write_labels(tmp_path / SHEET)
    for folder, last in (('spNO.1/b', 120), ('spNO.12/c', 40)):
        touch_frames(tmp_path / 'part_A/data/part_A' / folder / 'color', range(7, last), '{}.jpg')
        touch_frames(tmp_path / 'part_A/data/part_A' / folder / 'depth', range(7, last), '{}.png')
    return tmp_path


def test_a_clip_has_the_name_of_its_owner_with_the_onset(casme3):
    reading = read('casme3', casme3)
    table = reading.table
    assert table['clip'].tolist() == ['spNO.1_b_66', 'spNO.1_b_90', 'spNO.12_c_7']
    assert table['sample_id'].iloc[2] == 'casme3/spNO.12/spNO.12_c_7'
    assert table['emotion'].tolist() == ['disgust', 'others', 'sadness']
    assert table['objective_class'].tolist() == ['III', 'VII', 'II']
    assert table['action_units'].tolist() == ['4', 'L14+R14', '2+1']
    assert reading.notes.empty


def test_two_clips_of_one_video_have_their_own_frames(casme3):
    reading = read('casme3', casme3)
    assert reading.table['frames_dir'].tolist() == ['spNO.1/b/color', 'spNO.1/b/color', 'spNO.12/c/color']
    assert reading.frames['casme3/spNO.1/spNO.1_b_66'].keys() == set(range(66, 80))
    assert reading.frames['casme3/spNO.1/spNO.1_b_90'].keys() == set(range(90, 100))
    assert all(path.suffix == '.jpg' for path in reading.frames['casme3/spNO.12/spNO.12_c_7'].values())


@pytest.mark.parametrize('spell', [str, str.lower, lambda name: name.replace('_', ' ')])
def test_cut_clips_are_read_in_any_spelling(tmp_path, spell):
    write_labels(tmp_path / SHEET, CLIPS[:2])
    for clip, first in (('spNO.1_b_66', 66), ('spNO.1_b_90', 90)):
        for folder, suffix in (('frame', 'jpg'), ('depth', 'png')):
            place = tmp_path / 'Part_A_ME_clip/Part_A_ME_clip' / folder / spell(clip)
            touch_frames(place, range(first, first + 14), f'{{}}.{suffix}')
    reading = read('casme3', tmp_path)
    assert reading.table['frames_dir'].tolist() == [spell('spNO.1_b_66'), spell('spNO.1_b_90')]
    assert reading.frames['casme3/spNO.1/spNO.1_b_90'].keys() == set(range(90, 100))


def test_videos_and_cut_clips_together_are_ambiguous(casme3):
    touch_frames(casme3 / 'Part_A_ME_clip/frame/spNO.1_b_66', range(66, 80), '{}.jpg')
    with pytest.raises(InputError, match=r'found .*Part_A_ME_clip.frame and .*part_A; name one with --frames'):
        read('casme3', casme3)


def test_a_sheet_of_the_real_shape_gives_its_counts(tmp_path):
    spelled = {'disgust': 250, 'surprise': 187, 'others': 161, 'fear': 86, 'anger': 64, 'sad': 57, 'happy': 55}
    clips = [
        (f'spNO.{row % 94 + 1}', 'a', row, row + 4, row + 9, 4, 'I', name) for row, name in enumerate(repeat(spelled))
    ]
    clips[0] = ('spNO.216', 'd', 3647, 2668, 2694, 4, 'I', 'disgust')  # which would leave 859
    clips[94] = ('spNO.1', 'a', 94, 99, 103, 4, 'I', 'disgust')
    table = read('casme3', sheets=[write_labels(tmp_path / 'labels.xlsx', clips)], with_frames=False).table
    assert (len(table), table['subject'].nunique()) == (860, 95)
    assert table['emotion'].value_counts().to_dict() == {
        **{name: number for name, number in spelled.items() if name not in ('sad', 'happy')},
        'sadness': 57,
        'happiness': 55,
    }


def test_the_known_kinds_of_faults_are_noted(casme3):
    clips = [
        ('spNO.1', 'b', 8, 8, 20, 4, 'III', 'fear'),  # apex = onset at the start of a video
        ('spNO.1', 'b', 0, 0, 20, 4, 'III', 'fear'),  # the folder begins at 7
        ('spNO.12', 'c', 30, 34, 12, 4, 'III', 'fear'),  # offset before the onset
        ('spNO.12', 'c', 30, 20, 12, 4, 'III', 'fear'),
        ('spNO.99', 'a', 3, 5, 9, 4, 'III', 'fear'),
    ]
    clips[3] = (*clips[3][:2], 31, *clips[3][3:])
    reading = read('casme3', casme3, sheets=[write_labels(casme3 / 'other.xlsx', clips)])
    notes = {(clip, kind) for _, clip, kind in details(reading)}
    assert reading.table[['onset', 'offset']].to_numpy().tolist() == [[7, 20], [8, 20], [30, 34]]
    assert reading.table['apex'].isna().tolist() == [True, True, False]
    assert notes == {
        *(('spNO.1_b_8', 'unknown'), ('spNO.1_b_0', 'unknown'), ('spNO.1_b_0', 'no onset frame')),
        *(('spNO.12_c_30', 'no offset'), ('spNO.12_c_31', 'wrong numbers'), ('spNO.99_a_3', 'left out')),
    }


def test_slips_of_the_sheet_are_corrected_by_name(tmp_path):
    # three public loaders name these rows: apex and offset of the first follow 2647, not 3647
    rows = [('spNO.216', 'd', 3647, 2668, 2694), ('spNO.40', 'e', 1812, 1830, 0), ('spNO.40', 'e', 2327, 2340, 0)]
    rows += [('spNO.214', 'c', 5, 9, 3460), ('spNO.41', 'e', 1812, 1830, 0)]
    clips = [(*row, 4, 'III', 'fear') for row in rows]
    touch_frames(tmp_path / 'Part_A_ME_clip/frame/spNO.216_d_2647', range(2647, 2695), '{}.jpg')
    touch_frames(tmp_path / 'Part_A_ME_clip/frame/spNO.40_e_1812', range(1812, 1846), '{}.jpg')
    sheet = write_labels(tmp_path / 'a.xlsx', clips)
    reading = read('casme3', sheets=[sheet], with_frames=False)
    spans = {clip.clip: (clip.onset, clip.offset) for clip in reading.table.itertuples()}
    assert spans.pop('spNO.41_e_1812') == (1812, 1830)  # another subject's ends at its apex
    assert spans == {
        **{'spNO.216_d_2647': (2647, 2694), 'spNO.40_e_1812': (1812, 1845), 'spNO.40_e_2327': (2327, 2403)},
        'spNO.214_c_5': (5, 34),
    }
    assert (reading.notes['kind'] == 'corrected').sum() == 5
    frames = read('casme3', tmp_path, sheets=[sheet]).frames
    assert list(frames) == ['casme3/spNO.216/spNO.216_d_2647', 'casme3/spNO.40/spNO.40_e_1812']


def test_clips_that_begin_at_one_frame_have_the_offset_in_their_names(casme3):
    again = ('spNO.1', 'b', 66, 70, 72, 4, 'III', 'fear')
    reading = read('casme3', casme3, sheets=[write_labels(casme3 / 'a.xlsx', [*CLIPS, again, CLIPS[2]])])
    assert reading.table['clip'].tolist() == ['spNO.1_b_66_72', 'spNO.1_b_66_79', 'spNO.1_b_90', 'spNO.12_c_7']
    assert set(details(reading)) == {('spNO.12', 'spNO.12_c_7', 'row repeated')}


def test_columns_of_other_copies_are_read(tmp_path):
    header = ['Subject ', 'Filename', 'Onset', 'Apex', 'Offset', 'Action Units', 'shade', 'Emotion']
    sheet = write_labels(tmp_path / 'mine.csv', CLIPS, header)
    table = read('casme3', sheets=[sheet], with_frames=False).table
    assert table['action_units'].tolist() == ['4', 'L14+R14', '2+1']
    assert table['objective_class'].tolist() == ['', '', '']


def write_spotting(path):
    header = ['Subject', 'Filename', 'Onset', 'Apex', 'Offset', 'AU', 'Expression type', 'Objective class']
    return write_sheet(path, header, [(*CLIPS[0][:6], 'Micro-expression', 'III')])


def test_the_sheet_for_spotting_is_refused_and_otherwise_passed_by(casme3):
    spotting = write_spotting(casme3 / 'annotation/CAS(ME)3_part_A_v2.csv')
    assert len(read('casme3', casme3).table) == 3
    with pytest.raises(InputError, match='this is the sheet for spotting, it has no emotion; give'):
        read('casme3', casme3, sheets=[spotting])


def test_two_versions_of_the_sheet_must_be_chosen_by_the_user(casme3):
    write_spotting(casme3 / 'annotation/CAS(ME)3_part_A_v2.csv')
    write_labels(casme3 / 'cas(me)3_part_A_ME_label_JpgIndex_v1.xlsx', CLIPS[:1])
    with pytest.raises(InputError, match=r'found .*_v1.xlsx and .*_v2.xlsx; name one with --sheet'):
        read('casme3', casme3)
