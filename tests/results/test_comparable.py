"""Runs of the same clips, labels, protocol and preparation share a table, whichever machine computed their store."""

import re

import pandas as pd
import pytest

from mer_bench.results.check import check_results
from mer_bench.results.comparable import preparation_of
from mer_bench.results.leaderboard import write_leaderboard
from mer_bench.results.pages import write_pages

FACES = {'detector': 'dlib', 'dlib': '19.24', 'size': 224, 'stabilise': False}
STORE = {
    **dict(dataset='smic', synthetic=False, flow='dis', flow_parameters={'preset': 2}, reference='onset', clip_len=16),
    **dict(channels=['u', 'v', 'strain'], size=[112, 112], apex={'middle': 8}, sampling='evenly', faces=FACES),
}
LITTLE = {'flow': 'dis', 'clip_len': 16, 'size': [112, 112], 'apex': 'middle', 'synthetic': False}  # of an early record


def data(store='a', annotations='t', clips=None, settings=STORE, **changes):
    """Return the part `data` of a record; `changes` replace settings of the preparation."""
    digests = {'annotations_digest': annotations * 64, 'store_digest': store * 64}
    return digests | ({'clips_digest': clips * 64} if clips else {}) | {'store': settings | changes}


@pytest.fixture
def page(new_run, tmp_path):
    """Return a function that gives the titles, the text and the rows of a page of {method: its data}."""

    def make(**methods):
        for number, (method, found) in enumerate(methods.items()):
            new_run(f'runs/{method}', 'one wrong' if number else 'perfect', method=method, data=found)
        text = write_leaderboard([tmp_path / 'runs'], tmp_path / 'smic.md')
        return re.findall('^## (.*)', text, flags=re.M), text, pd.read_csv(tmp_path / 'smic.csv').set_index('method')

    return make


def test_a_store_of_other_digits_stays_in_the_table_is_noted_and_compared(page):
    titles, text, rows = page(net=data('a'), tree=data('a'), other=data('b'))
    assert titles == ['smic, LOSO, smic_3class, 8 clips, dis 16 x 112 x 112, faces dlib']
    assert 'the rows are of store aaaaaaaa, but for bbbbbbbb (other)' in text
    assert 'of which pictures aaaaaaaa and bbbbbbbb came' in text
    assert rows.loc['other', 'best_change'] == pytest.approx((8 / 9 + 1 + 2 / 3) / 3 - 1)


OTHERS = [
    *(dict(flow='tvl1'), dict(flow_parameters={'preset': 1}), dict(channels=['u', 'v', 'angle']), dict(size=[112, 96])),
    *(dict(clip_len=8), dict(reference='previous'), dict(sampling='the apex alone'), dict(apex={'spotted': 8})),
    *(dict(faces=FACES | {'stabilise': 1}), dict(faces=FACES | {'size': 96}), dict(levels='of 16 bits')),
]


def test_another_setting_of_the_preparation_is_another_table(page):
    titles, text, _ = page(net=data('a'), other=data('b', **OTHERS[-1]))
    assert len({*titles}) == 2
    assert 'Stores: ' not in text
    assert len({preparation_of(STORE), *(preparation_of(STORE | changes) for changes in OTHERS)}) == 1 + len(OTHERS)


def test_the_version_of_dlib_and_the_order_of_the_stores_are_no_settings():
    newer = STORE | {'faces': FACES | {'dlib': '20.0'}, 'opencv': '5.1', 'seconds': 3.0, 'versions': {}}
    assert preparation_of(STORE) == preparation_of(newer)
    casme2 = STORE | {'dataset': 'casme2', 'apex': {'annotated': 8}}
    assert preparation_of({'stores': [STORE, casme2]}) == preparation_of({'stores': [casme2, newer]})
    assert preparation_of({'stores': [STORE, casme2]}) != preparation_of({'stores': [STORE, casme2 | {'apex': {}}]})


def test_stores_of_other_pictures_are_two_tables_and_one_of_unknown_pictures_joins_the_only_known(page):
    known = data('b', frames_digest='1')
    titles, text, _ = page(early=data('a'), net=known, again=data('c', frames_digest='1'))
    assert len(titles) == 1
    assert 'of which pictures aaaaaaaa came' in text
    # `early` could belong to either now
    assert len(page(cropped=data('d', frames_digest='2'))[0]) == 3


def test_records_without_the_settings_share_a_table_by_their_store_and_say_so(page):
    titles, text, _ = page(net=data('a', settings=LITTLE), tree=data('a', settings=LITTLE))
    assert len(titles) == 1
    assert 'only runs of the same store share this table' in text
    assert len(page(other=data('b', settings=LITTLE))[0]) == 2
    # a record of the same store tells the settings of the early ones
    assert len(page(new=data('a'), newer=data('c'))[0]) == 2


def test_clips_are_the_same_wherever_their_frames_lie_and_early_records_join_by_their_table(page):
    titles, *_ = page(
        early=data(annotations='s'), here=data(annotations='s', clips='k'), there=data(annotations='t', clips='k')
    )
    assert len(titles) == 1
    assert len(page(relabelled=data(annotations='u', clips='l'))[0]) == 2


def test_a_run_repeated_on_another_store_has_a_row_of_its_own_and_no_part_in_ablations(new_run, tmp_path):
    override = [{'name': 'no_a', 'text': 'a = 0', 'digest': 'e' * 64}]
    for seed in (0, 1):
        new_run(f'runs/mer_smic/full/seed{seed}', 'perfect', seed=seed, data=data('b'))
    new_run(
        'runs/mer_smic/full+no_a/seed1', 'one wrong', seed=1, method='full+no_a', overrides=override, data=data('c')
    )
    new_run('again/mer_smic/full/seed1', 'always negative', seed=1, data=data('a'))
    text = write_leaderboard([tmp_path / 'runs', tmp_path / 'again'], tmp_path / 'smic.md')
    rows = pd.read_csv(tmp_path / 'smic.csv').set_index('method')
    assert rows['uf1'].to_dict() == pytest.approx({'full': 1, 'full+no_a': 23 / 27, 'full (store aaaaaaaa)': 2 / 9})
    assert 'but for aaaaaaaa (full (store aaaaaaaa)) and cccccccc (full, no_a)' in text
    assert 'Ablations of full' in text
    assert rows.loc['full+no_a', 'change'] == pytest.approx(23 / 27 - 1)


def test_seeds_on_stores_of_other_digits_are_averaged_and_a_repeat_lacks_no_seed(new_run, tmp_path):
    for folder, seed, store in (('a', 0, 'a'), ('a', 1, 'b'), ('b', 1, 'a')):
        found = data(store, synthetic=True)
        new_run(f'{folder}/mer_smic/full/seed{seed}', 'perfect', seed=seed, data=found, synthetic=True)
    write_leaderboard([tmp_path / 'a'], tmp_path / 'synthetic.md')
    (row,) = pd.read_csv(tmp_path / 'synthetic.csv').to_dict('records')
    assert (row['method'], row['seeds'], row['store_digest']) == ('full', 2, f'{"a" * 64} / {"b" * 64}')
    write_pages([tmp_path / 'a', tmp_path / 'b'], tmp_path / 'boards')
    assert check_results([tmp_path / 'a', tmp_path / 'b'], tmp_path / 'boards') == []
