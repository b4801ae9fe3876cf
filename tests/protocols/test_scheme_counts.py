"""Every built-in scheme on a table with the emotions of the real data set: the clips that each class must get."""

import pandas as pd
import pytest

from mer_bench.protocols.label_schemes import apply_scheme, load_scheme, read_cells, scheme_names
from mer_bench.protocols.official_counts import COLUMNS, COUNTS
from tests.protocols.protocol_tables import clip_row, sheet_table

SMIC_VIS = dict(negative=23, positive=28, surprise=20)  # the 71 clips of subjects 11 to 20 of SMIC-HS
OBJECTIVE = {  # Davison et al., 2018; CASME2-ObjectiveClasses.xlsx; Yap et al., FG 2018
    'casme2': dict(I=25, II=15, III=99, IV=26, V=20, VI=1, VII=69),
    'samm': dict(I=24, II=13, III=20, IV=8, V=3, VI=7, VII=84),
}
RAW = {
    'smic': dict(negative=70, positive=51, surprise=43),  # Li et al., FG 2013
    'smic_vis': SMIC_VIS,
    'smic_nir': SMIC_VIS,
    # SMIC-E lacks s1_ne_02 s2_sur_05 s3_ne_03 s3_ne_20 s4_ne_05 s4_ne_06 s9_sur_02
    'smic_e_hs': dict(negative=70 - 5, positive=51, surprise=43 - 2),
    'smic_e_vis': SMIC_VIS,
    'smic_e_nir': SMIC_VIS,
    # CASME2-coding-20140508.xlsx
    'casme2': dict(others=99, disgust=63, happiness=32, repression=27, surprise=25, sadness=7, fear=2),
    # Davison et al., arXiv 1805.02397, table 8
    'samm': dict(anger=57, others=26, happiness=26, surprise=15, contempt=12, disgust=9, fear=8, sadness=6),
    # github.com/pong213/SAC2-Net
    'casme3': dict(disgust=250, surprise=187, others=161, fear=86, anger=64, sadness=57, happiness=55),
    # github.com/wangzhifengharrison/HTNet; others: 300 - 234
    'mmew': dict(surprise=89, disgust=72, happiness=36, fear=16, sadness=13, anger=8, others=300 - 234),
    # github.com/LanEinstein/DAD-Net: train + test A + test B
    'dfme': dict(
        disgust=548 + 129 + 58,
        surprise=298 + 101 + 48,
        sadness=278 + 46 + 35,
        fear=265 + 62 + 38,
        happiness=206 + 63 + 42,
        anger=161 + 39 + 41,
        contempt=100 + 34 + 37,
    ),
    # made up, since nobody published these: the emotions of the sheets, each with another number of clips
    'casme': dict(disgust=1, repression=2, surprise=3, tense=4, happiness=5, sadness=6, fear=7, contempt=8),
    'casme_sq': dict(negative=1, positive=2, surprise=3, others=4),
    '4dme': {'negative': 1, 'positive': 2, 'surprise': 3, 'repression': 4, 'others': 5, 'negative+surprise': 6, '': 7},
}
# the counts of the classes in their order
EXPECTED = {
    ('megc2019_3class', 'smic'): [70, 51, 43],  # See et al., FG 2019; two clips of CASME II go by name
    ('megc2019_3class', 'casme2'): [88 + 2, 32, 25],
    ('megc2019_3class', 'samm'): [92, 26, 15],
    ('smic_3class', 'smic'): [70, 51, 43],
    ('smic_3class', 'smic_vis'): [23, 28, 20],
    ('smic_3class', 'smic_nir'): [23, 28, 20],
    ('smic_3class', 'smic_e_hs'): [65, 51, 41],
    ('smic_3class', 'smic_e_vis'): [23, 28, 20],
    ('smic_3class', 'smic_e_nir'): [23, 28, 20],
    ('casme2_5class', 'casme2'): [32, 63, 27, 25, 99],
    ('samm_5class', 'samm'): [57, 12, 26, 15, 26],
    ('objective_5class', 'casme2'): [25, 15, 99, 26, 20],
    ('objective_5class', 'samm'): [24, 13, 20, 8, 3],
    ('objective_7class', 'casme2'): [25, 15, 99, 26, 20, 1, 69],
    ('objective_7class', 'samm'): [24, 13, 20, 8, 3, 7, 84],
    ('casme3_3class', 'casme3'): [250 + 86 + 64 + 57, 55, 187],
    ('casme3_4class', 'casme3'): [457, 55, 187, 161],
    ('casme3_7class', 'casme3'): [250, 187, 161, 86, 64, 57, 55],
    ('casme_4class', 'casme'): [1, 2, 3, 4],
    ('casme_sq_4class', 'casme_sq'): [1, 2, 3, 4],
    ('mmew_6class', 'mmew'): [36, 89, 72, 16, 13, 8],
    ('mmew_7class', 'mmew'): [36, 89, 72, 16, 13, 8, 66],
    ('4dme_5class', '4dme'): [1, 2, 3, 4, 5],
    ('dfme_7class', 'dfme'): [311, 241, 171, 735, 365, 359, 447],
    # negative, positive, surprise, others: no clip is lost
    ('composite_4class', 'smic'): [70, 51, 43, 0],
    ('composite_4class', 'smic_vis'): [23, 28, 20, 0],
    ('composite_4class', 'smic_nir'): [23, 28, 20, 0],
    ('composite_4class', 'smic_e_hs'): [65, 51, 41, 0],
    ('composite_4class', 'smic_e_vis'): [23, 28, 20, 0],
    ('composite_4class', 'smic_e_nir'): [23, 28, 20, 0],
    ('composite_4class', 'casme2'): [63 + 27 + 7 + 2, 32, 25, 99],
    ('composite_4class', 'samm'): [57 + 12 + 9 + 8 + 6, 26, 15, 26],
    ('composite_4class', 'casme'): [1 + 2 + 6 + 7 + 8, 5, 3, 4],
    ('composite_4class', 'casme_sq'): [1, 2, 3, 4],
    ('composite_4class', 'casme3'): [457, 55, 187, 161],
    ('composite_4class', 'mmew'): [72 + 16 + 13 + 8, 36, 89, 66],
    ('composite_4class', '4dme'): [1 + 4, 2, 3, 5 + 6 + 7],
    ('composite_4class', 'dfme'): [735 + 359 + 365 + 241 + 171, 311, 447, 0],
}
# Published totals: clips and subjects ('' where the source has none), with the place where they stand.
TOTALS = {
    ('megc2019_3class', 'full'): ('442', '68'),  # See et al., FG 2019
    ('megc2019_3class', 'smic'): ('164', '16'),
    ('megc2019_3class', 'casme2'): ('145', '24'),
    ('megc2019_3class', 'samm'): ('133', '28'),
    ('smic_3class', 'smic'): ('164', '16'),  # Li et al., FG 2013
    ('smic_3class', 'smic_vis'): ('71', '8'),  # oulu.fi/cmvs/node/41319
    ('smic_3class', 'smic_nir'): ('71', '8'),
    ('smic_3class', 'smic_e_hs'): ('157', ''),
    ('smic_3class', 'smic_e_vis'): ('71', ''),
    ('smic_3class', 'smic_e_nir'): ('71', ''),
    ('casme2_5class', 'casme2'): ('246', '26'),  # the sheet of 2014; 247 in the paper
    ('samm_5class', 'samm'): ('136', '27'),  # the sheet
    ('objective_5class', 'full'): ('253', '47'),  # Yap et al., FG 2018
    ('objective_5class', 'casme2'): ('185', '26'),
    ('objective_5class', 'samm'): ('68', '21'),
    ('objective_7class', 'casme2'): ('255', '26'),
    ('objective_7class', 'samm'): ('159', '29'),
    ('casme3_3class', 'casme3'): ('699', ''),  # 860 - 161
    ('casme3_4class', 'casme3'): ('860', ''),  # the sheet v2
    ('casme3_7class', 'casme3'): ('860', ''),
    ('casme_sq_4class', 'casme_sq'): ('57', '14'),  # export of the updated sheet, github.com/garlic0000/ME-GCN-Project
    ('mmew_6class', 'mmew'): ('234', '30'),  # github.com/wangzhifengharrison/HTNet
    ('mmew_7class', 'mmew'): ('300', ''),  # Ben et al., TPAMI 2022
    ('dfme_7class', 'dfme'): ('2629', '259'),  # github.com/MEA-LAB-421/CCAC-page
    ('composite_4class', 'casme'): ('189', ''),  # github.com/tvaranka/meb
    ('composite_4class', 'casme2'): ('256', ''),
    ('composite_4class', 'samm'): ('159', ''),
    ('composite_4class', '4dme'): ('267', ''),
    ('composite_4class', 'mmew'): ('300', ''),
    ('composite_4class', 'casme3'): ('860', ''),
}
OTHER_ROWS = ('casme_sq_4class', 'composite_4class', '4dme_5class', 'casme_4class')  # no published counts of classes


