"""Backbone and neck as CUDA graphs, by torch's own function, with a stand-in for the graphs themselves."""

import copy
import logging
from contextlib import contextmanager, nullcontext
from functools import cache

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import mer_bench.registry  # noqa: F401
from mer_bench.errors import InputError
from mer_bench.experiment.method import load_method
from mer_bench.training import cuda_graph
from mer_bench.training.cuda_graph import GraphedFeatures, replay_graphs
from mer_bench.training.fold import run_network
from mer_bench.training.runner import accelerate
from tests.conftest import ROOT
from tests.training.test_fold_config import experiment_on


@pytest.fixture(scope='module', autouse=True)
def _quiet():
    init_default_scope('mmaction')
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    yield
    logger.setLevel(level)


class StandIn(TorchDispatchMode):
    """CUDA graphs on a CPU: a capture notes every operation, a replay computes each anew and writes where it wrote.

    Args:
        monkeypatch: Puts it in place of the GPU.
        fault: Changes the noted operations of a graph to wrong ones.

    Attributes:
        replays: The batch size of each replay of a forward pass.
    """

    def __init__(self, monkeypatch, fault=None):
        super().__init__()
        self.fault, self.graphs, self.replays = fault, [], []
        gpu = dict(CUDAGraph=lambda: Graph(self), graph=self.capturing, stream=lambda stream: nullcontext())
        for name, value in (gpu | dict(synchronize=lambda: None, Stream=lambda: None)).items():
            monkeypatch.setattr(torch.cuda, name, value)
        monkeypatch.setattr(torch.cuda.graphs, 'graph_pool_handle', lambda: None)

    @contextmanager
    def capturing(self, graph, **options):
        self.noted = graph.calls
        with self:
            yield
        if self.fault:
            graph.calls[:] = self.fault(graph.calls)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        self.noted.append((operation, args, kwargs or {}, result))
        return result


class Graph:
    """torch.cuda.CUDAGraph."""

    def __init__(self, stand_in):
        self.stand_in, self.calls = stand_in, []
        self.is_forward = len(stand_in.graphs) % 2 == 0  # forward and backward are made in turns
        stand_in.graphs.append(self)

    @torch.no_grad()
    def replay(self):
        for operation, args, kwargs, result in self.calls:
            for place, value in zip(tree_leaves(result), tree_leaves(operation(*args, **kwargs)), strict=True):
                if isinstance(place, torch.Tensor) and place.data_ptr() != value.data_ptr():
                    place.copy_(value)
        if self.is_forward:
            self.stand_in.replays.append(len(result))


def network(precision='fp32'):
    torch.manual_seed(0)
    cfg = dict(
        type='Recognizer3D',
        backbone=dict(type='MultiScaleResNet3d', depth=18, inflate=0, base_channels=4, multiscale_stages=(0,)),
        neck=dict(type='AttentionFusion', in_channels=[8, 16, 32], channels=8),
        cls_head=dict(type='MultiOutputHead', num_classes=3, in_channels=[8] * 4, dropout_ratio=0.5),
    )
    model = MODELS.build(cfg)
    model.init_weights()
    # kernels of bf16 on a CPU may be wrong where they are longer than their input, so only the neck computes in it here
    backbone = [name for name, layer in model.named_modules() if 'backbone' in name and isinstance(layer, nn.Conv3d)]
    accelerate(model, precision, False, () if precision == 'fp32' else backbone)
    return model.train()


def graphed(monkeypatch, fault=None, model=None):
    """Return a network that replays a stand-in, the stand-in, and the lines of its log."""
    stand_in, lines = StandIn(monkeypatch, fault), []
    model = model or network()
    model.extract_feat = GraphedFeatures(model, lines.append)
    return model, stand_in, lines


def losses(model, clips, seed, device='cpu'):
    inputs = torch.randn(clips, 1, 3, 2, 28, 28, generator=torch.Generator().manual_seed(seed)).to(device)
    samples = [ActionDataSample().set_gt_label(i % 3) for i in range(clips)]
    return model.parse_losses(model(inputs, samples, mode='loss'))[0]


