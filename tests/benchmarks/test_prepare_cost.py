import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from benchmarks import prepare_cost
from benchmarks.prepare_cost import (
    METHODS,
    alternatives,
    frames_in_pairs,
    measure,
    synthetic_clips,
    time_whole,
    writing,
)
from mer_bench.cli.prepare import main
from mer_bench.errors import InputError
from mer_bench.preparation.flow.clip_flow import clip_flow
from mer_bench.preparation.settings import FlowSettings
from mer_bench.preparation.store.fill import fill_store
from mer_bench.preparation.store.flow_store import FlowStore

RUNS = {  # seconds of two rounds
    'store_1_worker': [6.0, 9.0],
    'store_2_workers': [4.0, 4.5],
    'writing': [0.1, 0.3],
    **{f'clips_{method}': [2.0, 3.0] for method in METHODS},
    **{f'pair_{method}': [0.01, 0.03] for method in METHODS},
}
WHOLE = {'command_tvl1': [8.4], 'flow_tvl1': [8.0], 'command_dis': [5.0], 'flow_dis': [2.0]}
FLOW = np.zeros((2, 170, 140), np.float32)


@pytest.fixture(scope='module')
def raw(tmp_path_factory):
    """A folder with the tree of two clips."""
    return tmp_path_factory.mktemp('clips')


@pytest.fixture(scope='module')
def clips(raw):
    """Table and frames of the two clips."""
    return synthetic_clips(raw, 2)


@pytest.fixture(scope='module')
def result(clips):
    """Of two clips of four whose runs take fixed times."""
    threads = cv2.getNumThreads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare_cost, 'synthetic_clips', lambda folder, count: clips)
        patch.setattr(prepare_cost, 'interleave', lambda timed, rounds: {name: RUNS[name] for name in timed})
        patch.setattr(prepare_cost, 'time_whole', lambda *args: WHOLE)
        yield measure(SimpleNamespace(clips=4, few=2, rounds=2, clip_len=1, size=28))
    cv2.setNumThreads(threads)


def test_the_whole_command_is_compared_with_the_flow_alone(result):
    assert result['ratios']['end_to_end'] == pytest.approx({'median': 1.05, 'min': 1.05, 'max': 1.05})
    assert result['ratios']['end_to_end_dis'] == {'median': 2.5, 'min': 2.5, 'max': 2.5}


def test_the_flow_alone_and_the_command_take_the_same_clips(raw, clips, monkeypatch):
    """In this process, since processes take seconds to start."""
    order = []
    monkeypatch.setattr(prepare_cost, 'WORKERS', 1)
    monkeypatch.setattr(prepare_cost, 'flow_of_pairs', lambda pairs, method: order.append(method))
    monkeypatch.setattr(prepare_cost.subprocess, 'run', lambda words, **_: order.append('command') or main(words[2:]))
    seconds = time_whole(raw, clips[1], SimpleNamespace(clip_len=1, size=28))
    assert seconds.keys() == WHOLE.keys()
    assert order == ['tvl1', 'tvl1', 'tvl1', 'command', 'dis', 'dis', 'dis', 'command']  # first one clip, then both


def test_the_flow_alone_is_that_of_the_pairs_of_the_store(clips, monkeypatch):
    _, (source, _) = clips
    settings, seen = FlowSettings('dis', 8, 28), []
    monkeypatch.setattr(
        'mer_bench.preparation.flow.clip_flow.compute_flow', lambda *args: seen.append(args[:2]) or FLOW
    )
    clip_flow(source, settings)
    for pair, of_store in zip(frames_in_pairs(source, settings), seen, strict=True):
        assert all((frame == other).all() for frame, other in zip(pair, of_store, strict=True))


def test_the_ratio_of_workers_is_one_worker_over_two(result):
    assert result['ratios']['workers'] == {'median': 1.75, 'min': 1.5, 'max': 2.0}


def test_the_share_of_writing_is_taken_of_the_bare_flow(result):
    assert result['ratios']['writing_dis'] == pytest.approx({'median': 0.075, 'min': 0.05, 'max': 0.1})


def test_seconds_of_a_pair_are_those_of_one(result):
    assert result['seconds']['pair_tvl1'] == pytest.approx(0.01)  # 20 ms for 2 clips


def test_every_alternative_runs(clips, tmp_path, monkeypatch):
    """In this process."""
    asked = []

    def fill(*args, workers, **options):
        asked.append(workers)
        fill_store(*args, workers=1, **options)

    monkeypatch.setattr(prepare_cost, 'fill_store', fill)
    timed = alternatives(tmp_path, *clips, SimpleNamespace(clips=2, rounds=1, clip_len=1, size=28))
    assert timed.keys() == RUNS.keys()
    for run in timed.values():
        run()
    assert asked == [1, 2]


def test_what_is_timed_as_writing_is_a_whole_store_each_time(clips, tmp_path):
    table, sources = clips
    flow = [clip_flow(source, FlowSettings('dis', 1, 28))[:2] for source in sources]
    write = writing(tmp_path, table, flow)
    for _ in range(2):
        write()
        store = FlowStore(tmp_path / 'store')
        assert all((store.clips[row] == clip).all() for row, (clip, _) in enumerate(flow))
        shutil.rmtree(tmp_path / 'store')


def test_an_odd_number_of_clips_is_refused():
    with pytest.raises(InputError, match='expected even numbers of clips'):
        measure(SimpleNamespace(clips=3, few=2))
