"""Accuracies of a network at each of its levels, from superclasses to classes, and of each pathway."""

from __future__ import annotations

from collections.abc import Sequence

from autohier.core.stages.result import StageResult
from autohier.core.training.metrics import Evaluation, Predictions
from autohier.records.reader import Records
from autohier.records.schema import EvaluationRow, StageRow
from autohier.reports.text import percent


def best_levels(records: Records) -> str:
    """Return the best trial's validation accuracies at every level; empty if older records lack them."""
    ranked = records.ranked()
    kept = records.chain_of(ranked[0].trial)[ranked[0].kept_pass or 0 :] if ranked else ()
    levels = levels_text(kept[0], kept[0].superclasses) if kept else ""
    return f"validation by level, {kept[0].label}: {levels}" if levels else ""


def best_pathways(records: Records) -> str:
    """Return the validation accuracies of the best trial's pathways; empty if its network has one only."""
    ranked = records.ranked()
    kept = records.chain_of(ranked[0].trial)[ranked[0].kept_pass or 0 :] if ranked else ()
    pathways = pathways_text(kept[0]) if kept else ""
    return f"validation by pathway, {kept[0].label}: {pathways}" if pathways else ""


def pathways_text(row: StageRow | EvaluationRow | StageResult | Evaluation | Predictions) -> str:
    """Return the accuracy of each pathway alone; empty if the network has one only."""
    accuracies = (
        dict(zip(row.pathways, row.pathway_accuracies, strict=True))
        if isinstance(row, StageRow | EvaluationRow)
        else row.pathway_accuracies
    )
    return "; ".join(f"{name} alone {percent(value)}" for name, value in accuracies.items())


def levels_text(row: StageRow | EvaluationRow | StageResult | Evaluation, superclasses: str) -> str:
    """Return the accuracies of every level; empty if older records lack them.

    Args:
        row: a stage or an evaluation, possibly of the classes alone.
        superclasses: superclass counts of its trial, e.g. "2/6/20".
    """
    counts = [count for count in superclasses.split("/") if count]
    rows = list(
        zip(row.stack_accuracies, row.stack_top5_accuracies, row.stack_mean_class_accuracies, strict=False)
    )
    return _levels_text(counts[len(counts) + 1 - len(rows) :], rows)


def predicted_levels_text(predictions: Predictions) -> str:
    """Return the accuracies of predictions at every level; empty if they are those of the classes alone."""
    if not predictions.levels:
        return ""
    return _levels_text(
        [level.probabilities_NK.shape[1] for level in predictions.levels],
        [
            (level.accuracy, level.top5_accuracy, level.mean_class_accuracy)
            for level in (*predictions.levels, predictions)
        ],
    )


def _levels_text(counts: Sequence[object], rows: Sequence[tuple[float, float, float]]) -> str:
    names = [*(f"{count} superclasses" for count in counts), "classes"]
    return "; ".join(
        f"{name}: top-1 {percent(top1)}, top-5 {percent(top5)}, mean class {percent(mean_class)}"
        for name, (top1, top5, mean_class) in zip(names, rows, strict=False)
    )
