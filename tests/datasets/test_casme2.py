import pandas as pd
import pytest

from mer_bench.errors import InputError
from tests.datasets.raw_data import details, read, repeat, touch_frames, write_sheet

CODING = 'CASME2-coding-20140508.xlsx'
HEADER = [
    'Subject',
    'Filename',
    None,
    'OnsetFrame',
    'ApexFrame',
    'OffsetFrame',
    None,
    'Action Units',
    'Estimated Emotion',
]
CLIPS = [(1, 'EP90_01f', 46, 59, 86, '4+L10', 'disgust'), (12, 'EP91_02', 100, 130, 160, 12, 'happiness')]


def write_coding(path, clips=CLIPS):
    rows = [
        (subject, clip, None, onset, apex, offset, None, *rest) for subject, clip, onset, apex, offset, *rest in clips
    ]
    return write_sheet(path, HEADER, rows)


def write_objective(path, clips):
    return write_sheet(path, ['Subject', 'Filename', 'Objective Class'], clips)


@pytest.fixture
def casme2(tmp_path):
    """The sheet and the cropped frames of two clips, with what else lies in such folders."""
    write_coding(tmp_path / CODING)
    for folder, first, last in (('sub01/EP90_01f', 46, 86), ('sub12/EP91_02', 100, 160)):
        touch_frames(tmp_path / 'Cropped' / folder, range(first, last + 1), 'reg_img{}.jpg')
    (tmp_path / 'Cropped/sub01/Desktop - Shortcut.lnk').touch()
    (tmp_path / 'Cropped/sub01/EP90_01f/Thumbs.db').touch()
    return tmp_path


def test_a_row_of_the_sheet_becomes_a_row_of_the_table(casme2):
    reading = read('casme2', casme2)
    clip = reading.table.iloc[0]
    assert reading.table['sample_id'].tolist() == ['casme2/sub01/EP90_01f', 'casme2/sub12/EP91_02']
    assert (clip.subject, clip.onset, clip.apex, clip.offset, clip.fps) == ('casme2/sub01', 46, 59, 86, 200)
    assert (clip.emotion, clip.action_units, clip.frames_dir) == ('disgust', '4+L10', 'sub01/EP90_01f')
    assert reading.frames['casme2/sub01/EP90_01f'].keys() == set(range(46, 87))
    assert reading.notes.empty


def test_a_sheet_of_the_real_shape_gives_its_counts(tmp_path):
    emotions = {'others': 99, 'disgust': 63, 'happiness': 32, 'repression': 27, 'surprise': 25, 'sadness': 7, 'fear': 2}
    classes = dict(zip(range(1, 8), (25, 15, 99, 26, 20, 1, 69), strict=True))
    clips = [(row % 26 + 1, f'EP{row}', 1, 5, 9, '4', emotion) for row, emotion in enumerate(repeat(emotions))]
    write_coding(tmp_path / CODING, clips)
    objective = [(*clip[:2], number) for clip, number in zip(clips, repeat(classes), strict=True)]
    write_objective(tmp_path / 'CASME2-ObjectiveClasses.xlsx', objective[::-1])
    table = read('casme2', tmp_path, with_frames=False).table
    assert len(table) == 255
    assert table['subject'].nunique() == 26
    assert table['emotion'].value_counts().to_dict() == emotions
    romans = dict(zip(('I', 'II', 'III', 'IV', 'V', 'VI', 'VII'), classes.values(), strict=True))
    assert table['objective_class'].value_counts().to_dict() == romans


def test_objective_classes_are_matched_by_name_and_may_lack(casme2):
    write_objective(casme2 / 'CASME2-ObjectiveClasses.xlsx', [('12', 'EP91_02', 6), ('30', 'EP99', 1)])
    reading = read('casme2', casme2)
    assert reading.table['objective_class'].tolist() == ['', 'VI']
    told = {note.kind: note.detail for note in reading.notes.itertuples()}
    assert 'no row for 1 clips (sub01 EP90_01f)' in told['no objective class']
    assert '1 clips (sub30 EP99), which the coding sheet lacks' in told['row passed over']