def train(model, sizes=(4, 4, 2, 4, 2), counts=1, set_to_none=True, device='cpu'):
    """Train on a batch of each size, an update after every `counts` of them; return weights and statistics."""
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    torch.manual_seed(1)
    for step, clips in enumerate(sizes):
        losses(model, clips, step, device).backward()
        if step % counts == counts - 1:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=set_to_none)
    return copy.deepcopy(model.state_dict())


@cache
def plainly_trained(precision='fp32'):
    return train(network(precision))


def assert_same(found, expected):
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize('precision', ['fp32', 'bf16'])
def test_a_training_that_replays_its_batches_ends_in_the_same_bits(monkeypatch, precision):
    """With dropout, clipped gradients and a shorter last batch, which has a graph of its own once it comes again."""
    model, stand_in, lines = graphed(monkeypatch, model=network(precision))
    assert_same(train(model), plainly_trained(precision))
    assert stand_in.replays == [4, 4, 4, 2, 2]  # each shape is compared once, then replayed
    assert ['batches of 4 clips' in lines[0], 'batches of 2 clips' in lines[1]] == [True, True]


def test_tests_and_third_shapes_are_computed_the_plain_way(monkeypatch):
    model, stand_in, _ = graphed(monkeypatch)
    train(model, (4, 4, 2, 2, 3, 3))
    assert stand_in.replays == [4, 4, 2, 2]
    with torch.no_grad():
        losses(model, 4, 0)
        losses(model.eval(), 4, 0)
    assert stand_in.replays == [4, 4, 2, 2]


@pytest.mark.parametrize(('how', 'replays'), [(dict(counts=2), 2), (dict(set_to_none=False), 0)])
def test_gradients_that_add_up_are_never_overwritten(monkeypatch, how, replays):
    model, stand_in, _ = graphed(monkeypatch)
    sizes = [4] * 5
    assert_same(train(model, sizes, **how), train(network(), sizes, **how))
    assert len(stand_in.replays) == 1 + replays  # one of them in the comparison


def other_weights(calls):
    """Reads the weights that it was captured with."""
    return [
        (operation, tuple(x.clone() if isinstance(x, nn.Parameter) else x for x in args), kwargs, result)
        for operation, args, kwargs, result in calls
    ]


def other_clips(calls):
    """Leaves the maps of the clips that it was captured with."""
    return calls[-1:]


def other_gradients(calls):
    """Doubles what it computes last, a gradient in the backward pass, which is all that differs."""
    is_backward = any('backward' in str(operation) for operation, *_ in calls)
    gradient = next(x for x in tree_leaves(calls[-1][-1]) if x is not None)
    return [*calls, (torch.ops.aten.mul_.Scalar, (gradient, 2.0), {}, gradient)] if is_backward else calls


def frozen_statistics(calls):
    """Does not move the running statistics."""
    return [
        (operation, (*args[:3], *(x.clone() for x in args[3:5]), *args[5:]), kwargs, result)
        if str(operation) == 'aten.native_batch_norm.default'
        else (operation, args, kwargs, result)
        for operation, args, kwargs, result in calls
    ]


def no_capture(calls):
    raise RuntimeError('CUDA error: operation not permitted when stream is capturing\nadvice')


@pytest.mark.parametrize(
    ('fault', 'said'),
    [
        (other_weights, 'differed'),
        (other_clips, 'differed'),
        (other_gradients, 'differed'),
        (frozen_statistics, 'differed'),
        (no_capture, 'each kernel is launched alone: CUDA error: operation not permitted when stream is capturing'),
    ],
)
def test_a_graph_that_is_wrong_or_cannot_be_captured_is_not_used(monkeypatch, fault, said):
    model, stand_in, lines = graphed(monkeypatch, fault)
    assert_same(train(model), plainly_trained())
    assert len(stand_in.replays) <= 1  # in the comparison
    (line,) = lines
    assert line.startswith('no CUDA graph, ')
    assert said in line


def freeze(model):
    model.backbone.conv1.conv.weight.requires_grad_(False)


def keep_statistics(model):
    model.backbone.layer1.eval()


def move_weights(model):
    weight = model.backbone.conv1.conv.weight
    weight.data = weight.data.clone()


def watch(model):
    model.backbone.layer1.register_forward_hook(lambda *arguments: None)


