"""PoseConv3D: compared with published counts; receptive field; options."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from autohier.core.pruning import FilterMasks, choose_filters, measure_cost
from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.convolutional.pose_conv3d import PoseSlowOnly
from support.networks.network_counts import millions, multiply_adds, on_meta
from support.networks.plain_residual import convolved, pooled_by_hand, stack_by_hand


def test_parameters_are_the_published_ones():
    assert millions(on_meta("pose-slowonly")) == 2.025


@pytest.mark.parametrize(
    ("num_frames", "size_px", "giga_multiply_adds"), [(48, 56, 15.63), (48, 64, 20.42), (32, 56, 10.42)]
)
def test_multiply_adds_are_the_published_ones(num_frames, size_px, giga_multiply_adds):
    counted = multiply_adds(on_meta("pose-slowonly"), (1, 17, num_frames, size_px, size_px))
    assert round(counted / 1e9, 2) == giga_multiply_adds


def parameters_by_hand(base, num_blocks):
    """Return the parameters for 17 maps and 60 classes; a norm has two per channel."""
    total, read = 17 * 49 * base + 2 * base, base
    for inner, blocks, frames_seen in zip((base, 2 * base, 4 * base), num_blocks, (1, 3, 3), strict=True):
        written = 4 * inner
        total += read * written + 2 * written  # the shortcut of the first block
        for _ in range(blocks):
            total += frames_seen * read * inner + 9 * inner * inner + inner * written
            total += 2 * (inner + inner + written)
            read = written
    return total + 60 * read + 60


@pytest.mark.parametrize(
    ("name", "base", "num_blocks", "num_millions"),
    [
        ("pose-slowonly", 32, (4, 6, 3), 2.025),
        ("pose-slowonly-small", 16, (4, 6, 3), 0.524),
        ("pose-slowonly-shallow", 32, (2, 3, 2), 1.269),
    ],
)
def test_parameters_of_the_variants_by_hand(name, base, num_blocks, num_millions):
    network = on_meta(name)
    assert sum(each.numel() for each in network.parameters()) == parameters_by_hand(base, num_blocks)
    assert millions(network) == num_millions


def test_small_and_shallow_are_options_of_one_network():
    shallow = build_recognizer("pose-slowonly", num_classes=3, seed=1, width=0.25, num_blocks=(2, 3, 2))
    named = build_recognizer("pose-slowonly-shallow", num_classes=3, seed=1, width=0.25)
    assert all(
        torch.equal(*pair)
        for pair in zip(shallow.state_dict().values(), named.state_dict().values(), strict=True)
    )


def test_each_stack_halves_space_and_the_last_halves_time():
    network = PoseSlowOnly().to("meta")
    shapes = []
    for stage in (network.conv1, network.layer1, network.layer2, network.layer3):
        stage.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape)))
    network.forward_stacks(torch.empty(1, 17, 8, 56, 48, device="meta"))
    assert shapes == [
        (1, 32, 8, 56, 48),
        (1, 128, 8, 28, 24),
        (1, 256, 8, 14, 12),
        (1, 512, 4, 7, 6),
    ]


@torch.no_grad()
def test_the_receptive_field_in_time_follows_from_the_3x1x1_kernels():
    # Stack 1 has none; each of the six blocks of stack 2 has one, so they reach six frames on either side.
    network = PoseSlowOnly(width=0.25).eval()
    clip = torch.randn(1, 17, 12, 16, 16)
    other = clip.clone()
    other[:, :, 0] += 1.0
    seen = []
    for stack in (network.layer1, network.layer2):
        stack.register_forward_hook(lambda _, __, out: seen.append(out))
    network.forward_stacks(clip)
    network.forward_stacks(other)
    changed = [(seen[stack] != seen[stack + 2]).any(dim=(0, 1, 3, 4)).tolist() for stack in (0, 1)]
    assert changed == [[True] + [False] * 11, [True] * 7 + [False] * 5]


def features_by_hand(network, clip, *, pool):
    """Pass a clip through the stem and the bottlenecks as PYSKL's SlowOnly defines them."""
    state = network.state_dict()
    x = convolved(state, "conv1", "bn1", clip).clamp_min(0)
    x = pooled_by_hand(x) if pool else x
    features = []
    for stack, num_blocks, stride in ((1, 4, (1, 2, 2)), (2, 6, (1, 2, 2)), (3, 3, (2, 2, 2))):
        x = stack_by_hand(state, f"layer{stack}", num_blocks, stride, x)
        features.append(x.mean(dim=(2, 3, 4)))
    return features