def test_every_data_set_of_every_scheme_is_here():
    pairs = {(name, rule.dataset) for name in scheme_names() for rule in load_scheme(name).rules}
    assert set(EXPECTED) == pairs


@pytest.mark.parametrize(('name', 'dataset'), EXPECTED, ids='-'.join)
def test_the_classes_get_their_clips(name, dataset):
    column, counts = ('objective_class', OBJECTIVE) if name.startswith('objective') else ('emotion', RAW)
    scheme = load_scheme(name)
    kept, _ = apply_scheme(sheet_table(dataset, 20, column, counts[dataset]), scheme)
    assert kept['label'].value_counts().reindex(scheme.classes, fill_value=0).tolist() == EXPECTED[name, dataset]


@pytest.mark.parametrize('name', ['megc2019_3class', 'composite_4class'])
@pytest.mark.parametrize(('dataset', 'counts'), [('casme2', [88, 32, 25]), ('samm', [92, 26, 15])])
def test_the_classes_of_published_flow_lists_stay_what_they_are(name, dataset, counts):
    table = sheet_table(dataset, 20, counts=dict(zip(('negative', 'positive', 'surprise'), counts, strict=True)))
    kept, _ = apply_scheme(table, load_scheme(name))
    assert (kept['label'] == kept['emotion']).all()
    assert len(kept) == sum(counts)