@pytest.mark.parametrize('change', [freeze, keep_statistics, move_weights, watch])
def test_after_a_change_of_the_network_no_old_graph_is_replayed(monkeypatch, change):
    model, stand_in, _ = graphed(monkeypatch)
    plain = network()
    for one in (model, plain):
        train(one, [4, 4, 4])
    count = len(stand_in.replays)
    for one in (model, plain):
        change(one)
    assert_same(train(model, [4, 4]), train(plain, [4, 4]))
    assert len(stand_in.replays) == count


def test_a_network_with_hooks_is_not_captured(monkeypatch):
    model, stand_in, lines = graphed(monkeypatch)
    watch(model)
    train(model, [4, 4, 4])
    assert not stand_in.replays
    assert 'has hooks' in lines[0]


def test_only_the_full_model_on_a_gpu_is_replayed(monkeypatch):
    monkeypatch.setattr(torch.nn.Parameter, 'is_cuda', True, raising=False)

    def is_replayed(model, **settings):
        replay_graphs(model, Config({'cuda_graph': True} | settings), print)
        return isinstance(model.extract_feat, GraphedFeatures)

    class Other(type(network())):
        """A recogniser of a user."""

    other = network()
    other.__class__ = Other
    assert not is_replayed(other)
    assert not is_replayed(network(), cuda_graph=False)
    assert not is_replayed(network(), clips_at_a_time=4)  # in parts, whose gradients add up
    assert not is_replayed(network(), train_dataloader=dict(num_workers=2))  # another thread may disturb a capture
    assert is_replayed(network(), train_dataloader=dict(num_workers=0))
    monkeypatch.undo()
    assert not is_replayed(network())  # on a CPU


def test_a_fold_whose_batches_are_replayed_has_the_same_predictions(
    monkeypatch, prepared_data, tiny_override, tmp_path
):
    options = {'model.backbone.depth': 18, 'model.neck.in_channels': [8, 16, 32], 'cuda_graph': True}
    experiment = experiment_on(prepared_data, overrides=[str(tiny_override)], cfg_options=options)
    texts, stand_in = [], StandIn(monkeypatch)
    for way in ('plain', 'replayed'):
        run_network(experiment, experiment.folds[0], 0, tmp_path / way, save_checkpoints=False)
        texts.append((tmp_path / way / 'predictions.csv').read_text())
        monkeypatch.setattr(nn.Parameter, 'is_cuda', True, raising=False)
    assert stand_in.replays == [8, 8, 4, 4]  # in the second epoch
    assert texts[0] == texts[1]
    assert 'replayed as a CUDA graph for batches of 8 clips' in (tmp_path / 'replayed/train.log').read_text()


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_replays_what_it_computes_the_plain_way():
    states, lines = [], []
    for way in ('plain', 'replayed'):
        model = network('bf16').cuda()
        if way == 'replayed':
            replay_graphs(model, Config({'cuda_graph': True}), lines.append)
        states.append({name: tensor.cpu() for name, tensor in train(model, device='cuda').items()})
    assert ['replayed as a CUDA graph' in line for line in lines] == [True, True]
    torch.testing.assert_close(*states, rtol=0.02, atol=0.02)


def test_little_memory_is_no_place_for_a_graph(monkeypatch):
    gib = 2**30
    monkeypatch.setattr(torch.cuda, 'mem_get_info', lambda device: (20 * gib, 80 * gib))
    monkeypatch.setattr(torch.cuda, 'memory_reserved', lambda device: 10 * gib)
    monkeypatch.setattr(torch.cuda, 'max_memory_allocated', lambda device: 7 * gib)
    monkeypatch.setattr(torch.cuda, 'get_per_process_memory_fraction', lambda device: 0.5)
    cuda_graph.check_room(None)
    monkeypatch.setattr(torch.cuda, 'get_per_process_memory_fraction', lambda device: 0.25)
    with pytest.raises(RuntimeError, match=r'may need 28.0 GiB of memory, and 20.0 GiB are there'):
        cuda_graph.check_room(None)


def test_the_setting_is_known_and_checked():
    config = str(ROOT / 'configs/mer_smic.py')
    assert load_method(config, [], {'cuda_graph': True}).cfg.cuda_graph is True
    with pytest.raises(InputError, match="cuda_graph must be True or False, got 'auto'"):
        load_method(config, [], {'cuda_graph': 'auto'})
