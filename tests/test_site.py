"""The site of mkdocs.yml, its notebooks' pages, and the forms for issues."""

import os
import re
import subprocess
import sys
from runpy import run_path

import pytest
import yaml

import mer_bench
from tests.conftest import ROOT

HOOKS = run_path(str(ROOT / 'docs/website/hooks.py'))
FORMS = sorted((ROOT / '.github/ISSUE_TEMPLATE').glob('[!c]*.yml'))  # config.yml is no form


def build(folder, **environment):
    words = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--quiet', '--site-dir', str(folder)]
    environment = os.environ | {'NO_MKDOCS_2_WARNING': '1', 'REPOSITORY_URL': ''} | environment
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp('site')
    done = build(folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_strict_build_has_every_page(site):
    pages = {path.relative_to(ROOT / 'docs').with_suffix('.html') for path in (ROOT / 'docs').rglob('*.md')}
    pages |= {path.relative_to(ROOT / 'docs').with_suffix('.html') for path in (ROOT / 'docs').rglob('*.ipynb')}
    assert [page for page in pages if not (site / page).is_file()] == []
    api = (site / 'api.html').read_text(encoding='utf-8')
    assert [name for name in mer_bench.__all__ if f'>{name}</span>' not in api] == []
    assert ':func:' not in api
    for path in site.rglob('*.html'):  # a link may lead out, what a page loads may not
        assert (
            re.findall(r'<(?:script|img|link|iframe)[^>]*(?:src|href)="?(?:https?:)?//', path.read_text('utf-8')) == []
        )


def test_pages_open_from_disk_and_ask_no_network(site, open_page):
    page, faults = open_page(f'file://{site}/index.html', ('error',))
    page.fill('[data-md-component=search-query]', 'apex')
    page.wait_for_selector('.md-search-result__item')
    page.goto(f'file://{site}/notebooks/your_own_network.html')
    assert 'OwnNetwork' in page.inner_text('article')
    assert faults == []


@pytest.mark.parametrize(
    ('repository', 'expected'),
    [
        (None, 'see the table (`leaderboards/README.md`)'),
        ('URL', 'see [the table](URL/blob/HEAD/leaderboards/README.md)'),
    ],
)
def test_a_link_out_of_the_docs_leads_to_the_repository_or_names_the_file(repository, expected):
    def mended(link):
        return HOOKS['mended'](link, HOOKS['PurePosixPath']('docs'), 'page.md', repository, files=None)

    assert HOOKS['LINK'].sub(mended, 'see [the table](../leaderboards/README.md)') == expected


def test_lists_become_those_of_python_markdown():
    text = ['so:', '- a', '  - b', '', 'end', '    code']
    assert [*HOOKS['with_wide_lists'](text)] == ['so:', '', '- a', '    - b', '', 'end', '    code']


@pytest.mark.parametrize('path', FORMS, ids=lambda path: path.stem)
def test_a_form_has_what_github_asks_for(path):
    form = yaml.safe_load(path.read_text(encoding='utf-8'))
    assert {'name', 'description', 'body'} <= {*form}
    fields = [part for part in form['body'] if part['type'] != 'markdown']
    assert all(part['attributes']['label'] for part in fields)
    ids = [part['id'] for part in fields]
    assert len(ids) == len({*ids})
    assert all(re.fullmatch(r'[\w-]+', name) for name in ids)
    assert {part['type'] for part in fields} <= {'input', 'textarea', 'dropdown', 'checkboxes'}
    assert all(part['attributes']['options'] for part in fields if part['type'] in ('dropdown', 'checkboxes'))


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text(encoding='utf-8'))
    assert {'cff-version', 'message', 'title', 'authors'} <= {*citation}
    assert citation['version'] == mer_bench.__version__
    assert [reference['doi'] for reference in citation['references']] == ['10.3934/mbe.2024221']
