import cv2
import numpy as np
import pytest

from mer_bench.datasets.table import read_annotations
from mer_bench.errors import InputError
from mer_bench.files import digest_file
from mer_bench.preparation import flow_pictures
from mer_bench.preparation.flow_pictures import flow_picture, prepare_flow_images
from mer_bench.preparation.store.flow_store import FlowStore


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
    clip, *_ = flow_picture(tmp_path / 'a.png', None)
    np.testing.assert_allclose(clip[:, 0, 0, 0], [1, -1, 0.2], rtol=1e-3)


def test_the_opposite_level_is_the_opposite_motion(tmp_path):
    levels = np.random.default_rng(0).integers(0, 255, (28, 28, 3), dtype=np.uint8)
    for name, picture in (('a', levels), ('b', 255 - levels)):
        cv2.imwrite(str(tmp_path / f'{name}.png'), picture)
    (one, *_), (other, *_) = (flow_picture(tmp_path / f'{name}.png', None) for name in 'ab')
    assert (one[:2] == -other[:2]).all()


def test_flow_pictures_need_one_size(tmp_path):
    folder = write_flow_pictures(tmp_path / 'pictures', size_of_last=30)
    with pytest.raises(InputError, match=r's03_s03_ne_01 .png: expected 28x28 pixels .* found 30x30'):
        prepare_flow_images(folder, tmp_path / 'out', folder / 'labels.csv')


def test_a_corrected_label_is_noticed_and_computes_nothing(tmp_path, monkeypatch):
    folder = write_flow_pictures(tmp_path / 'pictures')
    prepare_flow_images(folder, tmp_path / 'out', folder / 'labels.csv')
    (folder / 'labels.csv').write_text((folder / 'labels.csv').read_text().replace('s1,s01_ne_01,0', 's1,s01_ne_01,2'))
    monkeypatch.setattr(flow_pictures, 'flow_picture', None)
    prepare_flow_images(folder, tmp_path / 'out', folder / 'labels.csv')
    assert read_annotations(tmp_path / 'out' / 'annotations.csv')['emotion'].iloc[0] == 'surprise'
    digest = FlowStore(tmp_path / 'out' / 'store').info['annotations_digest']
    assert digest == digest_file(tmp_path / 'out' / 'annotations.csv')
