import shutil
from types import SimpleNamespace

import cv2
import pytest

from benchmarks import prepare_cost
from benchmarks.prepare_cost import METHODS, alternatives, measure, synthetic_clips, writing
from mer_bench.errors import InputError
from mer_bench.preparation.flow.clip_flow import clip_flow
from mer_bench.preparation.settings import FlowSettings
from mer_bench.preparation.store.flow_store import FlowStore

RUNS = {  # seconds of two rounds
    'store_1_worker': [6.0, 9.0],
    'store_2_workers': [4.0, 4.5],
    'writing': [0.1, 0.3],
    **{f'clips_{method}': [2.0, 3.0] for method in METHODS},
    **{f'pair_{method}': [0.01, 0.03] for method in METHODS},
}


@pytest.fixture(scope='module')
def result():
    """Of two clips whose runs take fixed times."""
    threads = cv2.getNumThreads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare_cost, 'interleave', lambda timed, rounds: {name: RUNS[name] for name in timed})
        yield measure(SimpleNamespace(clips=2, rounds=2, clip_len=1, size=28))
    cv2.setNumThreads(threads)


def test_the_ratio_of_workers_is_one_worker_over_two(result):
    assert result['ratios']['workers'] == {'median': 1.75, 'min': 1.5, 'max': 2.0}


def test_the_share_of_writing_is_taken_of_the_bare_flow(result):
    assert result['ratios']['writing_dis'] == pytest.approx({'median': 0.075, 'min': 0.05, 'max': 0.1})


def test_seconds_of_a_pair_are_those_of_one(result):
    assert result['seconds']['pair_tvl1'] == pytest.approx(0.01)  # 20 ms for 2 clips


def test_every_alternative_runs(tmp_path):
    clips = synthetic_clips(tmp_path, 2)
    timed = alternatives(tmp_path, *clips, SimpleNamespace(clips=2, rounds=1, clip_len=1, size=28))
    assert timed.keys() == RUNS.keys()
    for run in timed.values():
        run()


def test_what_is_timed_as_writing_is_a_whole_store_each_time(tmp_path):
    table, sources = synthetic_clips(tmp_path, 2)
    clips = [clip_flow(source, FlowSettings('dis', 1, 28))[:2] for source in sources]
    write = writing(tmp_path, table, clips)
    for _ in range(2):
        write()
        store = FlowStore(tmp_path / 'store')
        assert all((store.clips[row] == clip).all() for row, (clip, _) in enumerate(clips))
        shutil.rmtree(tmp_path / 'store')


def test_an_odd_number_of_clips_is_refused():
    with pytest.raises(InputError, match='an even number'):
        measure(SimpleNamespace(clips=3))
