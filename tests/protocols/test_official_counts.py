import pandas as pd
import pytest

from mer_bench.datasets.table import annotation_table
from mer_bench.protocols.folds import make_folds
from mer_bench.protocols.label_schemes import apply_scheme, load_scheme, read_cells, scheme_names
from mer_bench.protocols.official_counts import (
    COLUMNS,
    COUNTS,
    WHOLE,
    absence_note,
    compare_counts,
    count_classes,
    official_note,
    official_summary,
)
from mer_bench.protocols.report import format_official
from tests.protocols.protocol_tables import clip_row, sheet_table

MEGC2019 = load_scheme('megc2019_3class')
SUBJECTS = {'smic': 16, 'casme2': 24, 'samm': 28}
ROMAN = ('I', 'II', 'III', 'IV', 'V', 'VI', 'VII')
# objective classes I to VII (Davison et al., 2018)
OBJECTIVE = {'casme2': (25, 15, 99, 26, 20, 1, 69), 'samm': (24, 13, 20, 8, 3, 7, 84)}


def composite():
    """The three sheets in one table: 164 + 255 + 159 clips."""
    return pd.concat([sheet_table(name, number) for name, number in SUBJECTS.items()], ignore_index=True)


def test_the_sheets_give_the_442_clips_and_68_folds_of_megc2019():
    kept, dropped = apply_scheme(composite(), MEGC2019)
    counts = count_classes(kept, MEGC2019)
    # See et al., FG 2019: negative, positive, surprise, clips, subjects
    assert counts.loc['full'].tolist() == [250, 109, 83, 442, 68]
    assert counts.loc['smic'].tolist() == [70, 51, 43, 164, 16]
    assert counts.loc['casme2'].tolist() == [88, 32, 25, 145, 24]
    assert counts.loc['samm'].tolist() == [92, 26, 15, 133, 28]
    assert len(dropped) == 164 + 255 + 159 - 442
    assert len(make_folds(kept, 'loso')) == 68
    assert compare_counts(kept, MEGC2019).empty
    assert official_note(kept, MEGC2019) is None


def casme2_of_2019():
    """The sheet of 2019: EP02_07 more, and three clips of sub24 that are sadness in 2014 are surprise."""
    old = sheet_table('casme2', 24)
    sad = old.index[old['emotion'] == 'sadness'][:3]
    names = [('EP07_01', 'surprise'), ('EP07_04f', 'surprise'), ('EP10_03', 'surprise'), ('EP02_07', 'disgust')]
    rows = [clip_row('casme2', 'sub24', clip, emotion=emotion) for clip, emotion in names]
    return pd.concat([old.drop(index=sad), annotation_table(rows)], ignore_index=True)


def test_the_sheet_of_2019_gives_the_same_442_clips():
    table = casme2_of_2019()
    assert (len(table), (table['emotion'] == 'surprise').sum(), (table['emotion'] == 'disgust').sum()) == (256, 28, 64)
    whole = pd.concat([sheet_table('smic', 16), table, sheet_table('samm', 28)], ignore_index=True)
    kept, dropped = apply_scheme(whole, MEGC2019)
    assert kept['dataset'].value_counts().to_dict() == {'smic': 164, 'casme2': 145, 'samm': 133}
    assert compare_counts(kept, MEGC2019).empty
    reasons = dropped.set_index('sample_id')['reason']
    assert reasons['casme2/sub24/EP10_03'].startswith('not in the official list: sadness in the sheet of 2014')


@pytest.mark.parametrize(('dataset', 'clips'), [('casme2', 246), ('samm', 136)])
def test_the_five_class_sets_have_their_known_size(dataset, clips):
    kept, _ = apply_scheme(sheet_table(dataset, {'casme2': 26, 'samm': 27}[dataset]), load_scheme(f'{dataset}_5class'))
    assert len(kept) == clips
    assert compare_counts(kept, load_scheme(f'{dataset}_5class')).empty


def test_the_objective_classes_of_megc2018_are_253_clips():
    tables = [
        sheet_table(name, {'casme2': 26, 'samm': 21}[name], 'objective_class', dict(zip(ROMAN, counts, strict=True)))
        for name, counts in OBJECTIVE.items()
    ]
    scheme = load_scheme('objective_5class')
    kept, _ = apply_scheme(pd.concat(tables, ignore_index=True), scheme)
    # Yap et al., FG 2018: classes I to V, clips, subjects
    assert count_classes(kept, scheme).loc['full'].tolist() == [49, 28, 119, 34, 23, 253, 47]
    assert compare_counts(kept, scheme).empty


def test_a_missing_clip_and_a_missing_subject_are_differences():
    kept, _ = apply_scheme(composite(), MEGC2019)
    lost = kept[(kept['dataset'] != 'smic') | (kept['subject'] != 'smic/sub01')]
    smic = sheet_table('smic', 16)
    gone = smic[smic['subject'] == 'smic/sub01']['emotion'].value_counts()
    rows = compare_counts(lost, MEGC2019).set_index(['label', 'quantity'])
    assert set(rows['dataset']) == {'smic', 'full'}
    full = rows[rows['dataset'] == 'full']
    assert full[['official', 'found']].values.tolist() == [[442, 442 - gone.sum()], [68, 67]]
    rows = rows[rows['dataset'] == 'smic']
    assert rows.loc[('negative', 'clips'), ['official', 'found']].tolist() == [70, 70 - gone['negative']]
    assert rows.loc[('', 'clips'), ['official', 'found']].tolist() == [164, 164 - gone.sum()]
    assert rows.loc[('', 'subjects'), ['official', 'found']].tolist() == [16, 15]


