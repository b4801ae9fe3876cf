"""A page per protocol, the index, sanity bounds, re-scored and published rows."""

import re

import pytest

from mer_bench.errors import InputError
from mer_bench.results.page import page_name
from mer_bench.results.pages import make_pages, render_pages, write_pages
from mer_bench.results.rescored import write_rescored
from mer_bench.results.rows import tied_with_best, with_ranks
from mer_bench.results.sanity import read_bounds
from tests.conftest import ROOT

PUBLISHED = (
    'method,year,venue,doi_or_url,protocol,classes,dataset,metric,value,source_url,primary_or_secondary,notes\n'
    'Famous net,2019,X,arXiv:1902.03634,SDE LOSO,3,SMIC,UF1,0.99,https://example.org/paper,primary,quoted\n'
)


@pytest.mark.parametrize(
    ('arguments', 'name'),
    [
        (('megc2019', 'LOSO, megc2019_3class', False), 'megc2019_3class_loso'),
        (('megc2019_flow', 'LOSO, megc2019_3class', False), 'megc2019_flow_3class_loso'),
        (('casme2', 'LOSO, megc2019_3class', False), 'casme2_megc2019_3class_loso'),
        (('dfme', '10 folds by subject, dfme_7class', False), 'dfme_7class_10_folds_by_subject'),
        (('cd6me', 'leave one data set out, composite_4class, action units 1 2', False),
         'cd6me_composite_4class_leave_one_data_set_out'),
        (('smic', 'LOSO, smic_3class', True), 'synthetic_smic'),
    ],
)  # fmt: skip
def test_the_name_of_a_page_says_data_scheme_and_folds(arguments, name):
    assert page_name(*arguments) == name


def test_synthetic_and_real_runs_get_pages_of_their_own(new_run, tmp_path):
    new_run('a')
    new_run('b', synthetic=True)
    files = render_pages(make_pages([tmp_path]))
    assert sorted(name for name in files if name.endswith('.md')) == [
        'README.md',
        'smic_3class_loso.md',
        'synthetic_smic.md',
    ]
    assert files['synthetic_smic.md'].startswith('# Leaderboard: smic (synthetic data)')
    assert 'synthetic' not in files['smic_3class_loso.md']


def test_the_index_lists_the_tables_and_keeps_synthetic_ones_apart(new_run, tmp_path):
    new_run('a')
    new_run('b', 'one wrong', synthetic=True)
    new_run('c', 'perfect', synthetic=True, method='other')
    write_pages([tmp_path], tmp_path / 'out')
    real, synthetic = (tmp_path / 'out' / 'README.md').read_text().split('## Synthetic data')
    assert '[smic_3class_loso](smic_3class_loso.md)' in real
    row = re.search(r'\| \[synthetic_smic\].*', synthetic)[0]
    assert [cell.strip() for cell in row.split('|')[2:6]] == ['smic (synthetic data)', 'LOSO, smic_3class', '8', '2']


def test_published_rows_have_a_table_of_their_own(new_run, tmp_path):
    new_run('a', 'one wrong')
    (tmp_path / 'published.csv').write_text(PUBLISHED)
    files = render_pages(make_pages([tmp_path]))
    ours, published = files['smic_3class_loso.md'].split('## Published numbers, SMIC')
    assert 'Famous net' not in ours
    assert '| [Famous net](https://arxiv.org/abs/1902.03634)ᵃ | 2019' in published
    assert '[example.org](https://example.org/paper)' in published
    assert '- ᵃ quoted' in published
    assert 'Famous' not in files['smic_3class_loso.csv']
    assert 'Famous net' in files['published.md']


def test_published_rows_are_never_beside_synthetic_ones(new_run, tmp_path):
    new_run('a', synthetic=True)
    (tmp_path / 'published.csv').write_text(PUBLISHED)
    assert 'Famous' not in render_pages(make_pages([tmp_path]))['synthetic_smic.md']


LOG = 'smic s01\nclip0 0 0\nclip1 1 1\nsmic s02\nclip2 0 0\nclip3 2 0\n'


def rescore(folder, text=LOG, **changes):
    log = folder.parent / 'log.txt'
    log.write_text(text)
    given = {
        **{'method': 'Their net', 'dataset': 'smic', 'protocol': 'LOSO, smic_3class', 'url': 'https://example.org/log'},
        'classes': ['negative', 'positive', 'surprise'],
    }
    return write_rescored(log, folder, **given | changes)


def test_rescored_rows_have_a_table_of_their_own_with_their_log(new_run, tmp_path):
    new_run('a', 'one wrong')
    record = rescore(tmp_path / 'b')
    # negative: 2 right of 2, 3 answers: 4/5; positive 1; surprise 0
    assert record['scores']['full']['uf1'] == pytest.approx((4 / 5 + 1) / 3)
    files = render_pages(make_pages([tmp_path]))
    ours, rescored = files['smic_3class_loso.md'].split('## Re-scored, LOSO, smic_3class')
    assert 'Their net' not in ours
    assert re.search(r'\| Their net \| 0\.600 \| \[.*\] +\| 0\.667 \| +0\.750 \|', rescored)
    assert '[log.txt](https://example.org/log)' in rescored
    assert (
        files['smic_3class_loso.csv'].splitlines()[-1].startswith('smic,"LOSO, smic_3class",Their net,Their net,0.75,')
    )
    assert 'Power:' not in rescored
    rescore(tmp_path / 'c', method='Another', text=LOG.replace('clip3 2 0', 'clip3 2 2'))
    page = render_pages(make_pages([tmp_path]))['smic_3class_loso.md']
    assert 'Power: these 2 subjects can show' in page.split('## Re-scored')[1]


