"""Standings of a sweep's trials and its result, as rows for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import mean
from typing import Annotated

from autohier.records.reader import Records, params_of
from autohier.records.schema import EpochRow, EvaluationRow, TrialRow
from autohier.records.statistics import wilson_interval
from autohier.reports.sweeps.summary import interval_of

_STATES = {"COMPLETE": "complete", "PRUNED": "stopped", "FAIL": "failed", "REQUEUED": "requeued"}


@dataclass(frozen=True, slots=True)
class TrialStanding:
    """A trial of a sweep's search; complete ones are ranked, best first."""

    rank: Annotated[int | None, "place among the complete trials within the bound; null for others"]
    trial: Annotated[str, "name of the trial"]
    state: Annotated[str, "complete, stopped, failed, running, interrupted or requeued"]
    reason: Annotated[str | None, "why it was stopped or failed"]
    failure: Annotated[str | None, "class of the failure; null unless it failed"]
    source: Annotated[str, "paper of an initial config, or what else proposed the config"]
    variant: Annotated[str, "variant of the search space; empty if it has none"]
    settings: Annotated[str, "JSON of the hyperparameters in search.settings; empty if there are none"]
    superclasses: Annotated[str, "superclass counts, front to back, e.g. 2/6/20"]
    weight_ratio: Annotated[float, "rho of the loss weights rho**(L - l)"]
    scope: Annotated[str, "pruning scope: global or layerwise"]
    ratio: Annotated[float, "share of the remaining filters that a pruning pass removes"]
    passes: Annotated[int, "maximum number of pruning passes"]
    kept_pass: Annotated[int | None, "pruning pass of the kept network; 0 is pass 2, unpruned"]
    seed: Annotated[int, "seed of the trial"]
    accuracy: Annotated[float | None, "validation accuracy of the kept pass"]
    mean_class_accuracy: Annotated[float | None, "mean of the classes' validation accuracies"]
    estimate: Annotated[float | None, "estimated accuracy on other clips and seeds; null without estimates"]
    low: Annotated[float | None, "lower end of the 95% interval of the estimate, else of the accuracy"]
    high: Annotated[float | None, "upper end of that interval"]
    best_probability: Annotated[float | None, "probability that no other complete trial is better"]
    num_validation_clips: Annotated[int | None, "number of validation clips"]
    parameters: Annotated[int | None, "parameters of the kept network, without pruned filters"]
    multiply_adds: Annotated[int | None, "multiply-adds of the kept network for one clip"]
    epochs_trained: Annotated[int | None, "number of epochs that the trial trained"]
    epochs_reused: Annotated[int | None, "number of epochs reused from the stage store"]
    seconds_trained: Annotated[float | None, "time that its own epochs took, in seconds"]
    last_stage: Annotated[str | None, "kind of the last stage with an epoch, e.g. pass-2; null without one"]
    last_epoch: Annotated[int | None, "number of epochs done in that stage"]
    last_accuracy: Annotated[float | None, "validation accuracy after its last epoch"]
    started_at: Annotated[datetime, "start of the trial"]
    finished_at: Annotated[datetime | None, "end of the trial"]


@dataclass(frozen=True, slots=True)
class ReportedResult:
    """The result of a sweep to report: its winner's accuracy on the test split."""

    trial: Annotated[str, "name of the trial that the search chose on validation clips"]
    stage: Annotated[str, "evaluated network, e.g. prune 2, refit"]
    accuracy: Annotated[float, "test accuracy; the mean of all refits"]
    low: Annotated[float, "lower end of its 95% interval"]
    high: Annotated[float, "upper end of its 95% interval"]
    num_clips: Annotated[int, "number of test clips"]
    num_refits: Annotated[int, "number of refits; 0 if the network was not refit"]
    protocol: Annotated[str, "the dataset's split"]
    validation: Annotated[str, "kind of validation that chose the network"]
    evaluated_at: Annotated[datetime, "time of the first evaluation"]
    num_readings: Annotated[int, "number of times that the test split was read for this sweep"]


def trial_standings(records: Records, *, is_driven: bool) -> tuple[TrialStanding, ...]:
    """Return the trials of a search: complete ones best first, then the others by name.

    Args:
        records: of the sweep.
        is_driven: whether the sweep has a driver; without one its unfinished trials are interrupted.
    """
    ranked = records.ranked()
    others = [row for row in records.trials if row.number is not None and row not in ranked]
    last = {epoch.trial: epoch for epoch in sorted(records.epochs, key=lambda epoch: epoch.step)}
    ranks = {row.trial: rank for rank, row in enumerate(ranked, start=1)}
    unfinished = "running" if is_driven else "interrupted"
    return tuple(
        _standing(records, row, ranks.get(row.trial), last.get(row.trial), unfinished)
        for row in (*ranked, *others)
    )


def reported_result(records: Records) -> ReportedResult | None:
    """Return the result to report; None before the winner is tested."""
    winner = next(iter(records.ranked()), None)
    row = records.reported_result(winner) if winner else None
    if winner is None or row is None:
        return None
    further = records.further_refits(winner)
    accuracy = mean([row.accuracy, *(each.accuracy for each in further)])
    low, high = wilson_interval(accuracy, row.num_clips)
    return ReportedResult(
        trial=winner.trial,
        stage=row.stage,
        accuracy=accuracy,
        low=low,
        high=high,
        num_clips=row.num_clips,
        num_refits=1 + len(further) if is_refit(row) else 0,
        protocol=row.protocol,
        validation=row.validation,
        evaluated_at=row.evaluated_at,
        num_readings=len({each.evaluated_at for each in records.tests if each.refit_seed is None}),
    )


def is_refit(row: EvaluationRow) -> bool:
    """Return True if a test result is that of a refit network."""
    return row.stage.endswith(", refit")


def _standing(
    records: Records, row: TrialRow, rank: int | None, epoch: EpochRow | None, unfinished: str
) -> TrialStanding:
    estimate = records.estimates.get(row.trial)
    low, high = interval_of(records, row)
    params = params_of(row)
    return TrialStanding(
        rank=rank,
        trial=row.trial,
        state=_STATES.get(row.state, unfinished),
        reason=row.reason,
        failure=row.failure,
        source=row.source,
        variant=params.variant,
        settings=row.params,
        superclasses=row.superclasses,
        weight_ratio=row.weight_ratio,
        scope=row.scope,
        ratio=row.ratio,
        passes=row.passes,
        kept_pass=row.kept_pass,
        seed=row.seed,
        accuracy=row.accuracy,
        mean_class_accuracy=row.mean_class_accuracy,
        estimate=estimate.value if estimate else None,
        low=low,
        high=high,
        best_probability=estimate.best_probability if estimate else None,
        num_validation_clips=row.num_validation_clips,
        parameters=row.parameters,
        multiply_adds=row.multiply_adds,
        epochs_trained=row.epochs_computed,
        epochs_reused=row.epochs_reused,
        seconds_trained=row.seconds_computed,
        last_stage=epoch.kind if epoch else None,
        last_epoch=epoch.epoch + 1 if epoch else None,
        last_accuracy=epoch.accuracy if epoch else None,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
