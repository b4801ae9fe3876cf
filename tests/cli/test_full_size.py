"""Sheets and trees of the real data sets' size, with made-up rows: from the raw folder to the official counts."""

from collections import Counter
from importlib import import_module

import pytest

from mer_bench.datasets.synthetic.sheets import SheetRow, write_sheet
from tests.datasets.raw_data import repeat, touch_frames

# Class counts as the data sets' papers and sheets have them; CASME II: 2014-05-08.
CASME2 = dict(others=99, disgust=63, happiness=32, repression=27, surprise=25, sadness=7, fear=2)
CASME2_OBJECTIVE = dict(I=25, II=15, III=99, IV=26, V=20, VI=1, VII=69)
SAMM = dict(others=26, anger=57, happiness=26, surprise=15, contempt=12, disgust=9, fear=8, sadness=6)
SAMM_OBJECTIVE = dict(I=24, II=13, III=20, IV=8, V=3, VI=7, VII=84)
SMIC = dict(negative=70, positive=51, surprise=43)
SMIC_SUBJECTS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12, 13, 14, 15, 18, 19, 20)


def spread(emotions, classes, subjects, alone):
    """Yield (subject, emotion, objective class): one clip of each subject in `alone`, then the others in turn."""
    yield from ((subject, *clip) for subject, clip in alone.items())
    others = [number for number in subjects if number not in alone]
    emotions = Counter(emotions) - Counter(emotion for emotion, _ in alone.values())
    classes = Counter(classes) - Counter(objective_class for _, objective_class in alone.values())
    for i, clip in enumerate(zip(emotions.elements(), classes.elements(), strict=True)):
        yield (others[i % len(others)], *clip)


def write_casme2(folder, more=()):
    """255 clips of 26 subjects; two of them have `others` alone, and the two clips without a proper apex are there."""
    clips = list(spread(CASME2, CASME2_OBJECTIVE, range(1, 27), {10: ('others', 'I'), 18: ('others', 'II')}))
    rows = [SheetRow(s, f'EP{i // 20 + 20}_{i % 20:02d}', 10, 20, 30, e, '4', o) for i, (s, e, o) in enumerate(clips)]
    places = [i for i, row in enumerate(rows) if row.emotion == 'disgust'][:2]
    for place, (subject, clip, apex) in zip(places, ((4, 'EP12_01f', '/'), (5, 'EP09_05f', 10)), strict=True):
        rows[place] = SheetRow(subject, clip, 10, apex, 30, 'disgust', '4', rows[place].objective_class)
    write_sheet('casme2', [*rows, *more], folder / 'CASME2-coding-20140508.xlsx')
    write_sheet('casme2_objective', rows, folder / 'CASME2-ObjectiveClasses.xlsx')


def write_casme2_with_ep02_07(folder):
    """The same with the clip that later sheets add, so 256; it has no objective class."""
    write_casme2(folder, [SheetRow(24, 'EP02_07', 10, 20, 30, 'disgust', '4', 'VII')])


def write_samm(folder):
    """159 clips of 29 subjects: 28 in MEGC2019, 27 in the 5 classes, 21 in the objective classes I to V."""
    numbers = [n for n in range(6, 38) if n not in (8, 27, 29)]
    alone = dict.fromkeys(range(30, 35), ('anger', 'VII'))
    alone |= {25: ('others', 'VII'), 36: ('disgust', 'VII'), 37: ('fear', 'VI')}
    clips = spread(SAMM, SAMM_OBJECTIVE, numbers, alone)
    rows = [SheetRow(s, f'{s:03d}_1_{i}', 100, 120, 140, e, '4', o) for i, (s, e, o) in enumerate(clips)]
    write_sheet('samm', rows, folder / 'SAMM_Micro_FACS_Codes_v2.xlsx')


def write_smic(folder):
    """164 clips of 16 subjects, as empty pictures."""
    for i, emotion in enumerate(repeat(SMIC)):
        subject = f's{SMIC_SUBJECTS[i % 16]}'
        code = {'negative': 'ne', 'positive': 'po', 'surprise': 'sur'}[emotion]
        clip = folder / 'SMIC_all_cropped/HS' / subject / 'micro' / emotion / f'{subject}_{code}_{i // 16 + 1:02d}'
        touch_frames(clip, (559740, 559741), 'reg_image{}.bmp')


