"""Published numbers: all of them, in tables of their own, with their cautions."""

import csv
import re

import pytest

from mer_bench.errors import InputError
from mer_bench.escaping import for_markdown
from mer_bench.results.blocks import Heading, Link, Noted, Table
from mer_bench.results.markdown import to_markdown
from mer_bench.results.pages import make_pages, render_pages
from mer_bench.results.published import (
    COLUMNS,
    blocks_for,
    epoch_rule,
    published_page,
    read_published,
    results_file,
)
from tests.conftest import ROOT

FILE = ROOT / 'results' / 'published.csv'
# repositories whose training program keeps the epoch that is best on held-out subjects (those of HTNet and AKMNet too,
# but they also quote others)
KEEP_THE_BEST = (
    'https://github.com/davidnvq/me_recognition',
    'https://github.com/tony19980810/CausalNet',
    'https://github.com/Justin900429/mimicking-annotation-micro-expression-recognition',
    'https://github.com/ECNU-Cross-Innovation-Lab/',
)


def write(path, **changes):
    row = {
        **{'method': 'A net', 'year': '2019', 'venue': 'X', 'doi_or_url': 'arXiv:1902.03634', 'protocol': 'SDE LOSO'},
        **{
            'classes': '3',
            'dataset': 'SMIC',
            'metric': 'UF1',
            'value': '0.61',
            'source_url': 'https://github.com/a/b c.png',
        },
        **{'primary_or_secondary': 'primary', 'notes': ''},
    }
    rows = [row | change for change in changes.pop('rows', [{}])]
    with open(path, 'w', newline='') as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def tables(blocks):
    """Return headers and rows of each table as markdown shows it."""
    shown = [block.shown('md') for block in blocks if isinstance(block, Table)]
    return [([column.header for column in table], [*zip(*table.values(), strict=True)]) for table in shown]


def test_the_page_holds_every_number_once():
    text = to_markdown(published_page(read_published(FILE)))
    cells = [cell.strip() for line in text.splitlines() for cell in line.split('|') if line.startswith('|')]
    shown = sorted(float(value) for cell in cells for value in re.findall(r'(?:^|[\w)] )(0\.\d+)(?!\d)', cell))
    with open(FILE, newline='') as file:
        expected = sorted(float(row['value']) for row in csv.DictReader(file))
    assert expected
    assert shown == expected


def test_the_cautions_of_a_number_are_below_its_table(tmp_path):
    rows = [{'notes': 'quoted'}, {'metric': 'UAR', 'value': '0.76', 'notes': 'quoted; macro precision'}]
    text = to_markdown(published_page(read_published(write(tmp_path / 'p.csv', rows=rows))))
    assert re.search(r'\| \[A net\]\(.*\)ᵃ .*\| +0\.61 \| 0\.76ᵇ \|', text)
    assert text.endswith('- ᵃ quoted\n- ᵇ macro precision\n- ᶜ number from: a/b, c.png\n')


def test_no_caution_of_the_file_is_lost():
    text = to_markdown(published_page(read_published(FILE)))
    with open(FILE, newline='') as file:
        rows = list(csv.DictReader(file))
    notes = {note.strip() for row in rows for note in row['notes'].split(';')} - {''}
    protocols = {row['protocol'] for row in rows}
    assert [note for note in sorted(notes | protocols) if for_markdown(note) not in text] == []


@pytest.mark.parametrize(
    ('protocol', 'notes', 'rule'),
    [
        ('SDE LOSO', 'quoted', 'unknown'),
        ('SDE LOSO, no test-set early stopping', '', 'last'),
        ('SDE LOSO', 'the code keeps the best epoch of each held-out subject, which makes the number too high',
         'test-selected'),
        ('SDE LOSO, epoch chosen on the test subject', '', 'test-selected'),
    ],
)  # fmt: skip
def test_the_epoch_rule_is_that_of_protocol_and_cautions(protocol, notes, rule):
    assert epoch_rule({'protocol': protocol, 'notes': notes}) == rule


def test_the_uar_that_is_macro_precision_says_so():
    with open(FILE, newline='') as file:
        (row,) = [row for row in csv.DictReader(file) if row['value'] == '0.7605']
    assert row['method'] == 'STSTNet'
    assert 'macro precision' in row['notes']


