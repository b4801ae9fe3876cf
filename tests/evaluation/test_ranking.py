"""Three methods or more. Ranks, tests and critical difference are those of Demšar (JMLR 7, 2006), section 3.2."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import friedmanchisquare

from mer_bench.errors import InputError
from mer_bench.evaluation.ranking import Ranking, rank_methods
from tests.evaluation.test_compare import clips_of

# table 6: ranks on 14 data sets of C4.5 with its default, with m tuned, with cf tuned, with both tuned
RANKS = [
    *[(4, 3, 2, 1), (1, 2, 3, 4), (4, 1, 2, 3), (4, 1, 3, 2), (4, 2, 3, 1), (1, 2.5, 4, 2.5), (3, 2, 4, 1)],
    *[(2.5, 2.5, 4, 1), (4, 3, 2, 1), (2.5,) * 4, (4, 2.5, 1, 2.5), (3, 2, 4, 1), (4, 1, 2, 3), (3, 1, 4, 2)],
]
NAMES = ['C4.5', 'C4.5+m', 'C4.5+cf', 'C4.5+m+cf']


@pytest.fixture
def published():
    return Ranking(
        pd.DataFrame([[-rank for rank in row] for row in RANKS], columns=NAMES), 'data sets', 14, 140, (0,) * 4
    )


def test_ranks_friedman_and_critical_difference_are_the_published_ones(published):
    assert published.ranks[NAMES].round(3).tolist() == [3.143, 2.0, 2.893, 1.964]
    statistic, p = published.friedman
    assert (statistic, p) == pytest.approx(friedmanchisquare(*np.array(RANKS).T))
    # the paper has 9.28 and 3.69 without the correction for ties: 1 - sum(t^3 - t) / (N k (k^2 - 1)), by hand from
    # three pairs (6 each) and four equal (60)
    ties = 1 - (3 * 6 + 60) / (14 * 4 * 15)
    assert statistic * ties == pytest.approx(9.28, abs=0.005)
    chi = statistic * ties
    assert 13 * chi / (14 * 3 - chi) == pytest.approx(3.69, abs=0.005)
    assert published.iman_davenport[0] == pytest.approx(13 * statistic / (14 * 3 - statistic))
    assert published.critical_difference == pytest.approx(1.25, abs=0.005)


def test_without_a_pair_beyond_the_critical_difference_nothing_is_called_better(published):
    # the paper: 3.143 - 1.964 < 1.25, so Nemenyi's test finds no pair although Friedman's test rejects
    assert published.friedman[1] < 0.05
    assert all(not published.worse_than(name) for name in NAMES)
    sentence = (
        'On these 14 data sets, the 4 methods are not all equally good, but these data do not show which is better.'
    )
    assert published.plain_sentence == sentence


def test_subjects_are_the_blocks_of_few_data_sets_and_the_last_line_is_plain():
    good, equal = clips_of(20, 4), clips_of(20, 4, wrong=[(0, 0)])
    bad = clips_of(20, 4, wrong=[(person, 0) for person in range(20)])
    found = rank_methods([good, equal, bad], names=['good', 'equal', 'bad'])
    assert found.blocks == 'subjects'
    # 19 people with two equal methods before the third, one with the ranks 1, 2.5, 2.5
    assert found.ranks.to_dict() == pytest.approx({'good': 29.5 / 20, 'equal': 31 / 20, 'bad': 59.5 / 20})
    assert found.scores.loc['smic/s00'].tolist() == [1, 0.75, 0.75]
    assert str(found).splitlines()[-1] == (
        'On these 20 people, good did better than bad; a difference this large would rarely arise by chance, so these '
        'data show that it is better for people like these; they do not show whether it is better than equal.'
    )
    assert 'since UF1 is of all classes and a subject may show one' in str(found)
    same = rank_methods([good, good, good], names=['a', 'b', 'c'])
    assert same.friedman == (0, 1)
    with pytest.raises(InputError, match='expected methods with different ranks to draw'):
        same.draw()
    assert same.plain_sentence.endswith('do not show that any of the 3 methods is better than another.')
    few = rank_methods([clips_of(7, 2)] * 3, names=['a', 'b', 'c'])
    assert few.plain_sentence == 'These 7 people are too few to say which of the 3 methods is better for others.'


def test_five_data_sets_are_the_blocks_with_their_uf1():
    def five(wrong):
        parts = [clips_of(4, 4, wrong) for _ in range(5)]
        named = [part.assign(sample_id=part['sample_id'].str.replace('smic', f'd{i}')) for i, part in enumerate(parts)]
        return pd.concat(named, ignore_index=True)

    found = rank_methods([five([]), five([(0, 0)]), five([(0, 0), (1, 0)])], names=['a', 'b', 'c'])
    assert (found.blocks, found.clips) == ('data sets', 80)
    # one of 8 negative clips is taken for positive: F1 14/15 and 16/17
    assert found.scores['b'].tolist() == pytest.approx([(14 / 15 + 16 / 17) / 2] * 5)
    assert found.friedman[0] == pytest.approx(10)  # the largest for 5 blocks and 3 methods: N (k - 1)
    assert found.plain_sentence.startswith('On these 5 data sets, a did better than c;')


@pytest.mark.parametrize(
    ('sources', 'message'),
    [
        ([clips_of(3, 2)] * 2, 'expected three methods or more'),
        ([clips_of(1, 2)] * 3, 'expected two subjects or more'),
        ([clips_of(3, 2), clips_of(3, 2), clips_of(3, 2).assign(y_true='negative')], 'in C; compare predictions'),
    ],
)
def test_what_cannot_be_ranked_is_one_sentence(sources, message):
    with pytest.raises(InputError, match=re.escape(message)) as error:
        rank_methods(sources)
    assert '\n' not in str(error.value)
