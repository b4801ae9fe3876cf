"""Every score on docs/findings.md is one of the committed tables: nobody types a number that no record gives."""

import csv
import re

from tests.conftest import ROOT

SCORE = re.compile(r'(?<![\d.])[+-]?[01]\.\d{3,4}(?!\d)')


def committed_numbers() -> set[str]:
    """Return every number of the csv files of leaderboards and of the published scores, with 3 and 4 decimals.

    Those of the pages count too: main effects are in no csv file.
    """
    found = set()
    for path in (*sorted((ROOT / 'leaderboards').glob('megc2019_*.csv')), ROOT / 'results/published.csv'):
        with open(path, newline='', encoding='utf-8') as file:
            for cell in (cell for row in csv.reader(file) for cell in row):
                if re.fullmatch(r'-?\d*\.\d+(e-\d+)?', cell):
                    found |= {f'{float(cell):.{places}f}' for places in (3, 4)}
    for path in (ROOT / 'leaderboards').glob('megc2019_*.md'):
        found |= {score.lstrip('+') for score in SCORE.findall(path.read_text(encoding='utf-8'))}
    return found


def test_every_score_of_the_page_is_in_a_committed_table():
    page = (ROOT / 'docs/findings.md').read_text(encoding='utf-8')
    scores = [score.lstrip('+') for score in SCORE.findall(page)]
    assert len(scores) > 20
    assert sorted({*scores} - committed_numbers()) == []
