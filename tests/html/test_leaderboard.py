"""The web page of the leaderboards in a real browser, from disk."""

import sys
from hashlib import sha256
from importlib import import_module

import pytest

from mer_bench.errors import InputError
from mer_bench.files import write_json
from mer_bench.html import as_json
from mer_bench.html.leaderboard import write_site
from mer_bench.results.rescored import write_rescored
from tests.results.conftest import CLASSES, predictions, write_run

main = import_module('mer_bench.cli.leaderboard').main
EVIL = '<a href="https://example.org">{{7}}</a><img src=x onerror="document.title=1"><script>document.title=1</script>'
CURVES = 'epoch,loss,loss_low,loss_high,lr,train_accuracy,train_accuracy_low,train_accuracy_high\n'

HOME = """new Promise(done => {  // a click must not meet the scrolling that the address starts
  if (location.hash === '#/') return done();
  addEventListener('hashchange', () => done(), {once: true});
  location.hash = '#/';
})"""


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    """A page with four methods on real data, one on synthetic data, and one whose names are all hostile."""
    root = tmp_path_factory.mktemp('site')
    curves = f'{CURVES}1,1.5,1.0,2.0,0.1,0.4,0.3,0.5\n2,0.5,0.25,0.75,0.1,,,\n'
    made = dict(
        command='mer-bench train mer_smic --override ststnet', files={'curves.csv': sha256(curves.encode()).hexdigest()}
    )
    trained = write_run(root / 'runs/a', method='ststnet', **made)
    (trained / 'curves.csv').write_text(curves)
    (trained / 'dropped.csv').write_text('sample_id,reason\nsmic/s05/x,no apex\nsmic/s05/y,no apex\n')
    write_run(root / 'runs/b', 'one wrong', method='multiscale_resnet3d50')
    write_run(root / 'runs/c', 'always negative', method='majority')
    write_run(root / 'runs/d', 'one wrong', method='pls_da', epoch_rule='inner')
    write_run(root / 'runs/e', method='ststnet', synthetic=True)
    config = {'name': EVIL, 'text': f'</pre>{EVIL}\n\u202e', 'digest': 'c0ffee' * 8}
    hostile = dict(method=EVIL, dataset=EVIL, command=EVIL, device=EVIL, versions={EVIL: EVIL}, epoch_rule=EVIL)
    write_run(root / 'runs/f', 'one wrong', (EVIL,), config=config, **hostile)
    failed = dict(
        schema_version=1, method='ststnet', config='mer_samm', seed=0, synthetic=False, reason='out of memory'
    )
    failed |= dict(dataset='samm', protocol='LOSO, samm_3class', date='2025-01-31')
    (root / 'runs/h').mkdir()
    write_json(root / 'runs/h/failure.json', failed)
    predictions('perfect').to_csv(root / 'log.csv', index=False)
    place = ('theirs', 'smic', 'LOSO, smic_3class', 'javascript:alert(1)', CLASSES)
    write_rescored(root / 'log.csv', root / 'runs/g', *place)
    return write_site([root / 'runs'], root / 'out')


@pytest.fixture(scope='module')
def opened(site, open_page):
    """The page, and what must not happen in it."""
    page, faults = open_page(site.as_uri(), viewport={'width': 1200, 'height': 900}, color_scheme='light')
    chart = page.locator('#smic_3class_loso .chart').first  # it is drawn when it is seen, and moves what is below it
    chart.scroll_into_view_if_needed()
    chart.locator('.ytick').nth(3).wait_for()
    return page, faults


@pytest.fixture
def page(opened):
    """The page at its home."""
    page, faults = opened
    page.evaluate(HOME)
    yield page
    assert faults == []


def column(page, number):
    """Return the texts of the visible cells of a column of the ranking."""
    cells = page.locator(f'#smic_3class_loso .ranking tbody tr:visible td:nth-child({number})')
    return [text.split('\n')[0] for text in cells.all_inner_texts()]


def test_a_click_on_a_header_sorts_and_says_so(page):
    # F1 of negative, positive, surprise: 1, 1, 1; 8/9, 1, 2/3; 2/3, 0, 0
    assert column(page, 3) == ['1.000', '0.852', '0.852', '0.222']
    head = page.locator('#smic_3class_loso .ranking th:nth-child(3)')
    button = head.get_by_role('button')
    button.click(
        trial=True
    )  # it can be clicked; where charts are drawn meanwhile, a place on the screen may be another's
    button.dispatch_event('click')
    button.focus()
    assert (head.get_attribute('aria-sort'), column(page, 3)[0]) == ('descending', '1.000')
    page.keyboard.press('Enter')
    assert (head.get_attribute('aria-sort'), column(page, 3)[0]) == ('ascending', '0.222')


