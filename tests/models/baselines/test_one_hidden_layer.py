import torch

from mer_bench.models.baselines.one_hidden_layer import OneHiddenLayer


def test_it_is_a_linear_layer_and_relu_on_all_values():
    net = OneHiddenLayer(2 * 3 * 3, hidden=4)
    clips = torch.randn(5, 2, 1, 3, 3)
    layer = net.layers[1]
    assert torch.equal(net(clips), (clips.flatten(1) @ layer.weight.T + layer.bias).clamp(min=0))
    assert sum(p.numel() for p in net.parameters()) == 18 * 4 + 4
