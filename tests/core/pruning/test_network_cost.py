import copy
import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from autohier.core.pruning import Cost, FilterMasks, choose_filters, measure_cost
from autohier.models.convolutional.inflated_resnet import InflatedResNet
from autohier.models.hierarchical import HierarchicalRecognizer


def kill(convolution: nn.Module, norm: nn.Module | None, filters: Sequence[int]) -> None:
    with torch.no_grad():
        for layer in (convolution, norm):
            for parameter in () if layer is None else layer.parameters():
                parameter[list(filters)] = 0.0


def kill_pair(pair: nn.Module, filters: Sequence[int]) -> None:
    convolution, norm = pair.children()
    kill(convolution, norm, filters)


class Chain(nn.Module):
    """Two convolutions and a classifier of the given widths."""

    def __init__(self, num_first: int, num_second: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, num_first, 3, padding=1, stride=(1, 2, 2), bias=False)
        self.bn1 = nn.BatchNorm3d(num_first)
        self.conv2 = nn.Conv3d(num_first, num_second, (3, 1, 1), bias=False)
        self.bn2 = nn.BatchNorm3d(num_second)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(num_second, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.bn1(self.conv1(x)))
        x = nn.functional.max_pool3d(self.bn2(self.conv2(x)).relu(), (1, 2, 2))
        scores: Tensor = self.head(self.dropout(x.mean(dim=(2, 3, 4))))
        return scores


CLIP = (3, 4, 8, 12)


def chain_cost(num_first: int, num_second: int) -> Cost:
    # conv1 writes 4 x 4 x 6 positions, conv2 2 x 4 x 6.
    first, second, head = 3 * 27 * num_first, num_first * 3 * num_second, num_second * 7
    parameters = first + 2 * num_first + second + 2 * num_second + head + 7
    return Cost(parameters, first * 96 + second * 48 + head)


def test_all_weights_and_multiply_adds_of_an_unpruned_network_count() -> None:
    assert measure_cost(Chain(5, 6), CLIP) == chain_cost(5, 6)


def test_dead_filters_save_the_weights_that_write_and_read_them() -> None:
    network = Chain(5, 6)
    kill(network.conv1, network.bn1, [0, 3])
    kill(network.conv2, network.bn2, [5])
    assert measure_cost(network, CLIP) == chain_cost(3, 5) == measure_cost(Chain(3, 5), CLIP)


def test_a_zero_filter_whose_batch_norm_emits_a_constant_is_not_dead() -> None:
    network = Chain(5, 6)
    kill(network.conv1, None, [0, 3])
    with torch.no_grad():
        network.bn1.weight[[0, 3]] = 0.0
        network.bn1.bias[[0, 3]] = -0.5
    assert measure_cost(network, CLIP) == chain_cost(5, 6)


def test_a_batch_norm_initialised_to_zero_does_not_make_its_filters_dead() -> None:
    network = Chain(5, 6)
    nn.init.zeros_(network.bn2.weight)
    assert measure_cost(network, CLIP) == chain_cost(5, 6)


def test_a_dead_network_keeps_the_biases_of_its_classifier() -> None:
    network = Chain(5, 6)
    kill(network.conv1, network.bn1, range(5))
    kill(network.conv2, network.bn2, range(6))
    assert measure_cost(network, CLIP) == Cost(7, 0)


class Residual(nn.Module):
    """A stem and two bottlenecks on one stream; all kernels have size 1."""

    def __init__(self, num_stream: int, *num_inner: int) -> None:
        super().__init__()
        self.stem = self.pair(2, num_stream)
        self.down = nn.ModuleList(self.pair(num_stream, each) for each in num_inner)
        self.up = nn.ModuleList(self.pair(each, num_stream) for each in num_inner)
        self.head = nn.Linear(num_stream, 3)

    @staticmethod
    def pair(num_read: int, num_written: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(num_read, num_written, 1, bias=False), nn.BatchNorm2d(num_written))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        for down, up in zip(self.down, self.up, strict=True):
            out = up(down(x).relu_())
            out += x
            x = nn.functional.relu(out, inplace=True)
        scores: Tensor = self.head(x.mean(dim=(2, 3)))
        return scores