def test_objective_classes_are_matched_with_any_capitals_and_are_one_of_seven(casme2):
    write_objective(casme2 / 'CASME2-ObjectiveClasses.xlsx', [('1', 'ep90_01F', 'iv'), ('12', 'EP91_02', 8)])
    reading = read('casme2', casme2)
    assert reading.table['objective_class'].tolist() == ['IV', '']
    assert details(reading)['sub12', 'EP91_02', 'unknown'].startswith("objective class is '8', not one of 1 to 7")


def test_objective_classes_may_stand_in_the_coding_sheet(tmp_path):
    rows = [(*clip, number) for clip, number in zip(CLIPS, (3, 9), strict=True)]
    sheet = write_sheet(tmp_path / CODING, [*filter(None, HEADER), 'Objective Class'], rows)
    assert read('casme2', sheets=[sheet], with_frames=False).table['objective_class'].tolist() == ['III', '']


def test_a_named_sheet_that_fits_nothing_is_refused_and_one_that_was_found_noted(casme2):
    other = write_sheet(casme2 / 'CASME2-notes.csv', ['Subject', 'Filename', 'Apex'], [(1, 'EP90_01f', 50)])
    (casme2 / 'CASME2-old.xlsx').write_text('no workbook')
    with pytest.raises(InputError, match=r'notes.csv: .* \(the nearest lacks OnsetFrame, OffsetFrame, Action Units'):
        read('casme2', casme2, sheets=[casme2 / CODING, other])
    notes = read('casme2', casme2).notes
    assert notes['kind'].tolist() == ['sheet not read'] * 2
    assert notes['detail'].str.contains('notes.csv|cannot be read').all()


@pytest.mark.parametrize('subject', [1, 1.0, '1', '01', 'sub01', '1.0'])
@pytest.mark.parametrize('suffix', ['xlsx', 'csv'])
def test_subjects_have_one_spelling(tmp_path, subject, suffix):
    sheet = write_coding(tmp_path / f'mine.{suffix}', [(subject, *CLIPS[0][1:]), CLIPS[1]])
    assert read('casme2', sheets=[sheet], with_frames=False).table['subject'].tolist() == [
        'casme2/sub01',
        'casme2/sub12',
    ]


def test_the_version_without_blank_columns_is_read(tmp_path):
    header = [name for name in HEADER if name]
    write_sheet(tmp_path / 'CASME2_label_Ver_2.csv', header, CLIPS)
    clip = read('casme2', tmp_path, with_frames=False).table.iloc[1]
    assert (clip.onset, clip.apex, clip.offset, clip.action_units, clip.emotion) == (100, 130, 160, '12', 'happiness')


def test_a_text_below_the_table_is_no_clip(tmp_path):
    below = [('26 subjects', *[None] * 6), (None, 'sum', *[None] * 5), ('Total', None, 146, 189, 246, None, None)]
    reading = read('casme2', sheets=[write_coding(tmp_path / CODING, [*CLIPS, *below])], with_frames=False)
    assert len(reading.table) == 2
    assert reading.notes['kind'].tolist() == ['row passed over'] * 3
    assert reading.notes['detail'].iloc[2].endswith('[Sheet1]: Total | 146 | 189 | 246')


def test_frames_of_a_mac_and_frames_that_are_not_asked_for_do_not_matter(casme2):
    (casme2 / 'Cropped/sub01/EP90_01f/._reg_img46.jpg').touch()
    assert read('casme2', casme2).notes.empty
    touch_frames(casme2 / 'CASME2-RAW/sub01/EP90_01f', range(1, 99), 'img{}.jpg')
    table = read('casme2', casme2, with_frames=False).table
    assert table['frames_dir'].tolist() == ['sub01/EP90_01f', 'sub12/EP91_02']


@pytest.mark.parametrize('folder', ['1', '01', 's01', 'sub_01', 'sub 01', 'Sub-1', 'subject01'])
def test_folders_of_subjects_may_be_renamed(casme2, folder):
    (casme2 / 'Cropped/sub01').rename(casme2 / 'Cropped' / folder)
    table = read('casme2', casme2).table
    assert table['sample_id'].tolist() == ['casme2/sub01/EP90_01f', 'casme2/sub12/EP91_02']
    assert table['frames_dir'].tolist() == [f'{folder}/EP90_01f', 'sub12/EP91_02']


