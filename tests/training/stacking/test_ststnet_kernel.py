import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mer_bench.clip_random import BatchDraws, clip_keys, set_draws
from mer_bench.errors import InputError
from mer_bench.models.baselines.ststnet import STSTNet
from mer_bench.models.heads import FlatHead
from mer_bench.training.stacking.ststnet import kernel as ststnet_kernel
from mer_bench.training.stacking.ststnet.kernel import FoldState, train_fold, unavailable, unfit

CLIPS, TRAINING, SEED, FIRST = 70, 50, 7, 2
MEAN, STD = [0.1, 0.2, 0.3], [1.1, 0.9, 0.5]

compiles = pytest.mark.skipif(not any(map(shutil.which, ststnet_kernel.COMPILERS)), reason='there is no C++ compiler')


class Network(nn.Module):
    """What Recognizer3D makes of a clip, without its configs."""

    def __init__(self, num_classes: int = 3, dropout_ratio: float = 0.5, filters=(3, 5, 8)) -> None:
        super().__init__()
        torch.manual_seed(num_classes)
        self.backbone = STSTNet(filters, dropout_ratio)
        self.cls_head = FlatHead(num_classes, 400)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        clips = (clips - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        return self.cls_head(self.backbone(clips[:, :, None]))


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    set_draws(None)
    torch.set_num_threads(threads)
    ststnet_kernel._library.cache_clear()


def data(num_classes: int, fold: int = 0, length: int = TRAINING):
    """Clips with a still corner, where equal values meet in a window, their labels and keys; orders of 3 epochs."""
    draws = np.random.default_rng(fold)
    labels = torch.arange(CLIPS) % num_classes
    clips = torch.from_numpy(np.random.default_rng(0).normal(size=(CLIPS, 3, 28, 28)).astype(np.float32))
    clips[:, :, 5:15, 8:] += labels[:, None, None, None]
    clips[::3, :, :9, :12] = 0
    rows = draws.permutation(CLIPS)[:TRAINING]
    orders = np.stack([draws.permutation(rows)[:length] for _ in range(3)])
    return clips, labels, clip_keys(map(str, range(CLIPS))), orders


def train_plainly(
    model, clips, labels, keys, orders, batch_size, class_weight=None, **adam
) -> tuple[list[float], list[int]]:
    optimiser = torch.optim.Adam(model.parameters(), **adam)
    losses, right = [], []
    for epoch, order in enumerate(orders, FIRST):
        for rows in torch.from_numpy(order).split(batch_size):
            set_draws(BatchDraws(keys[rows], SEED, epoch))
            logits = model.train()(clips[rows])
            loss = F.cross_entropy(logits, labels[rows], class_weight)
            right.append(int((logits.argmax(1) == labels[rows]).sum()))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
    return losses, right


def train(
    state, clips, labels, keys, orders, batch_size=16, first_epoch=FIRST, lr=1e-3, **options
) -> tuple[np.ndarray, ...]:
    options = dict(mean=MEAN, std=STD, seed=SEED, first_epoch=first_epoch, batch_size=batch_size, lr=lr) | options
    return train_fold(clips, labels, keys, orders, state, **options)


@compiles
@pytest.mark.parametrize('fold', [0, 1])
@pytest.mark.parametrize(
    ('num_classes', 'ratio', 'batch_size', 'length', 'weighted'),
    [(3, 0.5, 16, 50, False), (7, 0.3, 13, 50, True), (5, 0.0, 64, 50, True), (4, 0.9, 16, 48, False)],
)
def test_a_trained_fold_is_that_of_pytorch(num_classes, ratio, batch_size, length, weighted, fold):
    clips, labels, keys, orders = data(num_classes, fold, length)
    weight = torch.linspace(0.5, 3, num_classes) if weighted else None
    adam = dict(lr=1e-3, weight_decay=0.01 * weighted)
    model = Network(num_classes, ratio)
    with torch.no_grad():
        model.backbone.streams[1][2].weight[2] = -0.7  # below 0 the smallest value of a window wins
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = FoldState.from_state_dict(model.state_dict())
    how = dict(class_weight=weight, dropout_ratio=ratio, **adam)
    losses, right = train(state, clips, labels, keys, orders, batch_size, **how)
    expected, expected_right = train_plainly(model, clips, labels, keys, orders, batch_size, weight, **adam)
    np.testing.assert_allclose(losses.ravel(), expected, rtol=1e-5)
    assert right.ravel().tolist() == expected_right
    for name, value in state.state_dict().items():
        assert (value - before[name]).abs().max() > 1e-3, name
        torch.testing.assert_close(value, model.state_dict()[name], rtol=1e-4, atol=1e-5, msg=name)
    held_out = np.setdiff1d(np.arange(CLIPS), orders[0])
    logits = model.eval()(clips[held_out])
    model.load_state_dict(state.state_dict())
    assert torch.equal(model(clips[held_out]).argmax(1), logits.argmax(1))


@compiles
def test_the_moments_are_those_of_adam():
    clips, labels, keys, orders = data(3)
    model = Network()
    state = FoldState.from_state_dict(model.state_dict())
    train(state, clips, labels, keys, orders[:1], batch_size=CLIPS)
    set_draws(BatchDraws(keys[orders[0]], SEED, FIRST))
    F.cross_entropy(model(clips[orders[0]]), labels[orders[0]]).backward()
    first, second = state.named(state.exp_avg), state.named(state.exp_avg_sq)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(first[name], 0.1 * parameter.grad, rtol=1e-3, atol=1e-7)
        torch.testing.assert_close(second[name], 0.001 * parameter.grad**2, rtol=2e-3, atol=1e-10)


@compiles
def test_a_training_goes_on_where_it_stood():
    clips, labels, keys, orders = data(3)
    whole, halves = (FoldState.from_state_dict(Network().state_dict()) for _ in range(2))
    losses, _ = train(whole, clips, labels, keys, orders)
    parts = [train(halves, clips, labels, keys, orders[i : i + 1], first_epoch=FIRST + i)[0] for i in range(3)]
    assert np.array_equal(losses, np.concatenate(parts))
    assert np.array_equal(whole.weights, halves.weights)
    assert halves.steps == 3 * 4


@compiles
def test_the_variance_of_values_far_from_zero_is_exact():
    clips, labels, keys, orders = data(3)
    model = Network()
    with torch.no_grad():
        model.backbone.streams[0][0].bias.fill_(300)
    state = FoldState.from_state_dict(model.state_dict())
    train(state, clips, labels, keys, orders[:1], batch_size=CLIPS)
    norm = nn.BatchNorm2d(3).double()
    inputs = (clips[orders[0]] - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    norm(model.backbone.streams[0][0].double()(inputs.double()).relu())
    torch.testing.assert_close(torch.from_numpy(state.running[1, :3]), norm.running_var.float(), rtol=1e-4, atol=0)


@compiles
def test_nan_is_not_hidden():
    clips, labels, keys, orders = data(3)
    clips[orders[0, 3], 1, 20, 20] = torch.nan
    losses, _ = train(FoldState.from_state_dict(Network().state_dict()), clips, labels, keys, orders[:1])
    assert np.isnan(losses).all()


@compiles
@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (dict(orders=np.array([[0, CLIPS]])), 'orders'),
        (dict(labels=torch.full((CLIPS,), 3)), 'labels'),
        (dict(keys=torch.zeros(2, dtype=torch.int32)), 'keys'),
        (dict(dropout_ratio=1.0), 'dropout'),
        (dict(class_weight=[1.0, 2.0]), 'weight'),
    ],
)
def test_what_the_kernel_would_read_out_of_bounds_is_refused(change, words):
    names = ('clips', 'labels', 'keys', 'orders')
    with pytest.raises(ValueError, match=words):
        train(FoldState.from_state_dict(Network().state_dict()), **dict(zip(names, data(3), strict=True)) | change)