def test_secondary_sources_and_test_epochs_carry_a_caution():
    with open(FILE, newline='') as file:
        rows = list(csv.DictReader(file))
    assert all('secondary source' in row['notes'] for row in rows if row['primary_or_secondary'] == 'secondary')
    chosen = [
        row
        for row in rows
        if 'epoch chosen' in row['protocol']
        or row['source_url'].startswith(KEEP_THE_BEST)
        or row['method'] in ('HTNet', 'AKMNet')
    ]
    assert {'HTNet', 'CausalNet', 'CapsuleNet', 'AKMNet', 'Off-TANet'} <= {row['method'] for row in chosen}
    assert all('too high' in row['notes'] for row in chosen)
    assert not any('file id' in cell for row in rows for cell in row.values())


def test_each_protocol_and_number_of_classes_has_a_table_of_its_own(tmp_path):
    rows = [{}, {'protocol': 'not stated', 'value': '0.9'}, {'classes': '5', 'value': '0.5'}]
    blocks = published_page(read_published(write(tmp_path / 'p.csv', rows=rows)))
    assert [block.text for block in blocks if isinstance(block, Heading)] == [
        *('Published numbers', 'SMIC', 'Leave one subject out of one data set, 3 classes'),
        *('Leave one subject out of one data set, 5 classes', 'Other protocols, or none stated'),
    ]
    assert [rows[0][-3] for _, rows in tables(blocks)] == ['0.61', '0.5', '0.9']


def test_sources_are_links(tmp_path):
    ((_, rows),) = tables(published_page(read_published(write(tmp_path / 'p.csv'))))
    assert rows[0][0] == Link('A net', 'https://arxiv.org/abs/1902.03634')
    assert rows[0][-1] == Noted(Link('GitHub', 'https://github.com/a/b'), ('number from: a/b, c.png',))


def test_a_page_shows_what_is_published_on_its_data_and_number_of_classes(tmp_path):
    rows = [{}, {'classes': '5', 'method': 'B net'}, {'dataset': 'SAMM'}]
    published = read_published(write(tmp_path / 'p.csv', rows=rows))
    ((_, shown),) = tables(blocks_for(published, 'smic', 3))
    assert [row[0].text for row in shown] == ['A net']
    assert blocks_for(published, 'mydata', 3) == []


def test_parts_of_the_composite_are_in_the_table_of_the_composite(tmp_path):
    rows = [{'protocol': 'MEGC2019 CDE, LOSO 68 folds, pooled', 'dataset': name} for name in ('composite', 'SMIC')]
    published = read_published(write(tmp_path / 'p.csv', rows=rows))
    titles = [block.text for block in blocks_for(published, 'megc2019_flow', 3) if isinstance(block, Heading)]
    assert [title.rpartition(', 3 classes: ')[2] for title in titles[1:]] == ['composite', 'SMIC']
    assert blocks_for(published, 'smic', 3) == []


def test_a_number_from_its_paper_has_one_link(tmp_path):
    path = write(tmp_path / 'p.csv', rows=[{'source_url': 'https://arxiv.org/abs/1902.03634'}])
    ((_, rows),) = tables(published_page(read_published(path)))
    assert (rows[0][0].url, rows[0][-1]) == ('https://arxiv.org/abs/1902.03634', 'the reference')


def test_a_file_that_is_not_utf8_is_named(tmp_path):
    path = write(tmp_path / 'p.csv', rows=[{'method': 'café'}])
    path.write_bytes(path.read_text().encode('latin-1'))
    with pytest.raises(InputError, match=r'p\.csv: expected UTF-8 text'):
        read_published(path)


@pytest.mark.parametrize(
    ('change', 'fault'),
    [({'value': '76.05'}, r'line 2: expected a value from 0 to 1'), ({'dataset': 'X'}, "the data set 'X' of A net")],
)
def test_a_row_that_cannot_be_right_is_named(tmp_path, change, fault):
    with pytest.raises(InputError, match=fault):
        read_published(write(tmp_path / 'p.csv', rows=[change]))


def test_the_files_of_a_clone_come_before_those_of_the_package(tmp_path, monkeypatch):
    assert results_file('published.csv') == ROOT / 'results' / 'published.csv'
    package = tmp_path / 'mer_bench'
    (package / '.mim/results').mkdir(parents=True)
    (package / '.mim/results/published.csv').touch()
    monkeypatch.setattr('mer_bench.results.published.__file__', str(package / 'results' / 'published.py'))
    assert results_file('published.csv') == package / '.mim/results/published.csv'
    assert results_file('sanity_bounds.csv') is None


def test_a_page_of_real_data_shows_published_numbers_wherever_its_runs_are(new_run, tmp_path):
    new_run('mine/a')
    files = render_pages(make_pages([tmp_path / 'mine']))
    assert '## Published numbers, SMIC' in files['smic_3class_loso.md']
    assert 'published.md' not in files
