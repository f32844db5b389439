"""All figures of a sweep for a paper, or those of one of its trials.

Accuracies are those of validation clips; only under ``paper`` validation does the ablation have test
accuracies, and its axis says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from matplotlib.figure import Figure

from autohier.config.sweep import Provenance, SweepPlan
from autohier.errors import InputError
from autohier.records.reader import Records
from autohier.records.schema import TrialRow
from autohier.reports.figures.attention import attention_arrays, draw_attention
from autohier.reports.figures.charts import draw_importances
from autohier.reports.figures.classes import trial_classes
from autohier.reports.figures.confusion import draw_confusion
from autohier.reports.figures.gradients import draw_gradients, gradient_arrays
from autohier.reports.figures.networks import recorded_attention, recorded_gradients
from autohier.reports.figures.pruning import draw_pruning
from autohier.reports.figures.search import front_figure, history_figure, parallel_figure
from autohier.reports.figures.superclasses import draw_hierarchy, draw_level
from autohier.reports.trials.ablation import ablation
from autohier.reports.trials.importances import find_importances
from autohier.text import plural

_NO_TRIAL = "no trial is complete"


@dataclass(frozen=True, slots=True)
class NamedFigure:
    """A figure with the name of its file, or the reason why there is none."""

    name: str
    figure: Figure | None
    reason: str = ""
    arrays: bytes = b""
    """The numbers of the figure as an .npz file; empty if there is none."""


def class_figures(records: Records, plan: SweepPlan, trial: TrialRow | None) -> Iterator[NamedFigure]:
    """Yield the superclasses and the confusion matrix of a trial.

    Args:
        records: of the sweep.
        plan: of the sweep.
        trial: a complete trial; None for the best one.
    """
    classes = trial_classes(records, plan, trial)
    if classes is None:
        yield from (NamedFigure(name, None, _NO_TRIAL) for name in ("superclasses", "confusion"))
        return
    *levels, _ = classes.assignments
    if levels:
        yield NamedFigure("superclasses", draw_hierarchy(classes.assignments, classes.names))
    else:
        yield NamedFigure("superclasses", None, "the trial has no superclasses")
    for number, level in enumerate(levels, start=1):
        title = f"Level {number}: {plural(len(set(level)), 'superclass', 'superclasses')}"
        yield NamedFigure(f"superclasses-level{number}", draw_level(level, classes.names, title=title))
    if classes.confusion_KK is None:
        yield NamedFigure("confusion", None, "the stage that the trial kept is not in the stage store")
    else:
        yield NamedFigure("confusion", draw_confusion(classes))


def gradient_figure(records: Records, plan: SweepPlan, trial: TrialRow | None, num_clips: int) -> NamedFigure:
    """Return the gradient maps of a trial; see `recorded_gradients`."""
    maps = recorded_gradients(records, plan, trial, num_clips)
    if maps is None:
        return NamedFigure("gradients", None, _NO_TRIAL)
    return NamedFigure("gradients", draw_gradients(maps), arrays=gradient_arrays(maps))


def attention_figure(
    records: Records, plan: SweepPlan, trial: TrialRow | None, num_clips: int
) -> NamedFigure:
    """Return the mean attention of a trial to parts of the body; see `recorded_attention`."""
    try:
        attention = recorded_attention(records, plan, trial, num_clips)
    except InputError as error:
        return NamedFigure("attention", None, str(error))
    if attention is None:
        return NamedFigure("attention", None, _NO_TRIAL)
    names = trial_classes(records, plan, trial)
    class_names = names.names if names else ()
    figure = draw_attention(attention, class_names)
    return NamedFigure("attention", figure, arrays=attention_arrays(attention))


def search_figures(records: Records, plan: SweepPlan, provenance: Provenance) -> Iterator[NamedFigure]:
    """Yield the figures of a search: pruning, history, parallel coordinates, importances and front."""
    try:
        yield NamedFigure("pruning", draw_pruning(ablation(records)))
    except InputError as error:
        yield NamedFigure("pruning", None, str(error))
    for name, figure in (
        ("history", history_figure(records, provenance)),
        ("parallel", parallel_figure(records)),
        ("front", front_figure(records)),
    ):
        yield NamedFigure(name, figure, "" if figure else _NO_TRIAL)
    try:
        yield NamedFigure("importances", draw_importances(find_importances(records, plan).shares))
    except InputError as error:
        yield NamedFigure("importances", None, str(error))
