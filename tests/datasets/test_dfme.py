import pytest

from mer_bench.errors import InputError
from tests.datasets.raw_data import details, read, repeat, touch_frames, write_sheet

HEADER = ['Subject', 'Filename', 'OnsetFrame', 'ApexFrame', 'OffsetFrame', 'Emotion', 'AU']
TRAIN = [('sub0003', 'sub0003_01', 2, 9, 30, 'Disgust ', '4+7'), ('sub0003', 'sub0003_02', 4, 9, 30, 'contempt', 14)]
TEST_A = [(200, 'SUB0200_01', 1, 9, 30, 'happiness', 'R12')]


def write_labels(path, clips, header=HEADER):
    return write_sheet(path, header, clips)


@pytest.fixture
def dfme(tmp_path):
    """Sheets and trees of two parts, as they are unpacked."""
    write_labels(tmp_path / 'full_release_annotation/training_full_with_AU.xlsx', TRAIN)
    write_labels(tmp_path / 'full_release_annotation/testA_full_with_AU.xlsx', TEST_A)
    for folder in ('train_data/train_data/sub0003_01', 'train_data/train_data/sub0003_02', 'test_data_A/Sub0200_01'):
        touch_frames(tmp_path / folder, range(40), '{:05d}.png')
    return tmp_path


def test_the_parts_are_read_together(dfme):
    reading = read('dfme', dfme)
    assert reading.table['sample_id'].tolist() == [
        *('dfme/sub0003/sub0003_01', 'dfme/sub0003/sub0003_02', 'dfme/sub0200/sub0200_01')
    ]
    assert reading.table['frames_dir'].iloc[[0, 2]].tolist() == [
        *('train_data/train_data/sub0003_01', 'test_data_A/Sub0200_01')
    ]
    assert reading.table['emotion'].tolist() == ['disgust', 'contempt', 'happiness']
    assert reading.frames['dfme/sub0200/sub0200_01'].keys() == set(range(1, 31))
    assert reading.notes.empty


def test_one_part_alone_is_read(dfme):
    sheet = dfme / 'full_release_annotation/training_full_with_AU.xlsx'
    table = read('dfme', sheets=[sheet], frames=dfme / 'train_data').table
    assert table['frames_dir'].tolist() == ['sub0003_01', 'sub0003_02']


def test_a_sheet_of_the_real_shape_gives_its_counts(tmp_path):
    emotions = dict(disgust=548, surprise=298, sadness=278, fear=265, happiness=206, anger=161, contempt=100)
    clips = [
        (f'sub{row % 176:04d}', f'sub{row % 176:04d}_{row:02d}', 2, 9, 30, name, '4')
        for row, name in enumerate(repeat(emotions))
    ]
    table = read('dfme', sheets=[write_labels(tmp_path / 'a.csv', clips)], with_frames=False).table
    assert (len(table), table['subject'].nunique()) == (1856, 176)
    assert table['emotion'].value_counts().to_dict() == emotions


@pytest.mark.parametrize('names', [('Onset', 'Apex', 'Offset'), ('onset_frame', 'apex_frame', 'offset_frame')])
def test_usual_spellings_of_the_frame_columns_are_read(tmp_path, names):
    sheet = write_labels(tmp_path / 'a.xlsx', TRAIN, ['Subject', 'Filename', *names, 'Emotion', 'AUs'])
    table = read('dfme', sheets=[sheet], with_frames=False).table
    assert table.loc[0, ['onset', 'apex', 'offset']].tolist() == [2, 9, 30]
    assert table['action_units'].tolist() == ['4+7', '14']


def test_the_frame_rate_is_the_one_of_the_sheet_or_unknown(tmp_path):
    clips = [(*TRAIN[0], 500), (*TRAIN[1], None), ('sub0004', 'sub0004_01', *TRAIN[0][2:], 'part A')]
    sheet = write_labels(tmp_path / 'a.xlsx', clips, [*HEADER, 'FPS'])
    fps = read('dfme', sheets=[sheet], with_frames=False).table['fps']
    assert fps.iloc[0] == 500
    assert fps.isna().tolist() == [False, True, True]


def test_codes_beside_action_units_are_noted_and_the_cell_stays(tmp_path):
    clips = [(*TRAIN[0][:-1], '4+AD38'), (*TRAIN[1][:-1], '1+2+M58'), (*TEST_A[0][:-1], '4+7')]
    reading = read('dfme', sheets=[write_labels(tmp_path / 'a.xlsx', clips)], with_frames=False)
    assert reading.table['action_units'].tolist() == ['4+AD38', '1+2+M58', '4+7']
    assert details(reading) == {
        ('sub0003', 'sub0003_01', 'no action unit'): 'AD38: left off',
        ('sub0003', 'sub0003_02', 'no action unit'): 'M58: left off',
    }


def test_a_clip_in_two_trees_is_ambiguous(dfme):
    touch_frames(dfme / 'cropped/sub0003_01', range(40), '{:05d}.png')
    with pytest.raises(InputError, match=r'sub0003_01 and .*sub0003_01: expected one .* name a folder with --frames'):
        read('dfme', dfme)


def test_a_clip_without_a_folder_is_left_out_with_a_note(dfme):
    reading = read('dfme', dfme, frames=dfme / 'train_data')
    assert details(reading) == {('sub0200', 'sub0200_01', 'left out'): 'no folder sub0200_01'}


def test_a_sheet_of_another_form_points_to_the_generic_reader(tmp_path):
    sheet = write_labels(tmp_path / 'a.xlsx', TRAIN, [*HEADER[:2], *'abcde'])
    with pytest.raises(InputError, match=r'with Subject, Filename, OnsetFrame, .*Emotion.*mer-bench prepare csv`'):
        read('dfme', sheets=[sheet], with_frames=False)