@torch.no_grad()
@pytest.mark.parametrize("pool", [True, False])
def test_features_are_those_of_the_reference_network_with_and_without_its_stem_pool(pool):
    torch.manual_seed(0)
    network = PoseSlowOnly(width=0.25, stem_pool=pool).eval()
    clip = torch.randn(2, 17, 4, 16, 14)
    for own, expected, other in zip(
        network.forward_stacks(clip),
        features_by_hand(network, clip, pool=pool),
        features_by_hand(network, clip, pool=not pool),
        strict=True,
    ):
        torch.testing.assert_close(own, expected)
        assert (own - other).abs().max() > 0.01 * own.abs().max()


def test_the_stem_pools_by_default_and_costs_nothing():
    assert type(PoseSlowOnly().maxpool) is nn.MaxPool3d
    pooled, plain = (
        build_recognizer("pose-slowonly", num_classes=7, width=0.25, stem_pool=each) for each in (True, False)
    )
    assert measure_cost(pooled, (17, 4, 16, 16)) == measure_cost(plain, (17, 4, 16, 16))


def test_pruning_reduces_the_cost():
    torch.manual_seed(0)
    network = build_recognizer("pose-slowonly", num_classes=7, superclasses=(2, 3), width=0.5)
    filters = network.recognizer.prunable_filters()
    masks = FilterMasks.all_alive(filters)
    shape = (17, 4, 16, 16)
    costs = [measure_cost(network, shape)]
    assert costs[0].parameters == sum(parameter.numel() for parameter in network.parameters())
    for _ in range(3):
        masks = FilterMasks(choose_filters(filters, masks.alive, ratio=0.2, scope="layerwise"))
        masks.apply(filters)
        costs.append(measure_cost(network, shape))
    for before, after in pairwise(costs):
        assert after.parameters < before.parameters
        assert after.multiply_adds < before.multiply_adds


def test_the_cost_of_one_filter_in_a_block_by_hand():
    network = build_recognizer("pose-slowonly", num_classes=7, width=0.25)
    filters = {each.name: each for each in network.recognizer.prunable_filters()}
    before = measure_cost(network, (17, 4, 16, 16))
    each = filters["layer2.1.conv1"]
    with torch.no_grad():
        for parameter in (each.convolution.weight, each.norm.weight, each.norm.bias):
            parameter[3] = 0.0
    after = measure_cost(network, (17, 4, 16, 16))
    # A 3x1x1 kernel over the 64 input channels, a 1x3x3 kernel in each of the 16 filters of conv2, and gamma
    # and beta, on 4 frames of 4 by 4 pixels.
    assert before.parameters - after.parameters == 3 * 64 + 9 * 16 + 2
    assert before.multiply_adds - after.multiply_adds == (3 * 64 + 9 * 16) * 4 * 4 * 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": -1.0}, "width must be positive and finite, but got -1.0"),
        ({"in_channels": 0}, "in_channels must be at least 1, but got 0"),
        ({"initialisation": "zeros"}, "fan-in or fan-out, but got 'zeros'"),
        ({"base_channels": 0}, "base_channels must be at least 1, but got 0"),
        ({"num_blocks": (4, 6)}, r"three counts of at least 1, but got \(4, 6\): write e.g. \(4, 6, 3\)"),
        ({"num_blocks": (4, 0, 3)}, r"three counts of at least 1, but got \(4, 0, 3\)"),
        ({"depth": 50}, "unknown option 'depth' of pose-slowonly"),
        ({"superclasses": (2, 2, 2)}, "carries 1 to 3 heads, but got 4"),
    ],
)
def test_an_invalid_option_is_reported(options, message):
    with pytest.raises(InputError, match=message):
        build_recognizer("pose-slowonly", num_classes=5, **options)
