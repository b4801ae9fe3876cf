import hashlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from torchvision.models import optical_flow

from mer_bench.errors import InputError
from mer_bench.preparation import prepare
from mer_bench.preparation.flow import raft
from mer_bench.preparation.flow.optical_flow import compute_flow, flow_parameters
from mer_bench.preparation.flow.raft import load_raft, padding, raft_device, raft_flow, read_state
from mer_bench.preparation.settings import FlowSettings
from tests.preparation.conftest import shifted_texture


@pytest.fixture(autouse=True)
def _restore_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    """State dict of a raft_small that never saw a picture."""
    path = tmp_path_factory.mktemp('raft') / 'small.pth'
    torch.save(optical_flow.raft_small().state_dict(), path)
    return path


def test_the_flow_has_the_size_of_the_frames(small):
    flow = compute_flow(shifted_texture(0, 0, (90, 133)), shifted_texture(1, 0, (90, 133)), 'raft', small)
    assert (flow.shape, flow.dtype) == ((2, 90, 133), np.float32)
    assert np.isfinite(flow).all()


def test_the_network_gets_grey_three_times_padded_by_the_edge(monkeypatch):
    """The stand-in returns its first picture's red, green and its second picture's blue, so that all three are seen."""

    class Echo(torch.nn.Linear):
        def forward(self, one, two, num_flow_updates):
            assert one.shape == two.shape == (1, 3, 128, 136)
            assert (one[..., 0, :] == one[..., 14, :]).all()  # 100 rows: 14 above and 14 below
            return [torch.stack([one[:, 1], two[:, 2]], 1)]

    monkeypatch.setattr(raft, 'load_raft', lambda weights: ('echo', Echo(1, 1)))
    first, second = (shifted_texture(0, 0, (100, 129), seed) for seed in (0, 1))
    np.testing.assert_allclose(raft_flow(first, second, ''), np.stack([first, second]) / 127.5 - 1, atol=1e-6)


@pytest.mark.parametrize(('side', 'added'), [(128, (0, 0)), (100, (14, 14)), (129, (3, 4)), (170, (3, 3))])
def test_sides_grow_to_a_multiple_of_8_and_at_least_128(side, added):
    assert padding(side) == added


@pytest.mark.parametrize('name', ['raft_small', 'raft_large'])
def test_the_architecture_is_told_from_the_weights(name, tmp_path):
    path = tmp_path / 'weights.pth'
    torch.save({'model': getattr(optical_flow, name)().state_dict(), 'epoch': 3}, path)  # as torchvision's script
    recorded = flow_parameters('raft', path)
    assert recorded['architecture'] == name
    assert recorded['weights'] == 'weights.pth'
    assert (recorded['torch'], recorded['device']) == (torch.__version__, raft_device())
    assert recorded['weights_sha256'] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(('gpu', 'device', 'workers'), [(True, 'cuda', 1), (False, 'cpu', 7)])
def test_one_process_feeds_a_gpu(small, monkeypatch, gpu, device, workers):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    monkeypatch.setattr(prepare.joblib, 'cpu_count', lambda: 7)
    assert raft_device() == device
    assert prepare.default_workers(FlowSettings('raft', raft_weights=small)) == workers
    assert prepare.default_workers(FlowSettings('dis')) == 7


def test_the_model_is_loaded_once(small):
    assert load_raft(str(small))[1] is load_raft(str(small))[1]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r'none.pth: no such file of RAFT weights; give a .pth file'):
        flow_parameters('raft', tmp_path / 'none.pth')


def test_a_file_that_is_no_checkpoint_is_named(tmp_path):
    (tmp_path / 'text.pth').write_text('no weights')
    with pytest.raises(InputError, match=r'text.pth: it is damaged or holds code'):
        read_state(tmp_path / 'text.pth')


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / 'linear.pth')
    with pytest.raises(InputError, match=r'linear.pth: expected the weights of RAFT'):
        read_state(tmp_path / 'linear.pth')


def test_weights_of_another_shape_are_refused(small, tmp_path):
    state = torch.load(small)
    torch.save(dict(list(state.items())[:-1]), tmp_path / 'part.pth')
    with pytest.raises(InputError, match=r'part.pth: the weights do not fit raft_small'):
        load_raft(str(tmp_path / 'part.pth'))


def test_preparation_loads_torch_only_for_raft():
    code = 'import sys, mer_bench.preparation.prepare; assert "torch" not in sys.modules'
    subprocess.run([sys.executable, '-c', code], check=True)
