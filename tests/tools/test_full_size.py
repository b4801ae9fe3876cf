"""Sheets and trees of the real data sets' size, with made-up rows: from the raw folder to the official counts."""

import runpy

import pytest

from mer_bench.datasets.synthetic_sheets import SheetRow, write_sheet
from tests.conftest import ROOT
from tests.datasets.raw_data import repeat, touch_frames

# Class counts as the data sets' papers and sheets have them; CASME II: 2014-05-08.
CASME2 = dict(others=99, disgust=63, happiness=32, repression=27, surprise=25, sadness=7, fear=2)
CASME2_OBJECTIVE = dict(I=25, II=15, III=99, IV=26, V=20, VI=1, VII=69)
SAMM = dict(others=26, anger=57, happiness=26, surprise=15, contempt=12, disgust=9, fear=8, sadness=6)
SAMM_OBJECTIVE = dict(I=24, II=13, III=20, IV=8, V=3, VI=7, VII=84)
SMIC = dict(negative=70, positive=51, surprise=43)
SMIC_SUBJECTS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12, 13, 14, 15, 18, 19, 20)
FILES = {'casme2': 'CASME2-coding-20140508.xlsx', 'casme2_objective': 'CASME2-ObjectiveClasses.xlsx'}


def spread(emotions, classes, subjects, alone):
    """Yield (subject, emotion, objective class); `alone` are subjects with clips of others and class VII only."""
    everyone = [number for number in subjects if number not in alone]
    clips = sorted(
        zip(repeat(emotions), sorted(repeat(classes), reverse=True), strict=True), key=lambda c: c != ('others', 'VII')
    )
    for position, (emotion, objective_class) in enumerate(clips):
        yield alone[position] if position < len(alone) else everyone[position % len(everyone)], emotion, objective_class


def write_casme2(folder):
    """255 clips of 26 subjects; two of them have `others` alone, and the two clips without a proper apex are there."""
    clips = list(spread(CASME2, CASME2_OBJECTIVE, range(1, 27), (10, 18)))
    rows = [SheetRow(s, f'EP{i // 20 + 20}_{i % 20:02d}', 10, 20, 30, e, '4', o) for i, (s, e, o) in enumerate(clips)]
    odd = {('disgust', 'a'): (4, 'EP12_01f', '/'), ('disgust', 'b'): (5, 'EP09_05f', 10)}
    places = [i for i, row in enumerate(rows) if row.emotion == 'disgust'][:2]
    for place, (subject, clip, apex) in zip(places, odd.values(), strict=True):
        rows[place] = SheetRow(subject, clip, 10, apex, 30, 'disgust', '4', rows[place].objective_class)
    for like, name in FILES.items():
        write_sheet(like, rows, folder / name)


def write_samm(folder):
    """159 clips of 29 subjects, one of whom has the emotion other alone."""
    numbers = [n for n in range(6, 38) if n not in (8, 27, 29)]
    clips = list(spread(SAMM, SAMM_OBJECTIVE, numbers, (25,)))
    rows = [SheetRow(s, f'{s:03d}_1_{i}', 100, 120, 140, e, '4', o) for i, (s, e, o) in enumerate(clips)]
    write_sheet('samm', rows, folder / 'SAMM_Micro_FACS_Codes_v2.xlsx')


def write_smic(folder):
    """164 clips of 16 subjects, as empty pictures."""
    for i, emotion in enumerate(repeat(SMIC)):
        subject = f's{SMIC_SUBJECTS[i % 16]}'
        code = {'negative': 'ne', 'positive': 'po', 'surprise': 'sur'}[emotion]
        clip = folder / 'SMIC_all_cropped/HS' / subject / 'micro' / emotion / f'{subject}_{code}_{i // 16 + 1:02d}'
        touch_frames(clip, (559740, 559741), 'reg_image{}.bmp')


@pytest.fixture(scope='module')
def tables(tmp_path_factory):
    """The annotation tables of the three data sets."""
    root = tmp_path_factory.mktemp('full_size')
    prepare = runpy.run_path(str(ROOT / 'tools/prepare.py'))['main']
    for name, write in (('casme2', write_casme2), ('samm', write_samm), ('smic', write_smic)):
        (root / f'raw_{name}').mkdir()
        write(root / f'raw_{name}')
        prepare([name, '--raw', str(root / f'raw_{name}'), '--out', str(root / name), '--annotations-only'])
    return root


def protocol(tables, capsys, scheme, *names):
    """Return what tools/protocol.py prints."""
    main = runpy.run_path(str(ROOT / 'tools/protocol.py'))['main']
    main([scheme, *(str(tables / name) for name in names)])
    return capsys.readouterr().out


def row(text, name):
    """Return the numbers of a line of the table of classes."""
    return next([int(cell) for cell in line.split()[1:]] for line in text.splitlines() if line.startswith(name + ' '))


def test_the_composite_has_442_clips_of_68_subjects(tables, capsys):
    text = protocol(tables, capsys, 'megc2019_3class', 'smic', 'casme2', 'samm')
    assert row(text, 'full') == [250, 109, 83, 442, 68]
    assert row(text, 'casme2') == [88, 32, 25, 145, 24]
    assert row(text, 'samm') == [92, 26, 15, 133, 28]
    assert row(text, 'smic') == [70, 51, 43, 164, 16]
    assert '68 folds' in text
    assert 'official counts: the same' in text


@pytest.mark.parametrize(('dataset', 'clips'), [('casme2', 246), ('samm', 136)])
def test_the_five_class_sets_have_their_size(tables, capsys, dataset, clips):
    assert row(protocol(tables, capsys, f'{dataset}_5class', dataset), dataset)[-2] == clips


def test_the_objective_classes_have_185_and_68_clips(tables, capsys):
    text = protocol(tables, capsys, 'objective_5class', 'casme2', 'samm')
    assert row(text, 'full')[:6] == [49, 28, 119, 34, 23, 253]
    assert row(text, 'casme2')[5] == 185
    assert row(text, 'samm')[5] == 68


def test_the_clips_left_out_are_named_with_their_reason(tables, capsys):
    text = protocol(tables, capsys, 'megc2019_3class', 'casme2')
    assert 'the sheet gives no apex' in text
    assert 'the apex of the sheet is the onset' in text
