"""The clips of a run in memory."""

import numpy as np
import pytest
import torch

from mer_bench.loading import flow_store_dataset
from mer_bench.loading.flow_store_dataset import fits, free_memory, resident_clips
from mer_bench.loading.prepared_data import open_prepared_data, open_store, viewed_clips
from mer_bench.protocols.label_schemes import load_scheme

SOURCE = {'dataset': 'smic', 'owner': 'its owner', 'prepare': 'prepare'}


def opened(root, **options):
    return open_prepared_data([root], load_scheme('smic_3class'), [SOURCE], options)


def test_clips_lie_in_the_order_of_the_annotations_as_they_are_stored(prepared_data):
    data = opened(prepared_data)
    clips = resident_clips(data.places, data.view)
    store = open_store(str(prepared_data / 'store'))
    rows = [store.index[name] for name in data.annotations['sample_id']]
    assert clips.dtype == torch.float16
    assert np.array_equal(clips.numpy(), store.clips[rows])


@pytest.mark.parametrize(
    ('options', 'dtype'),
    [
        (dict(channels=['v', 'u'], frames='apex'), torch.float16),
        (dict(channels=['magnitude', 'angle']), torch.float32),
        (dict(size=16), torch.float32),
    ],
)
def test_a_view_is_kept_without_loss(prepared_data, options, dtype):
    data = opened(prepared_data, **options)
    clips = resident_clips(data.places, data.view)
    assert clips.dtype == dtype
    assert torch.equal(clips.float(), torch.from_numpy(np.stack([*viewed_clips(data.places, data.view)])))


def test_they_are_read_once_and_forgotten_for_others(prepared_data):
    data, other = opened(prepared_data), opened(prepared_data, frames=1)
    clips = resident_clips(data.places, data.view)
    assert resident_clips(data.places, data.view, torch.device('cpu')) is clips
    resident_clips(other.places, other.view)
    assert resident_clips(data.places, data.view) is not clips


def test_they_fit_where_every_process_could_have_them_in_half_of_the_free_memory(prepared_data, monkeypatch):
    data = opened(prepared_data)
    size = 18 * 3 * 2 * 32 * 32 * 2  # clips x (C, T, H, W) x bytes
    flow_store_dataset._resident.clear()
    monkeypatch.setattr(flow_store_dataset, 'sharers', lambda device: 3)
    monkeypatch.setattr(flow_store_dataset, 'free_memory', lambda device: 6 * size)
    assert fits(data.places, data.view)
    monkeypatch.setattr(flow_store_dataset, 'free_memory', lambda device: 6 * size - 2)
    assert not fits(data.places, data.view)


def test_free_memory_is_known_of_a_cpu_and_0_of_a_device_without_memory():
    assert free_memory(torch.device('meta')) == 0
    assert free_memory(torch.device('cpu')) > 2**20
