"""Flow pictures of noise in the published layouts."""

import cv2
import numpy as np
import pytest


def write_picture(path, seed, size=(28, 28)):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8))


# Subject, clip and class of five clips; the file names in the published spelling.
FLOW_CLIPS = [
    ('006', '006_1_2', 0),
    ('006', '006_5_9', 2),
    ('s03', 's03_po_11', 1),
    ('sub11', 'EP15_04f', 0),
    ('sub11', 'EP08_01f', 2),
]


@pytest.fixture
def flat_flow_images(tmp_path):
    """The flat layout with a label table of the official form (SAMM subjects unpadded)."""
    folder = tmp_path / 'flat'
    rows = []
    for seed, (subject, clip, label) in enumerate(FLOW_CLIPS):
        write_picture(folder / f'{subject}_{clip} .png', seed)
        dataset = {'0': 'samm', 's': 'smic'}.get(subject[0]) if subject[:3] != 'sub' else 'casme2'
        rows.append(f'{dataset},{subject.lstrip("0")},{clip},{label}\n')
    (tmp_path / 'labels.csv').write_text(''.join(rows))
    return folder


@pytest.fixture
def folded_flow_images(tmp_path):
    """The fold layout of the same clips."""
    folder = tmp_path / 'folds'
    for held_out in ('006', 's03', 'sub11'):
        for seed, (subject, clip, label) in enumerate(FLOW_CLIPS):
            share = 'u_test' if subject == held_out else 'u_train'
            write_picture(folder / held_out / share / str(label) / f'{subject}_{clip} .png', seed)
    return folder