def test_filters_leave_the_rows_of_a_kind_a_source_and_an_epoch_rule(page):
    labels = page.locator('#smic_3class_loso .chart >> nth=0 >> css=.ytick')
    page.locator('#smic_3class_loso .chart').first.scroll_into_view_if_needed()  # it is drawn when it is seen
    labels.nth(3).wait_for()
    assert labels.count() == 4
    page.select_option('select[name=kind]', 'sanity')
    labels.nth(1).wait_for(state='detached')
    assert (column(page, 2), labels.all_text_contents()) == (['Majority class'], ['Majority class'])
    page.select_option('select[name=kind]', '')
    page.select_option('select[name=epoch_rule]', 'inner')
    assert column(page, 2) == ['PLS-DA']
    page.select_option('select[name=epoch_rule]', '')
    page.select_option('select[name=source]', 're-scored')
    rows = page.locator('tbody tr[data-row]:visible')
    assert [row.split('\t')[0] for row in rows.all_inner_texts()] == ['theirs']
    page.select_option('select[name=source]', 'published')
    assert column(page, 2) == []
    assert page.locator('#published tbody tr:visible').count() > 100
    page.select_option('select[name=source]', '')
    assert page.get_by_text('out of memory').is_visible()


def test_a_method_has_a_view_with_an_address_of_its_own(page):
    page.locator('#smic_3class_loso').get_by_role('link', name='STSTNet').click()
    assert page.evaluate('decodeURIComponent(location.hash)') == '#/method/smic_3class_loso/ststnet'
    assert page.locator('#view h1').inner_text() == 'STSTNet'
    text = page.locator('#view').inner_text()
    assert 'mer-bench train mer_smic --override ststnet' in text
    assert 'no apex' in text
    page.locator('#view .js-plotly-plot .main-svg').nth(4).wait_for()  # two of each of the first two charts
    confusion = page.locator('#view .chart >> nth=0')
    assert confusion.locator('.heatmap-label').first.text_content() == '4100 %'  # two lines
    page.locator('#view .chart >> nth=1 >> css=summary').click()
    rows = page.locator('#view .chart >> nth=1 >> css=tbody tr')
    rows.first.wait_for()
    assert rows.all_inner_texts() == [f'smic/s0{number}\t2\t2' for number in (1, 2, 3, 4)]
    page.locator('#view .chart >> nth=2').scroll_into_view_if_needed()
    page.locator('#view .chart >> nth=2 >> css=.js-plotly-plot').wait_for()
    page.locator('.skip').press('Enter')
    assert page.locator('#view h1').is_visible()
    page.go_back()
    page.locator('#smic_3class_loso .ranking').wait_for()


def test_a_hostile_record_is_text_in_every_view_and_chart_and_in_the_dark(page):
    title = page.title()
    addresses = page.evaluate('Object.keys(templates)')
    assert len(addresses) == 6
    for address in ['', *addresses]:
        page.evaluate(
            'address => { location.hash = "#" + encodeURIComponent(address).replaceAll("%2F", "/"); }', address
        )
        page.wait_for_function('address => !address || !document.getElementById("view").hidden', arg=address)
        page.evaluate('all("details").forEach(fold => { fold.open = true; })')
        page.evaluate('all(".chart").filter(figure => figure.clientWidth).forEach(draw)')
        assert page.locator('img, .main-svg a, a[href^="https://example"], a[href^=javascript]').count() == 0
        assert page.evaluate('document.querySelectorAll("script").length') == 4
    page.locator('#theme').click()
    assert page.evaluate('getComputedStyle(document.body).backgroundColor') == 'rgb(22, 24, 28)'
    page.evaluate('location.hash = "#/"')
    shown = page.locator('h2', has_text='onerror').inner_text()
    assert EVIL in shown
    assert page.locator('.ytick', has_text='<a href=').count() >= 1
    assert page.title() == title


def test_nothing_is_wider_than_a_phone(page):
    page.set_viewport_size({'width': 390, 'height': 800})
    page.evaluate('all("details").forEach(fold => { fold.open = true; })')
    page.wait_for_function('() => document.documentElement.scrollWidth <= 390')


def test_the_command_writes_the_page_and_synthetic_data_are_apart(site, tmp_path, capsys):
    assert main([str(site.parents[1] / 'runs' / 'e'), '--html', str(tmp_path)]) == 0
    assert capsys.readouterr().out == f'{tmp_path / "index.html"}\n'
    assert [file.name for file in tmp_path.iterdir()] == ['index.html']
    html = (tmp_path / 'index.html').read_text(encoding='utf-8')
    assert '<b>Synthetic data.</b>' in html
    assert 'id="published"' not in html


def test_a_missing_library_is_named_with_the_command_that_installs_it(site, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'plotly.offline', None)
    with pytest.raises(InputError, match=r"run `pip install 'mer_bench\[html\]'`"):
        write_site([site.parents[1] / 'runs' / 'e'], tmp_path)


def test_data_cannot_end_their_script_element():
    assert as_json({'<': ['</script>\u202e', None, 0.5]}) == r'{"\u003c":["\u003c/script>\\u202e",null,0.5]}'
