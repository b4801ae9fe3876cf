"""The generated part of docs/performance.md."""

import copy
import json

import pytest

from benchmarks import report
from benchmarks.goals import GOALS, Goal
from benchmarks.goals_table import UNMEASURED, goals_table
from benchmarks.kept import keep, read_kept
from mer_bench.errors import InputError
from tests.conftest import ROOT

RESULT = {
    'benchmark': 'model',
    'command': 'python tools/benchmark.py model',
    'settings': {'clip_len': 16, 'size': 112, 'precision': 'fp32'},
    'seconds': {'full_as_trained': 2.0, 'plain_as_trained': 1.6},
    'ratios': {'speedup': {'median': 1.1, 'min': 1.0, 'max': 1.2}, 'blocks': {'median': 1.25, 'min': 1.2, 'max': 1.3}},
    'against': {'blocks': 'the full model over plain ResNet3d-50'},
    'machine': {
        'name': 'Some Processor, 2 cores, avx2',
        'device': 'cpu',
        'cpu': {
            'processor': 'Some Processor',
            'model': '25 1 1',
            'cores': 2,
            'cores_of_machine': 4,
            'instructions': ['avx2'],
        },
        'memory_gib': 16.0,
        'gpu': None,
        'versions': {'python': '3.11.7', 'torch': '2.6.0'},
        'commit': '0123456789ab',
        'date': '2026-01-31',
    },
    'peak': {'threads': 1, 'device': 'cpu', 'rounds': 10, 'matrix': {'fp32': 100e9, 'bf16': None}, 'copy': 20e9},
    'shares': {'full_as_trained': {'of': 'fp32 matrix product', 'rate': 50e9, 'share': 0.5}},
}
PAGE = f'# Speed\n\n{report.START}\nold\n{report.END}\n\nLast words.\n'
BLOCKS = Goal('blocks', 'plain', 'model', 'cpu', ('ratios', 'blocks'), 1.35, at_most=True)


@pytest.fixture
def kept(tmp_path):
    """A folder with one result."""
    keep(RESULT, tmp_path / 'kept')
    return tmp_path / 'kept'


def row(goal, result=RESULT):
    return goals_table({'kept/model.json': result}, (goal,)).rows[0]


def test_a_result_is_kept_under_its_machine_and_read_again(kept):
    (path,) = read_kept(kept)
    assert path.as_posix() == 'some-processor-2-cores-avx2/model.json'
    assert read_kept(kept)[path] == RESULT


def test_a_label_keeps_results_of_other_settings_apart(kept):
    assert keep(RESULT, kept, 'batch 64').name == 'model-batch-64.json'
    assert len(read_kept(kept)) == 2


@pytest.mark.parametrize(('text', 'said'), [('{', 'found no JSON'), ('[]', "no 'benchmark'"), ('3', 'found no JSON')])
def test_what_is_no_result_is_named(kept, text, said):
    (kept / 'some-processor-2-cores-avx2' / 'other.json').write_text(text)
    with pytest.raises(InputError, match=said):
        read_kept(kept)


def test_the_generated_part_is_replaced_and_the_rest_stays(kept, tmp_path):
    page = report.renew(PAGE, kept, tmp_path / 'performance.md')
    assert page.startswith('# Speed\n')
    assert page.endswith(f'{report.END}\n\nLast words.\n')
    assert '\nold\n' not in page
    assert report.renew(page, kept, tmp_path / 'performance.md') == page


def test_numbers_and_links_come_from_the_file(kept, tmp_path):
    page = report.renew(PAGE, kept, tmp_path / 'performance.md')
    assert '](kept/some-processor-2-cores-avx2/model.json), 2026-01-31, commit 0123456789ab' in page
    for words in ('100 GFLOP/s', 'no bf16', '20 GB/s', '50 GFLOP/s', '50 %', '1.25x (1.2x to 1.3x)', 'torch 2.6.0'):
        assert words in page


def test_a_page_without_the_lines_is_refused(kept, tmp_path):
    with pytest.raises(InputError, match='put them back'):
        report.renew('# Speed\n', kept, tmp_path / 'performance.md')


def test_a_goal_is_met_by_the_median(kept):
    assert row(BLOCKS)[2:6] == ('<= 1.35x', '1.25x (1.2x to 1.3x)', 'yes', 'Some Processor, 2 cores, avx2')
    slow = copy.deepcopy(RESULT)
    slow['ratios']['blocks']['median'] = 1.36
    assert row(BLOCKS, slow)[4] == 'no'


@pytest.mark.parametrize(
    'change',
    [
        dict(device='cuda'),
        dict(benchmark='loso'),
        dict(path=('ratios', 'other')),
        dict(settings=(('size', 56),)),
        dict(bf16=True),
    ],
)
def test_a_goal_that_no_result_tells_is_unmeasured(change):
    goal = Goal(**{**vars(BLOCKS), **change})
    assert row(goal)[3] == UNMEASURED


def test_machines_stand_side_by_side():
    other = copy.deepcopy(RESULT)
    other['machine']['name'] = 'Other Processor'
    rows = goals_table({'a.json': RESULT, 'b.json': other}, (BLOCKS,)).rows
    assert [line[5] for line in rows] == ['Some Processor, 2 cores, avx2', 'Other Processor']


def test_every_goal_has_a_row_without_any_result():
    assert [line[3] for line in goals_table({}).rows] == [UNMEASURED] * len(GOALS)


def test_the_page_of_the_repository_agrees_with_its_kept_results():
    page = ROOT / 'docs/performance.md'
    text = page.read_text(encoding='utf-8')
    assert report.renew(text, ROOT / 'docs/performance', page) == text


def test_kept_results_name_no_place_of_a_machine():
    for path in (ROOT / 'docs/performance').glob('*/*.json'):
        assert '/tmp' not in path.read_text(encoding='utf-8')
        assert json.loads(path.read_text(encoding='utf-8'))['command'].startswith('python tools/benchmark.py ')


def test_what_was_not_measured_is_told(kept, tmp_path):
    keep({**RESULT, 'missing': {'compiled': 'no compiler was found'}}, kept)
    page = report.renew(PAGE, kept, tmp_path / 'performance.md')
    assert '- compiled was not measured: no compiler was found' in page
