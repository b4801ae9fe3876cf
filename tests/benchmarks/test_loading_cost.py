from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from benchmarks import loading_cost
from benchmarks.loading_cost import alternatives, load_plainly, measure
from benchmarks.random_store import write_random_store
from mer_bench.errors import InputError
from mer_bench.loading.flow_store_dataset import LoadFlowClip

SMALL = SimpleNamespace(clips=4, batch=2, rounds=2, clip_len=2, size=28, threads=1, device='cpu')
RUNS = {  # seconds of two rounds
    'mmaction2': [0.6, 0.8],
    'mmaction2_own_loader': [0.4, 0.4],
    'memory_map': [0.3, 0.2],
    'resident': [0.1, 0.1],
    'every_augmentation': [0.2, 0.2],
}


@pytest.fixture(autouse=True)
def _threads_stay():
    threads = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(threads[0])
    cv2.setNumThreads(threads[1])


@pytest.fixture
def result(monkeypatch):
    monkeypatch.setattr(loading_cost, 'interleave', lambda timed, rounds: {name: RUNS[name] for name in timed})
    return measure(SMALL)


def test_ratios_are_the_stock_pipeline_over_ours(result):
    medians = {name: ratio['median'] for name, ratio in result['ratios'].items()}
    assert medians == pytest.approx(
        {'resident': 7, 'memory_map': 3, 'every_augmentation': 3.5, 'resident_own_loader': 4}
    )
    assert result['ratios'].keys() == result['against'].keys()


def test_the_work_is_reading_half_and_writing_whole_floats(result):
    assert result['work']['resident']['bytes'] == 2 * 3 * 2 * 28 * 28 * (2 + 4)


def test_every_alternative_makes_training_batches(tmp_path):
    root = write_random_store(tmp_path / 'smic', clips=4, subjects=2, clip_len=2, size=28)
    timed = alternatives(root, SMALL)
    assert timed.keys() == RUNS.keys()
    for make in timed.values():
        first, second = make()['inputs'], make()['inputs']
        assert first.shape == second.shape == (2, 1, 3, 2, 28, 28)
        assert not torch.equal(first, second)


def test_the_plain_loader_reads_what_ours_reads(tmp_path):
    root = write_random_store(tmp_path / 'smic', clips=2, subjects=2, clip_len=2, size=28)
    place = dict(store=str(root / 'store'), row=1)
    plain, own = load_plainly(dict(place)), LoadFlowClip(as_images=True)(dict(place))
    assert plain.keys() == own.keys()
    assert all(np.array_equal(*pair) for pair in zip(plain.pop('imgs'), own.pop('imgs'), strict=True))
    assert plain == own


def test_a_batch_of_more_clips_than_there_are_is_refused():
    with pytest.raises(InputError, match='a batch of at most 4 clips, got 5'):
        measure(SimpleNamespace(clips=4, batch=5))
