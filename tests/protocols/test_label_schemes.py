import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.protocols.label_schemes import apply_scheme, load_scheme, scheme_names
from tests.protocols.protocol_tables import clip_row, sheet_table

HEADER = 'dataset,column,value,label\n'
OWN = HEADER + 'smic,emotion,surprise,surprise\nsmic,emotion,negative,rest\nsmic,emotion,positive,rest\n'


def write_scheme(folder, text, name='own'):
    path = folder / f'{name}.csv'
    path.write_text(text)
    return path


def table_of(*clips):
    return pd.DataFrame(
        [clip_row(dataset, 's1', f'c{i}', emotion=emotion) for i, (dataset, emotion) in enumerate(clips)]
    )


def test_the_built_in_classes_stand_in_the_official_order():
    assert load_scheme('megc2019_3class').classes == ('negative', 'positive', 'surprise')
    assert load_scheme('casme2_5class').classes == ('happiness', 'disgust', 'repression', 'surprise', 'others')
    assert load_scheme('objective_5class').classes == ('I', 'II', 'III', 'IV', 'V')


@pytest.mark.parametrize('name', scheme_names())
def test_every_clip_is_kept_or_dropped_once(name):
    scheme = load_scheme(name)
    values = [*dict.fromkeys(rule.value for rule in scheme.rules), 'unheard of', '']
    cells = [
        clip_row(dataset, 's1', f'c{i}', emotion=value, objective_class=value)
        for dataset in sorted({rule.dataset for rule in scheme.rules} | {'smic', 'casme2', 'another'})
        for i, value in enumerate(values)
    ]
    table = pd.DataFrame(cells).sample(frac=1, random_state=0)
    kept, dropped = apply_scheme(table, scheme)
    assert sorted([*kept['sample_id'], *dropped['sample_id']]) == sorted(table['sample_id'])
    assert set(kept['label']) == set(scheme.classes)
    rule_of = {rule[:3]: rule.label for rule in scheme.rules}
    columns = {rule.dataset: rule.column for rule in scheme.rules}
    for clip in kept.to_dict('records'):
        rule = (clip['dataset'], columns[clip['dataset']], clip[columns[clip['dataset']]])
        assert clip['label'] == (rule_of[rule] if rule in rule_of else rule_of[(*rule[:2], '*')])


def test_a_star_is_any_other_value_and_an_empty_one_too(tmp_path):
    text = HEADER + 'smic,emotion,*,rest\nsmic,emotion,surprise,surprise\nsamm,objective_class,*,rest\n'
    scheme = load_scheme(write_scheme(tmp_path, text))
    table = table_of(('smic', 'tense'), ('smic', 'surprise'), ('smic', ''), ('samm', 'anger'), ('casme2', 'fear'))
    kept, dropped = apply_scheme(table.assign(objective_class=''), scheme)
    assert kept['label'].tolist() == ['rest', 'surprise', 'rest', 'rest']
    assert dropped['reason'].tolist() == ["data set 'casme2' is not in own"]


@pytest.mark.parametrize('dataset', sorted({rule.dataset for rule in load_scheme('composite_4class').rules}))
def test_the_composite_of_action_units_loses_no_clip(dataset):
    # CD6ME scores every row: others, tense, two emotions at once, what no sheet was seen with, no emotion
    table = table_of(*[(dataset, emotion) for emotion in ('others', 'tense', 'positive+surprise', 'helpless', '')])
    kept, dropped = apply_scheme(table, load_scheme('composite_4class'))
    assert set(kept['label']) == {'others'}
    assert dropped.empty


def test_kept_clips_stand_in_their_order_with_all_their_columns():
    table = table_of(('smic', 'surprise'), ('casme2', 'others'), ('casme2', 'repression'), ('smic', 'negative'))
    kept, dropped = apply_scheme(table, load_scheme('megc2019_3class'))
    assert kept['sample_id'].tolist() == ['smic/s1/c0', 'casme2/s1/c2', 'smic/s1/c3']
    assert kept['label'].tolist() == ['surprise', 'negative', 'negative']
    assert kept.columns.tolist() == [*table.columns, 'label']
    assert dropped.columns.tolist() == ['sample_id', 'reason']


def test_a_dropped_clip_tells_why():
    table = table_of(('casme2', 'others'), ('mmew', 'anger'), ('smic', 'positive'))
    _, dropped = apply_scheme(table, load_scheme('megc2019_3class'))
    assert dropped['reason'].tolist() == [
        "emotion 'others' is not in megc2019_3class",
        "data set 'mmew' is not in megc2019_3class",
    ]


def test_megc2019_leaves_out_two_clips_of_casme2_for_their_apex():
    kept, dropped = apply_scheme(sheet_table('casme2', 24), load_scheme('megc2019_3class'))
    reasons = dropped.set_index('sample_id')['reason']
    assert 'no apex' in reasons['casme2/sub04/EP12_01f']
    assert 'apex of the sheet is the onset' in reasons['casme2/sub05/EP09_05f']
    # 63 disgust + 27 repression - 2; sadness and fear are not in the official list
    assert kept['label'].value_counts().to_dict() == {'negative': 88, 'positive': 32, 'surprise': 25}
    assert {"emotion 'sadness' is not in megc2019_3class", "emotion 'fear' is not in megc2019_3class"} <= set(reasons)


