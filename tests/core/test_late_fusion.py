"""Late fusion: maximum-likelihood fusion weights, and the weighted mean of probabilities."""

from __future__ import annotations

import itertools
import os
import pickle
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from autohier.core.late_fusion import Fused, average, likeliest_weights, num_unshared, share_clips
from autohier.core.training.metrics import Predictions
from autohier.errors import InputError


def make_predictions(
    probabilities: NDArray[np.float64] | list[list[float]], labels: list[int], ids: list[str] | None = None
) -> Predictions:
    names = ids or [f"c{row:03d}" for row in range(len(labels))]
    return Predictions(tuple(names), np.array(labels), np.array(probabilities, dtype=np.float32))


def predictions_with(likelihoods: list[float]) -> Predictions:
    """Return predictions for clips of class 0 of 2, with these probabilities of class 0."""
    return make_predictions([[p, 1 - p] for p in likelihoods], [0] * len(likelihoods))


def log_likelihood(members: list[Predictions], weights: tuple[float, ...] | NDArray[np.float64]) -> float:
    mixture = sum(w * m.probabilities_NK.astype(float) for w, m in zip(weights, members, strict=True))
    return float(np.log(mixture[np.arange(len(mixture)), members[0].labels_N]).mean())


class TestLikeliestWeights:
    def test_if_one_member_is_right_per_clip_weights_are_shares_of_clips(self) -> None:
        # log(w) three times and log(1 - w) once has its maximum at w = 3/4.
        members = [predictions_with([1, 1, 1, 0]), predictions_with([0, 0, 0, 1])]
        assert likeliest_weights(members) == pytest.approx((0.75, 0.25), abs=1e-4)

    def test_equal_members_have_equal_weights(self) -> None:
        assert likeliest_weights([predictions_with([0.2, 0.9])] * 4) == pytest.approx((0.25,) * 4)

    def test_a_clip_that_all_members_give_zero_probability_changes_nothing(self) -> None:
        members = [predictions_with([1, 1, 1, 0, 0]), predictions_with([0, 0, 0, 1, 0])]
        assert likeliest_weights(members) == pytest.approx((0.75, 0.25), abs=1e-4)

    def test_a_guessing_member_gets_no_weight_next_to_an_accurate_one(self) -> None:
        accurate = predictions_with([0.9, 0.8, 0.95, 0.7] * 25)
        assert likeliest_weights([predictions_with([0.5] * 100), accurate])[0] < 1e-6

    @pytest.mark.parametrize("seed", range(4))
    def test_no_grid_point_has_a_higher_likelihood(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        members = [predictions_with(random.beta(2, shape, 40).tolist()) for shape in (1, 2, 1.2)]
        weights = likeliest_weights(members)
        grid = [np.array([a, b, 100 - a - b]) / 100 for a, b in itertools.product(range(101), repeat=2)]
        best = max((log_likelihood(members, w), *w) for w in grid if w[2] >= 0)
        assert log_likelihood(members, weights) >= best[0] - 1e-6
        # Half a grid step, plus the flatness of the likelihood near its maximum.
        assert weights == pytest.approx(best[1:], abs=0.02)

    @given(
        st.integers(1, 5).flatmap(
            lambda n: st.lists(
                st.lists(st.floats(0.001, 0.999), min_size=n, max_size=n), min_size=2, max_size=4
            )
        ),
        st.randoms(use_true_random=False),
    )
    def test_weights_are_a_distribution_optimal_and_independent_of_the_order(
        self, likelihoods: list[list[float]], random: Random
    ) -> None:
        members = [predictions_with(each) for each in likelihoods]
        weights = likeliest_weights(members)
        assert sum(weights) == pytest.approx(1)
        assert min(weights) >= 0
        num = len(members)
        for other in (*np.eye(num), np.full(num, 1 / num)):
            assert log_likelihood(members, weights) >= log_likelihood(members, other) - 1e-5
        order = list(range(num))
        random.shuffle(order)
        shuffled = likeliest_weights([members[place] for place in order])
        assert shuffled == pytest.approx([weights[place] for place in order], abs=1e-3)


class TestAverage:
    def test_the_weighted_mean_is_as_computed_by_hand(self) -> None:
        # (3 * 0.2 + 0.6) / 4 = 0.3.
        together = average([make_predictions([[0.2, 0.8]], [1]), make_predictions([[0.6, 0.4]], [1])], [3, 1])
        assert together.probabilities_NK == pytest.approx(np.array([[0.3, 0.7]]))
        assert together.labels_N.tolist() == [1]

    def test_a_clip_that_some_members_lack_gets_the_mean_of_the_others(self) -> None:
        members = [
            make_predictions([[1.0, 0.0], [0.5, 0.5]], [0, 1], ["b", "d"]),
            make_predictions([[0.0, 1.0], [0.2, 0.8]], [1, 0], ["d", "b"]),
            make_predictions([[0.4, 0.6], [0.6, 0.4]], [0, 0], ["a", "b"]),
        ]
        together = average(members, [0.5, 0.25, 0.25])
        assert together.clip_ids == ("a", "b", "d")
        assert together.labels_N.tolist() == [0, 0, 1]
        b, d = 0.5 + 0.25 * 0.2 + 0.25 * 0.6, (0.5 * 0.5 + 0.25 * 0.0) / 0.75
        expected = np.array([[0.4, 0.6], [b, 1 - b], [d, 1 - d]])
        assert together.probabilities_NK == pytest.approx(expected)
        assert num_unshared(members) == 2

    def test_members_of_weight_zero_predict_clips_that_only_they_have(self) -> None:
        members = [
            make_predictions([[1.0, 0.0]], [0], ["a"]),
            make_predictions([[0.2, 0.8], [0.2, 0.8]], [0, 0], ["a", "b"]),
            make_predictions([[0.6, 0.4]], [0], ["b"]),
        ]
        together = average(members, [1.0, 0.0, 0.0])
        assert together.probabilities_NK == pytest.approx(np.array([[1.0, 0.0], [0.4, 0.6]]), abs=1e-6)

    def test_members_must_agree_on_the_class_of_a_clip(self) -> None:
        members = [make_predictions([[1.0, 0.0]] * 2, [0, 1]), make_predictions([[1.0, 0.0]] * 2, [0, 0])]
        with pytest.raises(InputError, match="got c001 of classes 1 and 0"):
            average(members, [1, 1])


class TestSharedClips:
    def test_all_members_get_the_same_clips_in_the_same_order(self) -> None:
        members = [
            make_predictions([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]], [0, 1, 0], ["c", "a", "b"]),
            make_predictions([[0.4, 0.6], [0.5, 0.5], [0.6, 0.4]], [0, 1, 1], ["b", "a", "d"]),
        ]
        first, second = share_clips(members)
        assert first.clip_ids == second.clip_ids == ("a", "b")
        assert first.labels_N.tolist() == second.labels_N.tolist() == [1, 0]
        assert first.probabilities_NK[:, 0] == pytest.approx([0.2, 0.3])
        assert second.probabilities_NK[:, 0] == pytest.approx([0.5, 0.4])

    def test_members_without_common_clips_are_refused(self) -> None:
        members = [make_predictions([[1.0, 0.0]], [0], [name]) for name in "ab"]
        with pytest.raises(InputError, match="none in common"):
            share_clips(members)


