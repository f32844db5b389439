"""Temporal convolutional network: counts by hand, receptive field, persons, options."""

import pytest
import torch

from autohier.errors import InputError
from autohier.models.graphs.temporal import TemporalConvNet
from support.networks.network_counts import on_meta


def clips(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def parameters_by_hand(num_values, num_blocks, num_frames_seen):
    """Return the parameters for 60 classes; a norm has two per channel."""
    total = 2 * num_values + num_values * 64 + 2 * 64
    read = 64
    for written in (64, 128, 256):
        if read != written:
            total += read * written + 2 * written  # the shortcut of the first block
        for _ in range(num_blocks):
            total += num_frames_seen * (read + written) * written + 2 * 2 * written
            read = written
    return total + 60 * read + 60


@pytest.mark.parametrize(("num_blocks", "num_frames_seen"), [(2, 5), (1, 9)])
def test_parameters_by_hand(num_blocks, num_frames_seen):
    network = on_meta("tcn", num_blocks=num_blocks, num_frames_seen=num_frames_seen)
    counted = sum(each.numel() for each in network.parameters())
    assert counted == parameters_by_hand(75, num_blocks, num_frames_seen)


def test_stacks_2_and_3_halve_time():
    network = TemporalConvNet(width=0.125).to("meta")
    shapes = []
    for layer in network.layers:
        layer.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape)))
    features = network.forward_stacks(torch.empty(2, 3, 12, 25, 3, device="meta"))
    assert shapes == [(6, 8, 12), (6, 16, 6), (6, 32, 3)]
    assert [tuple(each.shape) for each in features] == [(2, 8), (2, 16), (2, 32)]
    assert network.stack_channels == (8, 16, 32)


@torch.no_grad()
def test_the_receptive_field_in_time_follows_from_the_kernels():
    # Four convolutions of size 3 in stack 1 reach four frames on either side, for every joint.
    torch.manual_seed(0)  # with some weights, no filter passes on what it sees at the ends
    network = TemporalConvNet(width=0.125, num_frames_seen=3).eval()
    seen = []
    network.layers[0].register_forward_hook(lambda _, __, out: seen.append(out[0]))
    still = clips(1, 1, 20, 25, 3)
    moved = still.clone()
    moved[0, 0, 10, 7, 2] += 1.0
    network.forward_stacks(still)
    network.forward_stacks(moved)
    differs_T = (seen[0] != seen[1]).any(dim=0)
    assert differs_T.nonzero().flatten().tolist() == [*range(6, 15)]


@torch.no_grad()
def test_persons_are_averaged():
    network = TemporalConvNet(width=0.125).eval()
    x_BMTVC = clips(2, 2, 8, 25, 3)
    together = network.forward_stacks(x_BMTVC)
    apart = [network.forward_stacks(x_BMTVC[:, person : person + 1]) for person in range(2)]
    for both, one, other in zip(together, *apart, strict=True):
        torch.testing.assert_close(both, (one + other) / 2)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"num_blocks": 0}, r"num_blocks must be at least 1, but got 0"),
        ({"num_frames_seen": 4}, r"num_frames_seen must be odd, but got 4"),
        ({"layout": "hand-21"}, r"unknown joint layout 'hand-21'"),
        ({"width": 0.0}, r"width must be positive and finite, but got 0\.0"),
    ],
)
def test_an_invalid_option_is_reported(options, match):
    with pytest.raises(InputError, match=match):
        TemporalConvNet(**options)