def test_a_run_of_ours_is_no_published_log(new_run, tmp_path):
    log = new_run('a') / 'predictions.csv'
    given = {'method': 'x', 'dataset': 'smic', 'protocol': 'LOSO, smic_3class', 'url': 'u', 'classes': ['negative']}
    with pytest.raises(InputError, match='found a run with its record; submit it with'):
        write_rescored(log, tmp_path / 'b', **given)


def test_a_rescored_record_whose_predictions_were_changed_is_refused(tmp_path):
    rescore(tmp_path / 'b')
    path = tmp_path / 'b' / 'predictions.csv'
    path.write_text(path.read_text().replace('surprise,negative', 'surprise,surprise'))
    with pytest.raises(InputError, match=r'b/record\.json: expected the scores that predictions\.csv'):
        make_pages([tmp_path])


def test_labels_of_a_log_without_a_class_are_named(tmp_path):
    with pytest.raises(InputError, match='expected labels of the classes negative, positive, found 2'):
        rescore(tmp_path / 'b', classes=['negative', 'positive'])


BOUNDS = 'table,method,uf1,reason\nsmic_3class_loso,*,0.5,\nsmic_3class_loso,rule,,one answer for all\n'


def test_the_table_says_whether_a_method_reaches_its_bound_or_why_not(new_run, tmp_path):
    new_run('a', 'one wrong', method='net')
    new_run('b', 'always negative', method='rule')
    (tmp_path / 'sanity_bounds.csv').write_text(BOUNDS)
    text = render_pages(make_pages([tmp_path]))['smic_3class_loso.md']
    assert re.search(r'\| net .*\| reaches 0\.5 ', text)
    assert re.search(r'\| rule .*\| below 0\.5: one answer for all ', text)


def test_without_bounds_there_is_no_column_for_them(new_run, tmp_path):
    new_run('a')
    assert 'sanity' not in render_pages(make_pages([tmp_path]))['smic_3class_loso.md']


@pytest.mark.parametrize(
    ('text', 'fault'),
    [('table,method\n', 'expected the columns'), (BOUNDS + 'smic_3class_loso,*,0.1,\n', r'\* of .* is there twice'),
     (BOUNDS + 'x,y,high,\n', "found 'high'"), (BOUNDS + 'x,y,nan,\n', "found 'nan'"),
     (BOUNDS + 'x,y,45,\n', "found '45'"), ('', 'found an empty file'),
     (BOUNDS + 'x,y\n', 'expected 4 cells in every line, but not in x, y'), ('é', 'expected UTF-8')],
)  # fmt: skip
def test_bounds_that_cannot_be_read_are_named(tmp_path, text, fault):
    (tmp_path / 'sanity_bounds.csv').write_text(text, encoding='latin-1')
    with pytest.raises(InputError, match=fault):
        read_bounds(tmp_path / 'sanity_bounds.csv')


def test_published_numbers_need_no_runs_beside_them(tmp_path):
    (tmp_path / 'published.csv').write_text(PUBLISHED)
    files = render_pages(make_pages([tmp_path]))
    assert list(files) == ['published.md', 'published.tex', 'README.md']
    assert 'No table yet' in files['README.md']


def narrowest(table):
    """The letters that a table takes at least: a line ends at spaces and hyphens, and the edges of a cell take four."""
    lines = [re.sub(r'\[(.*?)\]\(.*?\)', r'\1', line).replace(r'\|', '/').strip('|').split('|') for line in table]
    words = [[max(map(len, re.split(r'[\s-]', cell.replace('*', '')))) for cell in cells] for cells in lines]
    return sum(map(max, zip(*words, strict=True))) + 4 * len(words[0])


def test_every_table_of_the_repository_fits_the_width_that_github_gives_it():
    for page in (ROOT / 'leaderboards').glob('*.md'):
        tables = re.findall(r'(?:^\|.*\n)+', page.read_text(encoding='utf-8'), flags=re.M)
        assert tables
        for table in tables:
            header, _, *rows = table.splitlines()
            assert narrowest([header, *rows]) <= 110, f'{page.name}: {header}'  # 830 pixels


def test_rows_are_ranked_by_uf1_and_those_of_a_dishonest_epoch_rule_are_not():
    scores = [(0.8, 'last'), (0.7, 'inner'), (0.7, 'last'), (0.6, 'last'), (0.9, 'validation')]
    rows = with_ranks([dict(uf1=uf1, epoch_rule=rule) for uf1, rule in scores])
    assert [row['rank'] for row in rows] == [1, 2, 2, 4, None]


@pytest.mark.parametrize(
    ('subjects', 'low', 'high', 'tied'),
    [(68, -0.1, 0.01, True), (68, -0.1, -0.01, False), (68, 0.01, 0.1, False), (7, -0.1, 0.1, False)],
)
def test_a_tie_with_the_best_is_an_interval_over_enough_subjects_that_contains_0(subjects, low, high, tied):
    change = dict(best_change=(low + high) / 2, best_change_low=low, best_change_high=high)
    assert tied_with_best(dict(subjects=subjects) | change) is tied
    assert not tied_with_best(dict(subjects=subjects))