def test_the_fusion_is_compared_with_the_best_member_on_validation() -> None:
    right, wrong = [0.9, 0.1], [0.1, 0.9]
    first = make_predictions([right, right, wrong, wrong], [0] * 4)
    second = make_predictions([right, wrong, right, [0.45, 0.55]], [0] * 4)
    fused = Fused.of([first, second], [0.4, 0.6], [0.5, 0.7])
    assert fused.best_predictions is second
    # Average: right, 0.42, 0.58, 0.31.
    assert fused.predictions.is_right.tolist() == [True, False, True, False]
    assert fused.newly_correct_and_wrong == (0, 0)
    assert Fused.of([first, second], [0.4, 0.6], [0.7, 0.7]).newly_correct_and_wrong == (1, 1)


def test_accuracies_of_predictions_are_as_computed_by_hand() -> None:
    one_hot = np.eye(4)
    predictions = make_predictions(one_hot[[0, 0, 1, 3, 3]], [0, 1, 1, 3, 3])
    assert predictions.accuracy == pytest.approx(4 / 5)
    assert predictions.class_sizes.tolist() == [1, 2, 0, 2]
    assert predictions.class_accuracies == pytest.approx([1, 0.5, np.nan, 1], nan_ok=True)
    assert predictions.mean_class_accuracy == pytest.approx(2.5 / 3)


@pytest.mark.realdata
@pytest.mark.skipif("AUTOHIER_DATA" not in os.environ, reason="AUTOHIER_DATA is not set")
def test_real_streams_of_ntu120_are_fused() -> None:
    """Fuse the scores of the joint and bone streams for 60 clips of NTU RGB+D 120."""
    folder = Path(os.environ["AUTOHIER_DATA"]) / "clips"
    streams = []
    for stream in ("joint", "bone"):
        clips = pickle.loads((folder / f"mmaction2_fuse_{stream}.pkl").read_bytes())
        labels = [int(clip["gt_label"]) for clip in clips]
        streams.append(make_predictions(np.stack([clip["pred_score"].numpy() for clip in clips]), labels))
    together = average(streams, [1, 1])
    plain = (streams[0].probabilities_NK + streams[1].probabilities_NK).argmax(axis=1)
    assert [each.is_right.sum() for each in (*streams, together)] == [55, 56, 56]
    assert (together.probabilities_NK.argmax(axis=1) == plain).all()
    weights = likeliest_weights(streams)
    grid = np.linspace(0, 1, 2001)
    best = max(grid, key=lambda weight: log_likelihood(streams, (weight, 1 - weight)))
    assert weights[0] == pytest.approx(best, abs=1e-3)
    assert (
        log_likelihood(streams, weights) > max(log_likelihood(streams, alone) for alone in np.eye(2)) + 0.05
    )