def test_the_note_names_what_differs_and_only_that():
    kept, _ = apply_scheme(composite(), MEGC2019)
    first = kept.index[(kept['dataset'] == 'samm') & (kept['label'] == 'surprise')][0]
    note = official_note(kept.drop(first), MEGC2019)
    assert 'samm surprise clips 14 (15), clips 132 (133)' in note
    assert 'casme2' not in note
    assert 'smic' not in note


def test_the_summary_of_a_table_compares_every_scheme_that_its_columns_allow():
    # CASME II without objective classes; the rows of CD6ME are no official counts of classes
    lines = official_summary(sheet_table('casme2', 26)).splitlines()[1:]
    assert [line.strip() for line in lines if 'counted in' not in line] == [
        'megc2019_3class: casme2 subjects 26 (24)',
        'casme2_5class: 246 clips of 26 subjects, the same',
    ]
    assert official_summary(sheet_table('another', 2, counts={'surprise': 3})) == ''


def test_labels_of_another_scheme_are_not_compared_with_it():
    # flow pictures have 3 classes; of the five of CASME II only surprise is spelled alike
    table = sheet_table('casme2', 24, counts={'negative': 88, 'positive': 32, 'surprise': 25})
    assert [line.split(':')[0].strip() for line in official_summary(table).splitlines()[1:]] == ['megc2019_3class']


def test_a_lost_clip_is_named_below_the_schemes_that_would_use_it():
    table = sheet_table('casme2', 26)
    others = table.index[table['emotion'] == 'others'][0]
    text = official_summary(table.drop(others), table.loc[[others]])
    assert text.count(f'lost: 1 clip: {table.loc[others, "sample_id"]} (others)') == 1
    assert 'casme2_5class: casme2 others clips 98 (99), clips 245 (246)' in text


def test_of_many_lost_clips_a_count_and_twelve_names_are_shown():
    table = sheet_table('casme2', 26)
    few = table['subject'].isin(table['subject'].unique()[:3])
    (line,) = [line for line in official_summary(table[few], table[~few]).splitlines() if 'lost' in line][1:]
    in_use = apply_scheme(table[~few], load_scheme('casme2_5class'))[0]
    assert f'lost: {len(in_use)} clips: {in_use["sample_id"].iloc[0]} ' in line
    assert line.count('casme2/sub') == 12
    assert line.endswith(f', and {len(in_use) - 12} more in report.csv')


def test_only_data_sets_that_are_there_are_compared_and_the_others_are_named():
    kept, _ = apply_scheme(sheet_table('smic', 16), MEGC2019)
    assert compare_counts(kept, MEGC2019).empty
    note = absence_note(kept, MEGC2019)
    assert note.startswith('note: no clip of casme2, samm is in use; the 442 clips of 68 subjects of megc2019_3class')
    assert absence_note(apply_scheme(composite(), MEGC2019)[0], MEGC2019) is None
    # the parts of SMIC are no composite
    assert absence_note(kept, load_scheme('smic_3class')) is None


def test_an_own_scheme_of_the_same_name_has_no_official_counts(tmp_path):
    (tmp_path / 'smic_3class.csv').write_text(
        'dataset,column,value,label\nsmic,emotion,*,rest\nsmic,emotion,surprise,surprise\n'
    )
    own = load_scheme(tmp_path / 'smic_3class.csv')
    kept, _ = apply_scheme(sheet_table('smic', 16)[:9], own)
    assert compare_counts(kept, own).empty
    assert len(compare_counts(kept, load_scheme('smic_3class'))) > 0
    assert format_official(kept, own) == 'official counts of smic_3class: none known for smic'


def test_rows_of_cd6me_are_not_called_official():
    scheme = load_scheme('composite_4class')
    kept, _ = apply_scheme(sheet_table('samm', 29), scheme)
    assert format_official(kept, scheme) == 'rows of CD6ME: the same (samm)'
    assert 'note: these are not the rows of CD6ME, which' in format_official(kept[1:], scheme)


def test_official_counts_fit_their_schemes():
    table = read_cells(COUNTS, COLUMNS)
    assert set(table['scheme']) <= set(scheme_names())
    assert not table.duplicated(['scheme', 'dataset', 'label']).any()
    assert (table['source'] != '').all()
    for (name, dataset), rows in table.groupby(['scheme', 'dataset']):
        scheme = load_scheme(name)
        if dataset == WHOLE:
            continue
        clips = rows.set_index('label')['clips'].astype(int)
        labels = clips.drop('')
        assert set(labels.index) in (set(), set(scheme.classes)), name
        assert labels.empty or labels.sum() == clips[''], (name, dataset)
        assert dataset in {rule.dataset for rule in scheme.rules}