def residual_cost(num_stream: int, *num_inner: int) -> Cost:
    weights = 2 * num_stream + sum(2 * num_stream * each for each in num_inner)
    affines = 2 * num_stream + sum(2 * each + 2 * num_stream for each in num_inner)
    head = 3 * num_stream
    return Cost(weights + affines + head + 3, weights * 5 * 5 + head)


def test_dead_channels_inside_a_block_are_not_counted() -> None:
    network = Residual(8, 4, 6)
    kill_pair(network.down[0], [1])
    kill_pair(network.down[1], [0, 2, 5])
    assert (
        measure_cost(network, (2, 5, 5))
        == residual_cost(8, 3, 3)
        == measure_cost(Residual(8, 3, 3), (2, 5, 5))
    )


@pytest.mark.parametrize("alive_writer", ["stem", "first", "second"])
def test_a_channel_of_the_stream_stays_while_one_writer_is_alive(alive_writer: str) -> None:
    # The stream has one width: all its layers write and read the channel, before and after the alive writer.
    network = Residual(8, 4, 6)
    writers = {"stem": network.stem, "first": network.up[0], "second": network.up[1]}
    for name, writer in writers.items():
        if name != alive_writer:
            kill_pair(writer, [2, 7])
    assert measure_cost(network, (2, 5, 5)) == residual_cost(8, 4, 6)


def test_a_channel_of_the_stream_is_dead_if_all_its_writers_are() -> None:
    network = Residual(8, 4, 6)
    for writer in (network.stem, network.up[0], network.up[1]):
        kill_pair(writer, [2, 7])
    assert (
        measure_cost(network, (2, 5, 5))
        == residual_cost(6, 4, 6)
        == measure_cost(Residual(6, 4, 6), (2, 5, 5))
    )


def test_grouped_convolutions_are_counted_group_by_group() -> None:
    # The groups read channels 0 1 2 | 3 4 5: the first reads 2 of 3 and writes 4, the second reads 3 and
    # writes 3 of 4.
    network = nn.Sequential(nn.Conv1d(1, 6, 1, bias=False), nn.Conv1d(6, 8, 3, groups=2, bias=False))
    kill(network[0], None, [1])
    kill(network[1], None, [6])
    weights = (2 * 4 + 3 * 3) * 3
    assert measure_cost(network, (1, 10)) == Cost(5 + weights, 5 * 10 + weights * 8)


def test_a_depthwise_channel_is_dead_if_its_input_is_dead() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1, bias=False),
        nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False),
        nn.Conv2d(4, 5, 1, bias=False),
    )
    kill(network[0], None, [0])
    weights = [3 * 3, 3 * 9, 3 * 5]
    assert measure_cost(network, (3, 6, 7)) == Cost(sum(weights), sum(weights) * 42)


def test_a_bias_keeps_a_zero_filter_alive() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1))
    kill(network[0], None, [1])
    with torch.no_grad():
        network[0].get_parameter("bias").fill_(1.0)
    assert measure_cost(network, (3, 1, 1)) == Cost(16 + 10, 12 + 8)
    kill(network[0], None, [1])
    assert measure_cost(network, (3, 1, 1)) == Cost(12 + 8, 9 + 6)


def test_flattened_channels_are_traced_into_a_classifier() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 1, bias=False), nn.Flatten(), nn.Linear(4 * 6, 5))
    kill(network[0], None, [2])
    assert measure_cost(network, (1, 2, 3)) == Cost(3 + 18 * 5 + 5, 3 * 6 + 18 * 5)


class Concatenated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(1, 3, 1, bias=False), nn.Conv2d(1, 2, 1, bias=False)
        self.joined = nn.Conv2d(5, 4, 1, bias=False)

    def forward(self, x: Tensor) -> dict[str, list[Tensor]]:
        return {"features": [self.joined(torch.cat([self.left(x), self.right(x)], dim=1))]}


def test_concatenated_channels_are_traced() -> None:
    network = Concatenated()
    kill(network.left, None, [0])
    kill(network.right, None, [1])
    weights = 2 + 1 + 3 * 4
    assert measure_cost(network, (1, 2, 2)) == Cost(weights, weights * 4)


