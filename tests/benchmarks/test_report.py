"""The generated part of docs/performance.md."""

import json

import pytest

from benchmarks import report
from benchmarks.report import Goal, format_rate, format_ratio, format_seconds, read_saved, save
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


@pytest.fixture
def saved(tmp_path):
    """A folder with one result."""
    save(RESULT, tmp_path / 'saved')
    return tmp_path / 'saved'


def test_a_result_is_saved_under_its_machine_and_read_again(saved):
    (path,) = read_saved(saved)
    assert path.as_posix() == 'some-processor-2-cores-avx2/model.json'
    assert read_saved(saved)[path] == RESULT


def test_a_label_separates_results_of_other_settings(saved):
    assert save(RESULT, saved, 'batch 64').name == 'model-batch-64.json'
    assert len(read_saved(saved)) == 2


@pytest.mark.parametrize(('text', 'said'), [('{', 'found no JSON'), ('[]', "no 'benchmark'"), ('3', 'found no JSON')])
def test_what_is_no_result_is_named(saved, text, said):
    (saved / 'some-processor-2-cores-avx2' / 'other.json').write_text(text)
    with pytest.raises(InputError, match=said):
        read_saved(saved)


def test_the_generated_part_is_replaced_and_the_rest_stays(saved, tmp_path):
    page = report.renew(PAGE, saved, tmp_path / 'performance.md')
    assert page.startswith('# Speed\n')
    assert page.endswith(f'{report.END}\n\nLast words.\n')
    assert '\nold\n' not in page
    assert report.renew(page, saved, tmp_path / 'performance.md') == page


def test_numbers_and_links_come_from_the_file(saved, tmp_path):
    page = report.renew(PAGE, saved, tmp_path / 'performance.md')
    assert '](saved/some-processor-2-cores-avx2/model.json), 2026-01-31, commit 0123456789ab' in page
    for words in ('100 GFLOP/s', 'no bf16', '20 GB/s', '50 GFLOP/s', '50 %', '1.25x (1.2x to 1.3x)', 'torch 2.6.0'):
        assert words in page


def test_a_page_without_the_lines_is_refused(saved, tmp_path):
    with pytest.raises(InputError, match='put them back'):
        report.renew('# Speed\n', saved, tmp_path / 'performance.md')


@pytest.mark.parametrize('name', ['performance', 'trust'])
def test_a_page_of_the_repository_agrees_with_its_saved_results(name):
    page = ROOT / f'docs/{name}.md'
    text = page.read_text(encoding='utf-8')
    assert report.renew(text, ROOT / f'docs/{name}', page) == text


def test_saved_results_name_no_folder_of_a_machine():
    for path in (ROOT / 'docs/performance').glob('*/*.json'):
        assert '/tmp' not in path.read_text(encoding='utf-8')
        assert json.loads(path.read_text(encoding='utf-8'))['command'].startswith('python tools/benchmark.py ')


def test_alternatives_that_were_not_measured_and_notes_are_listed(saved, tmp_path):
    save({**RESULT, 'missing': {'compiled': 'no compiler was found'}, 'notes': ['0 predictions differ']}, saved)
    page = report.renew(PAGE, saved, tmp_path / 'performance.md')
    assert '- compiled was not measured: no compiler was found' in page
    assert '- 0 predictions differ' in page


def test_a_result_that_depends_on_no_machine_is_shown_as_its_tables(saved, tmp_path):
    table = {'text': 'How often, in %.', 'headers': ['interval', 'SMIC'], 'rows': [['ours', '95.0 (0.2)'], ['a|b', '']]}
    save({**RESULT, 'benchmark': 'coverage', 'seconds': {}, 'ratios': {}, 'tables': [table]}, saved)
    page = report.renew(PAGE, saved, tmp_path / 'performance.md')
    before, after = page.split('## Some Processor')
    assert 'How often, in %.' in before
    assert '95.0 (0.2)' in before
    assert 'Peak' not in before
    assert 'How often' not in after


GOAL = Goal('model', 'ratios', 'speedup', 1.05, 'cpu', 'the full model')


@pytest.mark.parametrize(
    ('goal', 'row'),
    [
        (GOAL, 'at least 1.05x  1.1x  yes'),
        (GOAL._replace(limit=3), 'at least 3x  1.1x  **no**'),
        (GOAL._replace(part='seconds', key='full_as_trained', limit=2.5, below=True), 'at most 2.5 s  2 s  yes'),
        (GOAL._replace(part='seconds', key='full_as_trained', limit=1, below=True), 'at most 1 s  2 s  **no**'),
        (GOAL._replace(part='shares', key='full_as_trained', limit=0.35), 'at least 35 %  not measured'),  # of fp32
        (GOAL._replace(device='cuda'), 'at least 1.05x  not measured'),
        (GOAL._replace(benchmark='sweep'), 'at least 1.05x  not measured'),
        (GOAL._replace(settings={'clip_len': 16}), 'at least 1.05x  1.1x  yes'),
        (GOAL._replace(settings={'clip_len': 17}), 'at least 1.05x  not measured'),
    ],
)
def test_a_goal_is_met_missed_or_not_measured(monkeypatch, goal, row):
    monkeypatch.setattr(report, 'GOALS', [goal])
    shown = report.goals_table({'saved/some/model.json': RESULT}).splitlines()[-1]
    assert [cell.strip() for cell in shown.split('|')][2:5] == [*row.split('  '), ''][:3]


def test_a_median_is_shown_with_its_range():
    assert format_ratio({'median': 2.456, 'min': 1.5, 'max': 123.4}) == '2.46x (1.5x to 123x)'


@pytest.mark.parametrize(('seconds', 'text'), [(0.0123, '12.3 ms'), (1.5, '1.5 s'), (179.6, '180 s')])
def test_seconds_have_three_digits(seconds, text):
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ('rate', 'of', 'text'),
    [
        (45e9, 'copy', '45 GB/s'),
        (2.6e12, 'copy', '2.6 TB/s'),
        (97.4e9, 'fp32 matrix product', '97.4 GFLOP/s'),
        (6.5e14, 'bf16 matrix product', '650 TFLOP/s'),
    ],
)
def test_rates_are_of_bytes_or_of_flops(rate, of, text):
    assert format_rate(rate, of) == text
