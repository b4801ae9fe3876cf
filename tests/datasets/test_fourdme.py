import pytest

from mer_bench.datasets.fourdme import moving_units
from mer_bench.errors import InputError
from tests.datasets.raw_data import details, read, touch_frames, write_sheet

SHEET = '4DME_Labelling_Micro_release v1.xlsx'
MARKS = ['Positive', 'Negative', 'Surprise', 'Repression', 'Others']
HEADER = [
    'sub_ID',
    'fold',
    'fold_name',
    'Onset',
    'Apex',
    'Offset',
    'Total',
    'AUs',
    'AU4',
    'eye blink',
    *MARKS,
    'Emotion',
]


def clip(subject, folder, units, marks, emotion, frames=(1826, 1834, 1850)):
    return (subject, 1, folder, *frames, 25, units, 1, 0, *marks, emotion)


CLIPS = [
    clip('S1', '001_01_1', 'AU4(k)+L7', (0, 1, 0, 0, 0), 'Negative'),
    clip('S13', '002_01_1', 'AUR2+12(k)+45', (1, 0, 1, 0, 0), 'Surprise+Positive'),
    clip('S13', '002_01_2', 'AU12(k)', (0, 0, 0, 0, 1), 'Others'),
]


def write_labels(path, clips=CLIPS, header=HEADER):
    return write_sheet(path, header, clips)


@pytest.fixture
def fourdme(tmp_path):
    write_labels(tmp_path / SHEET)
    for folder in ('S01/001_01_1', 'S13/002_01_1', 'S13/002_01_2'):
        touch_frames(tmp_path / 'micro short gray video/gray_micro' / folder, range(1820, 1860), 'Frame_{:09d}.jpg')
    return tmp_path


def test_frames_are_found_by_subject_and_folder(fourdme):
    reading = read('4dme', fourdme)
    assert reading.table['sample_id'].tolist() == ['4dme/S01/001_01_1', '4dme/S13/002_01_1', '4dme/S13/002_01_2']
    assert reading.table['frames_dir'].tolist() == ['S01/001_01_1', 'S13/002_01_1', 'S13/002_01_2']
    assert reading.frames['4dme/S01/001_01_1'].keys() == set(range(1826, 1851))
    assert (reading.table['fps'] == 60).all()
    assert reading.notes.empty


def test_two_emotions_are_joined_in_the_order_of_their_names(fourdme):
    assert read('4dme', fourdme).table['emotion'].tolist() == ['negative', 'positive+surprise', 'others']


def test_static_units_are_left_off(fourdme):
    assert read('4dme', fourdme).table['action_units'].tolist() == ['L7', 'AUR2+45', 'none']


@pytest.mark.parametrize(
    ('text', 'moving'),
    [
        *(('AU4(k), AU7', 'AU7'), ('AU4 (K)/L7', 'L7'), ('AU4(k);AU7(k)', 'none'), ('AU4+AU7', 'AU4+AU7')),
        *(('AU4(k) or AU7', 'AU4(k) or AU7'), ('4, 7', '4, 7'), ('', ''), ('(k)', '(k)')),
    ],
)
def test_units_that_are_ambiguous_stay_as_they_are(text, moving):
    assert moving_units(text) == moving


@pytest.mark.parametrize(
    ('mark', 'emotion'), [(1.0, 'positive'), (True, 'positive'), (0.0, 'others'), (False, 'others')]
)
def test_a_mark_is_one_or_zero(tmp_path, mark, emotion):
    sheet = write_labels(tmp_path / SHEET, [clip('S1', '001', 'AU4', (mark, 0, 0, 0, 0), 'Others')])
    assert read('4dme', sheets=[sheet], with_frames=False).table['emotion'].tolist() == [emotion]


def test_another_mark_is_refused_with_its_row(tmp_path):
    sheet = write_labels(tmp_path / SHEET, [clip('S1', '001', 'AU4', ('?', 0, 0, 0, 0), 'Others')])
    with pytest.raises(InputError, match=r"S1 001 has '\?' in the column positive, expected 1 or 0"):
        read('4dme', sheets=[sheet], with_frames=False)


def test_clips_of_a_sheet_without_offsets_end_at_their_apex(tmp_path):
    sheet = write_labels(tmp_path / SHEET, header=[*HEADER[:5], 'End', *HEADER[6:]])
    reading = read('4dme', sheets=[sheet], with_frames=False)
    assert reading.table['offset'].tolist() == [1834] * 3
    assert reading.notes['kind'].tolist() == ['no offset']


def test_the_emotion_may_be_text_alone_or_columns_alone(tmp_path):
    text = write_labels(tmp_path / 'text.csv', [(*row[:8], row[-1]) for row in CLIPS], [*HEADER[:8], 'Emotion'])
    marks = write_labels(tmp_path / 'marks.csv', [row[:-1] for row in CLIPS], HEADER[:-1])
    first, second = (read('4dme', sheets=[sheet], with_frames=False).table for sheet in (text, marks))
    assert first['emotion'].tolist() == ['negative', 'positive+surprise', 'others']
    assert second['emotion'].tolist() == first['emotion'].tolist()


def test_sessions_of_a_person_are_one_subject(tmp_path):
    clips = [clip(f'S13_{session}', '001', 'AU4', (1, 0, 0, 0, 0), 'Positive') for session in ('1st', '2nd')]
    write_labels(tmp_path / SHEET, clips)
    touch_frames(tmp_path / 'gray_micro/S13_1st/001', range(1820, 1860), 'Frame_{:09d}.jpg')
    touch_frames(tmp_path / 'gray_micro/S13_2nd/001', range(1820, 1860), 'Frame_{:09d}.jpg')
    table = read('4dme', tmp_path).table
    assert table['sample_id'].tolist() == ['4dme/S13/S13_1st_001', '4dme/S13/S13_2nd_001']
    assert table['frames_dir'].tolist() == ['S13_1st/001', 'S13_2nd/001']


@pytest.mark.parametrize('name', [None, 'Total'])
def test_a_row_of_sums_is_no_clip(tmp_path, name):
    sheet = write_labels(tmp_path / SHEET, [*CLIPS, (name, None, None, *[267] * 12, None)])
    reading = read('4dme', sheets=[sheet], with_frames=False)
    assert len(reading.table) == 3
    assert reading.notes['kind'].tolist() == ['row passed over']


def test_a_clip_without_a_folder_is_left_out_with_a_note(fourdme):
    write_labels(fourdme / SHEET, [*CLIPS, clip(7, '003', 'AU4', (1, 0, 0, 0, 0), 'Positive')])
    assert details(read('4dme', fourdme)) == {('S07', '003', 'left out'): 'no folder 7/003'}


@pytest.mark.parametrize(
    ('header', 'fault'),
    [
        (['person', *HEADER[1:]], r'with sub_ID, fold_name, Onset, Apex, AUs.*mer-bench prepare csv`'),
        ([*HEADER[:10], *'abcdef'], r'expected the emotion as 0 or 1 in the columns positive.*mer-bench prepare csv`'),
    ],
)
def test_a_sheet_of_another_form_points_to_the_generic_reader(tmp_path, header, fault):
    sheet = write_labels(tmp_path / SHEET, header=header)
    with pytest.raises(InputError, match=fault):
        read('4dme', sheets=[sheet], with_frames=False)
