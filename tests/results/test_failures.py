"""Failed runs are listed with their reason and do not affect other rows."""

import json

import pytest

from mer_bench.errors import InputError
from mer_bench.results.leaderboard import write_leaderboard
from mer_bench.results.pages import make_pages
from mer_bench.results.run import find_runs

FAILURE = {
    **{'schema_version': 1, 'method': 'htnet', 'config': 'mer_smic', 'dataset': 'smic', 'protocol': None, 'seed': 0},
    **{'synthetic': None, 'reason': 'expected flow\nof 28 | found 112', 'date': '2025-02-01'},
}


def fail(folder, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'failure.json').write_text(json.dumps(FAILURE | changes))


def test_a_failed_run_is_listed_below_the_table(new_run, tmp_path):
    new_run('a')
    fail(tmp_path / 'b')
    text = write_leaderboard([tmp_path], tmp_path / 'out' / 'smic.md')
    below = text.split('## Failed runs')[1]
    assert '| htnet    | mer_smic |      0 | expected flow of 28 \\| found 112 | 2025-02-01 |' in below
    assert 'htnet' not in text.split('## Failed runs')[0]


def test_an_incomplete_run_with_a_failure_does_not_stop_the_others(new_run, tmp_path):
    good = new_run('a')
    new_run('b', complete=False, folds={'total': 4, 'done': 1, 'missing': ['s2', 's3', 's4']})
    fail(tmp_path / 'b')
    records, failures = find_runs([tmp_path])
    assert records == [good / 'record.json']
    assert [failure.path.parent.name for failure in failures] == ['b']


def test_a_run_that_was_finished_after_a_failure_is_finished(new_run, tmp_path):
    fail(new_run('a'))
    assert find_runs([tmp_path])[1] == []


def test_failures_alone_make_a_page(tmp_path):
    fail(tmp_path / 'a')
    assert '# Leaderboard: smic' in write_leaderboard([tmp_path], tmp_path / 'out' / 'smic.md')


def test_a_failure_is_on_the_page_of_its_config(new_run, tmp_path):
    new_run('a', synthetic=True)
    fail(tmp_path / 'b')
    fail(tmp_path / 'c', protocol='LOSO, smic_3class', synthetic=False)
    fail(tmp_path / 'd', dataset='samm', config='mer_samm')
    pages = make_pages([tmp_path])
    assert {name: len(page.failures) for name, page in pages.pages.items()} == {
        'smic_3class_loso': 1,
        'synthetic_smic': 1,
    }
    assert [failure.content['dataset'] for failure in pages.unassigned] == ['samm']


def test_a_failure_that_may_be_of_either_kind_is_on_no_page(new_run, tmp_path):
    new_run('a')
    new_run('b', synthetic=True)
    fail(tmp_path / 'c', protocol='LOSO, smic_3class')
    pages = make_pages([tmp_path])
    assert not any(page.failures for page in pages.pages.values())
    assert len(pages.unassigned) == 1


@pytest.mark.parametrize('change', [{'reason': None}, {'schema_version': 2}, {'seed': 'zero'}])
def test_a_broken_failure_is_named(tmp_path, change):
    fail(tmp_path / 'a', **change)
    with pytest.raises(InputError, match=r'a/failure\.json: expected'):
        find_runs([tmp_path])
