"""Tiny raw trees of noise."""

import cv2
import numpy as np
import pytest


def write_frames(clip, numbers, name='reg_image{}.bmp', size=(32, 40)):
    clip.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        picture = np.random.default_rng(number).integers(0, 255, size, dtype=np.uint8)
        cv2.imwrite(str(clip / name.format(number)), picture)


@pytest.fixture
def smic_hs(tmp_path):
    """SMIC-HS, cropped, of two subjects and three clips, with what else lies in such a tree."""
    hs = tmp_path / 'raw' / 'SMIC_all_cropped' / 'HS'
    write_frames(hs / 's1/micro/negative/s1_ne_01', range(98, 103))
    write_frames(hs / 's1/micro/surprise/s1_sur_01', range(7, 9))
    write_frames(hs / 's11/micro/positive/s11_po_02', range(5, 9))
    write_frames(hs / 's1/non_micro/s1_non_01', range(3))
    (hs / 's1/micro/negative/s1_ne_01/Thumbs.db').write_text('stray')
    (hs / 's1/micro/.DS_Store').write_text('stray')
    return hs
