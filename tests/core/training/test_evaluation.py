"""Evaluation: probabilities, not scores, are averaged over frame sets."""

import math

import pytest
import torch
from torch import nn

from autohier.core.hierarchy import Hierarchy
from autohier.core.training.evaluation import evaluate, predict
from autohier.core.training.losses import HierarchicalLoss
from fake_feed import FakeFeed


class TwoHeads(nn.Module):
    """Scores (0, x) for two superclasses and (0, 0, x, x) for four classes."""

    def forward(self, points):
        zero = torch.zeros_like(points)
        return [torch.cat([zero, points], 1), torch.cat([zero, zero, points, points], 1)]


LOSS = HierarchicalLoss(Hierarchy(((0, 0, 1, 1), (0, 1, 2, 3))), (0.5, 1.0), torch.device("cpu"))


def test_probabilities_are_averaged_over_sets():
    # Set 0 sees x = log 3 (superclass probabilities 1/4, 3/4), set 1 sees x = -log 7 (7/8, 1/8):
    # their mean is (9/16, 7/16), so superclass 0 wins; averaged scores would favour it less clearly.
    feed = FakeFeed([0.0], [2], shifts=(math.log(3), -math.log(7)))
    evaluation = evaluate(TwoHeads(), feed, "test", LOSS, num_sets=2)
    # Class 2 has half of superclass 1's probability, by the symmetry of its head: each set gives
    # x's share e^x / (2 + 2 e^x), i.e. 3/8 and 1/16; the mean is 7/32.
    assert evaluation.loss == pytest.approx(-0.5 * math.log(7 / 16) - math.log(7 / 32))
    assert evaluation.stack_accuracies == (0.0, 0.0)
    assert evaluation.confusion_KK.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_predictions_are_in_the_order_of_the_part():
    feed = FakeFeed([math.log(3), 0.0, -math.log(3)], [2, 3, 0], batch_size=2)
    stacks, labels_N = predict(TwoHeads(), feed, "test", num_sets=1)
    assert labels_N.tolist() == [2, 3, 0]
    front = [[1 / 4, 3 / 4], [1 / 2, 1 / 2], [3 / 4, 1 / 4]]
    torch.testing.assert_close(stacks[0], torch.tensor(front))
    torch.testing.assert_close(stacks[1], torch.tensor(front).repeat_interleave(2, 1) / 2)


def test_accuracies_and_confusion_by_hand():
    # x > 0 predicts class 2 and superclass 1, x < 0 class 0 and superclass 0.
    feed = FakeFeed([1.0, 1.0, -1.0, -1.0, 1.0], [2, 3, 0, 3, 2], batch_size=2)
    evaluation = evaluate(TwoHeads(), feed, "validation", LOSS, num_sets=1)
    assert evaluation.stack_accuracies == pytest.approx((4 / 5, 3 / 5))
    assert evaluation.accuracy == pytest.approx(3 / 5)
    assert evaluation.num_clips == 5
    assert evaluation.confusion_KK.tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 2, 0], [1, 0, 1, 0]]