def test_megc2019_leaves_out_ep02_07_of_later_sheets():
    table = pd.DataFrame([clip_row('casme2', 'sub24', clip, emotion='disgust') for clip in ('EP02_07', 'EP02_08')])
    kept, dropped = apply_scheme(table, load_scheme('megc2019_3class'))
    assert kept['clip'].tolist() == ['EP02_08']
    assert dropped['sample_id'].tolist() == ['casme2/sub24/EP02_07']
    assert len(apply_scheme(table, load_scheme('casme2_5class'))[0]) == 2


def test_the_official_counts_are_the_published_ones():
    table = read_cells(COUNTS, COLUMNS)
    whole = table[table['label'] == '']
    found = zip(whole['scheme'], whole['dataset'], whole['clips'], whole['subjects'], strict=True)
    assert {(scheme, dataset): counts for scheme, dataset, *counts in found} == {k: list(v) for k, v in TOTALS.items()}
    classes = table[table['label'] != ''].groupby(['scheme', 'dataset'], sort=False)
    official = {key: rows.set_index('label')['clips'].astype(int).to_dict() for key, rows in classes}
    for (name, dataset), counts in official.items():
        expected = dict(zip(load_scheme(name).classes, EXPECTED[name, dataset], strict=True))
        expected['negative'] = expected.get('negative', 0) - 2 * ((name, dataset) == ('megc2019_3class', 'casme2'))
        assert counts == {label: number for label, number in expected.items() if label in load_scheme(name).classes}
    unpublished = {key for key in EXPECTED if key[0] in OTHER_ROWS or key[1].startswith('smic_e')}
    assert set(official) == set(EXPECTED) - unpublished
