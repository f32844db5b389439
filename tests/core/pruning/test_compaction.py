"""Networks small enough to compact by hand; recognizers are in test_compacted_recognizers.py."""

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


def live_in(network):
    """Weights, affines and statistics that are all different, in float64."""
    generator = torch.Generator().manual_seed(0)
    network.double()
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


def difference(one, other, *shape):
    """The largest between the outputs for two clips."""
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
    live_in(network)
    return network


def test_what_is_left_is_what_was_alive():
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


def test_the_network_is_left_as_it_was_and_shares_nothing():
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


def test_a_norm_that_turns_a_dead_filter_into_a_constant_keeps_it():
    network = chain()
    kill([network[0], network[1]], [0, 2])
    with torch.no_grad():
        network[1].get_parameter("bias")[2] = 0.5
    compacted = compact(network, (2, 5, 5))
    assert compacted[0].out_channels == compacted[1].num_features == compacted[3].in_channels == 3
    assert difference(network, compacted, 2, 5, 5) < 1e-12


class Residual(nn.Module):
    """A stem of six channels, a block that narrows to four, and a classifier."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv1d(2, 6, 3, bias=False), nn.BatchNorm1d(6))
        self.down = nn.Sequential(nn.Conv1d(6, 4, 1, bias=False), nn.BatchNorm1d(4))
        self.up = nn.Sequential(nn.Conv1d(4, 6, 1, bias=False), nn.BatchNorm1d(6))
        self.head = nn.Linear(6, 3)
        live_in(self)

    def forward(self, x):
        x = self.stem(x).relu_()
        x = self.up(self.down(x).relu_()).add_(x).relu_()
        return self.head(x.mean(dim=2))


def test_a_stream_keeps_what_any_of_its_writers_writes():
    network = Residual()
    kill(network.stem, [0, 1, 2])
    kill(network.up, [1, 2, 3])
    kill(network.down, [3])
    compacted = compact(network, (2, 8))
    # Channels 1 and 2 are written by none.
    assert compacted.stem[0].weight.equal(network.stem[0].weight[[0, 3, 4, 5]])
    assert compacted.up[0].weight.equal(network.up[0].weight[[0, 3, 4, 5]][:, :3])
    assert compacted.head.weight.equal(network.head.weight[:, [0, 3, 4, 5]])
    assert difference(network, compacted, 2, 8) < 1e-12


@pytest.mark.parametrize("whole", [True, False])
def test_a_stream_goes_on_past_a_branch_that_died(whole):
    network = Residual()
    kill(network.down, range(4))
    if whole:
        kill(network.up, range(6))
    compacted = compact(network, (2, 8))
    assert compacted.stem[0].out_channels == compacted.up[0].out_channels == 6
    assert (
        compacted.down[0].out_channels == compacted.down[1].num_features == compacted.up[0].in_channels == 1
    )
    assert not any(parameter.any() for parameter in compacted.down.parameters())
    assert difference(network, compacted, 2, 8) < 1e-12
    # What is left costs the stem, the two norms of the stream and the classifier.
    cost = Cost(36 + 2 * 12 + 21, 36 * 6 + 18)
    assert measure_cost(compacted, (2, 8)) == cost == measure_cost(network, (2, 8))


def test_a_network_all_dead_still_gives_its_biases():
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
    # Three channels of the stream are alive and one of the branch: the first dead one is kept beside them.
    assert compacted.stem[0].weight.equal(network.stem[0].weight[[0, 3, 4, 5]])
    assert compacted.down[0].weight.equal(network.down[0].weight[[0, 3]][:, [0, 3, 4, 5]])
    assert difference(network, compacted, 2, 8) < 1e-12
    assert measure_cost(compacted, (2, 8)) == measure_cost(network, (2, 8))
    # Of 4 and 2 channels: the stem reads 2 by 3 positions, and 6, 8 and 8 positions are written.
    weights = 24 + 8 + 8 + 12
    held = Cost(weights + 2 * (4 + 2 + 4) + 3, 24 * 6 + (8 + 8) * 6 + 12)
    assert measure_cost(network, (2, 8), multiple=2) == held
    # No layer has more than it had.
    assert compact(network, (2, 8), multiple=4).down[0].out_channels == 4
    assert compact(network, (2, 8), multiple=16).stem[0].out_channels == 6
    with pytest.raises(InputError, match="multiple must be at least 1, but got 0"):
        compact(network, (2, 8), multiple=0)


class Concatenated(nn.Module):
    """Two branches side by side in front of one norm."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Conv2d(1, 3, 1), nn.Conv2d(1, 2, 1)
        self.norm, self.joined = nn.BatchNorm2d(5), nn.Conv2d(5, 4, 1)
        live_in(self)

    def forward(self, x):
        return self.joined(self.norm(torch.cat([self.left(x), self.right(x)], dim=1)))


@pytest.mark.parametrize(("left", "right", "kept"), [([0], [1], [1, 2, 3]), ([1], [0, 1], [0, 2, 3])])
def test_branches_side_by_side_lose_their_own_channels(left, right, kept):
    network = Concatenated()
    kill([network.left], left)
    kill([network.right], right)
    kill([network.norm], [*left, *(3 + channel for channel in right)])
    compacted = compact(network, (1, 2, 2))
    assert compacted.norm.running_var.equal(network.norm.running_var[kept])
    assert compacted.joined.weight.equal(network.joined.weight[:, kept])
    assert difference(network, compacted, 1, 2, 2) < 1e-12


