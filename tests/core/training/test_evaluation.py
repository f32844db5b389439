"""Evaluation averages probabilities, not scores, over frame sets."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from autohier.core.hierarchy import Hierarchy
from autohier.core.training.evaluation import evaluate, predict
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import Predictions, mean_class_accuracy
from support.fakes.fake_data_loader import FakeDataLoader


class TwoHeads(nn.Module):
    """Network with scores (0, x) for two superclasses and (0, 0, x, x) for four classes."""

    def forward(self, points):
        zero = torch.zeros_like(points)
        return [torch.cat([zero, points], 1), torch.cat([zero, zero, points, points], 1)]


LOSS = HierarchicalLoss(Hierarchy(((0, 0, 1, 1), (0, 1, 2, 3))), (0.5, 1.0), torch.device("cpu"))


def test_probabilities_are_averaged_over_sets():
    # Set 0 has x = log 3 (superclass probabilities 1/4, 3/4), set 1 has x = -log 7 (7/8, 1/8). Their mean is
    # (9/16, 7/16), so superclass 0 wins; averaged scores would favor it less clearly.
    data_loader = FakeDataLoader([0.0], [2], shifts=(math.log(3), -math.log(7)))
    evaluation = evaluate(TwoHeads(), data_loader, "test", LOSS, num_sets=2)
    # Class 2 has the probability e^x / (2 + 2 e^x) in each set, i.e. 3/8 and 1/16; the mean is 7/32.
    assert evaluation.loss == pytest.approx(-0.5 * math.log(7 / 16) - math.log(7 / 32))
    assert evaluation.stack_accuracies == (0.0, 0.0)
    assert evaluation.confusion_KK.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_probabilities_are_averaged_over_mirrored_sets_too():
    # The fake mirrors a point by negating it, so x is log 3 and -log 3: class 2 has 3/8 and 1/8, class 0 has
    # 1/8 and 3/8.
    data_loader = FakeDataLoader([0.0], [2], shifts=(math.log(3),))
    (front, last), _ = predict(TwoHeads(), data_loader, "test", num_sets=1, flip=True)
    torch.testing.assert_close(front, torch.tensor([[1 / 2, 1 / 2]]))
    torch.testing.assert_close(last, torch.tensor([[1 / 4, 1 / 4, 1 / 4, 1 / 4]]))


def test_predictions_are_in_the_order_of_the_part():
    data_loader = FakeDataLoader([math.log(3), 0.0, -math.log(3)], [2, 3, 0], batch_size=2)
    stacks, labels_N = predict(TwoHeads(), data_loader, "test", num_sets=1)
    assert labels_N.tolist() == [2, 3, 0]
    front = [[1 / 4, 3 / 4], [1 / 2, 1 / 2], [3 / 4, 1 / 4]]
    torch.testing.assert_close(stacks[0], torch.tensor(front))
    torch.testing.assert_close(stacks[1], torch.tensor(front).repeat_interleave(2, 1) / 2)


def test_accuracies_and_confusion_are_as_computed_by_hand():
    # x > 0 predicts class 2 and superclass 1, x < 0 class 0 and superclass 0.
    data_loader = FakeDataLoader([1.0, 1.0, -1.0, -1.0, 1.0], [2, 3, 0, 3, 2], batch_size=2)
    evaluation = evaluate(TwoHeads(), data_loader, "validation", LOSS, num_sets=1)
    assert evaluation.stack_accuracies == pytest.approx((4 / 5, 3 / 5))
    assert evaluation.accuracy == pytest.approx(3 / 5)
    assert evaluation.num_clips == 5
    assert evaluation.confusion_KK.tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 2, 0], [1, 0, 1, 0]]


class SevenHeads(nn.Module):
    """One head of two superclasses and one of seven classes, with the probabilities of a table."""

    PROBABILITIES = (
        (0.30, 0.20, 0.15, 0.12, 0.10, 0.08, 0.05),
        (0.05, 0.08, 0.10, 0.12, 0.15, 0.20, 0.30),
        (1 / 7,) * 7,
    )

    def forward(self, points):
        classes = torch.tensor(self.PROBABILITIES)[points[:, 0].long()].log()
        front = torch.stack([classes[:, :3].exp().sum(1), classes[:, 3:].exp().sum(1)], 1).log()
        return [front, classes]


def test_top_5_and_mean_class_accuracies_are_as_computed_by_hand():
    # Table 0 guesses 0 1 2 3 4, table 1 guesses 6 5 4 3 2; of equal chances, table 2 guesses 0 1 2 3 4.
    # Classes 0, 4, 5, 6 of table 0: right at once, in time, too late, too late. Of table 1, class 0 is too
    # late and class 6 right at once; of table 2, class 0 is right at once, 4 in time and 5 too late.
    hierarchy = Hierarchy(((0, 0, 0, 1, 1, 1, 1), tuple(range(7))))
    loss = HierarchicalLoss(hierarchy, (1.0, 1.0), torch.device("cpu"))
    tables, labels = [0, 0, 0, 0, 1, 1, 2, 2, 2], [0, 4, 5, 6, 0, 6, 0, 4, 5]
    evaluation = evaluate(SevenHeads(), FakeDataLoader(tables, labels), "test", loss, num_sets=1)
    assert evaluation.stack_accuracies[-1] == pytest.approx(3 / 9)
    assert evaluation.stack_top5_accuracies == pytest.approx((1.0, 5 / 9))
    # Class 0: 2 of 3; class 4: 0 of 2; class 5: 0 of 2; class 6: 1 of 2; the others have no clips.
    mean_class = (2 / 3 + 0 + 0 + 1 / 2) / 4
    # Superclass 0 is the likelier one in table 0 (0.65), superclass 1 in tables 1 (0.77) and 2 (4/7). Of the
    # three clips of superclass 0, one is right; of the six of superclass 1, the three of tables 1 and 2.
    assert evaluation.stack_mean_class_accuracies == pytest.approx(((1 / 3 + 3 / 6) / 2, mean_class))
    assert mean_class_accuracy(evaluation.confusion_KK) == pytest.approx(mean_class)
    predictions = Predictions(
        tuple(map(str, tables)),
        np.array(labels),
        np.array([SevenHeads.PROBABILITIES[table] for table in tables], dtype=np.float32),
    )
    assert predictions.top5_accuracy == pytest.approx(5 / 9)
    assert predictions.mean_class_accuracy == pytest.approx(mean_class)


def test_probabilities_that_are_not_numbers_are_never_right():
    loss = HierarchicalLoss(Hierarchy.flat(7), (1.0,), torch.device("cpu"))
    broken = evaluate(Broken(), FakeDataLoader([0.0], [0]), "test", loss, num_sets=1)
    assert broken.stack_top5_accuracies == (0.0,)


class Broken(nn.Module):
    def forward(self, points):
        return [torch.full((len(points), 7), math.nan)]


def test_the_loss_is_the_mean_over_clips_if_batches_differ_in_size():
    # Class 2 and superclass 1 have probabilities 3/8 and 3/4 at x = log 3, and 1/8 and 1/4 at x = -log 3.
    # Batches of two: {log 3, log 3} and {-log 3}; a mean of batch means would weigh the last clip double.
    data_loader = FakeDataLoader([math.log(3), math.log(3), -math.log(3)], [2, 2, 2], batch_size=2)
    evaluation = evaluate(TwoHeads(), data_loader, "validation", LOSS, num_sets=1)
    likely = -0.5 * math.log(3 / 4) - math.log(3 / 8)
    unlikely = -0.5 * math.log(1 / 4) - math.log(1 / 8)
    assert evaluation.loss == pytest.approx((2 * likely + unlikely) / 3)
