"""The label scheme that a run leaves behind."""

from mer_bench.protocols.label_schemes import load_scheme
from mer_bench.runs.scheme_file import write_scheme
from tests.conftest import ROOT, write_prepared_data
from tests.training.test_fold_config import experiment_on

CONFIG = str(ROOT / 'configs/mer_casme2_3class.py')


def test_the_scheme_of_a_run_can_be_used_again(tmp_path):
    root = write_prepared_data(tmp_path / 'casme2', dataset='casme2', emotions=('disgust', 'happiness', 'surprise'))
    first = experiment_on(root, config=CONFIG)
    write_scheme(first.method.scheme, first.data, tmp_path)
    again = experiment_on(root, config=CONFIG, cfg_options=[f'label_scheme={tmp_path}/label_scheme.csv'])
    assert again.method.scheme.rules == first.method.scheme.rules
    assert again.method.cfg.classes == first.method.cfg.classes
    assert again.data.annotations['label'].equals(first.data.annotations['label'])


def test_clips_left_out_by_name_are_in_a_table_beside_it(tmp_path):
    root = write_prepared_data(tmp_path / 'casme2', dataset='casme2', emotions=('disgust', 'happiness', 'surprise'))
    (tmp_path / 'own.csv').write_text('dataset,column,value,label\ncasme2,emotion,disgust,a\ncasme2,emotion,*,b\n')
    (tmp_path / 'excluded_clips.csv').write_text(
        'scheme,dataset,subject,clip,reason\nown,casme2,s02,di_0,"blurred, says a paper"\n'
    )
    data = experiment_on(root, config=CONFIG, cfg_options=[f'label_scheme={tmp_path}/own.csv'])
    write_scheme(data.method.scheme, data.data, tmp_path / 'run')
    again = load_scheme(tmp_path / 'run/label_scheme.csv')
    assert again.excluded == (('casme2/s02/di_0', 'blurred, says a paper'),)
    assert again.digest == data.method.scheme.digest