def test_frames_in_other_folders_are_named_beside_what_is_expected(casme2):
    (casme2 / 'Cropped').rename(casme2 / 'old')
    (casme2 / 'Cropped').mkdir()
    (casme2 / 'old').rename(casme2 / 'Cropped/my copy')
    for number in ('01', '12'):
        (casme2 / f'Cropped/my copy/sub{number}').rename(casme2 / f'Cropped/my copy/person {number}')
    fault = r'sub01/EP02_01f/img46.jpg .* found .*such as Cropped/my copy/person 01/EP90_01f/reg_img\d+.jpg.*rename'
    with pytest.raises(InputError, match=fault):
        read('casme2', casme2)


def test_a_clip_that_the_sheet_calls_by_its_video_is_the_clip(casme2):
    write_coding(casme2 / CODING, [(1, 'EP90_01f.avi', *CLIPS[0][2:]), (12, 'EP91_02.MP4', *CLIPS[1][2:])])
    table = read('casme2', casme2).table
    assert table['clip'].tolist() == ['EP90_01f', 'EP91_02']
    assert table['frames_dir'].tolist() == ['sub01/EP90_01f', 'sub12/EP91_02']


def test_links_that_lead_nowhere_are_passed_by(casme2):
    (casme2 / 'loop').symlink_to(casme2 / 'loop')
    (casme2 / 'Cropped/sub02').symlink_to(casme2 / 'Cropped/sub02')
    (casme2 / 'Cropped/sub03').symlink_to(casme2 / 'nowhere')
    (casme2 / 'casme2_loop.csv').symlink_to(casme2 / 'casme2_loop.csv')
    assert len(read('casme2', casme2).table) == 2


@pytest.mark.parametrize('clip', ['EP90_01F', 'EP99_09'])
def test_two_folders_of_one_subject_are_refused(casme2, clip):
    touch_frames(casme2 / f'Cropped/sub1/{clip}', range(46, 87), 'reg_img{}.jpg')
    with pytest.raises(InputError, match=r'Cropped: expected one folder for subject 1, found sub01 and sub1'):
        read('casme2', casme2)


@pytest.mark.parametrize(
    ('frames', 'onset', 'apex', 'offset'),
    [
        ([*range(48, 60), *range(61, 85)], 48, 59, 84),  # 2 away: the nearest
        ([*range(46, 56), *range(70, 87)], 46, None, 86),  # no apex within 2
        (range(46, 60), 46, 59, 59),  # the folder ends, its apex is there
    ],
)
def test_a_missing_frame_is_replaced_by_a_near_one_alone(tmp_path, frames, onset, apex, offset):
    write_coding(tmp_path / CODING, [CLIPS[0]])
    touch_frames(tmp_path / 'Cropped/sub01/EP90_01f', frames, 'reg_img{}.jpg')
    clip = read('casme2', tmp_path).table.astype(object).iloc[0]
    assert (clip.onset, clip.offset) == (onset, offset)
    assert clip.apex == apex or (apex is None and clip.apex is not apex)


@pytest.mark.parametrize(('frames', 'span'), [(range(49, 87), (49, 86)), ([*range(46, 70), 99], (46, 69))])
def test_a_clip_begins_and_ends_with_its_folder(casme2, frames, span):
    for path in (casme2 / 'Cropped/sub01/EP90_01f').iterdir():
        path.unlink()
    touch_frames(casme2 / 'Cropped/sub01/EP90_01f', frames, 'reg_img{}.jpg')
    reading = read('casme2', casme2)
    clip = reading.table.set_index('clip').loc['EP90_01f']
    assert (clip['onset'], clip['offset']) == span
    assert {kind for _, name, kind in details(reading) if name == 'EP90_01f'} & {'no onset frame', 'no offset frame'}


# sheet and folder of the five clips of `Cropped`, as two public lists have them; made-up apexes inside the sheet's span
CROPPED = [
    ((12, 'EP09_02', 16, 50, 101), (161, 206), (161, None, 206)),
    ((7, 'EP06_01', 15, 33, 68), (56, 116), (56, None, 116)),
    ((12, 'EP09_06', 70, 111, 111), (70, 106), (70, None, 106)),
    ((20, 'EP16_01', 70, 111, 111), (70, 106), (70, None, 106)),
    ((16, 'EP01_08', 73, 94, 110), (73, 96), (73, 94, 96)),
]


