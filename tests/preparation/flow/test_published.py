import os
import shutil

import cv2
import numpy as np
import pandas as pd
import pytest

from mer_bench.datasets.spellings import spell
from mer_bench.datasets.table import read_annotations
from mer_bench.errors import InputError
from mer_bench.files import digest_file
from mer_bench.loading.input_spec import make_spec
from mer_bench.preparation.flow import published
from mer_bench.preparation.flow.label_table import read_labels
from mer_bench.preparation.flow.published import flow_pictures, prepare_flow_images, read_flow_images
from mer_bench.preparation.pictures import read_picture
from mer_bench.preparation.store.flow_store import FlowStore

SAMPLES = {
    'casme2/sub11/EP08_01f': 'surprise',
    'casme2/sub11/EP15_04f': 'negative',
    'samm/006/006_1_2': 'negative',
    'samm/006/006_5_9': 'surprise',
    'smic/s03/s03_po_11': 'positive',
}


def test_both_layouts_give_the_same_clips(flat_flow_images, folded_flow_images):
    flat = read_flow_images(flat_flow_images, flat_flow_images.parent / 'labels.csv')
    folds = read_flow_images(folded_flow_images)
    assert dict(zip(flat['sample_id'], flat['emotion'], strict=True)) == SAMPLES
    assert flat.drop(columns='frames_dir').equals(folds.drop(columns='frames_dir'))
    assert folds['frames_dir'].iloc[2] == '006/u_test/0/006_006_1_2 .png'


def test_the_blank_before_the_dot_is_optional(flat_flow_images):
    for path in flat_flow_images.iterdir():
        path.rename(path.with_name(path.name.replace(' .png', '.png')))
    assert len(read_flow_images(flat_flow_images, flat_flow_images.parent / 'labels.csv')) == 5


@pytest.mark.parametrize(
    ('written', 'known'),
    [
        ((None, '006', '006_1_2'), ('samm', '006', '006_1_2')),
        (('SAMM', '6', '006_1_2'), ('samm', '006', '006_1_2')),
        (('samm', '006', '006_6_1.png'), ('samm', '006', '006_6_1')),
        ((None, 's1', 's1_ne_01'), ('smic', 's01', 's01_ne_01')),
        (('SMIC-HS', 's01', 's01_ne_01'), ('smic', 's01', 's01_ne_01')),
        (('CASME II', 'sub11', 'EP15_04f'), ('casme2', 'sub11', 'EP15_04f')),
        (('casme2', '11', 'sub11_EP15_04f'), ('casme2', 'sub11', 'EP15_04f')),
    ],
)
def test_identifiers_have_one_spelling(written, known):
    assert tuple(spell(*written, 'table').values()) == known


@pytest.mark.parametrize(
    'text',
    [
        'samm,6,006_1_2,2\n',
        '6,006_1_2,2\n',
        '006,006_1_2,5,7,/,2,samm\n',
        'dataset,sub,filename_o,label,apex\nsamm,006,006_1_2,surprise,7\n',
        'Subject;File name;Onset frame;Label\n6;006_1_2;5;2\n',
    ],
)
def test_label_tables_with_and_without_header_are_read(tmp_path, text):
    (tmp_path / 'labels.csv').write_text(text)
    (label,) = read_labels(tmp_path / 'labels.csv').to_dict('records')
    assert (label['dataset'], label['subject'], label['clip']) == ('samm', '006', '006_1_2')
    assert label['emotion'] == 'surprise'


def test_frame_numbers_come_from_the_label_table(flat_flow_images, tmp_path):
    rows = ''.join(
        f'{subject},{clip},5,/,20,{label},{dataset}\n'
        for dataset, subject, clip, label in (
            line.split(',') for line in (tmp_path / 'labels.csv').read_text().splitlines()
        )
    )
    (tmp_path / 'labels.csv').write_text('subject,filename,onset,apex,offset,label,dataset\n' + rows)
    table = read_flow_images(flat_flow_images, tmp_path / 'labels.csv')
    assert (table['onset'] == 5).all()
    assert table['apex'].isna().all()


def test_a_number_in_a_label_table_that_is_no_frame_number_is_unknown(tmp_path):
    (tmp_path / 'labels.csv').write_text(f'6,006_1_2,46.0,1e400,{2**63},2\n')
    assert read_labels(tmp_path / 'labels.csv')[['onset', 'apex', 'offset']].iloc[0].tolist() == [46, pd.NA, pd.NA]


