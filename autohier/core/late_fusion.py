"""Late fusion: averaging the probabilities of several recognizers, clip by clip, with weights.

Legend: N clips, K classes, M members.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autohier.core.training.metrics import Predictions
from autohier.errors import InputError

_MIN_GAIN = 1e-9
"""Gain of log-likelihood in nats per clip below which the search for weights ends."""
_MAX_STEPS = 10_000
_UNKNOWN = -1
_MIN_WEIGHT = 1e-12
"""Smallest weight: a clip that only members of weight 0 have still gets probabilities."""


@dataclass(frozen=True, slots=True)
class Fused:
    """Predictions of each fusion member, and of their average."""

    members: tuple[Predictions, ...]
    weights: tuple[float, ...]
    predictions: Predictions
    """Predictions of the average."""
    best: int
    """Index of the member with the best validation accuracy, the first of equals."""

    @classmethod
    def of(
        cls, members: Sequence[Predictions], weights: Sequence[float], accuracies: Sequence[float]
    ) -> Fused:
        """Fuse the predictions of members; see `average`.

        Args:
            members: predictions of each member.
            weights: fusion weight of each member.
            accuracies: validation accuracy of each member.
        """
        best = int(np.argmax(accuracies))
        return cls(tuple(members), tuple(weights), average(members, weights), best)

    @property
    def best_predictions(self) -> Predictions:
        """Predictions of the best member."""
        return self.members[self.best]

    @property
    def heaviest(self) -> Predictions:
        """Predictions of the member with the highest weight, the first of equals."""
        return self.members[int(np.argmax(self.weights))]

    @property
    def newly_correct_and_wrong(self) -> tuple[int, int]:
        """Number of clips that only the average gets right, and that only the best member does."""
        best_N = self.best_predictions.is_right
        fused_N = self.predictions.of(self.best_predictions.clip_ids).is_right
        return int((fused_N & ~best_N).sum()), int((best_N & ~fused_N).sum())


def share_clips(members: Sequence[Predictions]) -> tuple[Predictions, ...]:
    """Restrict every member's predictions to the clips that all members have, sorted by clip id.

    Raises:
        InputError: if the members have no clip in common.
    """
    shared = sorted(_shared_ids(members))
    if not shared:
        raise InputError(
            "members of a fusion must have validation clips in common",
            got="none in common",
            hint="prepare their clips from the same files, so that they have the same names",
        )
    return tuple(member.of(shared) for member in members)


def num_unshared(members: Sequence[Predictions]) -> int:
    """Return the number of clips that some members have, but not all."""
    return len(_all_ids(members)) - len(_shared_ids(members))


def average(members: Sequence[Predictions], weights: Sequence[float]) -> Predictions:
    """Return the weighted mean of the members' probabilities.

    A clip that some members lack gets the mean of the others, with their weights scaled to a sum of 1. If all
    of these weights are 0, the members count equally.

    Args:
        members: predictions of each member.
        weights: fusion weights, not negative; their sum does not matter.

    Returns:
        Predictions of every clip that any member has, sorted by clip id.

    Raises:
        InputError: if members disagree on a clip's class.
    """
    clip_ids = tuple(sorted(_all_ids(members)))
    row_of = {clip_id: row for row, clip_id in enumerate(clip_ids)}
    num_classes = members[0].probabilities_NK.shape[1]
    total_NK = np.zeros((len(clip_ids), num_classes), dtype=np.float32)
    weight_N = np.zeros(len(clip_ids), dtype=np.float32)
    labels_N = np.full(len(clip_ids), _UNKNOWN, dtype=np.int64)
    for member, weight in zip(members, np.maximum(weights, _MIN_WEIGHT), strict=True):
        rows = np.array([row_of[clip_id] for clip_id in member.clip_ids], dtype=np.int64)
        _check_labels(member, labels_N[rows])
        total_NK[rows] += np.float32(weight) * member.probabilities_NK
        weight_N[rows] += np.float32(weight)
        labels_N[rows] = member.labels_N
    return Predictions(clip_ids, labels_N, total_NK / weight_N[:, None])


def likeliest_weights(members: Sequence[Predictions]) -> tuple[float, ...]:
    """Return the fusion weights that maximize the likelihood of the clips' classes.

    The log-likelihood of a mixture, sum over clips of log(sum over members of w_m p_m(class)), is concave in
    its weights, so that the search from equal weights ends in a maximum. EM for the proportions of a mixture
    (Dempster, Laird and Rubin 1977, section 4.3) sets each weight to the member's mean share of the
    probability of the clips' classes, and never lowers the likelihood. It ends when a step gains less than
    1e-9 nats per clip, and after 10,000 steps at the latest.

    The objective is the likelihood, because the accuracy on some hundred clips is a step function of the
    weights, and its maximum overfits the clips.

    Args:
        members: predictions of the same clips in the same order; see `share_clips`.

    Returns:
        Weights with a sum of 1; equal members have equal weights.
    """
    smallest = np.finfo(np.float32).tiny
    rows, labels_N = np.arange(len(members[0].labels_N)), members[0].labels_N
    label_probabilities = [member.probabilities_NK[rows, labels_N].astype(np.float64) for member in members]
    likelihoods_NM = np.stack(label_probabilities, axis=1).clip(smallest)
    weights_M = np.full(len(members), 1 / len(members))
    reached = -np.inf
    for _ in range(_MAX_STEPS):
        mixture_N = likelihoods_NM @ weights_M
        before, reached = reached, float(np.log(mixture_N).mean())
        if reached - before < _MIN_GAIN:
            break
        weights_M = weights_M * (likelihoods_NM / mixture_N[:, None]).mean(axis=0)
    return tuple((weights_M / weights_M.sum()).tolist())


def _all_ids(members: Sequence[Predictions]) -> set[str]:
    return {clip_id for member in members for clip_id in member.clip_ids}


def _shared_ids(members: Sequence[Predictions]) -> set[str]:
    return set(members[0].clip_ids).intersection(*(member.clip_ids for member in members[1:]))


def _check_labels(member: Predictions, labels_N: NDArray[np.int64]) -> None:
    """Check that a member's clips have the classes that earlier members have for them."""
    differ = np.flatnonzero((labels_N != _UNKNOWN) & (labels_N != member.labels_N))
    if len(differ):
        first = int(differ[0])
        raise InputError(
            "a clip must have the same class in all prepared datasets",
            got=f"{member.clip_ids[first]} of classes {labels_N[first]} and {member.labels_N[first]}",
            hint="prepare it again from the same files",
        )
