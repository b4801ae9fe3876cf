"""Every synthetic tree goes through the reader of its data set: it has to say what was drawn."""

import numpy as np
import pandas as pd
import pytest

from mer_bench.datasets.catalogue import DATASETS
from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import read_dataset
from mer_bench.datasets.synthetic import clip as synthetic_clip
from mer_bench.datasets.synthetic import tree as synthetic
from mer_bench.datasets.synthetic.layouts import LAYOUTS
from mer_bench.protocols.action_units import parse_action_units

TREES = [(like, variant) for like, layout in LAYOUTS.items() for variant in layout.frames]
CLIPS = 5


@pytest.fixture(scope='module')
def trees(tmp_path_factory):
    """One tree of two subjects per layout and variant, without faces: the pictures are blank."""
    root = tmp_path_factory.mktemp('trees')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, 'draw_face', lambda rng: None)
        patch.setattr(synthetic_clip, '_mix', lambda rng, face, strengths: None)
        patch.setattr(synthetic_clip, '_drift', lambda rng, face: None)
        patch.setattr(synthetic, 'render', lambda face, clip, rng: [np.zeros((4, 4), np.uint8)] * len(clip.placement))
        patch.setattr(synthetic, 'true_flow', lambda clip: np.zeros(1))
        for like, variant in TREES:
            out = root / f'{like} {variant}'
            synthetic.write_synthetic_tree(out, like, variant=variant, subjects=2, clips_per_subject=CLIPS)
    return root


def unpadded(clips):
    """s1_ne_1 for s01_ne_01: readers may pad the numbers in a clip's name."""
    return clips.str.replace(r'(?<!\d)0+(?=\d)', '', regex=True)


@pytest.fixture(params=TREES, ids=' '.join)
def drawn_and_read(request, trees):
    """The rows of clips.csv and the reading, in the same order."""
    like, variant = request.param
    root = trees / f'{like} {variant}'
    drawn = pd.read_csv(root / 'true_flow' / 'clips.csv', dtype={'action_units': str})
    reading = read_dataset(DATASETS[like], Places(raw=root))
    read = reading.table.assign(subject_number=reading.table['subject'].str.extract(r'(\d+)$')[0].astype(int))
    read = read.set_index(['subject_number', unpadded(read['clip'])])
    read = read.loc[list(zip(drawn['subject'], unpadded(drawn['clip']), strict=True))].reset_index(drop=True)
    return root, drawn, read, reading


def test_every_clip_is_read(drawn_and_read):
    _, drawn, read, reading = drawn_and_read
    assert len(drawn) == len(reading.table) == 2 * CLIPS
    assert read['subject'].nunique() == 2
    assert read['synthetic'].all()
    assert set(reading.notes['kind']) <= {'unknown', 'row passed over', 'no action unit'}


def test_frame_numbers_are_those_that_were_drawn(drawn_and_read):
    _, drawn, read, _ = drawn_and_read
    assert read[['onset', 'offset']].to_numpy().tolist() == drawn[['onset', 'offset']].to_numpy().tolist()
    known = read['apex'].notna()
    assert read['apex'][known].tolist() == drawn['apex'][known].tolist()


def test_emotions_and_action_units_are_those_that_were_drawn(drawn_and_read):
    _, drawn, read, _ = drawn_and_read
    assert read['emotion'].tolist() == drawn['emotion'].tolist()
    classes = read['objective_class'] != ''
    assert read['objective_class'][classes].tolist() == drawn['objective_class'][classes].tolist()
    coded = ~read['action_units'].isin(['', '?', 'AU12A or AU14'])
    units = [table['action_units'][coded].map(parse_action_units).tolist() for table in (read, drawn)]
    assert units[0] == units[1]
    assert None not in units[0]


def test_the_frames_of_onset_and_apex_are_found(drawn_and_read):
    root, drawn, read, reading = drawn_and_read
    for row, clip in zip(drawn.itertuples(), read.itertuples(), strict=True):
        frames = reading.frames[clip.sample_id]
        assert frames[row.onset] == root / row.onset_file
        assert frames[row.apex] == root / row.apex_file
        assert list(frames) == list(range(row.onset, row.offset + 1))


def test_every_data_set_with_a_reader_has_a_layout():
    assert set(LAYOUTS) == set(DATASETS) - {'csv'}


def test_sheets_have_an_unknown_apex_and_unsure_action_units(trees):
    casme2 = read_dataset(DATASETS['casme2'], Places(raw=trees / 'casme2 raw'))
    assert casme2.table['apex'].isna().sum() == 1
    assert (casme2.table['action_units'] == '?').sum() == 1
    samm = read_dataset(DATASETS['samm'], Places(raw=trees / 'samm raw')).table
    assert 'AU12A or AU14' in samm['action_units'].tolist()
    assert samm['action_units'].str.contains('^A').any()
    dfme = read_dataset(DATASETS['dfme'], Places(raw=trees / 'dfme raw')).table
    assert dfme['action_units'].str.contains(r'\+(?:AD38|M58)').any()


def test_padding_differs_within_samm(trees):
    names = [path.stem.split('_')[1] for path in (trees / 'samm raw' / 'SAMM' / '006').glob('*/*.jpg')]
    assert {len(name) for name in names} == {4, 5}


def test_whole_videos_hold_more_than_the_clip(trees):
    folder = trees / 'casme3 raw/part_A/data/part_A_split/part_A/spNO.1/a/color'
    drawn = pd.read_csv(trees / 'casme3 raw/true_flow/clips.csv').query('subject == 1 and clip.str.contains("_a_")')
    spans = [range(row.onset - 3, row.offset + 4) for row in drawn.itertuples()]
    assert len(spans) == 3
    assert sorted(int(path.stem) for path in folder.glob('*.jpg')) == sorted(n for span in spans for n in span)


def test_the_cameras_of_smic_see_the_same_people():
    rng = [synthetic._rng(LAYOUTS[like], 0, index, 0) for like, index in (('smic', 3), ('smic_nir', 0), ('samm', 5))]
    s11, s11_nir, other = (generator.random() for generator in rng)
    assert s11 == s11_nir != other