WRITERS = {  # folder of the prepared data: data set, what writes its raw folder
    'casme2': ('casme2', write_casme2),
    'casme2_256': ('casme2', write_casme2_with_ep02_07),
    'samm': ('samm', write_samm),
    'smic': ('smic', write_smic),
}


@pytest.fixture(scope='module')
def tables(tmp_path_factory):
    """The annotation tables of the three data sets, and of CASME II with 256 clips."""
    root = tmp_path_factory.mktemp('full_size')
    prepare = import_module('mer_bench.cli.prepare').main
    for name, (dataset, write) in WRITERS.items():
        (root / f'raw_{name}').mkdir()
        write(root / f'raw_{name}')
        prepare([dataset, '--raw', str(root / f'raw_{name}'), '--out', str(root / name), '--annotations-only'])
    return root


def protocol(tables, capsys, scheme, *names):
    """Return what tools/protocol.py prints."""
    main = import_module('mer_bench.cli.protocol').main
    main([scheme, *(str(tables / name) for name in names)])
    return capsys.readouterr().out


def row(text, name):
    """Return the numbers of a line of the table of classes."""
    return next([int(cell) for cell in line.split()[1:]] for line in text.splitlines() if line.startswith(name + ' '))


@pytest.mark.parametrize('casme2', ['casme2', 'casme2_256'])
def test_the_composite_has_442_clips_of_68_subjects(tables, capsys, casme2):
    text = protocol(tables, capsys, 'megc2019_3class', 'smic', casme2, 'samm')
    assert row(text, 'full') == [250, 109, 83, 442, 68]
    assert row(text, 'casme2') == [88, 32, 25, 145, 24]
    assert row(text, 'samm') == [92, 26, 15, 133, 28]
    assert row(text, 'smic') == [70, 51, 43, 164, 16]
    assert '68 folds' in text
    assert 'official counts of megc2019_3class: the same (casme2, samm, smic)' in text


def test_the_five_class_sets_have_their_size(tables, capsys):
    # happiness, disgust, repression, surprise, others; anger, contempt, happiness, surprise, others
    assert row(protocol(tables, capsys, 'casme2_5class', 'casme2'), 'casme2') == [32, 63, 27, 25, 99, 246, 26]
    assert row(protocol(tables, capsys, 'samm_5class', 'samm'), 'samm') == [57, 12, 26, 15, 26, 136, 27]


def test_ep02_07_is_the_247th_clip_of_the_five_classes(tables, capsys):
    text = protocol(tables, capsys, 'casme2_5class', 'casme2_256')
    assert row(text, 'casme2') == [32, 64, 27, 25, 99, 247, 26]
    assert 'casme2 disgust clips 64 (63), clips 247 (246)' in text


def test_the_objective_classes_have_253_clips_of_47_subjects(tables, capsys):
    text = protocol(tables, capsys, 'objective_5class', 'casme2', 'samm')
    assert row(text, 'full') == [49, 28, 119, 34, 23, 253, 47]
    assert row(text, 'casme2') == [25, 15, 99, 26, 20, 185, 26]
    assert row(text, 'samm') == [24, 13, 20, 8, 3, 68, 21]
    assert 'official counts of objective_5class: the same (casme2, samm)' in text


def test_the_clips_left_out_are_named_with_their_reason(tables, capsys):
    lines = protocol(tables, capsys, 'megc2019_3class', 'casme2').splitlines()
    assert '  casme2/sub04/EP12_01f: left out by the official list: the sheet gives no apex' in lines
    assert '  casme2/sub05/EP09_05f: left out by the official list: the apex of the sheet is the onset' in lines
    assert '  casme2/sub24/EP02_07: not in these data' in lines
    lines = protocol(tables, capsys, 'megc2019_3class', 'casme2_256').splitlines()
    assert '  casme2/sub24/EP02_07: not in the official list: later versions of the sheet add it' in lines
