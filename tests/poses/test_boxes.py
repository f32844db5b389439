"""Boxes: overlap, and the best of several."""

import numpy as np

from autohier.poses.boxes import keep_best, overlaps

BOXES = np.array([[0, 0, 10, 10], [0, 0, 10, 5], [20, 0, 30, 10], [5, 0, 15, 10], [7, 7, 7, 7]], float)


def test_overlap_is_intersection_over_union():
    np.testing.assert_allclose(overlaps(BOXES[0], BOXES), [1, 0.5, 0, 50 / 150, 0], atol=1e-9)


def test_worse_boxes_that_overlap_a_better_one_are_left_out():
    scores = np.array([0.9, 0.8, 0.7, 0.95, 0.2])
    assert keep_best(BOXES, scores, min_score=0.3, max_overlap=0.45) == [3, 0, 2]
    assert keep_best(BOXES, scores, min_score=0.3, max_overlap=0.3) == [3, 1, 2]
    assert keep_best(BOXES, scores, min_score=0.99, max_overlap=0.3) == []
    assert keep_best(BOXES[:0], scores[:0], min_score=0.3, max_overlap=0.3) == []
