"""Record rows of stages, epochs and test results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from autohier.core.stages.result import StageResult
from autohier.core.training.metrics import EpochMetrics, Evaluation, Predictions
from autohier.digest import canonical_json
from autohier.records.history import UnfinishedStage
from autohier.records.schema import EpochRow, EvaluationRow, StageRow, TrialRow
from autohier.records.statistics import wilson_interval


def stage_rows(trial: str, stages: Sequence[StageResult]) -> tuple[StageRow, ...]:
    """Return one row per finished stage.

    Args:
        trial: name of the trial.
        stages: its finished stages, in order.
    """
    return tuple(
        StageRow(
            trial=trial,
            kind=stage.kind.name,
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
            stack_top5_accuracies=stage.stack_top5_accuracies,
            stack_mean_class_accuracies=stage.stack_mean_class_accuracies,
            parent_keys=stage.parent_keys,
            is_flat=stage.kind.is_flat,
            pathways=tuple(stage.pathway_accuracies),
            pathway_accuracies=tuple(stage.pathway_accuracies.values()),
        )
        for stage in stages
    )


def epoch_rows(
    trial: str, stages: Sequence[StageResult], unfinished: UnfinishedStage | None = None
) -> tuple[EpochRow, ...]:
    """Return one row per epoch of a trial.

    Args:
        trial: name of the trial.
        stages: its finished stages, in order.
        unfinished: the stage in which it ended early.
    """
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
            stack_top5_accuracies=metrics.stack_top5_accuracies,
            stack_mean_class_accuracies=metrics.stack_mean_class_accuracies,
            auxiliary_loss=metrics.auxiliary_loss,
            waited_s=metrics.waited_s,
        )
        for step, (kind, pass_index, metrics) in enumerate(_epochs(stages, unfinished), start=1)
    )


def evaluation_row(
    trial: TrialRow, stage: str, evaluation: Evaluation, at: datetime, refit_seed: int | None = None
) -> EvaluationRow:
    """Return the row of a test result of a trial.

    Args:
        trial: the evaluated trial.
        stage: label of the evaluated stage, e.g. "prune 3".
        evaluation: its evaluation on the test split.
        at: time of the evaluation, with a time zone.
        refit_seed: see `EvaluationRow`.
    """
    low, high = wilson_interval(evaluation.accuracy, evaluation.num_clips)
    return EvaluationRow(
        trial=trial.trial,
        stage=stage,
        protocol=trial.protocol,
        validation=trial.validation,
        accuracy=evaluation.accuracy,
        num_clips=evaluation.num_clips,
        stack_accuracies=evaluation.stack_accuracies,
        accuracy_low=low,
        accuracy_high=high,
        evaluated_at=at,
        stack_top5_accuracies=evaluation.stack_top5_accuracies,
        stack_mean_class_accuracies=evaluation.stack_mean_class_accuracies,
        refit_seed=refit_seed,
        pathways=tuple(evaluation.pathway_accuracies),
        pathway_accuracies=tuple(evaluation.pathway_accuracies.values()),
    )


def model_evaluation_row(
    model: str, network: str, protocol: str, validation: str, predictions: Predictions, at: datetime
) -> EvaluationRow:
    """Return the row of a test result of a fusion, or of a trial that the user names.

    Args:
        model: name of the fusion or of the trial.
        network: evaluated network, e.g. "fusion" or "prune 3, refit".
        protocol: the dataset's split.
        validation: kind of validation by which the model was chosen.
        predictions: its predictions of the test clips.
        at: time of the evaluation, with a time zone.
    """
    low, high = wilson_interval(predictions.accuracy, len(predictions.clip_ids))
    levels = (*predictions.levels, predictions)
    return EvaluationRow(
        trial=model,
        stage=network,
        protocol=protocol,
        validation=validation,
        accuracy=predictions.accuracy,
        num_clips=len(predictions.clip_ids),
        stack_accuracies=tuple(level.accuracy for level in levels),
        accuracy_low=low,
        accuracy_high=high,
        evaluated_at=at,
        stack_top5_accuracies=tuple(level.top5_accuracy for level in levels),
        stack_mean_class_accuracies=tuple(level.mean_class_accuracy for level in levels),
        pathways=tuple(predictions.pathway_accuracies),
        pathway_accuracies=tuple(predictions.pathway_accuracies.values()),
    )


def _epochs(
    stages: Sequence[StageResult], unfinished: UnfinishedStage | None
) -> Iterator[tuple[str, int, EpochMetrics]]:
    chain: list[StageResult | UnfinishedStage] = [*stages, *([unfinished] if unfinished else [])]
    for stage in chain:
        for metrics in stage.epochs:
            yield stage.kind.name, stage.pass_index, metrics
