"""Compaction of small networks, with results derived by hand; test_compacted_recognizers.py has the rest."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from autohier.core.pruning import Cost, compact, measure_cost
from autohier.errors import InputError


def kill(layers, channels):
    with torch.no_grad():
        for layer in layers:
            for parameter in layer.parameters():
                parameter[list(channels)] = 0.0


def randomise(network):
    """Set weights, affines and statistics to different positive values, in float64."""
    generator = torch.Generator().manual_seed(0)
    network.double()
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


def difference(one, other, *shape):
    """Return the largest difference between the outputs of two networks, for two clips."""
    clips = torch.randn((2, *shape), generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    with torch.no_grad():
        return float((one(clips) - other(clips)).abs().max())


def chain(num_inner=4):
    network = nn.Sequential(
        nn.Conv2d(2, num_inner, 3, padding=1),
        nn.BatchNorm2d(num_inner),
        nn.ReLU(),
        nn.Conv2d(num_inner, 3, 1, bias=False),
    )
    randomise(network)
    return network


def test_only_alive_channels_remain():
    network = chain()
    kill([network[0], network[1]], [0, 2])
    compacted = compact(network, (2, 5, 5))
    before, after = network.state_dict(), compacted.state_dict()
    for name in ("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"):
        assert after[name].equal(before[name][[1, 3]])
    assert after["3.weight"].equal(before["3.weight"][:, [1, 3]])
    assert after["1.num_batches_tracked"].equal(before["1.num_batches_tracked"])
    assert repr(compacted) == repr(chain(num_inner=2))
    assert difference(network, compacted, 2, 5, 5) < 1e-12


def test_the_network_is_not_changed_and_shares_no_memory():
    network = chain().train()
    network[1].eval()
    network[3].requires_grad_(requires_grad=False)
    kill([network[0], network[1]], [0])
    before, generator = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    with torch.inference_mode():
        compacted = compact(network, (2, 5, 5))
    assert all(tensor.equal(before[name]) for name, tensor in network.state_dict().items())
    assert torch.get_rng_state().equal(generator)
    memory = {tensor.untyped_storage().data_ptr() for tensor in network.state_dict().values()}
    assert not memory & {tensor.untyped_storage().data_ptr() for tensor in compacted.state_dict().values()}
    for each in (network, compacted):
        assert [module.training for module in each.modules()] == [True, True, False, True, True]
        assert [bool(parameter.requires_grad) for parameter in each.parameters()] == [True] * 4 + [False]
    compacted(torch.randn(2, 2, 5, 5, dtype=torch.float64)).mean().backward()


def test_a_zero_filter_stays_if_its_norm_emits_a_constant():
    network = chain()
    kill([network[0], network[1]], [0, 2])
    with torch.no_grad():
        network[1].get_parameter("bias")[2] = 0.5
    compacted = compact(network, (2, 5, 5))
    assert compacted[0].out_channels == compacted[1].num_features == compacted[3].in_channels == 3
    assert difference(network, compacted, 2, 5, 5) < 1e-12


class Residual(nn.Module):
    """A stem of six channels, a bottleneck block of four, and a classifier."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv1d(2, 6, 3, bias=False), nn.BatchNorm1d(6))
        self.down = nn.Sequential(nn.Conv1d(6, 4, 1, bias=False), nn.BatchNorm1d(4))
        self.up = nn.Sequential(nn.Conv1d(4, 6, 1, bias=False), nn.BatchNorm1d(6))
        self.head = nn.Linear(6, 3)
        randomise(self)

    def forward(self, x):
        x = self.stem(x).relu_()
        x = self.up(self.down(x).relu_()).add_(x).relu_()
        return self.head(x.mean(dim=2))


def test_a_stream_keeps_the_channels_that_any_layer_writes():
    network = Residual()
    kill(network.stem, [0, 1, 2])
    kill(network.up, [1, 2, 3])
    kill(network.down, [3])
    compacted = compact(network, (2, 8))
    # No layer writes channels 1 and 2.
    assert compacted.stem[0].weight.equal(network.stem[0].weight[[0, 3, 4, 5]])
    assert compacted.up[0].weight.equal(network.up[0].weight[[0, 3, 4, 5]][:, :3])
    assert compacted.head.weight.equal(network.head.weight[:, [0, 3, 4, 5]])
    assert difference(network, compacted, 2, 8) < 1e-12


