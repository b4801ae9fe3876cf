"""tools/protocol.py from the command line."""

import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

from mer_bench.datasets.synthetic.sheets import SheetRow, write_sheet
from mer_bench.datasets.table import annotation_table, write_annotations
from mer_bench.errors import InputError
from tests.in_process import tool
from tests.protocols.protocol_tables import clip_row, sheet_table

TOOL = Path(__file__).parents[2] / 'tools' / 'protocol.py'

WITHOUT_TORCH = f"""
import runpy, sys
sys.argv[0] = {str(TOOL)!r}
runpy.run_path(sys.argv[0], run_name='__main__')
assert not {{'cv2', 'torch', 'sklearn'}} & set(sys.modules)
"""


def protocol(*args):
    return tool('protocol', *args)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """The folder of each data set, with the annotation table in it."""
    root = tmp_path_factory.mktemp('data')
    for name, subjects in (('smic', 16), ('casme2', 24), ('samm', 28)):
        write_annotations(sheet_table(name, subjects), root / name / 'annotations.csv')
    return root


def test_the_composite_is_shown_with_its_folds_and_official_counts(data):
    roots = [data / 'smic', data / 'casme2' / 'annotations.csv', data / 'samm']
    command = [sys.executable, '-c', WITHOUT_TORCH, 'megc2019_3class', *roots]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ['full', '250', '109', '83', '442', '68'] in lines
    assert ['casme2', '88', '32', '25', '145', '24'] in lines
    assert 'official counts of megc2019_3class: the same (casme2, samm, smic)' in result.stdout
    assert 'LOSO: 68 folds' in result.stdout
    assert 'left out: 136 clips' in result.stdout
    assert (result.returncode, result.stderr) == (0, '')


def test_out_writes_the_fold_of_every_clip_and_the_reason_of_the_others(data, tmp_path):
    roots = [data / name for name in ('smic', 'casme2', 'samm')]
    result = protocol('megc2019_3class', *roots, '--folds', 'leave_one_dataset_out', '--out', tmp_path)
    folds = pd.read_csv(tmp_path / 'folds.csv')
    assert folds['fold'].value_counts().to_dict() == {'smic': 164, 'casme2': 145, 'samm': 133}
    assert (folds['fold'] == folds['sample_id'].str.split('/').str[0]).all()
    assert 'leave one data set out: 3 folds' in result.stdout
    assert ['smic', '278', '164'] in [line.split() for line in result.stdout.splitlines()]
    reasons = pd.read_csv(tmp_path / 'dropped.csv')['reason']
    assert reasons.value_counts()["emotion 'others' is not in megc2019_3class"] == 99 + 26
    assert pd.read_csv(tmp_path / 'differences.csv').empty


def test_other_counts_than_the_official_ones_are_noted(data, tmp_path):
    result = protocol('samm_5class', data / 'samm', '--folds', 'group_kfold:4', '--out', tmp_path / 'new')
    assert '4 folds by subject, ' in result.stdout
    assert 'samm subjects 28 (27)' in result.stdout
    differences = pd.read_csv(tmp_path / 'new' / 'differences.csv')
    assert differences[['dataset', 'quantity', 'official', 'found']].values.tolist() == [['samm', 'subjects', 27, 28]]


def test_clips_left_out_by_name_are_listed_and_a_class_without_a_clip_is_noted(data, tmp_path, capsys):
    (tmp_path / 'own.csv').write_text(
        'dataset,column,value,label\nsmic,emotion,surprise,surprise\nsmic,emotion,*,rest\nsamm,emotion,tense,tense\n'
    )
    (tmp_path / 'excluded_clips.csv').write_text('scheme,dataset,subject,clip,reason\nown,smic,sub01,c0,blurred\n')
    import_module('mer_bench.cli.protocol').main([str(tmp_path / 'own.csv'), str(data / 'smic')])
    text = capsys.readouterr().out
    assert '  smic/sub01/c0: blurred' in text.splitlines()
    assert 'note: class tense has no clip in these data' in text
    assert 'class rest has no clip' not in text


