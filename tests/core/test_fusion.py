"""Late fusion: weights that make the clips' classes likeliest, and the weighted mean of probabilities."""

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

from autohier.core.fusion import Fused, average, likeliest_weights, num_unshared, share_clips
from autohier.core.training.metrics import Predictions
from autohier.errors import InputError


def told(
    probabilities: NDArray[np.float64] | list[list[float]], labels: list[int], ids: list[str] | None = None
) -> Predictions:
    names = ids or [f"c{row:03d}" for row in range(len(labels))]
    return Predictions(tuple(names), np.array(labels), np.array(probabilities, dtype=np.float32))


def sure_of(likelihoods: list[float]) -> Predictions:
    """Clips of class 0 of two, which they are taken for with these probabilities."""
    return told([[p, 1 - p] for p in likelihoods], [0] * len(likelihoods))


def log_likelihood(members: list[Predictions], weights: tuple[float, ...] | NDArray[np.float64]) -> float:
    mixture = sum(w * m.probabilities_NK.astype(float) for w, m in zip(weights, members, strict=True))
    return float(np.log(mixture[np.arange(len(mixture)), members[0].labels_N]).mean())


class TestLikeliestWeights:
    def test_where_one_alone_knows_each_clip_weights_are_shares_of_clips(self) -> None:
        # log(w) three times and log(1 - w) once is highest where w = 3/4.
        members = [sure_of([1, 1, 1, 0]), sure_of([0, 0, 0, 1])]
        assert likeliest_weights(members) == pytest.approx((0.75, 0.25), abs=1e-4)

    def test_equal_members_have_equal_weights(self) -> None:
        assert likeliest_weights([sure_of([0.2, 0.9])] * 4) == pytest.approx((0.25,) * 4)

    def test_what_nobody_thinks_possible_changes_nothing(self) -> None:
        members = [sure_of([1, 1, 1, 0, 0]), sure_of([0, 0, 0, 1, 0])]
        assert likeliest_weights(members) == pytest.approx((0.75, 0.25), abs=1e-4)

    def test_who_guesses_where_others_know_has_no_weight(self) -> None:
        knows = sure_of([0.9, 0.8, 0.95, 0.7] * 25)
        assert likeliest_weights([sure_of([0.5] * 100), knows])[0] < 1e-6

    @pytest.mark.parametrize("seed", range(4))
    def test_no_point_of_a_grid_is_likelier(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        members = [sure_of(random.beta(2, shape, 40).tolist()) for shape in (1, 2, 1.2)]
        found = likeliest_weights(members)
        grid = [np.array([a, b, 100 - a - b]) / 100 for a, b in itertools.product(range(101), repeat=2)]
        best = max((log_likelihood(members, w), *w) for w in grid if w[2] >= 0)
        assert log_likelihood(members, found) >= best[0] - 1e-6
        # Half a step of the grid, and what the likelihood cannot tell apart so near to its top.
        assert found == pytest.approx(best[1:], abs=0.02)

    @given(
        st.integers(1, 5).flatmap(
            lambda n: st.lists(
                st.lists(st.floats(0.001, 0.999), min_size=n, max_size=n), min_size=2, max_size=4
            )
        ),
        st.randoms(use_true_random=False),
    )
    def test_laws(self, likelihoods: list[list[float]], random: Random) -> None:
        members = [sure_of(each) for each in likelihoods]
        weights = likeliest_weights(members)
        assert sum(weights) == pytest.approx(1)
        assert min(weights) >= 0
        num = len(members)
        for other in (*np.eye(num), np.full(num, 1 / num)):
            assert log_likelihood(members, weights) >= log_likelihood(members, other) - 1e-5
        order = list(range(num))
        random.shuffle(order)
        moved = likeliest_weights([members[place] for place in order])
        assert moved == pytest.approx([weights[place] for place in order], abs=1e-3)


class TestAverage:
    def test_by_hand(self) -> None:
        # (3 * 0.2 + 0.6) / 4 = 0.3.
        together = average([told([[0.2, 0.8]], [1]), told([[0.6, 0.4]], [1])], [3, 1])
        assert together.probabilities_NK == pytest.approx(np.array([[0.3, 0.7]]))
        assert together.labels_N.tolist() == [1]

    def test_a_clip_that_some_lack_gets_the_mean_of_the_others(self) -> None:
        members = [
            told([[1.0, 0.0], [0.5, 0.5]], [0, 1], ["b", "d"]),
            told([[0.0, 1.0], [0.2, 0.8]], [1, 0], ["d", "b"]),
            told([[0.4, 0.6], [0.6, 0.4]], [0, 0], ["a", "b"]),
        ]
        together = average(members, [0.5, 0.25, 0.25])
        assert together.clip_ids == ("a", "b", "d")
        assert together.labels_N.tolist() == [0, 0, 1]
        b, d = 0.5 + 0.25 * 0.2 + 0.25 * 0.6, (0.5 * 0.5 + 0.25 * 0.0) / 0.75
        expected = np.array([[0.4, 0.6], [b, 1 - b], [d, 1 - d]])
        assert together.probabilities_NK == pytest.approx(expected)
        assert num_unshared(members) == 2

    def test_who_has_no_weight_is_heard_where_nobody_else_is(self) -> None:
        members = [
            told([[1.0, 0.0]], [0], ["a"]),
            told([[0.2, 0.8], [0.2, 0.8]], [0, 0], ["a", "b"]),
            told([[0.6, 0.4]], [0], ["b"]),
        ]
        together = average(members, [1.0, 0.0, 0.0])
        assert together.probabilities_NK == pytest.approx(np.array([[1.0, 0.0], [0.4, 0.6]]), abs=1e-6)

    def test_members_must_agree_on_a_clip_s_class(self) -> None:
        members = [told([[1.0, 0.0]] * 2, [0, 1]), told([[1.0, 0.0]] * 2, [0, 0])]
        with pytest.raises(InputError, match="got c001 of classes 1 and 0"):
            average(members, [1, 1])


class TestSharedClips:
    def test_every_member_tells_of_the_same_clips_in_the_same_order(self) -> None:
        members = [
            told([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]], [0, 1, 0], ["c", "a", "b"]),
            told([[0.4, 0.6], [0.5, 0.5], [0.6, 0.4]], [0, 1, 1], ["b", "a", "d"]),
        ]
        first, second = share_clips(members)
        assert first.clip_ids == second.clip_ids == ("a", "b")
        assert first.labels_N.tolist() == second.labels_N.tolist() == [1, 0]
        assert first.probabilities_NK[:, 0] == pytest.approx([0.2, 0.3])
        assert second.probabilities_NK[:, 0] == pytest.approx([0.5, 0.4])

    def test_there_must_be_some(self) -> None:
        members = [told([[1.0, 0.0]], [0], [name]) for name in "ab"]
        with pytest.raises(InputError, match="none in common"):
            share_clips(members)