@pytest.mark.parametrize("all_dead", [True, False])
def test_a_stream_passes_a_dead_branch(all_dead):
    network = Residual()
    kill(network.down, range(4))
    if all_dead:
        kill(network.up, range(6))
    compacted = compact(network, (2, 8))
    assert compacted.stem[0].out_channels == compacted.up[0].out_channels == 6
    assert (
        compacted.down[0].out_channels == compacted.down[1].num_features == compacted.up[0].in_channels == 1
    )
    assert not any(parameter.any() for parameter in compacted.down.parameters())
    assert difference(network, compacted, 2, 8) < 1e-12
    # The cost is that of the stem, the two norms of the stream and the classifier.
    cost = Cost(36 + 2 * 12 + 21, 36 * 6 + 18)
    assert measure_cost(compacted, (2, 8)) == cost == measure_cost(network, (2, 8))


def test_a_dead_network_still_outputs_the_biases_of_its_classifier():
    network = Residual()
    for pair in (network.stem, network.down, network.up):
        kill(pair, range(len(pair[0].weight)))
    compacted = compact(network, (2, 8))
    assert [compacted.stem[0].out_channels, compacted.up[0].out_channels, compacted.head.in_features] == [
        1,
        1,
        1,
    ]
    assert difference(network, compacted, 2, 8) < 1e-12


def test_widths_can_be_multiples():
    network = Residual()
    kill(network.stem, [0, 1, 2])
    kill(network.up, [0, 1, 2])
    kill(network.down, [0, 1, 2])
    compacted = compact(network, (2, 8), multiple=2)
    # Three channels of the stream and one of the branch are alive: each also keeps its first dead channel.
    assert compacted.stem[0].weight.equal(network.stem[0].weight[[0, 3, 4, 5]])
    assert compacted.down[0].weight.equal(network.down[0].weight[[0, 3]][:, [0, 3, 4, 5]])
    assert difference(network, compacted, 2, 8) < 1e-12
    assert measure_cost(compacted, (2, 8)) == measure_cost(network, (2, 8))
    # Widths 4 (stream) and 2 (branch); the stem has 2 channels and kernel 3; layers write 6 positions.
    weights = 24 + 8 + 8 + 12
    expected = Cost(weights + 2 * (4 + 2 + 4) + 3, 24 * 6 + (8 + 8) * 6 + 12)
    assert measure_cost(network, (2, 8), multiple=2) == expected
    # No layer becomes wider than before.
    assert compact(network, (2, 8), multiple=4).down[0].out_channels == 4
    assert compact(network, (2, 8), multiple=16).stem[0].out_channels == 6
    with pytest.raises(InputError, match="multiple must be at least 1, but got 0"):
        compact(network, (2, 8), multiple=0)


class Concatenated(nn.Module):
    """Two parallel branches before one norm."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Conv2d(1, 3, 1), nn.Conv2d(1, 2, 1)
        self.norm, self.joined = nn.BatchNorm2d(5), nn.Conv2d(5, 4, 1)
        randomise(self)

    def forward(self, x):
        return self.joined(self.norm(torch.cat([self.left(x), self.right(x)], dim=1)))


@pytest.mark.parametrize(("left", "right", "kept"), [([0], [1], [1, 2, 3]), ([1], [0, 1], [0, 2, 3])])
def test_parallel_branches_lose_their_own_channels(left, right, kept):
    network = Concatenated()
    kill([network.left], left)
    kill([network.right], right)
    kill([network.norm], [*left, *(3 + channel for channel in right)])
    compacted = compact(network, (1, 2, 2))
    assert compacted.norm.running_var.equal(network.norm.running_var[kept])
    assert compacted.joined.weight.equal(network.joined.weight[:, kept])
    assert difference(network, compacted, 1, 2, 2) < 1e-12


class Split(nn.Module):
    """A layer whose output is split by the widths of the two layers after it."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(1, 6, 1, bias=False)
        self.left, self.right = nn.Conv1d(4, 2, 1), nn.Conv1d(2, 2, 1)
        randomise(self)

    def forward(self, x):
        left, right = self.first(x).split([self.left.in_channels, self.right.in_channels], dim=1)
        return self.left(left) + self.right(right)


def test_a_layer_whose_inputs_are_all_dead_keeps_one_of_them():
    network = Split()
    kill([network.first], [1, 4, 5])
    compacted = compact(network, (1, 3))
    assert compacted.first.weight.equal(network.first.weight[[0, 2, 3, 4]])
    assert (compacted.left.in_channels, compacted.right.in_channels) == (3, 1)
    assert difference(network, compacted, 1, 3) < 1e-12
    assert measure_cost(compacted, (1, 3)) == measure_cost(network, (1, 3))


def test_a_classifier_loses_all_positions_of_a_flattened_channel():
    network = nn.Sequential(nn.Conv2d(1, 4, 1, bias=False), nn.Flatten(), nn.Linear(4 * 6, 5))
    randomise(network)
    kill([network[0]], [2])
    compacted = compact(network, (1, 2, 3))
    assert compacted[2].in_features == 18
    assert difference(network, compacted, 1, 2, 3) < 1e-12