class Split(nn.Module):
    """A layer whose channels part, as widths of the layers behind it say."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(1, 6, 1, bias=False)
        self.left, self.right = nn.Conv1d(4, 2, 1), nn.Conv1d(2, 2, 1)
        live_in(self)

    def forward(self, x):
        left, right = self.first(x).split([self.left.in_channels, self.right.in_channels], dim=1)
        return self.left(left) + self.right(right)


def test_a_layer_that_is_left_with_nothing_to_read_reads_one_dead_channel():
    network = Split()
    kill([network.first], [1, 4, 5])
    compacted = compact(network, (1, 3))
    assert compacted.first.weight.equal(network.first.weight[[0, 2, 3, 4]])
    assert (compacted.left.in_channels, compacted.right.in_channels) == (3, 1)
    assert difference(network, compacted, 1, 3) < 1e-12
    assert measure_cost(compacted, (1, 3)) == measure_cost(network, (1, 3))


def test_flattened_channels_leave_a_classifier():
    network = nn.Sequential(nn.Conv2d(1, 4, 1, bias=False), nn.Flatten(), nn.Linear(4 * 6, 5))
    live_in(network)
    kill([network[0]], [2])
    compacted = compact(network, (1, 2, 3))
    assert compacted[2].in_features == 18
    assert difference(network, compacted, 1, 2, 3) < 1e-12


def test_groups_lose_equally_many_channels():
    network = nn.Sequential(
        nn.Conv1d(2, 6, 1, bias=False), nn.Conv1d(6, 8, 3, groups=2), nn.Conv1d(8, 2, 1, bias=False)
    )
    live_in(network)
    kill([network[0]], [1, 5])
    kill([network[1]], [0, 2, 6, 7])
    compacted = compact(network, (2, 5))
    layer = compacted[1]
    assert (layer.in_channels, layer.out_channels, layer.groups) == (4, 4, 2)
    # Of channels 0 1 2 | 3 4 5 the first group reads 0 and 2, the second 3 and 4.
    assert layer.weight[:2].equal(network[1].get_parameter("weight")[[1, 3]][:, [0, 2]])
    assert layer.weight[2:].equal(network[1].get_parameter("weight")[[4, 5]][:, [0, 1]])
    assert difference(network, compacted, 2, 5) < 1e-12
    kill([network[1]], [1])
    with pytest.raises(
        InputError, match="groups of 1 must keep equally many channels, but got 2 to 1, 2 to 2"
    ):
        compact(network, (2, 5))


def test_a_depthwise_convolution_loses_groups():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1, bias=False), nn.Conv2d(4, 4, 3, groups=4, bias=False), nn.Conv2d(4, 5, 1)
    )
    live_in(network)
    kill([network[0]], [0])
    compacted = compact(network, (3, 6, 7))
    assert (compacted[1].in_channels, compacted[1].out_channels, compacted[1].groups) == (3, 3, 3)
    assert difference(network, compacted, 3, 6, 7) < 1e-12
    kill([network[1]], [1])
    with pytest.raises(
        InputError, match="groups of 1 must keep equally many channels, but got 1 to 0, 1 to 1"
    ):
        compact(network, (3, 6, 7))


def test_a_layer_that_is_called_twice_loses_what_both_calls_lack():
    shared = nn.Conv2d(3, 3, 1, bias=False)
    network = nn.Sequential(nn.Conv2d(1, 3, 1, bias=False), shared, nn.ReLU(), shared, nn.Conv2d(3, 1, 1))
    live_in(network)
    kill([network[0], shared], [1])
    compacted = compact(network, (1, 2, 2))
    assert compacted[1] is compacted[3]
    assert compacted[1].weight.shape == (2, 2, 1, 1)
    assert difference(network, compacted, 1, 2, 2) < 1e-12
    live_in(network[0])
    with pytest.raises(InputError, match="1 is called more than once and must keep the same channels"):
        compact(network, (1, 2, 2))


class Scaled(nn.Module):
    """What reads ``[B, 4, H, W]`` with a parameter of its own for every channel."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4, 1, 1))

    def forward(self, x):
        return self.scale * x


@pytest.mark.parametrize(
    ("own", "told"), [(Scaled(), "size of tensor a"), (nn.PReLU(4), "parameter numbers")]
)
def test_parameters_for_every_channel_elsewhere_are_refused(own, told):
    block = nn.Sequential(nn.ReLU(), own)
    network = nn.Sequential(nn.Conv2d(1, 4, 1, bias=False), block, nn.Conv2d(4, 2, 1, bias=False))
    live_in(network)
    assert difference(compact(network, (1, 2, 2)), network, 1, 2, 2) == 0
    kill([network[0]], [1])
    with pytest.raises(InputError, match=rf"1\.1 must work without the dead channels .* but got .*{told}"):
        compact(network, (1, 2, 2))


def test_a_function_that_makes_something_of_zero_is_refused():
    network = nn.Sequential(nn.Conv2d(1, 4, 1, bias=False), nn.Sigmoid(), nn.Conv2d(4, 2, 1, bias=False))
    live_in(network)
    kill([network[0]], [1])
    with pytest.raises(
        InputError, match="must put out the same without its dead channels, but got a difference"
    ):
        compact(network, (1, 2, 2))


def test_outputs_that_would_lose_channels_are_refused():
    network = chain()
    kill([network[3]], [1])
    with pytest.raises(InputError, match=r"keep their shape \(1, 3, 5, 5\), but got \(1, 2, 5, 5\)"):
        compact(network, (2, 5, 5))


def test_a_norm_that_nothing_reads_keeps_what_it_reads():
    class Unread(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv1d(2, 3, 1, bias=False), nn.BatchNorm1d(3)

        def forward(self, x):
            self.norm(self.conv(x))
            return x

    network = Unread()
    live_in(network)
    kill([network.conv], [1])
    compacted = compact(network, (2, 4))
    assert compacted.conv.out_channels == compacted.norm.num_features == 3
