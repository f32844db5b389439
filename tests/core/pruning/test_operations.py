"""Matrix products, gates and transposed convolutions, and layers that are refused."""

import pytest
import torch
from torch import nn

from autohier.core.pruning import Cost, FilterMasks, choose_filters, compact, load_compacted, measure_cost
from autohier.core.pruning.operations import live_products
from autohier.errors import InputError
from autohier.models.gates import ChannelGate, Gate
from autohier.models.recognizer import PrunableFilters

NAN = float("nan")


def randomise(network):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


def kill(layers, channels):
    with torch.no_grad():
        for layer in layers:
            for parameter in layer.parameters():
                parameter[list(channels)] = 0.0


def same_outputs(one, other, *shape):
    clips = torch.randn((2, *shape), generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        torch.testing.assert_close(one(clips), other(clips), rtol=1e-5, atol=1e-6)


class Attention(nn.Module):
    """Convolution whose positions attend to each other, as products of its channels."""

    def __init__(self, product):
        super().__init__()
        self.conv = nn.Conv1d(2, 4, 1, bias=False)
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 3)
        self.product = product

    def forward(self, x_BCT):
        x_BCT = self.norm(self.conv(x_BCT))
        return self.head(self.product(x_BCT).mean(dim=2))


PRODUCTS = {
    "matmul": lambda x_BCT: x_BCT @ (x_BCT.transpose(1, 2) @ x_BCT),
    "bmm": lambda x_BCT: torch.bmm(x_BCT, torch.bmm(x_BCT.transpose(1, 2), x_BCT)),
    "einsum": lambda x_BCT: torch.einsum("bct,btu->bcu", x_BCT, torch.einsum("bct,bcu->btu", x_BCT, x_BCT)),
}


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=PRODUCTS)
def test_matrix_products_are_counted(product):
    network = randomise(Attention(product))
    # Over seven frames: a convolution, two products of four channels and 7 x 7 frames, and the head.
    assert measure_cost(network, (2, 7)).multiply_adds == 2 * 4 * 7 + 2 * 4 * 7 * 7 + 4 * 3


def test_a_product_of_a_dead_channel_does_not_count():
    # Frames are gathered with fixed weights, so that each channel stays by itself.
    network = randomise(Attention(lambda x_BCT: x_BCT @ torch.ones(7, 5)))
    kill([network.conv, network.norm], [2])
    assert measure_cost(network, (2, 7)).multiply_adds == 2 * 3 * 7 + 3 * 7 * 5 + 3 * 3
    compacted = compact(network, (2, 7))
    assert measure_cost(compacted, (2, 7)) == measure_cost(network, (2, 7))


def test_a_product_counts_if_one_factor_is_alive():
    one = torch.tensor([[NAN, 1.0], [NAN, 1.0], [1.0, 1.0]])
    other = torch.tensor([[1.0, 1.0], [NAN, 1.0]])
    # Inner index 0: two live rows times both columns. Index 1: one live column times all three rows.
    assert live_products(one, other) == 2 * 2 + 3 * 1
    assert live_products(one[0], other[:, 0]) == 2
    assert live_products(one, torch.tensor([1.0, 1.0])) == 2
    assert live_products(torch.stack([one, one]), torch.stack([other, other])) == 2 * 7
    assert live_products(torch.ones(3, 2), torch.ones(2, 2)) == 0


def test_a_convolution_by_function_is_counted():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(5, 2, 3))

        def forward(self, x):
            return nn.functional.conv1d(x, self.weight)

    assert measure_cost(Functional(), (2, 9)) == Cost(30, 30 * 7)


