"""Late fusion: the probabilities of several recognizers, averaged clip by clip with weights.

Legend: N clips, K classes, M members.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autohier.core.training.metrics import Predictions
from autohier.errors import InputError

_LEAST_GAIN = 1e-9
"""Of log-likelihood, in nats per clip: a smaller one ends the search for weights."""
_MOST_STEPS = 10_000
_UNKNOWN = -1
_TRIFLE = 1e-12
"""Takes the place of weights below it, so that clips which only members without weight have are told too."""


@dataclass(frozen=True, slots=True)
class Fused:
    """What members take clips for, each alone and all together."""

    members: tuple[Predictions, ...]
    weights: tuple[float, ...]
    together: Predictions
    best: int
    """The member that is held against all together: the best on validation, the first of equals."""

    @classmethod
    def of(
        cls, members: Sequence[Predictions], weights: Sequence[float], accuracies: Sequence[float]
    ) -> Fused:
        """Fuse what members say of clips; see `average`.

        Args:
            members: what each takes its clips for.
            weights: of each.
            accuracies: of each on validation.
        """
        best = int(np.argmax(accuracies))
        return cls(tuple(members), tuple(weights), average(members, weights), best)

    @property
    def alone(self) -> Predictions:
        """What the best member takes its clips for."""
        return self.members[self.best]

    @property
    def won_and_lost(self) -> tuple[int, int]:
        """Of the best member's clips: those that only all together have right, and those that only it has."""
        together, alone = self.together.of(self.alone.clip_ids).is_right, self.alone.is_right
        return int((together & ~alone).sum()), int((alone & ~together).sum())


def share_clips(members: Sequence[Predictions]) -> tuple[Predictions, ...]:
    """What every member says of the clips that all of them have, in the order of their names.

    Raises:
        InputError: where they have none in common.
    """
    shared = sorted(_shared_ids(members))
    if not shared:
        raise InputError(
            "trials are fused on validation clips that all of them have",
            got="none in common",
            remedy="prepare their clips from the same files, so that they go by the same names",
        )
    return tuple(member.of(shared) for member in members)


def num_unshared(members: Sequence[Predictions]) -> int:
    """Clips that some members have, and not all."""
    return len(_all_ids(members)) - len(_shared_ids(members))


def average(members: Sequence[Predictions], weights: Sequence[float]) -> Predictions:
    """The weighted mean of the members' probabilities.

    A clip that some members lack gets the mean of the others, their weights brought to a sum of 1; where
    those have no weight they count alike.

    Args:
        members: what each takes its clips for.
        weights: of each, not negative; their sum does not matter.

    Returns:
        Of every clip that any member has, in the order of their names.

    Raises:
        InputError: where members do not agree on a clip's class.
    """
    clip_ids = tuple(sorted(_all_ids(members)))
    row_of = {clip_id: row for row, clip_id in enumerate(clip_ids)}
    num_classes = members[0].probabilities_NK.shape[1]
    total_NK = np.zeros((len(clip_ids), num_classes), dtype=np.float32)
    weight_N = np.zeros(len(clip_ids), dtype=np.float32)
    labels_N = np.full(len(clip_ids), _UNKNOWN, dtype=np.int64)
    for member, weight in zip(members, np.maximum(weights, _TRIFLE), strict=True):
        rows = np.array([row_of[clip_id] for clip_id in member.clip_ids], dtype=np.int64)
        _check_labels(member, labels_N[rows])
        total_NK[rows] += np.float32(weight) * member.probabilities_NK
        weight_N[rows] += np.float32(weight)
        labels_N[rows] = member.labels_N
    return Predictions(clip_ids, labels_N, total_NK / weight_N[:, None])


def likeliest_weights(members: Sequence[Predictions]) -> tuple[float, ...]:
    """The weights under which the average of the members makes the clips' classes likeliest.

    The log-likelihood of a mixture, sum over clips of log(sum over members of w_m p_m(class)), is concave in
    its weights, so that what is found from equal ones is a maximum. EM for the proportions of a mixture
    (Dempster, Laird and Rubin 1977, section 4.3) finds it: every step gives a member the mean share that it
    has of the probability of the clips' classes, and never lowers the likelihood. It ends where a step gains
    less than 1e-9 nats per clip, after 10,000 steps at the latest.

    Likelihood and not accuracy is maximised, because accuracy on some hundred clips is a step function of the
    weights, and what reaches its highest step fits those clips more than others.

    Args:
        members: what each takes the same clips for, in the same order; see `share_clips`.

    Returns:
        Their sum is 1; equal members have equal ones.
    """
    smallest = np.finfo(np.float32).tiny
    rows, labels_N = np.arange(len(members[0].labels_N)), members[0].labels_N
    of_classes = [member.probabilities_NK[rows, labels_N].astype(np.float64) for member in members]
    likelihoods_NM = np.stack(of_classes, axis=1).clip(smallest)
    weights_M = np.full(len(members), 1 / len(members))
    reached = -np.inf
    for _ in range(_MOST_STEPS):
        mixture_N = likelihoods_NM @ weights_M
        before, reached = reached, float(np.log(mixture_N).mean())
        if reached - before < _LEAST_GAIN:
            break
        weights_M = weights_M * (likelihoods_NM / mixture_N[:, None]).mean(axis=0)
    return tuple((weights_M / weights_M.sum()).tolist())


def _all_ids(members: Sequence[Predictions]) -> set[str]:
    return {clip_id for member in members for clip_id in member.clip_ids}


def _shared_ids(members: Sequence[Predictions]) -> set[str]:
    return set(members[0].clip_ids).intersection(*(member.clip_ids for member in members[1:]))


def _check_labels(member: Predictions, labels_N: NDArray[np.int64]) -> None:
    """That a member has the classes that are known of its clips."""
    differ = np.flatnonzero((labels_N != _UNKNOWN) & (labels_N != member.labels_N))
    if len(differ):
        first = int(differ[0])
        raise InputError(
            "a clip must be of the same class wherever it is prepared",
            got=f"{member.clip_ids[first]} of classes {labels_N[first]} and {member.labels_N[first]}",
            remedy="prepare it anew from the same files",
        )