def test_groups_must_lose_equal_numbers_of_channels():
    network = nn.Sequential(
        nn.Conv1d(2, 6, 1, bias=False), nn.Conv1d(6, 8, 3, groups=2), nn.Conv1d(8, 2, 1, bias=False)
    )
    randomise(network)
    kill([network[0]], [1, 5])
    kill([network[1]], [0, 2, 6, 7])
    compacted = compact(network, (2, 5))
    layer = compacted[1]
    assert (layer.in_channels, layer.out_channels, layer.groups) == (4, 4, 2)
    # The groups read channels 0 1 2 | 3 4 5, of which 0 and 2 | 3 and 4 remain.
    assert layer.weight[:2].equal(network[1].get_parameter("weight")[[1, 3]][:, [0, 2]])
    assert layer.weight[2:].equal(network[1].get_parameter("weight")[[4, 5]][:, [0, 1]])
    assert difference(network, compacted, 2, 5) < 1e-12
    kill([network[1]], [1])
    with pytest.raises(
        InputError, match="groups of 1 must keep equal numbers of channels, but got 2 to 1, 2 to 2"
    ):
        compact(network, (2, 5))


def test_a_depthwise_convolution_loses_whole_groups():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1, bias=False), nn.Conv2d(4, 4, 3, groups=4, bias=False), nn.Conv2d(4, 5, 1)
    )
    randomise(network)
    kill([network[0]], [0])
    compacted = compact(network, (3, 6, 7))
    assert (compacted[1].in_channels, compacted[1].out_channels, compacted[1].groups) == (3, 3, 3)
    assert difference(network, compacted, 3, 6, 7) < 1e-12
    kill([network[1]], [1])
    with pytest.raises(
        InputError, match="groups of 1 must keep equal numbers of channels, but got 1 to 0, 1 to 1"
    ):
        compact(network, (3, 6, 7))


def test_a_layer_that_is_called_twice_must_lose_the_same_channels():
    shared = nn.Conv2d(3, 3, 1, bias=False)
    network = nn.Sequential(nn.Conv2d(1, 3, 1, bias=False), shared, nn.ReLU(), shared, nn.Conv2d(3, 1, 1))
    randomise(network)
    kill([network[0], shared], [1])
    compacted = compact(network, (1, 2, 2))
    assert compacted[1] is compacted[3]
    assert compacted[1].weight.shape == (2, 2, 1, 1)
    assert difference(network, compacted, 1, 2, 2) < 1e-12
    randomise(network[0])
    with pytest.raises(InputError, match="1 is called more than once and must keep the same channels"):
        compact(network, (1, 2, 2))


class Scaled(nn.Module):
    """Layer for inputs ``[B, 4, H, W]`` with its own parameter for every channel."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4, 1, 1))

    def forward(self, x):
        return self.scale * x


@pytest.mark.parametrize(
    ("layer", "fault"), [(Scaled(), "size of tensor a"), (nn.PReLU(4), "parameter numbers")]
)
def test_other_layers_with_parameters_per_channel_are_refused(layer, fault):
    block = nn.Sequential(nn.ReLU(), layer)
    network = nn.Sequential(nn.Conv2d(1, 4, 1, bias=False), block, nn.Conv2d(4, 2, 1, bias=False))
    randomise(network)
    assert difference(compact(network, (1, 2, 2)), network, 1, 2, 2) == 0
    kill([network[0]], [1])
    with pytest.raises(InputError, match=rf"layer 1\.1 must work once .* but got .*{fault}"):
        compact(network, (1, 2, 2))


def test_an_activation_with_a_nonzero_value_at_zero_is_refused():
    network = nn.Sequential(nn.Conv2d(1, 4, 1, bias=False), nn.Sigmoid(), nn.Conv2d(4, 2, 1, bias=False))
    randomise(network)
    kill([network[0]], [1])
    with pytest.raises(
        InputError, match="must have the same outputs without its dead channels, but got a difference"
    ):
        compact(network, (1, 2, 2))


def test_removing_channels_of_the_output_is_refused():
    network = chain()
    kill([network[3]], [1])
    with pytest.raises(InputError, match=r"keep their shape \(1, 3, 5, 5\), but got \(1, 2, 5, 5\)"):
        compact(network, (2, 5, 5))


def test_a_norm_without_readers_keeps_its_channels():
    class Unread(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv1d(2, 3, 1, bias=False), nn.BatchNorm1d(3)

        def forward(self, x):
            self.norm(self.conv(x))
            return x

    network = Unread()
    randomise(network)
    kill([network.conv], [1])
    compacted = compact(network, (2, 4))
    assert compacted.conv.out_channels == compacted.norm.num_features == 3
