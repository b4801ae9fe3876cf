"""What `mer-bench list` shows."""

import json
import subprocess
import sys

import pytest

from mer_bench.cli.list import KINDS, main
from mer_bench.datasets.catalogue import DATASETS
from mer_bench.preparation.flow.optical_flow import flow_names
from mer_bench.protocols.label_schemes import scheme_names
from tests.conftest import ROOT


def stems(*folders):
    return {path.stem for folder in folders for path in (ROOT / folder).glob('*.py')}


@pytest.mark.parametrize(
    ('kind', 'names'),
    [
        ('configs', stems('configs')),
        ('methods', stems('configs/baselines')),
        ('choices', stems('configs/choices')),
        ('ablations', stems('ablations')),
        ('reduced', stems('configs/reduced')),
        ('datasets', {*DATASETS}),
        ('schemes', {*scheme_names()}),
        ('flow', {*flow_names()}),
    ],
)
def test_every_entry_of_a_kind_has_one_line(capsys, monkeypatch, kind, names):
    monkeypatch.setenv('COLUMNS', '100')
    main([kind])
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == names
    assert len(lines) == len(names)
    assert all(len(line) <= 100 and len(line.split()) > 2 for line in lines)
    main([kind, '--json'])
    entries = json.loads(capsys.readouterr().out)[kind]
    assert [entry['name'] for entry in entries] == [line.split()[0] for line in lines]


def test_a_line_says_what_the_file_is(capsys, monkeypatch):
    monkeypatch.setenv('COLUMNS', '200')
    main([])
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if ' ' in line)
    assert lines['mer_casme2_3class'].endswith('on CASME II, negative, positive and surprise as in MEGC2019')
    assert lines['ststnet'] == 'STSTNet (Liong, Gan, See, Khor and Huang, FG 2019, https://arxiv.org/abs/1902.03634)'
    assert lines['no_attention'] == 'the three components: model = dict(neck=dict(attention=None))'
    assert lines['smic_3class'].startswith('negative, positive, surprise; smic, smic_vis,')
    assert {*KINDS} == {'configs', 'methods', 'choices', 'ablations', 'reduced', 'datasets', 'schemes', 'flow'}


def test_listing_imports_no_torch():
    code = "import sys; from mer_bench.cli.list import main; main([]); print('torch' in sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stderr == 'False\n'