@pytest.mark.parametrize(
    ('text', 'fault'),
    [
        ('', 'expected one row per clip, found none'),
        ('6,006_1_2\n6,006_1_3,0\n', "label '' is not 0, 1, 2"),
        ('a,b,c,d,e\n', 'expected a header'),
        ('6,006_1_2,3\n', "label '3' is not 0, 1, 2"),
        ('x,006_1_2,0\n', "found 'x'"),
        ('6,006_1_2,0\n006,006_1_2,0\n', ': 006 006_1_2 occurs twice'),
        ('subject,clip,label\n', 'found none'),
        ('6,006_1_2,0\n', 'has a picture but no row'),
        ('é,006_1_2,0\n', 'found the byte 0xE9 in line 1'),
        ('subject,clip,label\n6,006_1_3,1,0\n', 'expected at most 3 cells in a row'),
        ('6' * 5000 + ',006_1_2,0\n', 'holds the number 66666666... of 5000 digits'),
    ],
)
def test_a_label_table_that_does_not_fit_is_refused(flat_flow_images, tmp_path, text, fault):
    (tmp_path / 'labels.csv').write_text(text, encoding='latin-1')
    with pytest.raises(InputError, match=fault):
        read_flow_images(flat_flow_images, tmp_path / 'labels.csv')


def test_a_row_without_picture_is_named(flat_flow_images, tmp_path):
    (flat_flow_images / 's03_s03_po_11 .png').unlink()
    with pytest.raises(InputError, match=r's03 s03_po_11 .* has a row but no picture'):
        read_flow_images(flat_flow_images, tmp_path / 'labels.csv')


def test_the_flat_layout_needs_labels(flat_flow_images, tmp_path):
    with pytest.raises(InputError, match='--labels'):
        read_flow_images(flat_flow_images)
    with pytest.raises(InputError, match='no such label table'):
        read_flow_images(flat_flow_images, tmp_path / 'nowhere.csv')
    with pytest.raises(InputError, match=r'expected a sheet .xlsx, .xls, .csv'):
        read_flow_images(flat_flow_images, flat_flow_images / 's03_s03_po_11 .png')


def tamper_with_a_copy(folds):
    shutil.copy(folds / 's03/u_train/0/006_006_1_2 .png', folds / 's03/u_train/0/sub11_EP15_04f .png')


def leak_a_clip(folds):
    shutil.copy(folds / 's03/u_test/1/s03_s03_po_11 .png', folds / 's03/u_train/0/')


def put_a_foreign_clip_into_the_test(folds):
    shutil.copy(folds / 's03/u_test/1/s03_s03_po_11 .png', folds / '006/u_test/0/')


def move_a_copy_to_another_class(folds):
    (folds / 's03/u_train/0/006_006_1_2 .png').rename(folds / 's03/u_train/2/006_006_1_2 .png')


def remove_a_fold(folds):
    shutil.rmtree(folds / 's03')


def empty_a_test(folds):
    shutil.rmtree(folds / 's03/u_test/1')


def remove_a_share(folds):
    shutil.rmtree(folds / 's03/u_train')


def add_a_class(folds):
    (folds / 's03/u_train/3').mkdir()


@pytest.mark.parametrize(
    ('break_folds', 'fault'),
    [
        (tamper_with_a_copy, 'sub11_EP15_04f .png: this copy shows another picture'),
        (leak_a_clip, 's03_s03_po_11 .png: a clip of the held-out subject is among its training clips'),
        (put_a_foreign_clip_into_the_test, 'u_test of 006 holds a clip of another subject'),
        (move_a_copy_to_another_class, 'this copy is surprise, .* is negative'),
        (remove_a_fold, 'expected this clip in one u_test, found it in 0'),
        (empty_a_test, 'expected the clips of s03 in u_test'),
        (remove_a_share, 'u_train: no such folder'),
        (add_a_class, 'expected the class folders 0, 1 and 2'),
    ],
)
def test_folds_that_disagree_are_refused(folded_flow_images, break_folds, fault):
    break_folds(folded_flow_images)
    with pytest.raises(InputError, match=fault):
        read_flow_images(folded_flow_images)


def test_copies_may_differ_in_bytes_if_the_pixels_agree(folded_flow_images):
    copy = folded_flow_images / 's03/u_train/0/sub11_EP15_04f .png'
    before = copy.read_bytes()
    cv2.imwrite(str(copy), cv2.imread(str(copy)), [cv2.IMWRITE_PNG_COMPRESSION, 0])
    assert copy.read_bytes() != before
    assert len(read_flow_images(folded_flow_images)) == 5