@pytest.fixture
def cropped(casme2):
    """The tree of cut-out clips with those five."""
    write_coding(casme2 / CODING, [*CLIPS, *((*sheet, '4', 'disgust') for sheet, *_ in CROPPED)])
    for (subject, clip, *_), (first, last), _ in CROPPED:
        touch_frames(casme2 / f'Cropped/sub{subject:02d}/{clip}', range(first, last + 1), 'reg_img{}.jpg')
    return casme2


def test_clips_whose_cropped_folder_lacks_frames_of_the_sheet_are_kept(cropped):
    reading = read('casme2', cropped)
    table = reading.table.astype(object).set_index(['subject', 'clip'])
    for (subject, clip, *_), _, (onset, apex, offset) in CROPPED:
        found = table.loc[(f'casme2/sub{subject:02d}', clip), ['onset', 'apex', 'offset']]
        assert [None if pd.isna(number) else number for number in found] == [onset, apex, offset]
    assert len(table) == 7
    assert details(reading)['sub12', 'EP09_02', 'span of the folder'] == (
        'frames 16 to 101 are not in sub12/EP09_02, which has 161 to 206: these are taken, the apex is unknown'
    )
    assert set(reading.notes['clip']) == {sheet[1] for sheet, *_ in CROPPED}


def test_in_a_tree_of_whole_videos_a_clip_is_not_taken_from_elsewhere(cropped):
    for folder in ('sub01/EP90_01f', 'sub12/EP91_02', 'sub16/EP01_08'):
        touch_frames(cropped / 'Cropped' / folder, range(1, 300), 'reg_img{}.jpg')
    reading = read('casme2', cropped)
    assert 'EP09_02' not in set(reading.table['clip'])
    assert details(reading)['sub12', 'EP09_02', 'left out'].startswith('frames 16 to 101 are not in')


def test_a_remnant_of_a_folder_is_not_the_clip(cropped):
    for number in range(170, 207):
        (cropped / f'Cropped/sub12/EP09_02/reg_img{number}.jpg').unlink()
    assert 'EP09_02' not in set(read('casme2', cropped).table['clip'])  # 9 frames for 86


def test_a_clip_that_lacks_more_than_half_of_its_frames_is_noted(casme2):
    for number in range(50, 80):
        (casme2 / f'Cropped/sub01/EP90_01f/reg_img{number}.jpg').unlink()
    assert details(read('casme2', casme2))['sub01', 'EP90_01f', 'few frames'].startswith('11 of 41 frames')


@pytest.mark.parametrize(('apex', 'known'), [('/', None), (46, None), (45, None), (None, None), (86, 86), (47, 47)])
def test_an_apex_after_the_onset_is_known(tmp_path, apex, known):
    clips = [(4, 'EP12_01f', 46, apex, 86, '4', 'disgust'), CLIPS[1]]
    reading = read('casme2', sheets=[write_coding(tmp_path / CODING, clips)], with_frames=False)
    found = reading.table['apex'].astype(object).where(reading.table['apex'].notna(), None)
    assert found.tolist() == [known, 130]
    assert len(reading.notes) == (known is None and apex is not None)


@pytest.mark.parametrize(('offset', 'used'), [(68, 91), (90, 90)])
def test_a_correction_is_applied_where_the_old_value_is_there(tmp_path, offset, used):
    clips = [(7, 'EP06_01', 40, 60, offset, '4', 'disgust'), (8, 'EP06_01', 40, 60, 68, '4', 'disgust')]
    reading = read('casme2', sheets=[write_coding(tmp_path / CODING, clips)], with_frames=False)
    assert reading.table['offset'].tolist() == [used, 68]
    assert reading.notes['kind'].tolist() == (['corrected'] if offset == 68 else [])


@pytest.mark.parametrize(
    ('folder', 'name'),
    [
        ('CASME2_RAW_selected/CASME2_RAW_selected', 'img{}.jpg'),
        ('CASME2_preprocessed_Li Xiaobai/Cropped-updated/Cropped', 'reg_img{}.jpg'),
        ('', 'img{:03d}.JPG'),
    ],
)
def test_frames_are_found_however_nested_and_capitalised(tmp_path, folder, name):
    write_coding(tmp_path / CODING, CLIPS[:1])
    touch_frames(tmp_path / folder / 'SUB1/ep90_01F', range(40, 90), name)
    reading = read('casme2', tmp_path)
    assert reading.rows.frames == tmp_path / folder
    assert reading.table['frames_dir'].tolist() == ['SUB1/ep90_01F']
    assert reading.frames['casme2/sub01/EP90_01f'].keys() == set(range(46, 87))