def test_the_best_on_validation_is_what_the_fusion_is_held_against() -> None:
    right, wrong = [0.9, 0.1], [0.1, 0.9]
    first = told([right, right, wrong, wrong], [0] * 4)
    second = told([right, wrong, right, [0.45, 0.55]], [0] * 4)
    fused = Fused.of([first, second], [0.4, 0.6], [0.5, 0.7])
    assert fused.alone is second
    # Together: right, 0.42, 0.58, 0.31.
    assert fused.together.is_right.tolist() == [True, False, True, False]
    assert fused.won_and_lost == (0, 0)
    assert Fused.of([first, second], [0.4, 0.6], [0.7, 0.7]).won_and_lost == (1, 1)


def test_accuracies_of_predictions_by_hand() -> None:
    sure = np.eye(4)
    predictions = told(sure[[0, 0, 1, 3, 3]], [0, 1, 1, 3, 3])
    assert predictions.accuracy == pytest.approx(4 / 5)
    assert predictions.class_sizes.tolist() == [1, 2, 0, 2]
    assert predictions.class_accuracies == pytest.approx([1, 0.5, np.nan, 1], nan_ok=True)
    assert predictions.mean_class_accuracy == pytest.approx(2.5 / 3)


@pytest.mark.realdata
@pytest.mark.skipif("AUTOHIER_DATA" not in os.environ, reason="AUTOHIER_DATA names no folder of real data")
def test_real_streams_of_ntu120_are_fused() -> None:
    """Scores of joints and of bones for 60 clips of NTU RGB+D 120."""
    folder = Path(os.environ["AUTOHIER_DATA"]) / "clips"
    streams = []
    for stream in ("joint", "bone"):
        clips = pickle.loads((folder / f"mmaction2_fuse_{stream}.pkl").read_bytes())
        labels = [int(clip["gt_label"]) for clip in clips]
        streams.append(told(np.stack([clip["pred_score"].numpy() for clip in clips]), labels))
    together = average(streams, [1, 1])
    plain = (streams[0].probabilities_NK + streams[1].probabilities_NK).argmax(axis=1)
    assert [each.is_right.sum() for each in (*streams, together)] == [55, 56, 56]
    assert (together.probabilities_NK.argmax(axis=1) == plain).all()
    found = likeliest_weights(streams)
    grid = np.linspace(0, 1, 2001)
    best = max(grid, key=lambda weight: log_likelihood(streams, (weight, 1 - weight)))
    assert found[0] == pytest.approx(best, abs=1e-3)
    assert log_likelihood(streams, found) > max(log_likelihood(streams, alone) for alone in np.eye(2)) + 0.05