def test_labels_must_agree_with_the_class_folders(folded_flow_images, flat_flow_images, tmp_path):
    text = (tmp_path / 'labels.csv').read_text()
    (tmp_path / 'labels.csv').write_text(text.replace('s03_po_11,1', 's03_po_11,0'))
    with pytest.raises(InputError, match='is in the folder of positive, the label table has negative'):
        read_flow_images(folded_flow_images, tmp_path / 'labels.csv')


def test_a_folder_of_neither_layout_is_refused(tmp_path):
    with pytest.raises(InputError, match='found neither'):
        read_flow_images(tmp_path)
    with pytest.raises(InputError, match='no such folder'):
        read_flow_images(tmp_path / 'nowhere')


def test_a_picture_is_read_as_red_green_blue(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((2, 2, 3), [10, 20, 30], np.uint8))  # OpenCV writes blue first
    assert read_picture(tmp_path / 'a.png', colour=True)[0, 0].tolist() == [30, 20, 10]


def test_further_pictures_of_a_clip_are_left_aside(flat_flow_images):
    """Public copies have the motion from apex to offset, and others, beside it."""
    labels = flat_flow_images.parent / 'labels.csv'
    alone = read_flow_images(flat_flow_images, labels)
    for path in list(flat_flow_images.iterdir()):
        for number in (1, 2, 3):
            shutil.copy(path, path.with_name(path.name.replace(' .png', f'_{number} .png')))
    assert read_flow_images(flat_flow_images, labels).equals(alone)


def test_a_pipe_in_place_of_a_flow_picture_is_refused(folded_flow_images):
    picture = folded_flow_images / '006/u_test/0/006_006_1_2 .png'
    picture.unlink()
    os.mkfifo(picture)
    with pytest.raises(InputError, match=r'006_006_1_2 .png: expected a file, found a pipe; restore it'):
        read_flow_images(folded_flow_images)


def add_further_pictures(folder):
    """Give every clip three more pictures, each of one level: 41 (the fall), 42 and 43."""
    for path in sorted(folder.glob('* .png')):
        for number in (1, 2, 3):
            picture = np.full(cv2.imread(str(path)).shape, 40 + number, np.uint8)
            cv2.imwrite(str(path.with_name(path.name.replace(' .png', f'_{number} .png'))), picture)


def test_rise_and_fall_are_two_steps_of_a_clip(tmp_path):
    folder = write_flow_pictures(tmp_path / 'pictures')
    prepare_flow_images(folder, tmp_path / 'rise', folder / 'labels.csv')
    add_further_pictures(folder)
    prepare_flow_images(folder, tmp_path / 'both', folder / 'labels.csv', ['rise', 'fall'])
    rise, both = (FlowStore(tmp_path / name / 'store') for name in ('rise', 'both'))
    assert (both.info['dataset'], both.clips.shape) == ('megc2019_rise_fall', (3, 3, 2, 28, 28))
    assert (both.clips[:, :, :1] == rise.clips).all()
    fall = np.float16([(2 * 41 - 255) / 255, (2 * 41 - 255) / 255, 41 / 255])
    assert (both.clips[:, :, 1] == fall[:, None, None]).all()
    assert 'onset to apex and apex to offset' in both.info['sampling']
    assert read_annotations(tmp_path / 'both/annotations.csv').equals(
        read_annotations(tmp_path / 'rise/annotations.csv')
    )


def test_the_apex_of_rise_and_fall_is_the_rise(tmp_path):
    folder = write_flow_pictures(tmp_path / 'pictures')
    add_further_pictures(folder)
    prepare_flow_images(folder, tmp_path / 'both', folder / 'labels.csv', ['rise', 'fall'])
    store = FlowStore(tmp_path / 'both' / 'store')
    view = make_spec(dict(frames='apex'), store.info, store.clips.shape[1:])
    assert (view(store.clips[0]) == store.clips[0, :, :1]).all()


def test_further_pictures_change_nothing_of_the_rise(tmp_path, capsys):
    folder = write_flow_pictures(tmp_path / 'pictures')
    prepare_flow_images(folder, tmp_path / 'out', folder / 'labels.csv')
    add_further_pictures(folder)
    capsys.readouterr()
    prepare_flow_images(folder, tmp_path / 'out', folder / 'labels.csv')
    out = capsys.readouterr().out
    assert '9 further pictures of the clips' in out
    assert 'nothing to do' in out