def test_no_other_scheme_leaves_those_clips_out():
    kept, _ = apply_scheme(sheet_table('casme2', 24), load_scheme('casme2_5class'))
    assert len(kept) == 246
    assert 'casme2/sub04/EP12_01f' in set(kept['sample_id'])


def test_nothing_kept_tells_what_is_there():
    with pytest.raises(
        InputError, match=r"casme2_5class: expected clips .* found none: data set 'samm' .*\(159 clips\)"
    ):
        apply_scheme(sheet_table('samm', 28), load_scheme('casme2_5class'))


def test_an_own_scheme_is_named_after_its_file(tmp_path):
    scheme = load_scheme(write_scheme(tmp_path, OWN, 'surprise_or_not'))
    assert (scheme.name, scheme.classes) == ('surprise_or_not', ('surprise', 'rest'))
    kept, dropped = apply_scheme(table_of(('smic', 'positive'), ('smic', 'tense')), scheme)
    assert kept['label'].tolist() == ['rest']
    assert dropped['reason'].tolist() == ["emotion 'tense' is not in surprise_or_not"]


def test_an_own_scheme_may_leave_out_clips(tmp_path):
    write_scheme(tmp_path, 'scheme,dataset,subject,clip,reason\nown,smic,s1,c0,blurred\n', 'excluded_clips')
    scheme = load_scheme(write_scheme(tmp_path, OWN))
    _, dropped = apply_scheme(table_of(('smic', 'positive'), ('smic', 'negative')), scheme)
    assert dropped.values.tolist() == [['smic/s1/c0', 'blurred']]


def test_the_digest_changes_with_what_decides_a_label_only(tmp_path):
    lines = OWN.splitlines(keepends=True)
    digest = load_scheme(write_scheme(tmp_path, OWN)).digest
    same = ''.join([lines[0], lines[1], lines[3], lines[2]])
    order = ''.join([lines[0], lines[2], lines[1], lines[3]])
    fewer = ''.join(lines[:3])
    assert load_scheme(write_scheme(tmp_path, same, 'same')).digest == digest
    assert load_scheme(write_scheme(tmp_path, order, 'order')).digest != digest
    assert load_scheme(write_scheme(tmp_path, fewer, 'fewer')).digest != digest
    write_scheme(tmp_path, 'scheme,dataset,subject,clip,reason\nown,smic,s1,c0,blurred\n', 'excluded_clips')
    assert load_scheme(tmp_path / 'own.csv').digest != digest


@pytest.mark.parametrize(
    ('text', 'fault'),
    [
        ('dataset,column,value\n', 'missing label'),
        ('', 'expected a csv'),
        (OWN + 'smic,emotion,positive,surprise\n', 'smic,emotion,positive,surprise: expected one label .* found rest'),
        (OWN + 'smic,objective_class,I,rest\n', 'expected one column for smic, found emotion'),
        (OWN + 'samm,emotion,,rest\n', 'expected no empty cell'),
        (OWN + 'samm,feeling,anger,rest\n', 'expected the column emotion or objective_class, found feeling'),
        (OWN + 'samm,objective_class,3,rest\n', 'expected an objective class I to VII, found 3'),
        (OWN + 'samm,emotion,Anger,rest\n', 'expected the emotion in lower case .* found Anger'),
        (OWN + 'samm,emotion,anger,none\n', 'expected the name of a class, found none'),
        (HEADER + 'smic,emotion,surprise,surprise\n', 'at least 2 classes, found 1'),
        ('scheme,' + HEADER + 'a,smic,emotion,x,x\nb,smic,emotion,y,y\n', 'expected one scheme, found 2'),
    ],
)
def test_a_wrong_rule_is_told_with_its_file(tmp_path, text, fault):
    with pytest.raises(InputError, match=rf'own\.csv.*{fault}'):
        load_scheme(write_scheme(tmp_path, text))


def test_an_unknown_scheme_or_file_is_told(tmp_path):
    with pytest.raises(InputError, match="label scheme 'megc2020': expected one of megc2019_3class, smic_3class"):
        load_scheme('megc2020')
    with pytest.raises(InputError, match=r'nowhere\.csv: no such file'):
        load_scheme(tmp_path / 'nowhere.csv')


def test_a_clip_is_excluded_whatever_its_capitals():
    row = {'sample_id': 'casme2/sub04/EP12_01F', 'dataset': 'casme2', 'emotion': 'disgust', 'objective_class': ''}
    other = row | {'sample_id': 'casme2/sub04/EP13_01f'}
    kept, dropped = apply_scheme(pd.DataFrame([row, other]), load_scheme('megc2019_3class'))
    assert kept['sample_id'].tolist() == ['casme2/sub04/EP13_01f']
    assert dropped['reason'].tolist() == ['left out by the official list: the sheet gives no apex']
