"""The multi-level loss against cross-entropies computed by hand."""

import math

import pytest
import torch

from autohier.core.hierarchy import Hierarchy
from autohier.core.training.losses import HierarchicalLoss

# Four classes; classes 0 and 2 are superclass 0, classes 1 and 3 superclass 1.
HIERARCHY = Hierarchy(((0, 1, 0, 1), (0, 1, 2, 3)))


def make_loss(weights=(0.5, 1.0)):
    return HierarchicalLoss(HIERARCHY, weights, torch.device("cpu"))


def test_targets_are_the_superclasses():
    targets_LB = make_loss().targets(torch.tensor([3, 2, 0]))
    assert targets_LB.tolist() == [[1, 0, 0], [3, 2, 0]]


def test_each_stack_is_scored_in_its_own_superclasses():
    # Scores of (0, log 3) are probabilities (1/4, 3/4); equal scores of four classes are 1/4 each.
    superclass_scores = torch.tensor([[0.0, math.log(3)], [0.0, math.log(3)]])
    class_scores = torch.zeros(2, 4)
    losses_L = make_loss().of_stacks([superclass_scores, class_scores], torch.tensor([1, 2]))
    by_hand = [(-math.log(3 / 4) - math.log(1 / 4)) / 2, math.log(4)]
    assert losses_L.tolist() == pytest.approx(by_hand)


def test_the_total_is_the_weighted_sum_and_not_normalised():
    assert float(make_loss((0.25, 2.0)).total(torch.tensor([4.0, 3.0]))) == pytest.approx(0.25 * 4 + 2 * 3)


def test_a_wrong_number_of_heads_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        make_loss().of_stacks([torch.zeros(1, 4)], torch.tensor([0]))
