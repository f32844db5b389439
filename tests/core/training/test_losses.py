"""The multi-level loss equals cross-entropies computed by hand."""

import math

import numpy as np
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
    losses_L = make_loss().of_heads([superclass_scores, class_scores], torch.tensor([1, 2]))
    by_hand = [(-math.log(3 / 4) - math.log(1 / 4)) / 2, math.log(4)]
    assert losses_L.tolist() == pytest.approx(by_hand)


def test_smoothed_targets_are_spread_over_the_superclasses_of_each_head():
    # With 0.2 spread evenly, the target of two superclasses is 0.9 and 0.1, that of four classes 0.85 and
    # three times 0.05. Class scores (0, 0, 0, log 3) are probabilities 1/6, 1/6, 1/6 and 3/6.
    loss = HierarchicalLoss(HIERARCHY, (1.0, 1.0), torch.device("cpu"), label_smoothing=0.2)
    superclass_scores = torch.tensor([[0.0, math.log(3)]])
    class_scores = torch.tensor([[0.0, 0.0, 0.0, math.log(3)]])
    losses_L = loss.of_heads([superclass_scores, class_scores], torch.tensor([3]))
    by_hand = [
        -0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4),
        -0.85 * math.log(3 / 6) - 3 * 0.05 * math.log(1 / 6),
    ]
    assert losses_L.tolist() == pytest.approx(by_hand)


def test_balanced_clips_of_all_superclasses_weigh_the_same():
    # Class sizes 1, 2, 3 and 0: superclass 0 (classes 0 and 2) has 4 of 6 clips, superclass 1 has 2, so that
    # a clip weighs 6 / (2 * 4) and 6 / (2 * 2). Of four classes three have clips: 6 / (3 * 1), 6 / (3 * 2)
    # and 6 / (3 * 3). The losses of clips of classes 0, 1 and 2 are log 2 and log 4 each.
    sizes = np.array([1, 2, 3, 0])
    loss = HierarchicalLoss(HIERARCHY, (1.0, 1.0), torch.device("cpu"), class_sizes_K=sizes)
    losses_L = loss.of_heads([torch.zeros(3, 2), torch.zeros(3, 4)], torch.tensor([0, 1, 2]))
    by_hand = [(3 / 4 + 6 / 4 + 3 / 4) / 3 * math.log(2), (2 + 1 + 2 / 3) / 3 * math.log(4)]
    assert losses_L.tolist() == pytest.approx(by_hand)


def test_balanced_weights_are_one_on_average_over_the_clips():
    sizes = np.array([1, 2, 3, 0])
    loss = HierarchicalLoss(HIERARCHY, (1.0, 1.0), torch.device("cpu"), class_sizes_K=sizes)
    labels = torch.tensor([0, 1, 1, 2, 2, 2])
    losses_L = loss.of_heads([torch.zeros(6, 2), torch.zeros(6, 4)], labels)
    assert losses_L.tolist() == pytest.approx([math.log(2), math.log(4)])


def test_the_total_is_the_weighted_sum_and_not_normalised():
    assert float(make_loss((0.25, 2.0)).total(torch.tensor([4.0, 3.0]))) == pytest.approx(0.25 * 4 + 2 * 3)


def test_a_wrong_number_of_heads_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        make_loss().of_heads([torch.zeros(1, 4)], torch.tensor([0]))
