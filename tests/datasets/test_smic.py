import shutil

import pytest

from mer_bench.datasets.smic import find_tree, list_frames, read_smic
from mer_bench.errors import InputError


def test_each_micro_clip_is_a_row_with_its_label_from_the_folder(smic_hs):
    table = read_smic(smic_hs)
    assert table['sample_id'].tolist() == ['smic/s01/s01_ne_01', 'smic/s01/s01_sur_01', 'smic/s11/s11_po_02']
    assert table['emotion'].tolist() == ['negative', 'surprise', 'positive']
    assert table['subject'].tolist() == ['smic/s01', 'smic/s01', 'smic/s11']
    assert (table['fps'] == 100).all()
    assert not table['synthetic'].any()


def test_onset_and_offset_are_the_first_and_last_frame_by_number(smic_hs):
    clip = read_smic(smic_hs).iloc[0]  # frames 98 to 102: as text, 100 comes before 98
    assert (clip.onset, clip.offset) == (98, 102)
    assert read_smic(smic_hs)['apex'].isna().all()


@pytest.mark.parametrize('levels', [0, 1, 2])
def test_the_tree_is_found_from_any_folder_above(smic_hs, levels):
    raw = [smic_hs, *smic_hs.parents][levels]
    assert find_tree(raw) == smic_hs
    assert read_smic(raw).equals(read_smic(smic_hs))
    assert list_frames(smic_hs / read_smic(raw)['frames_dir'].iloc[0]).keys() == {98, 99, 100, 101, 102}


def test_the_25_fps_parts_are_not_taken_for_hs(smic_hs):
    other = smic_hs.rename(smic_hs.with_name('VIS'))
    with pytest.raises(InputError, match='this is SMIC-VIS; only SMIC-HS is read'):
        read_smic(other)


def test_what_a_mac_leaves_in_an_archive_is_no_second_tree(smic_hs):
    (smic_hs.parents[1] / '__MACOSX/HS/s1/micro').mkdir(parents=True)
    assert find_tree(smic_hs.parents[1]) == smic_hs


def test_the_raw_tree_has_frames_named_image(smic_hs):
    clip = smic_hs / 's1/micro/negative/s1_ne_01'
    for path in clip.glob('reg_image*'):
        path.rename(path.with_name(path.name.removeprefix('reg_')))
    smic_hs.parent.rename(smic_hs.parent.with_name('SMIC_all_raw'))
    assert read_smic(smic_hs.parents[1]).iloc[0].onset == 98


def test_a_generated_tree_is_marked_from_any_folder(smic_hs):
    (smic_hs.parents[1] / 'synthetic.json').write_text('{}')
    assert read_smic(smic_hs)['synthetic'].all()


def test_cropped_and_raw_tree_together_are_ambiguous(smic_hs):
    shutil.copytree(smic_hs, smic_hs.parents[1] / 'SMIC_all_raw' / 'HS')
    with pytest.raises(InputError, match=r'expected one SMIC-HS tree, found .*cropped.* and .*raw.*; give one of them'):
        read_smic(smic_hs.parents[1])


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
        (empty_a_clip, 's11_po_02: expected pictures .* found none'),
        (leave_one_frame, 's1_sur_01: a clip of one frame has no motion'),
        (repeat_a_frame, r's1_sur_01: frame 8 is there twice \(image008.bmp, reg_image8.bmp\)'),
        (remove_the_clips_of_a_subject, 's11: expected micro/<emotion>/<clip>/, found no clip'),
        (add_an_unknown_emotion, 'happy: expected one of the folders'),
        (shutil.rmtree, 'found no such tree'),
    ],
)
def test_a_broken_tree_is_told_in_one_sentence(smic_hs, break_tree, fault):
    break_tree(smic_hs)
    with pytest.raises(InputError, match=fault):
        read_smic(smic_hs.parents[1])


def test_a_missing_folder_says_whom_to_ask(tmp_path):
    with pytest.raises(InputError, match=r'no such folder.*Oulu'):
        read_smic(tmp_path / 'nowhere')
