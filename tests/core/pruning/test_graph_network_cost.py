"""What filters of graph networks cost, counted by hand."""

import pytest
import torch

from autohier.core.pruning import FilterMasks, measure_cost
from autohier.models.st_gcn import StGcn

# At width 0.25 the first stack has 16 channels; its branches are 6, 2, 2, 2, 2 and 2 wide.
CLIP = (2, 8, 17, 3)
POSITIONS = 2 * 8 * 17
GATHERED = 3 * 17
"""Weights that gather a channel: three partitions of 17 joints."""


@pytest.fixture
def network():
    torch.manual_seed(0)
    return StGcn("st-gcn++", width=0.25, layout="coco-17")


class Features(torch.nn.Module):
    """A recognizer as a network."""

    def __init__(self, recognizer):
        super().__init__()
        self.recognizer = recognizer

    def forward(self, batch):
        return self.recognizer.forward_stacks(batch)


def fall(recognizer, dead):
    """How much cost falls by once these filters are dead."""
    network = Features(recognizer)
    before = measure_cost(network, CLIP)
    filters = recognizer.prunable_filters()
    alive = dict(FilterMasks.all_alive(filters).alive)
    for name, index in dead.items():
        alive[name][index] = False
    FilterMasks(alive).apply(filters)
    after = measure_cost(network, CLIP)
    return before.parameters - after.parameters, before.multiply_adds - after.multiply_adds


def test_gathering_is_counted():
    torch.manual_seed(0)
    one, two = (
        measure_cost(
            Features(StGcn("st-gcn", width=0.25, layout="coco-17", in_channels=channels)),
            (*CLIP[:-1], channels),
        )
        for channels in (1, 2)
    )
    # A channel more is gathered by the first block for 16 filters of three partitions, and the norm of the
    # data has 17 joints more.
    assert two.multiply_adds - one.multiply_adds == POSITIONS * (GATHERED + 3 * 16)
    assert two.parameters - one.parameters == 3 * 16 + 2 * 17


def test_a_filter_of_a_branch_is_missed_where_it_is_written_and_read(network):
    # Entry's filter 6 is the first of the second branch: 16 weights, a bias and a norm's pair. The branch's
    # two filters read it at three frames each.
    assert fall(network, {"blocks.1.temporal.entry": 6}) == (16 + 1 + 2 + 2 * 3, POSITIONS * (16 + 2 * 3))


def test_a_filter_at_the_end_of_a_branch(network):
    # The second branch's first filter: two channels at three frames, a bias, and the channel 6 of the norm
    # that it shares with the other branches. Sixteen filters of what mixes the branches read it.
    assert fall(network, {"blocks.1.temporal.dilated.1": 0}) == (6 + 1 + 2 + 16, POSITIONS * (6 + 16))


@pytest.mark.parametrize("index", [12, 13])
def test_a_filter_of_the_branch_that_takes_the_greatest_goes_with_its_channel_behind(network, index):
    # Entry's last two filters, 16 weights, a bias and a norm's pair each, go on through a pooling to a pair
    # of the norm that the branches share, and to the sixteen filters of what mixes them.
    assert fall(network, {"blocks.1.temporal.entry": index}) == (16 + 1 + 2 + 2 + 16, POSITIONS * (16 + 16))


def test_a_graph_convolutions_filter_goes_with_the_shortcut_beside_it(network):
    both = {"blocks.0.spatial.conv": 3, "blocks.0.spatial.shortcut.conv": 3}
    # The graph's filter: three channels of three partitions, three biases, a norm's pair. The shortcut's:
    # three channels, a bias, a pair. Read by 14 filters that begin branches and two that stand alone.
    # Gathering goes on, as it is of what is read.
    assert fall(network, both) == (9 + 3 + 2 + 3 + 1 + 2 + 16, POSITIONS * (9 + 3 + 16))


def test_a_graph_convolutions_filter_stays_where_the_shortcut_beside_it_does(network):
    assert fall(network, {"blocks.0.spatial.conv": 3}) == (0, 0)


def test_a_channel_of_a_whole_stack_is_not_gathered_any_more(network):
    writers = ["blocks.0.temporal.transform"]
    writers += [
        f"blocks.{block}.{each}" for block in (1, 2, 3) for each in ("spatial.conv", "temporal.transform")
    ]
    # Four times what mixes branches: 16 channels, a bias and a pair. Three times a graph's filter: three
    # partitions of 16 channels less the one that goes too, and 16 filters that read its channel (14 and 2).
    mixed, graph = 4 * 16, 3 * (3 * 16 + 3 * 15)
    within = 3 * 16
    # Block 4 reads the stack into 32 filters of three partitions and two shortcuts of 32.
    after = 32 * 3 + 2 * 32
    parameters = mixed + 4 * (1 + 2) + graph + 3 * (3 + 2) + within + after
    # Its shortcut past all writes half of the positions.
    multiply_adds = POSITIONS * (mixed + graph + within + 4 * GATHERED + after) - POSITIONS // 2 * 32
    assert fall(network, dict.fromkeys(writers, 5)) == (parameters, multiply_adds)


def test_st_gcns_filter_goes_alone():
    torch.manual_seed(0)
    network = StGcn("st-gcn", width=0.25, layout="coco-17")
    # Sixteen channels of three partitions, three biases, a pair; 16 filters over nine frames read it.
    assert fall(network, {"blocks.1.spatial.conv": 3}) == (
        48 + 3 + 2 + 16 * 9,
        POSITIONS * (48 + 16 * 9),
    )


def test_nothing_is_gathered_for_no_filters(network):
    alive = FilterMasks.all_alive(network.prunable_filters()).alive
    dead = [name for name in alive if name.startswith("blocks.0.spatial")]
    before = measure_cost(Features(network), CLIP).multiply_adds
    FilterMasks({name: mask & (name not in dead) for name, mask in alive.items()}).apply(
        network.prunable_filters()
    )
    after = measure_cost(Features(network), CLIP).multiply_adds
    # Three channels gathered into 16 filters, a shortcut of 16, and the 16 filters that read them.
    assert before - after == POSITIONS * (3 * GATHERED + 9 * 16 + 3 * 16 + 16 * 16)
