"""Measurements of a stored stage: read from plain values, and checked to be possible."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from autohier.config.trial.training import HeadPlacement
from autohier.core.hierarchy.hierarchy import Hierarchy
from autohier.core.pruning.cost import Cost
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.training.metrics import EpochMetrics
from autohier.errors import StageDamagedError

_ROUNDING = 1e-6
_LOWEST_LOSS = -1e-4
"""Losses are not negative, except by the rounding of probabilities near 1."""


def read_result(
    description: Mapping[str, Any],
    kind: StageKind,
    rows: Sequence[Mapping[str, Any]],
    confusion_KK: npt.NDArray[np.int64],
) -> StageResult:
    """Build a result from the description and the files of a stage.

    Raises:
        Exception: of any kind, if the description has another form.
    """
    return StageResult(
        kind=kind,
        key=description["key"],
        parent_key=description["parent_key"],
        parent_keys=tuple(description.get("parent_keys", ())),
        pass_index=description["pass_index"],
        hierarchy=Hierarchy.from_lists(description["hierarchy"]),
        epochs=tuple(EpochMetrics.from_row(row) for row in rows),
        stack_accuracies=tuple(description["stack_accuracies"]),
        confusion_KK=confusion_KK,
        cost=Cost(**description["cost"]),
        seconds=description["seconds"],
        reused=True,
        stack_top5_accuracies=tuple(description.get("stack_top5_accuracies", ())),
        stack_mean_class_accuracies=tuple(description.get("stack_mean_class_accuracies", ())),
        heads=description.get("heads", "stacks"),
        pathway_accuracies=dict(description.get("pathway_accuracies", {})),
    )


def check_measurements(result: StageResult) -> None:
    """Check the ranges and the shapes of a stage's measurements.

    Raises:
        StageDamagedError: names the first measurement that is impossible.
    """
    for rule, holds in _rules(result).items():
        if not holds:
            raise StageDamagedError(f"in stage {result.key[:12]}, {rule}")


def _rules(result: StageResult) -> dict[str, bool]:
    num_stacks = len(result.hierarchy.assignments)
    num_clips = int(result.confusion_KK.sum())
    share = int(result.confusion_KK.trace()) / num_clips if num_clips > 0 else math.nan
    return {
        "pass_index must count pruning passes": type(result.pass_index) is int
        and (result.pass_index > 0) == result.kind.is_pruning
        and result.pass_index >= 0,
        "heads must be those of stacks or of the last": result.heads in get_args(HeadPlacement),
        "accuracies must be shares, one for every stack": _are_shares(result.stack_accuracies, num_stacks)
        and _are_shares_or_missing(result.stack_top5_accuracies, num_stacks)
        and _are_shares_or_missing(result.stack_mean_class_accuracies, num_stacks),
        "accuracies of pathways must be shares": _are_shares(
            tuple(result.pathway_accuracies.values()), len(result.pathway_accuracies)
        ),
        "the confusion matrix must count clips": bool((result.confusion_KK >= 0).all()) and num_clips > 0,
        "the accuracy must be that of the confusion matrix": abs(result.accuracy - share) < _ROUNDING,
        "parameters and multiply-adds must be positive": _is_count(result.cost.parameters)
        and _is_count(result.cost.multiply_adds),
        "seconds must be a time": _is_at_least_0(result.seconds),
        "epochs must be numbered from 0": [each.epoch for each in result.epochs]
        == list(range(len(result.epochs))),
        "the measurements of its epochs must be possible": all(
            _is_possible(each, num_stacks) for each in result.epochs
        ),
    }


def _is_possible(epoch: EpochMetrics, num_stacks: int) -> bool:
    losses = (epoch.loss, epoch.validation_loss, *epoch.stack_losses)
    return (
        _are_shares(epoch.stack_accuracies, num_stacks)
        and _are_shares_or_missing(epoch.stack_top5_accuracies, num_stacks)
        and _are_shares_or_missing(epoch.stack_mean_class_accuracies, num_stacks)
        and len(epoch.stack_losses) == num_stacks
        and all(math.isfinite(loss) and loss >= _LOWEST_LOSS for loss in losses)
        and math.isfinite(epoch.auxiliary_loss)
        and _is_at_least_0(epoch.learning_rate)
        and _is_at_least_0(epoch.seconds)
        and _is_at_least_0(epoch.waited_s)
        and _is_count(epoch.num_clips)
    )


def _are_shares(values: Sequence[float], number: int) -> bool:
    return len(values) == number and all(_is_at_least_0(value) and value <= 1 for value in values)


def _are_shares_or_missing(values: Sequence[float], number: int) -> bool:
    """Return True for the shares of every stack, and for none, as older versions wrote."""
    return not values or _are_shares(values, number)


def _is_at_least_0(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0