def test_a_shared_layer_is_stored_once_and_computed_twice() -> None:
    shared = nn.Conv2d(3, 3, 1, bias=False)
    assert measure_cost(nn.Sequential(shared, nn.ReLU(), shared), (3, 2, 2)) == Cost(9, 2 * 9 * 4)


def test_parameters_of_other_layers_are_counted_in_full() -> None:
    network = nn.Sequential(nn.Conv1d(2, 3, 1, bias=False), nn.LayerNorm(4), nn.PReLU())
    assert measure_cost(network, (2, 4)) == Cost(6 + 8 + 1, 24)


def test_a_single_layer_is_a_network() -> None:
    assert measure_cost(nn.Linear(3, 4), (3,)) == Cost(16, 12)


@pytest.mark.parametrize("gain", [1e-6, 1e6])
def test_deep_networks_neither_overflow_nor_underflow(gain: float) -> None:
    layers = [nn.Conv1d(4, 4, 1, bias=False) for _ in range(200)]
    for layer in layers:
        nn.init.constant_(layer.weight, gain)
    kill(layers[0], None, [3])
    assert measure_cost(nn.Sequential(*layers), (4, 1)).multiply_adds == 12 + 12 + 198 * 16


def test_differences_of_live_channels_are_alive() -> None:
    class Motion(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(2, 3, 1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            moved: Tensor = self.conv(x[..., 1:] - x[..., :-1])
            return moved

    assert measure_cost(Motion(), (2, 5)) == Cost(6, 24)


def test_the_network_is_not_changed() -> None:
    network = Chain(5, 6).train()
    network.bn1.eval()
    network.register_buffer("mark", torch.tensor([1.0, math.inf]))
    before = copy.deepcopy(network.state_dict())
    modes = [module.training for module in network.modules()]
    attributes = [set(vars(module)) for module in network.modules()]
    generator = torch.get_rng_state()
    with torch.inference_mode():
        measure_cost(network, CLIP)
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())
    assert [module.training for module in network.modules()] == modes
    assert [set(vars(module)) for module in network.modules()] == attributes
    assert torch.get_rng_state().equal(generator)
    assert all(parameter.grad is None for parameter in network.parameters())
    out = network(torch.zeros(2, *CLIP))
    assert out.isfinite().all()


def test_no_convolution_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> Tensor:
        pytest.fail("a convolution was computed")

    monkeypatch.setattr(nn.functional, "conv3d", refused)
    measure_cost(Chain(5, 6), CLIP)


def test_the_inflated_resnet_has_the_published_cost() -> None:
    # Published for the inflated ResNet-18 with 60 classes and 8 frames: 33.178 M parameters and 41.3 G
    # multiply-adds.
    with torch.device("meta"):
        shape_only = HierarchicalRecognizer(InflatedResNet(18), (60,))
    network = shape_only.to_empty(device="cpu")
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    cost = measure_cost(network, (3, 8, 224, 224))
    assert cost.parameters == pytest.approx(33.178e6, abs=0.0005e6)
    assert cost.multiply_adds == pytest.approx(41.3e9, abs=0.05e9)


def test_every_pruning_pass_lowers_the_cost() -> None:
    torch.manual_seed(0)
    recognizer = InflatedResNet(50, width=0.25)
    network = HierarchicalRecognizer(recognizer, (3, 12))
    filters = recognizer.prunable_filters()
    masks = FilterMasks.all_alive(filters)
    dense = measure_cost(network, (3, 2, 32, 32))
    assert dense.parameters == sum(parameter.numel() for parameter in network.parameters())
    costs = [dense]
    for _ in range(4):
        masks = FilterMasks(choose_filters(filters, masks.alive, ratio=0.1, scope="layerwise"))
        masks.apply(filters)
        costs.append(measure_cost(network, (3, 2, 32, 32)))
    for before, after in pairwise(costs):
        assert after.parameters < before.parameters
        assert after.multiply_adds < before.multiply_adds
    # 0.656 of the filters are alive. Layers between two pruned widths keep 0.656**2 of their multiply-adds,
    # layers with one side on the stream keep 0.656.
    assert 0.656**2 < costs[-1].multiply_adds / dense.multiply_adds < 0.656
