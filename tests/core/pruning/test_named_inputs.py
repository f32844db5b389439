"""Cost and compaction of a network that reads named inputs."""

import torch

from autohier.core.pruning import FilterMasks, compact, measure_cost
from autohier.testing.recognizers import randomise_norms
from support.networks.two_inputs import SHAPE, build_two_inputs, two_input_clips


def test_the_cost_by_hand():
    network = build_two_inputs()
    cost = measure_cost(network, SHAPE)
    assert cost.parameters == sum(parameter.numel() for parameter in network.parameters())
    # 4 filters of 27 * C weights at every place of a clip, then 12 of 8 and of 12 channels, and the heads.
    convolutions = 4 * 27 * (3 * 2 * 10 * 8 + 5 * 4 * 6 * 6)
    assert cost.multiply_adds == convolutions + 12 * 8 + 12 * 12 + 2 * 8 + 3 * 12 + 7 * 12


@torch.no_grad()
def test_a_compacted_network_has_the_same_outputs():
    network = randomise_norms(build_two_inputs()).eval()
    filters = network.recognizer.prunable_filters()
    masks = {each.name: torch.arange(len(each.convolution.weight)) % 2 == 0 for each in filters}
    FilterMasks(masks).apply(filters)
    compacted = compact(network, SHAPE)
    recognizer = compacted.recognizer
    assert [recognizer.conv1.out_channels, recognizer.conv2.out_channels] == [2, 2]
    assert recognizer.conv3.in_channels == 4
    assert measure_cost(network, SHAPE) == measure_cost(compacted, SHAPE)
    clips = two_input_clips(3)
    for one, other in zip(network(clips), compacted(clips), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