def test_only_the_compiled_layers_fit():
    model = Network()
    assert unfit(model) is None
    model.cls_head.dropout.p = 0.5
    assert 'no dropout' in unfit(model)
    assert '16 filters' in unfit(Network(filters=(8, 4)))
    model.backbone = nn.Identity()
    assert 'Identity' in unfit(model)


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Stands in for the compiler: its macros are in a file, its library is empty, and it notes what it does."""
    script = Path(tmp_path, 'compiler')
    build = 'echo build >> log; if [ -e broken ]; then cat broken >&2; exit 1; fi'
    script.write_text(f'#!/bin/sh\ncd {tmp_path}\ncase "$*" in *-dM*) cat macros ;; *) {build} ;; esac\n')
    script.chmod(0o755)
    Path(tmp_path, 'macros').write_text('#define __AVX2__ 1\n')
    monkeypatch.setattr(ststnet_kernel, 'COMPILERS', (str(script),))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    ststnet_kernel._library.cache_clear()
    return script


def test_a_library_is_built_once_for_each_compiler_and_cpu(compiler):
    first = ststnet_kernel.build(str(compiler))
    assert ststnet_kernel.build(str(compiler)) == first
    compiler.with_name('macros').write_text('#define __AVX512F__ 1\n')
    assert ststnet_kernel.build(str(compiler)) != first
    assert compiler.with_name('log').read_text().count('build') == 2
    assert {path.suffix for path in first.parent.iterdir()} == {'.so'}


def test_a_failed_build_is_a_reason_and_leaves_no_library(compiler):
    compiler.with_name('broken').write_text('warning: x\nkernel.cpp:3: error: unknown type\n')
    assert 'kernel.cpp:3: error: unknown type' in unavailable()
    assert not list(ststnet_kernel.cache_folder().iterdir())
    with pytest.raises(InputError, match='train without the compiled kernel'):
        train(FoldState.from_state_dict(Network().state_dict()), *data(3))


def test_a_library_that_does_not_load_is_a_reason(compiler):
    assert 'cannot be kept or loaded' in unavailable()


def test_a_cache_folder_that_cannot_be_is_a_reason(compiler, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', os.devnull)
    assert 'cannot be kept or loaded' in unavailable()


def test_no_compiler_is_a_reason(monkeypatch):
    ststnet_kernel._library.cache_clear()
    monkeypatch.setattr(ststnet_kernel, 'COMPILERS', ('no-such-compiler',))
    assert 'no C++ compiler' in unavailable()
