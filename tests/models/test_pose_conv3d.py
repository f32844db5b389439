"""PoseConv3D against published counts, and how far its kernels see."""

from itertools import pairwise

import pytest
import torch

from autohier.core.pruning import FilterMasks, choose_filters, measure_cost
from autohier.errors import InputError
from autohier.models import build_recognizer
from autohier.models.pose_conv3d import PoseSlowOnly
from network_counts import millions, multiply_adds, on_meta


def test_parameters_are_the_published_ones():
    assert millions(on_meta("pose-slowonly")) == 2.025


@pytest.mark.parametrize(
    ("num_frames", "size_px", "giga_multiply_adds"), [(48, 56, 15.63), (48, 64, 20.42), (32, 56, 10.42)]
)
def test_multiply_adds_are_the_published_ones(num_frames, size_px, giga_multiply_adds):
    counted = multiply_adds(on_meta("pose-slowonly"), (1, 17, num_frames, size_px, size_px))
    assert round(counted / 1e9, 2) == giga_multiply_adds


def parameters_by_hand(base, num_blocks):
    """Of 17 maps and 60 classes; a norm holds two numbers a channel."""
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


def test_variants_are_options_of_one_network():
    shallow = build_recognizer("pose-slowonly", num_classes=3, seed=1, width=0.25, num_blocks=(2, 3, 2))
    named = build_recognizer("pose-slowonly-shallow", num_classes=3, seed=1, width=0.25)
    assert all(
        torch.equal(*pair)
        for pair in zip(shallow.state_dict().values(), named.state_dict().values(), strict=True)
    )


def test_every_stack_halves_space_and_the_last_halves_time():
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
def test_a_frame_is_seen_as_far_as_the_3x1x1_kernels_reach():
    # None in stack 1; one in each of the six blocks of stack 2, so six frames to either side.
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


def test_pruned_filters_cost_less_and_less():
    torch.manual_seed(0)
    network = build_recognizer("pose-slowonly", num_classes=7, superclasses=(2, 3), width=0.5)
    filters = network.recognizer.prunable_filters()
    masks = FilterMasks.all_alive(filters)
    shape = (17, 4, 16, 16)
    costs = [measure_cost(network, shape)]
    assert costs[0].parameters == sum(parameter.numel() for parameter in network.parameters())
    for _ in range(3):
        masks = FilterMasks(choose_filters(filters, masks.alive, ratio=0.2, scope="by-layer"))
        masks.apply(filters)
        costs.append(measure_cost(network, shape))
    for before, after in pairwise(costs):
        assert after.parameters < before.parameters
        assert after.multiply_adds < before.multiply_adds


def test_a_filter_within_a_block_takes_its_kernels_with_it():
    network = build_recognizer("pose-slowonly", num_classes=7, width=0.25)
    filters = {each.name: each for each in network.recognizer.prunable_filters()}
    before = measure_cost(network, (17, 4, 16, 16))
    each = filters["layer2.1.conv1"]
    with torch.no_grad():
        for parameter in (each.convolution.weight, each.norm.weight, each.norm.bias):
            parameter[3] = 0.0
    after = measure_cost(network, (17, 4, 16, 16))
    # A 3x1x1 kernel of the stream's 64 channels, a 1x3x3 one for each of the 16 of conv2, and gamma and beta;
    # they work on 4 frames of 4 by 4.
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
        ({"depth": 50}, "options must be ones that pose-slowonly has, but got 'depth'"),
        ({"superclasses": (2, 2, 2)}, "carries 1 to 3 heads, but got 4"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        build_recognizer("pose-slowonly", num_classes=5, **options)
