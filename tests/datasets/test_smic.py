import shutil

import pytest

from mer_bench.errors import InputError
from tests.datasets.raw_data import read, touch_frames

# Clips of each subject of SMIC-HS: negative, positive, surprise (list of the MEGC2019 composite, See et al., FG 2019).
HS = {1: (3, 2, 1), 2: (0, 1, 5), 3: (22, 11, 6), 4: (10, 4, 5), 5: (1, 0, 1), 6: (2, 0, 2), 8: (9, 4, 0), 9: (0, 1, 3)}
HS |= {11: (3, 3, 1), 12: (0, 8, 1), 13: (0, 10, 0), 14: (3, 2, 5), 15: (1, 1, 2), 18: (2, 0, 5), 19: (0, 1, 1)}
HS |= {20: (14, 3, 5)}


def write_counts(tree, counts, name):
    """Make two frames for each clip."""
    for subject, numbers in counts.items():
        for (emotion, code), clips in zip(
            (('negative', 'ne'), ('positive', 'po'), ('surprise', 'sur')), numbers, strict=True
        ):
            for clip in range(clips):
                folder = tree / f's{subject}/micro/{emotion}/s{subject}_{code}_{clip + 1:02d}'
                touch_frames(folder, (99999, 100000), name)


def test_each_micro_clip_is_a_row_with_its_label_from_the_folder(smic_hs):
    table = read('smic', smic_hs).table
    assert table['sample_id'].tolist() == ['smic/s01/s01_ne_01', 'smic/s01/s01_sur_01', 'smic/s11/s11_po_02']
    assert table['emotion'].tolist() == ['negative', 'surprise', 'positive']
    assert table['subject'].tolist() == ['smic/s01', 'smic/s01', 'smic/s11']
    assert table['frames_dir'].iloc[0] == 's1/micro/negative/s1_ne_01'
    assert (table['fps'] == 100).all()
    assert not table['synthetic'].any()


def test_onset_and_offset_are_the_first_and_last_frame_by_number(smic_hs):
    reading = read('smic', smic_hs)
    clip = reading.table.iloc[0]  # frames 98 to 102: as text, 100 comes before 98
    assert (clip.onset, clip.offset) == (98, 102)
    assert list(reading.frames['smic/s01/s01_ne_01']) == [98, 99, 100, 101, 102]
    assert reading.table['apex'].isna().all()
    assert reading.notes.empty


def test_the_tree_is_read_even_where_frames_are_not_asked_for(smic_hs):
    assert read('smic', smic_hs.parents[1], with_frames=False).table['frames_dir'].str.startswith('s1').all()


def test_a_tree_of_the_real_shape_gives_its_counts(tmp_path):
    write_counts(tmp_path / 'SMIC_all_cropped/HS', HS, 'reg_image{:06d}.bmp')
    table = read('smic', tmp_path).table
    assert len(table) == 164
    assert table['subject'].nunique() == 16
    assert table['emotion'].value_counts().to_dict() == {'negative': 70, 'positive': 51, 'surprise': 43}


@pytest.mark.parametrize('part', ['VIS', 'NIR'])
@pytest.mark.parametrize('name', ['{:05d}.bmp', 'reg_{:05d}.bmp', 'image{}.jpg'])
def test_the_25_fps_parts_are_data_sets_of_their_own(tmp_path, part, name):
    write_counts(tmp_path / 'SMIC_all_raw/HS', {1: (1, 0, 0)}, 'image{}.bmp')
    later = {subject: numbers for subject, numbers in HS.items() if subject > 10}
    write_counts(tmp_path / 'SMIC_all_raw' / part, later, name)
    table = read(f'smic_{part.lower()}', tmp_path).table
    assert table['dataset'].unique().tolist() == [f'smic_{part.lower()}']
    assert table['subject'].nunique() == 8
    assert (table['fps'] == 25).all()
    assert table['emotion'].value_counts().to_dict() == {'positive': 28, 'negative': 23, 'surprise': 20}


@pytest.mark.parametrize('levels', [0, 1, 2, 3])
def test_the_tree_is_found_from_any_folder_above(smic_hs, levels):
    reading = read('smic', [smic_hs, *smic_hs.parents][levels])
    assert reading.rows.frames == smic_hs
    assert reading.table.equals(read('smic', frames=smic_hs).table)


@pytest.mark.parametrize('name', ['hs', 'SMIC-HS', 'mine'])
def test_the_tree_may_have_another_name(smic_hs, name):
    tree = smic_hs.rename(smic_hs.with_name(name))
    (tree / 's1').rename(tree / 'S01')
    (tree / 'S01/micro/negative').rename(tree / 'S01/micro/Negative')
    (tree / 'S01/micro').rename(tree / 'S01/Micro')
    assert read('smic', tree.parent).table['clip'].tolist() == ['s01_ne_01', 's01_sur_01', 's11_po_02']


