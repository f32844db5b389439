"""Recognizers with several pathways: heads, scores, prediction, and what works on any recognizer."""

import numpy as np
import pytest
import torch

from autohier.core.hierarchy import Hierarchy
from autohier.core.pruning import FilterMasks, choose_filters, compact, measure_cost
from autohier.core.training.losses import HierarchicalLoss
from autohier.errors import InputError
from autohier.models.hierarchical import HierarchicalRecognizer
from autohier.testing.recognizers import imitate_training
from support.networks.two_pathways import WEIGHTS, TwoPathways

SHAPE = (2, 5)
HIERARCHY = Hierarchy(((0, 1, 0, 1), (0, 1, 2, 3)))


def build(num_outputs=(2, 4), placement="stacks", **options):
    torch.manual_seed(3)
    return HierarchicalRecognizer(TwoPathways(**options), num_outputs, placement)


@pytest.fixture
def clips():
    return torch.randn(6, *SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("placement", "channels"),
    [
        ("stacks", {"a_stack2": 4, "b_stack1": 6, "a_stack3": 5, "b_stack2": 7}),
        ("last", {"a_stack3_level1": 5, "b_stack2_level1": 7, "a_stack3": 5, "b_stack2": 7}),
    ],
)
def test_each_pathway_carries_a_head_for_every_level_on_its_own_last_stacks(placement, channels):
    network = build(placement=placement)
    assert [(name, head.in_features) for name, head in network.heads.items()] == [*channels.items()]
    assert [head.out_features for head in network.heads.values()] == [2, 2, 4, 4]


def test_a_seed_gives_the_same_class_heads_with_and_without_superclasses():
    flat, diagonal = build((4,)).state_dict(), build().state_dict()
    assert set(diagonal) - set(flat) == {
        f"heads.{name}.{part}" for name in ("a_stack2", "b_stack1") for part in ("weight", "bias")
    }
    assert all(torch.equal(diagonal[name], tensor) for name, tensor in flat.items())


def test_the_pathway_with_the_fewest_stacks_limits_the_levels():
    with pytest.raises(InputError, match="a recognizer of 2 stacks carries 1 to 2 heads, but got 3"):
        build((2, 3, 4))
    assert len(build((2, 3, 4), "last").heads) == 6


@torch.no_grad()
def test_the_prediction_is_the_weighted_mean_of_the_pathways_probabilities(clips):
    network = imitate_training(build(), clips)
    network.recognizer.eval()
    in_training, predicted = network(clips), network.eval()(clips)
    share_a, share_b = WEIGHTS[0][1] / 4, WEIGHTS[1][1] / 4
    for scores_BSP, scores_BS in zip(in_training, predicted, strict=True):
        probabilities_BSP = scores_BSP.softmax(dim=1)
        mean_BS = share_a * probabilities_BSP[..., 0] + share_b * probabilities_BSP[..., 1]
        torch.testing.assert_close(scores_BS.exp(), mean_BS)
        torch.testing.assert_close(scores_BS.softmax(dim=1), mean_BS)


@torch.no_grad()
def test_a_pathway_that_is_sure_leaves_finite_scores():
    network = build(weights=((1.0, 1.0), (1.0, 1.0)))
    sure, unsure = torch.tensor([[1e4, 0.0]]), torch.tensor([[0.0, 0.0]])
    assert network._mean_of([sure, unsure]).exp().tolist() == [pytest.approx([0.75, 0.25])]
    assert network._mean_of([sure, sure]).isfinite().all()


@pytest.mark.parametrize("sizes", [None, np.array([3, 1, 1, 1])])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_a_level_is_the_weighted_sum_over_the_pathways(clips, sizes, smoothing):
    network, labels = build(), torch.tensor([0, 1, 2, 3, 0, 0])
    device = torch.device("cpu")
    options = {"label_smoothing": smoothing, "class_sizes_K": sizes}
    loss = HierarchicalLoss(HIERARCHY, (0.5, 1.0), device, pathway_weights=network.pathway_weights, **options)
    alone = HierarchicalLoss(HIERARCHY, (0.5, 1.0), device, **options)
    scores = network(clips)
    a_L, b_L = (alone.of_heads([each[..., path] for each in scores], labels) for path in (0, 1))
    torch.testing.assert_close(loss.of_heads(scores, labels), WEIGHTS[0][0] * a_L + WEIGHTS[1][0] * b_L)


def test_pruning_cost_and_compaction_work_on_all_pathways(clips):
    network = imitate_training(build(), clips).eval()
    filters = network.recognizer.prunable_filters()
    masks = choose_filters(filters, FilterMasks.all_alive(filters).alive, ratio=0.4, scope="global")
    before = measure_cost(network, SHAPE)
    # Per frame: 3 taps of every convolution; then the four heads.
    convolutions = 3 * (2 * 3 + 3 * 4 + 4 * 5 + 2 * 6 + 10 * 7)
    assert before.multiply_adds == 5 * convolutions + 2 * (4 + 6) + 4 * (5 + 7)
    FilterMasks(masks).apply(filters)
    compacted = compact(network, SHAPE)
    after = measure_cost(network, SHAPE, multiple=1)
    assert after == measure_cost(compacted, SHAPE)
    assert after.parameters < before.parameters
    with torch.no_grad():
        for one, other in zip(network(clips), compacted(clips), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


class Misnamed(TwoPathways):
    def __init__(self, pathways):
        super().__init__()
        self.given = pathways

    def pathways(self):
        return tuple(
            type(own)(name, number)
            for own, (name, number) in zip(super().pathways(), self.given, strict=True)
        )


@pytest.mark.parametrize(
    ("pathways", "message"),
    [
        ([("a", 3), ("a", 2)], "share the 5 stacks of stack_channels, but got 'a' with 3, 'a' with 2"),
        ([("a", 3), ("b", 3)], "share the 5 stacks of stack_channels, but got 'a' with 3, 'b' with 3"),
        ([("a", 3), ("", 2)], "each of several pathways must have a name"),
    ],
)
def test_pathways_that_do_not_fit_the_stacks_are_refused(pathways, message):
    with pytest.raises(InputError, match=message):
        HierarchicalRecognizer(Misnamed(pathways), (4,))


def test_weights_that_are_not_positive_are_refused():
    with pytest.raises(InputError, match="weights of pathway 'b' must be positive, but got 1 in the loss"):
        build(weights=((1.0, 1.0), (1.0, 0.0)))
