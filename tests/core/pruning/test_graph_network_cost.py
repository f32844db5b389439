"""Cost of filters in graph networks, counted by hand."""

import pytest
import torch

from autohier.core.pruning import FilterMasks, measure_cost
from autohier.models.graphs.st_gcn import StGcn

# At width 0.25 the first stack has 16 channels; its branches are 6, 2, 2, 2, 2 and 2 wide.
CLIP = (2, 8, 17, 3)
POSITIONS = 2 * 8 * 17
GATHERED = 3 * 17
"""Weights that gather one channel: three partitions of 17 joints."""


@pytest.fixture
def network():
    torch.manual_seed(0)
    return StGcn("st-gcn++", width=0.25, layout="coco-17")


class Features(torch.nn.Module):
    """Network that returns the stack outputs of a recognizer."""

    def __init__(self, recognizer):
        super().__init__()
        self.recognizer = recognizer

    def forward(self, batch):
        return self.recognizer.forward_stacks(batch)


def savings(recognizer, dead):
    """Return the parameters and multiply-adds that the network saves if these filters are dead."""
    network = Features(recognizer)
    before = measure_cost(network, CLIP)
    filters = recognizer.prunable_filters()
    alive = dict(FilterMasks.all_alive(filters).alive)
    for name, index in dead.items():
        alive[name][index] = False
    FilterMasks(alive).apply(filters)
    after = measure_cost(network, CLIP)
    return before.parameters - after.parameters, before.multiply_adds - after.multiply_adds


def test_graph_aggregation_is_counted():
    torch.manual_seed(0)
    one, two = (
        measure_cost(
            Features(StGcn("st-gcn", width=0.25, layout="coco-17", in_channels=channels)),
            (*CLIP[:-1], channels),
        )
        for channels in (1, 2)
    )
    # The first block gathers one more channel for 16 filters of three partitions, and the norm of the input
    # has 17 more channels, one per joint.
    assert two.multiply_adds - one.multiply_adds == POSITIONS * (GATHERED + 3 * 16)
    assert two.parameters - one.parameters == 3 * 16 + 2 * 17


def test_a_branch_filter_saves_the_weights_that_write_and_read_it(network):
    # Filter 6 of the entry is the first of the second branch: 16 weights, a bias and two norm parameters. The
    # two filters of the branch read it at three frames each.
    assert savings(network, {"blocks.1.temporal.entry": 6}) == (
        16 + 1 + 2 + 2 * 3,
        POSITIONS * (16 + 2 * 3),
    )


def test_the_last_filter_of_a_branch_saves_the_weights_that_mix_it(network):
    # The first filter of the second branch: two channels at three frames, a bias, and channel 6 of the norm
    # that all branches share. Sixteen filters of the layer that mixes the branches read it.
    assert savings(network, {"blocks.1.temporal.dilated.1": 0}) == (6 + 1 + 2 + 16, POSITIONS * (6 + 16))


@pytest.mark.parametrize("index", [12, 13])
def test_a_filter_of_the_max_pooling_branch_saves_its_pooled_channel(network, index):
    # The last two filters of the entry have 16 weights, a bias and two norm parameters each. A pooling passes
    # them to two parameters of the shared norm and to the sixteen filters that mix the branches.
    assert savings(network, {"blocks.1.temporal.entry": index}) == (
        16 + 1 + 2 + 2 + 16,
        POSITIONS * (16 + 16),
    )


def test_a_graph_filter_is_removed_together_with_its_shortcut_filter(network):
    both = {"blocks.0.spatial.conv": 3, "blocks.0.spatial.shortcut.conv": 3}
    # The graph filter has three channels of three partitions, three biases and two norm parameters; the
    # shortcut filter has three channels, a bias and two norm parameters. Fourteen filters at the start of
    # branches and two single filters read their channel. Aggregation of the input channels stays.
    assert savings(network, both) == (9 + 3 + 2 + 3 + 1 + 2 + 16, POSITIONS * (9 + 3 + 16))


def test_a_graph_filter_stays_if_its_shortcut_filter_is_alive(network):
    assert savings(network, {"blocks.0.spatial.conv": 3}) == (0, 0)


def test_a_dead_channel_of_a_stack_is_not_gathered(network):
    writers = ["blocks.0.temporal.transform"]
    writers += [
        f"blocks.{block}.{each}" for block in (1, 2, 3) for each in ("spatial.conv", "temporal.transform")
    ]
    # Four filters that mix branches: 16 channels, a bias and two norm parameters each. Three graph filters:
    # three partitions of 16 channels, less the removed one, and 16 filters that read their channel (14 + 2).
    mixed, graph = 4 * 16, 3 * (3 * 16 + 3 * 15)
    within = 3 * 16
    # Block 4 reads the stack into 32 filters of three partitions and two shortcuts of 32.
    after = 32 * 3 + 2 * 32
    parameters = mixed + 4 * (1 + 2) + graph + 3 * (3 + 2) + within + after
    # The shortcut past the whole block writes half of the positions.
    multiply_adds = POSITIONS * (mixed + graph + within + 4 * GATHERED + after) - POSITIONS // 2 * 32
    assert savings(network, dict.fromkeys(writers, 5)) == (parameters, multiply_adds)


def test_an_st_gcn_filter_is_removed_alone():
    torch.manual_seed(0)
    network = StGcn("st-gcn", width=0.25, layout="coco-17")
    # Sixteen channels of three partitions, three biases and two norm parameters; 16 filters over nine frames
    # read it.
    assert savings(network, {"blocks.1.spatial.conv": 3}) == (
        48 + 3 + 2 + 16 * 9,
        POSITIONS * (48 + 16 * 9),
    )


def test_a_layer_without_alive_filters_gathers_nothing(network):
    alive = FilterMasks.all_alive(network.prunable_filters()).alive
    dead = [name for name in alive if name.startswith("blocks.0.spatial")]
    before = measure_cost(Features(network), CLIP).multiply_adds
    FilterMasks({name: mask & (name not in dead) for name, mask in alive.items()}).apply(
        network.prunable_filters()
    )
    after = measure_cost(Features(network), CLIP).multiply_adds
    # Three channels gathered for 16 graph filters, a shortcut of 16, and the 16 filters that read them.
    assert before - after == POSITIONS * (3 * GATHERED + 9 * 16 + 3 * 16 + 16 * 16)