def test_another_part_is_not_taken_for_hs(smic_hs):
    other = smic_hs.rename(smic_hs.with_name('VIS'))
    for raw in (other, other.parent):
        with pytest.raises(InputError, match=r'expected HS/s1/micro/.* found SMIC-VIS; check --raw'):
            read('smic', raw)
    assert len(read('smic_vis', other).table) == 3


def test_what_a_mac_leaves_in_an_archive_is_no_second_tree(smic_hs):
    (smic_hs.parents[1] / '__MACOSX/HS/s1/micro').mkdir(parents=True)
    (smic_hs / 's1/micro/negative/s1_ne_01/._reg_image98.bmp').touch()
    assert read('smic', smic_hs.parents[1]).rows.frames == smic_hs


def test_a_generated_tree_is_marked_from_any_folder(smic_hs):
    (smic_hs.parents[1] / 'synthetic.json').write_text('{}')
    assert read('smic', smic_hs).table['synthetic'].all()


def test_cropped_and_raw_tree_together_are_ambiguous(smic_hs):
    shutil.copytree(smic_hs, smic_hs.parents[1] / 'SMIC_all_raw' / 'HS')
    with pytest.raises(InputError, match=r'found .*cropped/HS and .*raw/HS; name one with --frames'):
        read('smic', smic_hs.parents[1])


def test_who_shows_no_micro_expression_has_no_row(smic_hs):
    (smic_hs / 's7/non_micro/s7_n1').mkdir(parents=True)
    (smic_hs / 's10/non_micro').mkdir(parents=True)
    (smic_hs / 's10/micro/negative').mkdir(parents=True)
    assert set(read('smic', smic_hs).table['subject']) == {'smic/s01', 'smic/s11'}


def empty_a_clip(hs):
    for path in (hs / 's11/micro/positive/s11_po_02').iterdir():
        path.unlink()


def leave_one_frame(hs):
    (hs / 's1/micro/surprise/s1_sur_01/reg_image8.bmp').unlink()


def repeat_a_frame(hs):
    clip = hs / 's1/micro/surprise/s1_sur_01'
    shutil.copy(clip / 'reg_image8.bmp', clip / 'image008.bmp')


def remove_the_clips_of_a_subject(hs):
    shutil.rmtree(hs / 's11' / 'micro')


def add_an_unknown_emotion(hs):
    (hs / 's1/micro/happy/s1_ha_01').mkdir(parents=True)


@pytest.mark.parametrize(
    ('break_tree', 'fault'),
    [
        (empty_a_clip, 's11_po_02: expected pictures .* found no file'),
        (leave_one_frame, 's1_sur_01: a clip of one frame has no motion'),
        (repeat_a_frame, r's1_sur_01: frame 8 is there twice \(image008.bmp, reg_image8.bmp\)'),
        (remove_the_clips_of_a_subject, 's11: expected micro/<emotion>/<clip>/, found no clip'),
        (add_an_unknown_emotion, 'happy: expected one of the folders'),
        (shutil.rmtree, r'expected HS/s1/micro/.*, found no file; check --raw, or rename'),
    ],
)
def test_a_broken_tree_is_refused_in_one_sentence(smic_hs, break_tree, fault):
    break_tree(smic_hs)
    with pytest.raises(InputError, match=fault):
        read('smic', smic_hs.parents[1])


@pytest.mark.parametrize('folder', ['1', '01', 's01', 'sub_01', 'sub 01'])
def test_folders_of_subjects_may_be_renamed(smic_hs, folder):
    expected = read('smic', smic_hs).table['sample_id'].tolist()
    (smic_hs / 's1').rename(smic_hs / folder)
    assert read('smic', smic_hs.parents[1]).table['sample_id'].tolist() == expected


def test_two_folders_of_one_subject_are_refused(smic_hs):
    shutil.copytree(smic_hs / 's11', smic_hs / 's01')
    with pytest.raises(InputError, match='HS: expected one folder for subject 1, found s01 and s1'):
        read('smic', smic_hs)


def test_a_missing_folder_names_whom_to_ask(tmp_path):
    with pytest.raises(InputError, match=r'no such folder.*Oulu'):
        read('smic', tmp_path / 'nowhere')


def test_a_sheet_is_refused(tmp_path):
    with pytest.raises(InputError, match='SMIC has no annotation sheet'):
        read('smic', sheets=[tmp_path / 'a.xlsx'], with_frames=False)