def test_of_raw_and_cropped_frames_one_must_be_named(casme2):
    touch_frames(casme2 / 'CASME2-RAW/sub01/EP90_01f', range(1, 99), 'img{}.jpg')
    with pytest.raises(InputError, match=r'found .*CASME2-RAW and .*Cropped; name one with --frames'):
        read('casme2', casme2)
    assert read('casme2', casme2, frames=casme2 / 'Cropped').rows.frames == casme2 / 'Cropped'


def test_a_clip_without_a_folder_is_left_out_with_a_note(casme2):
    write_coding(casme2 / CODING, [*CLIPS, (9, 'EP02_02f', 1, 2, 3, '4', 'others')])
    reading = read('casme2', casme2)
    assert len(reading.table) == 2
    assert details(reading) == {('sub09', 'EP02_02f', 'left out'): 'no folder sub09/EP02_02f'}


def test_the_nearest_frame_takes_the_place_of_a_missing_one(tmp_path):
    write_coding(tmp_path / CODING, [(16, 'EP01_08', 73, 94, 110, '4', 'repression')])
    touch_frames(tmp_path / 'Cropped/sub16/EP01_08', [*range(73, 94), 95, 96], 'reg_img{}.jpg')
    reading = read('casme2', tmp_path)
    assert reading.table.loc[0, ['onset', 'apex', 'offset']].tolist() == [73, 93, 96]
    assert set(reading.notes['kind']) == {'no apex frame', 'no offset frame'}


def test_two_versions_of_the_sheet_must_be_chosen_by_the_user(casme2):
    newer = write_coding(casme2 / 'CASME2-coding-20190701.xlsx', CLIPS[:1])
    with pytest.raises(InputError, match=r'found .*20140508.xlsx and .*20190701.xlsx; name one with --sheet'):
        read('casme2', casme2)
    assert len(read('casme2', casme2, sheets=[newer]).table) == 1


@pytest.mark.parametrize(
    ('write', 'fault'),
    [
        (
            lambda path: write_objective(path, [(1, 'EP90_01f', 3)]),
            'expected a header row with Subject, Filename, Onset',
        ),
        (
            lambda path: write_coding(path, [*CLIPS, ('sub01', 'ep90_01F', 47, *CLIPS[0][3:])]),
            'sub01 ep90_01F occurs twice',
        ),
        (lambda path: write_coding(path, [(None, *CLIPS[0][1:])]), 'frames 46 to 86 .* does not name subject and clip'),
        (lambda path: path.write_text('no workbook'), 'cannot be read as a sheet'),
    ],
)
def test_a_wrong_sheet_is_refused_in_one_sentence(tmp_path, write, fault):
    write(tmp_path / CODING)
    with pytest.raises(InputError, match=fault):
        read('casme2', sheets=[tmp_path / CODING], with_frames=False)


def test_a_class_given_twice_is_refused_with_its_file(casme2):
    write_objective(casme2 / 'CASME2-ObjectiveClasses.xlsx', [(1, 'EP90_01f', 6), ('01', 'EP90_01f', 7)])
    with pytest.raises(InputError, match=r'ObjectiveClasses.xlsx .* sub01 EP90_01f occurs twice'):
        read('casme2', casme2)


@pytest.mark.parametrize(
    ('places', 'fault'),
    [
        (lambda folder: {'raw': folder / 'nowhere'}, r'no such folder.*request from .*Chinese Academy'),
        (
            lambda folder: {'raw': folder},
            'expected an annotation sheet such as CASME2-coding-20140508.xlsx, found none',
        ),
        (lambda folder: {'sheets': [folder / 'a.xlsx']}, 'no such annotation sheet'),
        (
            lambda folder: {'sheets': [write_coding(folder / CODING)]},
            r'expected CASME2.*img46.jpg .*, found no file; name',
        ),
    ],
)
def test_what_is_not_there_is_refused_in_one_sentence(tmp_path, places, fault):
    with pytest.raises(InputError, match=fault):
        read('casme2', **places(tmp_path))