def test_a_clip_without_its_fall_is_named(tmp_path, folded_flow_images):
    folder = write_flow_pictures(tmp_path / 'pictures')
    add_further_pictures(folder)
    (folder / 's02_s02_ne_01_1 .png').unlink()
    with pytest.raises(InputError, match=r'such as s02_s02_ne_01_1 .png .* for 1 of 3 clips; .* --steps rise'):
        prepare_flow_images(folder, tmp_path / 'out', folder / 'labels.csv', ['rise', 'fall'])
    with pytest.raises(InputError, match=r'expected the fall of every clip, .* for 5 of 5 clips'):
        prepare_flow_images(folded_flow_images, tmp_path / 'out', steps=['rise', 'fall'])
    with pytest.raises(InputError, match='expected `rise` or `rise fall`, got `fall`'):
        prepare_flow_images(folder, tmp_path / 'out', folder / 'labels.csv', ['fall'])


def test_a_clip_of_its_own_is_not_the_fall_of_another(tmp_path):
    folder = write_flow_pictures(tmp_path / 'pictures')
    add_further_pictures(folder)
    with open(folder / 'labels.csv', 'a', encoding='utf-8') as file:
        file.write('s1,s01_ne_01_1,0\n')
    with pytest.raises(InputError, match=r'expected the fall of every clip, such as s01_s01_ne_01_1 .png'):
        prepare_flow_images(folder, tmp_path / 'out', folder / 'labels.csv', ['rise', 'fall'])


def write_flow_pictures(folder, size_of_last=28):
    folder.mkdir()
    rng = np.random.default_rng(0)
    for subject, size in (('s01', 28), ('s02', 28), ('s03', size_of_last)):
        picture = rng.integers(0, 255, (size, size, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{subject}_{subject}_ne_01 .png'), picture)
    (folder / 'labels.csv').write_text(''.join(f's{n},s0{n}_ne_01,{n - 1}\n' for n in (1, 2, 3)))
    return folder


def test_flow_pictures_become_a_store_of_one_map_a_clip(tmp_path):
    folder = write_flow_pictures(tmp_path / 'pictures')
    prepare_flow_images(folder, tmp_path / 'out', folder / 'labels.csv')
    store = FlowStore(tmp_path / 'out' / 'store')
    assert store.clips.shape == (3, 3, 1, 28, 28)
    assert (store.info['flow'], store.info['clip_len'], store.info['apex']) == ('published_pictures', 1, 'as published')
    assert read_annotations(tmp_path / 'out' / 'annotations.csv')['emotion'].tolist() == [
        'negative',
        'positive',
        'surprise',
    ]


def test_red_is_u_green_is_v_and_blue_is_strain(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((28, 28, 3), [51, 0, 255], np.uint8))  # blue, green, red
    clip, *_ = flow_pictures([tmp_path / 'a.png'], None)
    np.testing.assert_allclose(clip[:, 0, 0, 0], [1, -1, 0.2], rtol=1e-3)


def test_the_opposite_level_is_the_opposite_motion(tmp_path):
    levels = np.random.default_rng(0).integers(0, 255, (28, 28, 3), dtype=np.uint8)
    for name, picture in (('a', levels), ('b', 255 - levels)):
        cv2.imwrite(str(tmp_path / f'{name}.png'), picture)
    (one, *_), (other, *_) = (flow_pictures([tmp_path / f'{name}.png'], None) for name in 'ab')
    assert (one[:2] == -other[:2]).all()


def test_flow_pictures_need_one_size(tmp_path):
    folder = write_flow_pictures(tmp_path / 'pictures', size_of_last=30)
    with pytest.raises(InputError, match=r's03_s03_ne_01 .png: expected 28x28 pixels .* found 30x30'):
        prepare_flow_images(folder, tmp_path / 'out', folder / 'labels.csv')


def test_a_corrected_label_is_noticed_and_computes_nothing(tmp_path, monkeypatch):
    folder = write_flow_pictures(tmp_path / 'pictures')
    prepare_flow_images(folder, tmp_path / 'out', folder / 'labels.csv')
    (folder / 'labels.csv').write_text((folder / 'labels.csv').read_text().replace('s1,s01_ne_01,0', 's1,s01_ne_01,2'))
    monkeypatch.setattr(published, 'flow_pictures', None)
    prepare_flow_images(folder, tmp_path / 'out', folder / 'labels.csv')
    assert read_annotations(tmp_path / 'out' / 'annotations.csv')['emotion'].iloc[0] == 'surprise'
    digest = FlowStore(tmp_path / 'out' / 'store').info['annotations_digest']
    assert digest == digest_file(tmp_path / 'out' / 'annotations.csv')
