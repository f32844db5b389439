"""From what happened in a trial to the rows that tell it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal, TypedDict

from autohier.core.stages.result import StageKind, StageResult
from autohier.core.training.metrics import EpochMetrics, Evaluation, Predictions
from autohier.core.trial import TrialOutcome
from autohier.digest import canonical_json
from autohier.errors import FailureClass
from autohier.records.interval import wilson_interval
from autohier.records.progress import UnfinishedStage
from autohier.records.schema import EpochRow, ReadingRow, StageRow, TrialRow
from autohier.settings.space import Setting

_FRACTION_TOLERANCE = 1e-4


def begun_row(
    setting: Setting,
    *,
    trial: str,
    number: int | None,
    ask: int | None,
    source: str,
    at: datetime,
    accelerators: float = 0.0,
) -> TrialRow:
    """The row of a trial that begins.

    Args:
        setting: what it will do.
        trial: its name in the sweep, e.g. "t0007".
        number: its number in the study; None where the study did not draw it.
        ask: its place among the study's asks.
        source: the paper of a known setting, or what else proposed it, e.g. "drawn".
        at: when it begins, with a time zone.
        accelerators: how many it holds, or its share of one.
    """
    choice = setting.choice
    return TrialRow(
        trial=trial,
        number=number,
        ask=ask,
        state="RUNNING",
        reason=None,
        failure=None,
        source=source,
        dataset=setting.dataset,
        protocol=setting.protocol.name,
        validation=setting.protocol.validation,
        variant=choice.variant,
        settings=canonical_json(dict(choice.settings)) if choice.settings else "",
        superclasses=choice.counts_text,
        weight_ratio=choice.weight_ratio,
        stack_weights=weights_text(choice.stack_weights),
        scope=choice.scope,
        ratio=choice.ratio,
        passes=choice.passes,
        seed=setting.seed,
        started_at=at,
        accelerators=accelerators,
    )


def complete_row(row: TrialRow, outcome: TrialOutcome, at: datetime) -> TrialRow:
    """The row of a trial that went all its way."""
    kept = outcome.kept
    return replace(
        _measured(row, outcome.stages, None, at),
        state="COMPLETE",
        accuracy=outcome.accuracy,
        kept_pass=outcome.kept_pass,
        parameters=kept.cost.parameters,
        multiply_adds=kept.cost.multiply_adds,
    )


def cut_short_row(
    row: TrialRow,
    state: Literal["PRUNED", "FAIL"],
    *,
    reason: str,
    failure: FailureClass | None = None,
    at: datetime,
    stages: Sequence[StageResult] = (),
    unfinished: UnfinishedStage | None = None,
) -> TrialRow:
    """The row of a trial that was stopped (PRUNED) or failed: it tells its finished stages, keeps no pass."""
    return replace(_measured(row, stages, unfinished, at), state=state, reason=reason, failure=failure)


def stage_rows(trial: str, stages: Sequence[StageResult]) -> tuple[StageRow, ...]:
    """One row per finished stage."""
    return tuple(
        StageRow(
            trial=trial,
            kind=stage.kind,
            pass_index=stage.pass_index,
            label=stage.label,
            key=stage.key,
            parent_key=stage.parent_key,
            superclasses="/".join(str(count) for count in stage.hierarchy.num_superclasses[:-1]),
            assignments=canonical_json(stage.hierarchy.as_lists()),
            accuracy=stage.accuracy,
            stack_accuracies=stage.stack_accuracies,
            parameters=stage.cost.parameters,
            multiply_adds=stage.cost.multiply_adds,
            num_epochs=len(stage.epochs),
            seconds=stage.seconds,
            reused=stage.reused,
            store_keys=stage.keys,
        )
        for stage in stages
    )


def epoch_rows(
    trial: str, stages: Sequence[StageResult], unfinished: UnfinishedStage | None = None
) -> tuple[EpochRow, ...]:
    """One row per epoch of the chain, those of a stage that was cut short included."""
    return tuple(
        EpochRow(
            trial=trial,
            kind=kind,
            pass_index=pass_index,
            epoch=metrics.epoch,
            step=step,
            learning_rate=metrics.learning_rate,
            loss=metrics.loss,
            stack_losses=metrics.stack_losses,
            validation_loss=metrics.validation_loss,
            stack_accuracies=metrics.stack_accuracies,
            accuracy=metrics.accuracy,
            seconds=metrics.seconds,
            num_clips=metrics.num_clips,
        )
        for step, (kind, pass_index, metrics) in enumerate(_chain(stages, unfinished), start=1)
    )


def reading_row(trial: TrialRow, stage: str, evaluation: Evaluation, at: datetime) -> ReadingRow:
    """The row of one reading of the test split.

    Args:
        trial: the trial whose network was read.
        stage: label of the stage that was read, e.g. "prune 3".
        evaluation: what it scored on the test split.
        at: when, with a time zone.
    """
    low, high = wilson_interval(evaluation.accuracy, evaluation.num_clips)
    return ReadingRow(
        trial=trial.trial,
        stage=stage,
        protocol=trial.protocol,
        validation=trial.validation,
        accuracy=evaluation.accuracy,
        num_clips=evaluation.num_clips,
        stack_accuracies=evaluation.stack_accuracies,
        low=low,
        high=high,
        read_at=at,
    )


def model_reading_row(
    model: str, network: str, protocol: str, validation: str, predictions: Predictions, at: datetime
) -> ReadingRow:
    """The row of one reading of the test split by a fusion, or by a trial that was asked for by its name.

    Args:
        model: the fusion's name, or the trial's.
        network: what of it was read, e.g. "fusion" or "prune 3, refit".
        protocol: the dataset's split.
        validation: what the choice of it was made on.
        predictions: what it takes the test clips for.
        at: when, with a time zone.
    """
    low, high = wilson_interval(predictions.accuracy, len(predictions.clip_ids))
    return ReadingRow(
        trial=model,
        stage=network,
        protocol=protocol,
        validation=validation,
        accuracy=predictions.accuracy,
        num_clips=len(predictions.clip_ids),
        stack_accuracies=(predictions.accuracy,),
        low=low,
        high=high,
        read_at=at,
    )


def weights_text(weights: Sequence[float]) -> str:
    """Loss weights as people write them: "1/8 1/4 1/2 1", or three digits where no 1/n is near."""
    return " ".join(_weight_text(weight) for weight in weights)


def _weight_text(weight: float) -> str:
    inverse = 1 / weight
    is_fraction = inverse > 1.5 and abs(inverse - round(inverse)) < _FRACTION_TOLERANCE * inverse
    return f"1/{round(inverse)}" if is_fraction else f"{weight:.3g}"


def _measured(
    row: TrialRow, stages: Sequence[StageResult], unfinished: UnfinishedStage | None, at: datetime
) -> TrialRow:
    pass_1 = next((stage for stage in stages if stage.kind == "pass-1"), None)
    pass_2 = next((stage for stage in stages if stage.kind == "pass-2"), None)
    return replace(
        row,
        finished_at=at,
        pass_1_accuracy=pass_1.accuracy if pass_1 else None,
        pass_2_accuracy=pass_2.accuracy if pass_2 else None,
        num_validation_clips=int(pass_1.confusion_KK.sum()) if pass_1 else None,
        passes_trained=sum(stage.kind == "prune" for stage in stages),
        dense_parameters=pass_2.cost.parameters if pass_2 else None,
        dense_multiply_adds=pass_2.cost.multiply_adds if pass_2 else None,
        stage_keys=tuple(key for stage in stages for key in stage.keys),
        **_effort(stages, unfinished),
    )


class _Effort(TypedDict):
    epochs_computed: int
    epochs_spared: int
    seconds_computed: float
    seconds_spared: float


def _effort(stages: Sequence[StageResult], unfinished: UnfinishedStage | None) -> _Effort:
    epochs = sum(len(stage.epochs) for stage in stages)
    seconds = float(sum(stage.seconds for stage in stages))
    epochs_spared = sum(stage.epochs_spared for stage in stages)
    seconds_spared = float(sum(stage.seconds_spared for stage in stages))
    if unfinished:
        epochs += len(unfinished.epochs)
        seconds += sum(metrics.seconds for metrics in unfinished.epochs)
        epochs_spared += len(unfinished.found)
        seconds_spared += sum(metrics.seconds for metrics in unfinished.found)
    return _Effort(
        epochs_computed=epochs - epochs_spared,
        epochs_spared=epochs_spared,
        seconds_computed=seconds - seconds_spared,
        seconds_spared=seconds_spared,
    )


def _chain(
    stages: Sequence[StageResult], unfinished: UnfinishedStage | None
) -> Iterator[tuple[StageKind, int, EpochMetrics]]:
    chain: list[StageResult | UnfinishedStage] = [*stages, *([unfinished] if unfinished else [])]
    for stage in chain:
        for metrics in stage.epochs:
            yield stage.kind, stage.pass_index, metrics
