"""Inflated ResNet: compared with published and measured counts."""

import math

import pytest
import torch

from autohier.models.convolutional.inflated_resnet import InflatedResNet
from autohier.models.convolutional.residual import scaled_channels
from support.networks.network_counts import millions, multiply_adds, on_meta


@pytest.mark.parametrize(
    ("name", "num_millions", "giga_multiply_adds"),
    [
        ("inflated-resnet18", 33.178, 41.3),
        ("inflated-resnet34", 63.488, 85.7),
        ("inflated-resnet50", 46.265, 62.3),
        ("inflated-resnet101", 85.312, 123.4),
    ],
)
def test_counts_of_the_full_size_networks(name, num_millions, giga_multiply_adds):
    network = on_meta(name)
    assert millions(network) == num_millions
    assert round(multiply_adds(network, (1, 3, 8, 224, 224)) / 1e9, 1) == giga_multiply_adds


@pytest.mark.parametrize(
    ("superclasses", "num_classes", "num_millions"), [((2, 6, 20), 60, 46.290), ((4, 12, 40), 120, 46.437)]
)
def test_counts_with_hac_s_heads(superclasses, num_classes, num_millions):
    network = on_meta("inflated-resnet50", num_classes=num_classes, superclasses=superclasses)
    assert millions(network) == num_millions


def test_counts_of_resnet18_by_hand():
    # Stem; stack 1, no projection; stacks 2 to 4, with one; head. A norm has two numbers per channel.
    stem = 3 * 7 * 7 * 64 + 2 * 64
    stacks = 4 * (27 * 64 * 64 + 2 * 64)
    for read, written in ((64, 128), (128, 256), (256, 512)):
        stacks += 27 * read * written + 3 * 27 * written * written + read * written + 5 * 2 * written
    head = 512 * 60 + 60
    assert sum(each.numel() for each in on_meta("inflated-resnet18").parameters()) == stem + stacks + head


def test_stacks_keep_time_and_halve_space():
    network = InflatedResNet(50, width=0.125).to("meta")
    shapes = []
    for stack in (network.layer1, network.layer2, network.layer3, network.layer4):
        stack.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape)))
    network.forward_stacks(torch.empty(1, 3, 5, 64, 96, device="meta"))
    # 256, 512, 1024 and 2048 channels at width 1/8; a quarter of the height and width, then halves.
    assert shapes == [(1, 32, 5, 16, 24), (1, 64, 5, 8, 12), (1, 128, 5, 4, 6), (1, 256, 5, 2, 3)]


@torch.no_grad()
def test_the_receptive_field_in_time_follows_from_the_3x3x3_kernels():
    # Two per block, so the two blocks of stack 1 reach four frames on either side.
    network = InflatedResNet(18, width=0.125).eval()
    clip = torch.randn(1, 3, 12, 32, 32)
    other = clip.clone()
    other[:, :, 0] += 1.0
    seen = []
    network.layer1.register_forward_hook(lambda _, __, out: seen.append(out))
    network.forward_stacks(clip)
    network.forward_stacks(other)
    changed = (seen[0] != seen[1]).any(dim=(0, 1, 3, 4)).tolist()
    assert changed == [True] * 5 + [False] * 7


@pytest.mark.parametrize(
    ("width", "channels"),
    [
        (1.0, (64, 128, 256, 512)),
        (0.25, (16, 32, 64, 128)),
        (0.125, (8, 16, 32, 64)),
        (0.01, (8, 8, 8, 8)),
        (0.3, (16, 40, 80, 152)),
        (2.0, (128, 256, 512, 1024)),
    ],
)
def test_channels_are_multiples_of_eight(width, channels):
    assert tuple(scaled_channels(full, width) for full in (64, 128, 256, 512)) == channels
    with torch.device("meta"):
        assert InflatedResNet(18, width=width).stack_channels == channels


@pytest.mark.parametrize(
    ("initialisation", "variances"),
    [
        # Weights per output: 1*7*7 of 3 channels, 1 of 64, 27 of 64.
        ("fan-in", {"conv1": 2 / 147, "layer1.1.conv3": 2 / 64, "layer1.1.conv2": 2 / 1728}),
        # First two kernel sizes times the number of filters: 1*7*64, 1*1*256, 3*3*64.
        ("fan-out", {"conv1": 2 / 448, "layer1.1.conv3": 2 / 256, "layer1.1.conv2": 2 / 576}),
    ],
)
def test_initial_weights_are_normal_with_the_variance_of_the_fan(initialisation, variances):
    torch.manual_seed(0)
    network = InflatedResNet(50, initialisation=initialisation)
    for name, variance in variances.items():
        weight = network.get_submodule(name).weight
        # The variance of n normal numbers has a relative deviation of sqrt(2 / n); up to five times passes.
        assert weight.var().item() == pytest.approx(variance, rel=5 * math.sqrt(2 / weight.numel()))
        assert abs(weight.mean().item()) < 5 * math.sqrt(variance / weight.numel())
