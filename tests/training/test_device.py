"""The device that a user names, and the memory of a GPU that several processes share; no GPU is needed."""

import pytest
import torch

from mer_bench.errors import InputError
from mer_bench.experiment.precision import choose_device
from mer_bench.sweeps.engine import EngineOptions, open_engine
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


@pytest.mark.parametrize(
    ('name', 'gpus', 'built', 'sentence'),
    [
        *(
            (name, 2, True, 'expected auto, cpu, cuda or cuda:N')
            for name in ('mps', 'gpu', 'cuda:', 'cuda:01', 'cuda:٣')
        ),
        ('cuda', 0, False, 'is built without CUDA; install a torch with it, or use --device cpu'),
        ('cuda', 0, True, r'found none; check the driver \(`nvidia-smi`\)'),
        ('cuda:0', 0, True, 'found none'),
        ('cuda:3', 2, True, 'found 2, cuda:0 to cuda:1; choose one of these'),
        ('cuda:1', 1, True, 'found 1, cuda:0; choose one of these'),
        (f'cuda:{10**30}', 2, True, 'found 2'),
    ],
)
def test_a_device_that_is_not_there_is_one_sentence(monkeypatch, name, gpus, built, sentence):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: gpus)
    monkeypatch.setattr(torch.backends.cuda, 'is_built', lambda: built)
    with pytest.raises(InputError, match=rf'^--device {name}: .*{sentence}'):
        choose_device(name)
    assert choose_device('cuda:1' if gpus > 1 else 'cpu') == ('cuda:1' if gpus > 1 else 'cpu')


def test_ray_on_this_machine_does_not_wait_for_a_gpu_that_never_comes(monkeypatch):
    pytest.importorskip('ray')
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 0)
    with (
        pytest.raises(InputError, match='--device cuda: expected a GPU'),
        open_engine(EngineOptions('ray', device='cuda')),
    ):
        pytest.fail('Ray was started')