@pytest.mark.parametrize('place', ['file', 'file/inside'])
def test_a_wrong_out_is_one_sentence_before_anything_is_shown(data, tmp_path, place):
    (tmp_path / 'file').touch()
    result = protocol('samm_5class', data / 'samm', '--out', tmp_path / place)
    assert (result.returncode, result.stdout) == (2, '')
    assert result.stderr.startswith(f'error: {tmp_path / place}')
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ('args', 'fault'),
    [
        (['samm_5class', 'samm', '--folds', 'group_kfold'], 'expected the number of folds after group_kfold'),
        (['samm_5class', 'samm', '--folds', 'loocv'], "found 'loocv'"),
        (['samm_5class', 'smic'], "data set 'smic' is not in samm_5class (164 clips)"),
        (['samm_5class', 'samm', 'samm'], 'give folders that share no clip'),
        (['megc', 'samm'], "label scheme 'megc': expected one of"),
        (['samm_5class', 'nowhere'], 'no such annotation table'),
    ],
)
def test_what_a_user_can_mend_is_told(data, args, fault):
    names = ('smic', 'samm', 'nowhere')
    main = import_module('mer_bench.cli.protocol').main
    with pytest.raises(InputError, match=re.escape(fault)):
        main([str(data / arg) if arg in names else arg for arg in args])


def test_a_fault_is_one_sentence_and_exit_code_2(data):
    result = protocol('samm_5class', data / 'smic')
    assert result.returncode == 2
    assert result.stderr.startswith(f'error: {data / "smic"}: label scheme samm_5class: expected clips')
    assert len(result.stderr.splitlines()) == 1


def test_two_subjects_of_one_folder_are_refused_before_any_training(tmp_path):
    subjects = (('a', 'b_c'), ('a_b', 'c'))
    scheme = tmp_path / 'own.csv'
    rules = ''.join(f'{dataset},emotion,{name},{name}\n' for dataset, _ in subjects for name in ('anger', 'fear'))
    scheme.write_text('dataset,column,value,label\n' + rules)
    rows = [clip_row(*owner, emotion, emotion=emotion) for owner in subjects for emotion in ('anger', 'fear')]
    write_annotations(annotation_table(rows), tmp_path / 'clips.csv')
    with pytest.raises(InputError, match='found a_b_c for a/b_c and a_b/c; rename one of them'):
        import_module('mer_bench.cli.protocol').main([str(scheme), str(tmp_path / 'clips.csv')])


def test_a_clip_that_was_not_prepared_is_named_with_its_reason(tmp_path):
    clips = [('007_1_1', 'anger', 140), ('007_1_2', 'surprise', 140), ('007_1_3', 'anger', 90)]  # 90: before the onset
    rows = [SheetRow(7, clip, 100, 120, offset, emotion, '4') for clip, emotion, offset in clips]
    write_sheet('samm', rows, tmp_path / 'SAMM_Micro_FACS_Codes_v2.xlsx')
    prepare = import_module('mer_bench.cli.prepare').main
    prepare(['samm', '--raw', str(tmp_path), '--out', str(tmp_path / 'samm'), '--annotations-only'])
    table = tmp_path / 'smic.csv'
    write_annotations(sheet_table('smic', 16), table)  # LOSO needs a second subject
    told = protocol('megc2019_3class', tmp_path / 'samm', table).stdout
    assert f'not prepared in {tmp_path / "samm"}: 1 clips\n  007 007_1_3: wrong numbers: ' in told


def test_of_many_clips_that_were_not_prepared_a_count_and_twelve_are_shown(data, tmp_path):
    folder = shutil.copytree(data / 'smic', tmp_path / 'smic')
    notes = ''.join(f's01,c{clip},left out,no folder\n' for clip in range(300))
    (folder / 'report.csv').write_text(f'subject,clip,kind,detail\n{notes}')
    *_, text = protocol('smic_3class', folder).stdout.partition('not prepared')
    lines = text.splitlines()
    assert lines[0] == f' in {folder}: 300 clips'
    assert lines[12:] == ['  s01 c11: left out: no folder', f'  and 288 more in {folder}/report.csv']


@pytest.mark.parametrize('content', [b'', b'\xff\xfe', b'subject,clip\n', b'a,b\n1,2,3\n4,5,6,7\n', b'\x00' * 9])
def test_a_damaged_report_is_one_sentence(data, tmp_path, content):
    folder = shutil.copytree(data / 'smic', tmp_path / 'smic')
    (folder / 'report.csv').write_bytes(content)
    result = protocol('smic_3class', folder)
    assert result.returncode == 2
    assert result.stderr.startswith(f'error: {folder}/report.csv: expected')
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize('number', ['9' * 5000, '²', '-3', ''])
def test_a_wrong_number_of_folds_is_one_sentence(data, number):
    result = protocol('smic_3class', data / 'smic', '--folds', f'group_kfold:{number}')
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