class Gated(nn.Module):
    """Convolution whose channels pass a gate over time and a gate over channels."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 4, 1, bias=False)
        self.norm = nn.BatchNorm1d(4)
        self.frames = nn.Conv1d(4, 1, 3, padding=1)
        self.gate = Gate()
        self.squeeze = nn.Linear(4, 2)
        self.excite = ChannelGate(2, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, x_BCT):
        x_BCT = self.norm(self.conv(x_BCT)).relu()
        x_BCT = self.gate(x_BCT, self.frames(x_BCT))
        x_BCT = self.excite(self.squeeze(x_BCT.mean(dim=2)).relu(), x_BCT)
        return self.head(x_BCT.mean(dim=2))


def gated_cost(width):
    # A gate over channels has a filter and a bias for each of them.
    weights = (2 * width, 3 * width, 2 * width, 2 * width, 3 * width)
    biases = 2 * width + 1 + 2 + width + 3
    return Cost(sum(weights) + biases, 7 * (weights[0] + weights[1]) + sum(weights[2:]))


def test_a_gate_keeps_dead_channels_dead_and_loses_their_filters():
    network = randomise(Gated())
    assert measure_cost(network, (2, 7)) == gated_cost(4)
    kill([network.conv, network.norm], [1, 2])
    assert measure_cost(network, (2, 7)) == gated_cost(2)
    compacted = compact(network, (2, 7))
    assert compacted.excite.weight.equal(network.excite.weight[[0, 3]])
    same_outputs(network, compacted, 2, 7)
    rebuilt = Gated().eval()
    load_compacted(rebuilt, compacted.state_dict())
    assert repr(rebuilt) == repr(compacted)
    same_outputs(rebuilt, compacted, 2, 7)


def test_a_gate_without_weights_keeps_its_scores():
    network = randomise(Gated())
    for layer in (network.frames, network.excite):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    assert measure_cost(network, (2, 7)) == gated_cost(4)


def test_gates_scale_by_one_plus_a_sigmoid():
    x = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    doubled = Gate()(x, torch.tensor([[[0.0, 100.0]]]))
    assert doubled.tolist() == [[[1.5, 4.0], [4.5, 8.0]]]
    gate = ChannelGate(1, 2)
    gate.weight.data, gate.bias.data = torch.tensor([[0.0], [100.0]]), torch.zeros(2)
    assert gate(torch.ones(1, 1), x).tolist() == [[[1.5, 3.0], [6.0, 8.0]]]


class Upsampling(nn.Module):
    """Convolution, transposed convolution with a norm, and a head; as laterals between pathways."""

    def __init__(self, num_first=4, num_second=6, groups=1):
        super().__init__()
        self.conv = nn.Conv3d(2, num_first, 1, bias=False)
        self.norm = nn.BatchNorm3d(num_first)
        kernel, stride, padding = (7, 1, 1), (4, 1, 1), (3, 0, 0)
        self.up = nn.ConvTranspose3d(num_first, num_second, kernel, stride, padding, (3, 0, 0), groups)
        self.up_norm = nn.BatchNorm3d(num_second)
        self.head = nn.Linear(num_second, 3)

    def forward(self, x):
        x = self.norm(self.conv(x)).relu()
        x = self.up_norm(self.up(x)).relu()
        return self.head(x.mean(dim=(2, 3, 4)))


UP_CLIP = (2, 3, 2, 2)


def up_cost(num_first, num_second, groups=1):
    conv, up, head = 2 * num_first, num_first * num_second * 7 // groups, num_second * 3
    affines = 2 * num_first + 3 * num_second
    # Every weight meets each of the 3 x 2 x 2 positions that are read.
    return Cost(conv + up + head + affines + 3, 12 * (conv + up) + head)


def test_a_transposed_convolution_is_counted():
    network = randomise(Upsampling())
    assert network.up(torch.zeros(1, 4, 3, 2, 2)).shape == (1, 6, 12, 2, 2)
    assert measure_cost(network, UP_CLIP) == up_cost(4, 6)
    assert measure_cost(randomise(Upsampling(groups=2)), UP_CLIP) == up_cost(4, 6, groups=2)


def test_a_transposed_convolution_is_pruned_and_compacted():
    network = randomise(Upsampling())
    filters = [
        PrunableFilters("conv", network.conv, network.norm),
        PrunableFilters("up", network.up, network.up_norm),
    ]
    with torch.no_grad():
        # Filters of a transposed convolution are columns: the second and the last are the weakest.
        network.up.weight[:, [1, 5]] *= 0.01
        network.conv.weight[2] *= 0.01
    alive = choose_filters(filters, FilterMasks.all_alive(filters).alive, ratio=0.3, scope="layerwise")
    assert (~alive["up"]).nonzero().flatten().tolist() == [1, 5]
    FilterMasks(alive).apply(filters)
    assert not network.up.weight[:, [1, 5]].any()
    assert network.up.weight[:, [0, 2, 3, 4]].all()
    assert measure_cost(network, UP_CLIP) == up_cost(3, 4)
    compacted = compact(network, UP_CLIP)
    assert (compacted.up.in_channels, compacted.up.out_channels) == (3, 4)
    assert compacted.up.weight.equal(network.up.weight[[0, 1, 3]][:, [0, 2, 3, 4]])
    same_outputs(network, compacted, *UP_CLIP)
    rebuilt = Upsampling().eval()
    load_compacted(rebuilt, compacted.state_dict())
    assert repr(rebuilt) == repr(compacted)
    same_outputs(rebuilt, compacted, *UP_CLIP)


def test_groups_of_a_transposed_convolution_are_compacted():
    network = randomise(Upsampling(groups=2))
    kill([network.conv, network.norm], [0, 3])
    with torch.no_grad():
        # Filters 1 and 5, one in each group of three.
        network.up.weight[:2, 1] = network.up.weight[2:, 2] = 0.0
    for tensor in (network.up.bias, network.up_norm.weight, network.up_norm.bias):
        tensor.data[[1, 5]] = 0.0
    compacted = compact(network, UP_CLIP)
    assert compacted.up.weight.shape == (2, 2, 7, 1, 1)
    assert measure_cost(compacted, UP_CLIP) == up_cost(2, 4, groups=2) == measure_cost(network, UP_CLIP)
    same_outputs(network, compacted, *UP_CLIP)
    rebuilt = Upsampling(groups=2).eval()
    load_compacted(rebuilt, compacted.state_dict())
    assert repr(rebuilt) == repr(compacted)


def test_filters_of_a_grouped_transposed_convolution_are_not_chosen():
    network = Upsampling(groups=2)
    filters = [PrunableFilters("up", network.up, network.up_norm)]
    with pytest.raises(InputError, match=r"must have one group, but got 2 groups of up"):
        choose_filters(filters, FilterMasks.all_alive(filters).alive, ratio=0.1, scope="global")


class Recurrent(nn.LSTM):
    """Layer of a package, derived from torch's."""


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (nn.LSTM(4, 5), "LSTM"),
        (nn.GRU(4, 5), "GRU"),
        (Recurrent(4, 5), "Recurrent"),
        (nn.MultiheadAttention(4, 2), "MultiheadAttention"),
        (nn.Bilinear(4, 4, 3), "Bilinear"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_layer_that_cannot_be_counted_is_refused_by_name(layer, name):
    network = nn.Sequential(nn.Linear(4, 4), nn.ModuleDict({"deep": layer}))
    message = f"every layer with weights must be one .* but got {name} at 1.deep: use convolutions"
    with pytest.raises(InputError, match=message):
        measure_cost(network, (4,))
    with pytest.raises(InputError, match=message):
        compact(network, (4,))


def test_attention_by_function_is_refused_by_name():
    def attend(x_BCT):
        x_B1TC = x_BCT.transpose(1, 2)[:, None].contiguous()
        return nn.functional.scaled_dot_product_attention(x_B1TC, x_B1TC, x_B1TC)[:, 0].transpose(1, 2)

    attention = Attention(attend)
    with pytest.raises(InputError, match="whose multiply-adds can be counted, but got scaled_dot_product"):
        measure_cost(attention, (2, 7))
