import cv2
import pytest
from rich.console import Console

from mer_bench.benchmarks.prepare_cost import Settings, measure, synthetic_clips, table, writing
from mer_bench.errors import InputError
from mer_bench.preparation.clip_flow import clip_flow
from mer_bench.preparation.settings import FlowSettings
from mer_bench.preparation.store_build import read_done


@pytest.fixture(scope='module')
def result():
    threads = cv2.getNumThreads()
    yield measure(Settings(clips=2, rounds=1, clip_len=1, size=28))
    cv2.setNumThreads(threads)


def test_the_ratio_of_workers_is_one_worker_over_two(result):
    seconds = result['seconds']
    assert result['ratios']['workers']['median'] == seconds['store_1_worker'] / seconds['store_2_workers']


def test_the_share_of_writing_is_taken_of_the_bare_flow(result):
    seconds = result['seconds']
    assert result['ratios']['writing_dis']['median'] == seconds['writing'] / seconds['clips_dis']


def test_milliseconds_are_those_of_one_pair(result):
    assert result['ms_per_pair']['tvl1'] == pytest.approx(result['seconds']['pairs_tvl1'] / 2 * 1000)


def test_the_table_names_every_method(result, capsys):
    Console().print(table(result))
    shown = capsys.readouterr().out
    assert all(word in shown for word in ('2 workers', 'tvl1', 'farneback', 'dis', '170x140'))


def test_what_is_timed_as_writing_fills_a_whole_build(tmp_path):
    _, sources = synthetic_clips(tmp_path, 2)
    clips = [clip_flow(source, FlowSettings('dis', 1, 28)) for source in sources]
    writing(tmp_path, clips)()
    (build,) = tmp_path.glob('.store-*')
    assert [read_done(build)[row].apex for row in range(2)] == [apex for _, apex in clips]


@pytest.mark.parametrize(('wrong', 'said'), [({'clips': 3}, 'an even number'), ({'rounds': 0}, 'rounds of at least 1')])
def test_settings_that_measure_nothing_are_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        Settings(**{'clips': 2, 'rounds': 1} | wrong)
