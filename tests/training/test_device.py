"""The memory of a GPU that several processes share; no GPU is needed."""

import pytest
import torch

from mer_bench.training.device import CUDA_BYTES, limit_gpu_memory


@pytest.mark.parametrize(
    ('share', 'gib', 'fractions'),
    [
        (1.0, 80, [1.0]),  # lifts the limit of an earlier run of this process
        (0.5, 80, [(40 * 2**30 - CUDA_BYTES) / (80 * 2**30)]),
        (0.25, 2, [0.125]),  # half of its share where CUDA itself takes more than that
    ],
)
def test_the_share_of_a_process_holds_what_cuda_takes(monkeypatch, share, gib, fractions):
    limits = []
    monkeypatch.setattr(torch.cuda, 'mem_get_info', lambda: (0, gib * 2**30))
    monkeypatch.setattr(torch.cuda, 'set_per_process_memory_fraction', limits.append)
    limit_gpu_memory(share)
    assert limits == pytest.approx(fractions)
