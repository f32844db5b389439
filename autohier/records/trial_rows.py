"""The record row of a trial: when it starts, when it is complete, and when it ends early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal, TypedDict

from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.result import StageResult
from autohier.core.trial import TrialOutcome
from autohier.digest import canonical_json
from autohier.errors import FailureClass
from autohier.records.history import UnfinishedStage
from autohier.records.schema import TrialRow

_FRACTION_TOLERANCE = 1e-4


def started_row(
    config: TrialConfig,
    *,
    trial: str,
    number: int | None,
    trial_index: int | None,
    source: str,
    at: datetime,
    accelerators: float = 0.0,
    role: str = "search",
    confirms: str = "",
) -> TrialRow:
    """Return the row of a trial that starts.

    Args:
        config: config of the trial.
        trial: its name in the sweep, e.g. "t0007".
        number: its number in the study; None if the study did not sample it.
        trial_index: its index in the sweep.
        source: the paper of an initial config, or what else proposed the config, e.g. "sampled".
        at: the current time, with a time zone.
        accelerators: number of accelerators that it holds, or its share of one.
        role: see `TrialRow`.
        confirms: see `TrialRow`.
    """
    params = config.params
    return TrialRow(
        trial=trial,
        number=number,
        trial_index=trial_index,
        state="RUNNING",
        reason=None,
        failure=None,
        source=source,
        dataset=config.dataset,
        protocol=config.protocol.name,
        validation=config.protocol.validation,
        variant=params.variant,
        params=canonical_json(dict(params.settings)) if params.settings else "",
        superclasses=params.counts_text,
        weight_ratio=params.weight_ratio,
        stack_weights=weights_text(params.stack_weights),
        scope=params.scope,
        ratio=params.ratio,
        passes=params.passes,
        seed=config.seed,
        started_at=at,
        objective=config.objective,
        accelerators=accelerators,
        role=role,
        confirms=confirms,
    )


def complete_row(row: TrialRow, outcome: TrialOutcome, at: datetime) -> TrialRow:
    """Return the row of a complete trial.

    Args:
        row: its `started_row`.
        outcome: its result.
        at: the current time, with a time zone.
    """
    kept = outcome.kept
    return replace(
        _measured(row, outcome.stages, None, at),
        state="COMPLETE",
        accuracy=outcome.accuracy,
        top5_accuracy=next(reversed(kept.stack_top5_accuracies), None),
        mean_class_accuracy=kept.mean_class_accuracy,
        kept_pass=outcome.kept_pass,
        parameters=kept.cost.parameters,
        multiply_adds=kept.cost.multiply_adds,
    )


def unfinished_row(
    row: TrialRow,
    state: Literal["PRUNED", "FAIL"],
    *,
    reason: str,
    failure: FailureClass | None = None,
    at: datetime,
    stages: Sequence[StageResult] = (),
    unfinished: UnfinishedStage | None = None,
) -> TrialRow:
    """Return the row of a trial that was stopped (PRUNED) or failed; it has no kept pass.

    Args:
        row: its `started_row`.
        state: how it ended.
        reason: why it ended.
        failure: class of the failure; None if it was stopped.
        at: the current time, with a time zone.
        stages: its finished stages.
        unfinished: the stage in which it ended.
    """
    return replace(_measured(row, stages, unfinished, at), state=state, reason=reason, failure=failure)


def weights_text(weights: Sequence[float]) -> str:
    """Return loss weights as unit fractions, "1/8 1/4 1/2 1"; other numbers with three digits."""
    return " ".join(_weight_text(weight) for weight in weights)


def _weight_text(weight: float) -> str:
    inverse = 1 / weight
    is_fraction = inverse > 1.5 and abs(inverse - round(inverse)) < _FRACTION_TOLERANCE * inverse
    return f"1/{round(inverse)}" if is_fraction else f"{weight:.3g}"


def _measured(
    row: TrialRow, stages: Sequence[StageResult], unfinished: UnfinishedStage | None, at: datetime
) -> TrialRow:
    pass_1 = next((stage for stage in stages if stage.kind.is_flat), None)
    pass_2 = next((stage for stage in stages if stage.kind.starts_chain), None)
    return replace(
        row,
        finished_at=at,
        pass_1_accuracy=pass_1.accuracy if pass_1 else None,
        pass_2_accuracy=pass_2.accuracy if pass_2 else None,
        num_validation_clips=int(pass_1.confusion_KK.sum()) if pass_1 else None,
        passes_trained=sum(stage.kind.is_pruning for stage in stages),
        dense_parameters=pass_2.cost.parameters if pass_2 else None,
        dense_multiply_adds=pass_2.cost.multiply_adds if pass_2 else None,
        stage_keys=tuple(key for stage in stages for key in stage.keys),
        **_effort(stages, unfinished),
    )


class _Effort(TypedDict):
    epochs_computed: int
    epochs_reused: int
    seconds_computed: float
    seconds_reused: float


def _effort(stages: Sequence[StageResult], unfinished: UnfinishedStage | None) -> _Effort:
    epochs = sum(len(stage.epochs) for stage in stages)
    seconds = float(sum(stage.seconds for stage in stages))
    epochs_reused = sum(stage.epochs_reused for stage in stages)
    seconds_reused = float(sum(stage.seconds_reused for stage in stages))
    if unfinished:
        epochs += len(unfinished.epochs)
        seconds += sum(metrics.seconds for metrics in unfinished.epochs)
        epochs_reused += len(unfinished.reused_epochs)
        seconds_reused += sum(metrics.seconds for metrics in unfinished.reused_epochs)
    return _Effort(
        epochs_computed=epochs - epochs_reused,
        epochs_reused=epochs_reused,
        seconds_computed=seconds - seconds_reused,
        seconds_reused=seconds_reused,
    )
