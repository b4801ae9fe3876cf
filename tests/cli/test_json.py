"""What commands print with --json: one document, and nothing else."""

import json
import re

from mer_bench.cli.arguments import report, to_json
from tests.conftest import ROOT
from tests.in_process import tool

RUN = ROOT / 'results/synthetic_smic/mer_smic'
METHODS = ('lbp_sip+two_folds', 'majority+two_folds', 'timm_resnet18+small_clips+two_folds')
RUNS = [RUN / method / 'seed0' for method in METHODS]


def document(name, *words, code=0):
    """Return the one JSON document that tools/<name>.py prints."""

    def refuse(constant):
        raise ValueError(f'{constant} is no JSON')

    done = tool(name, *words, '--json')
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout, parse_constant=refuse)


def keys_of(value):
    if isinstance(value, dict):
        yield from value
        value = value.values()
    if isinstance(value, str | int | float | None):
        return
    for each in value:
        yield from keys_of(each)


def test_numbers_that_json_lacks_become_null(capsys):
    import numpy as np
    import pandas as pd

    table = pd.DataFrame({'a': [1, 2], 'b': [0.5, np.nan]})
    given = dict(nan=float('nan'), inf=np.inf, array=np.array([1.0, np.nan]), whole=np.int64(3), path=RUN, table=table)
    assert json.loads(to_json(given)) == dict(
        nan=None, inf=None, array=[1.0, None], whole=3, path=str(RUN), table=[dict(a=1, b=0.5), dict(a=2, b=None)]
    )


def test_messages_beside_the_document_go_to_stderr(capsys):
    with report(as_json=True) as show:
        print('a message')
        show('a text', dict(a=1))
    assert capsys.readouterr() == ('{\n  "a": 1\n}\n', 'a message\n')
    with report(as_json=False) as show:
        print('a message')
        show('a text', dict(a=1))
    assert capsys.readouterr() == ('a message\na text\n', '')


def test_every_report_is_one_document_with_keys_in_snake_case(prepared_data, tmp_path):
    data = ['--configs', 'mer_smic', '--data-root', prepared_data, '--work-dir', tmp_path]
    found = {
        'protocol': document('protocol', 'smic_3class', prepared_data, '--out', tmp_path),
        'compare': document('compare', *RUNS[:2], '--out', tmp_path / 'two.csv'),
        'ranked': document('compare', *RUNS, '--plot', tmp_path / 'ranks.svg'),
        'plot': document('plot', RUNS[0], '--kind', 'confusion', '--out', tmp_path / 'confusion.png'),
        'page': document('leaderboard', *RUNS, '--out', tmp_path / 'synthetic.md'),
        'sweep': document('sweep', *data, '--overrides', 'majority', '--no-full', '--dry-run'),
    }
    for name, each in found.items():
        assert not [key for key in keys_of(each) if not re.fullmatch('[a-z][a-z0-9_]*', key)], name
    protocol = found['protocol']
    assert [protocol['scheme'], protocol['counts'][0]['clips'], len(protocol['folds'])] == ['smic_3class', 18, 3]
    assert [metric['metric'] for metric in found['compare']['metrics']][:2] == ['accuracy', 'uf1']
    assert [len(found['ranked'][key]) for key in ('methods', 'pairs')] == [3, 3]
    assert found['plot'] == dict(kind='confusion', written=[str(tmp_path / 'confusion.png')])
    assert {row['method'] for row in found['page']['rows']} == {*METHODS}
    (run,) = found['sweep']['runs']
    assert (run['method'], run['state'], run['uf1']) == ('majority', 'unfinished', None)


def test_a_check_lists_its_faults_and_its_exit_code_stays(tmp_path):
    run = tmp_path / 'results/run'
    run.mkdir(parents=True)
    (run / 'record.json').write_text('{')
    (tmp_path / 'pages').mkdir()
    words = ('--check', tmp_path / 'results', '--out-dir', tmp_path / 'pages')
    (fault,) = document('leaderboard', *words, code=1)['faults']
    assert 'record.json' in fault
