"""Sections of the page on the best trial's classes: superclasses, confusions, accuracies and hard clips."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autohier.config.sweep import SweepPlan
from autohier.data.store.reader import ClipStore
from autohier.errors import AutohierError
from autohier.records.reader import Records
from autohier.records.schema import StageRow
from autohier.records.statistics import wilson_interval
from autohier.records.tensorboard.clips import ClipPicture, write_clips
from autohier.records.tensorboard.drawing import superclass_order
from autohier.reports.clips.contact_sheet import draw_contact_sheet
from autohier.reports.clips.view import view_clip
from autohier.reports.figures.classes import TrialClasses, kept_stage, superclass_groups, trial_classes
from autohier.reports.figures.confusion import draw_confusion
from autohier.reports.figures.gradients import draw_gradients, gradients_caption
from autohier.reports.figures.networks import recorded_gradients
from autohier.reports.figures.rendering import svg
from autohier.reports.figures.superclasses import draw_hierarchy
from autohier.reports.html import elements as html
from autohier.reports.html.hard_clips import HardClip, confirmed_hard_clips, predicted_hard_clips
from autohier.reports.text import interval_text, percent
from autohier.sweep.paths import clip_folder

_PNG, _SVG = "image/png", "image/svg+xml"
_NO_TRIAL = "No trial is complete yet."
_NO_STAGE = "The stage that the best trial kept is not in the stage store."
_NO_RUNS = (
    "None known: the records say which clips are right only for runs of a confirmation. 'autohier report "
    "--predict' evaluates the best trial's network."
)
_BAR_REM = 8.0
_FRAMES = 4


def superclass_section(records: Records, plan: SweepPlan) -> html.Html:
    """Return the superclasses of the best trial with their classes."""
    classes = trial_classes(records, plan)
    if classes is None:
        return html.empty_section("superclasses", "Superclasses of the best trial", _NO_TRIAL)
    rows = [(level, number, ", ".join(names)) for level, number, names in superclass_groups(classes)]
    if not rows:
        return html.empty_section(
            "superclasses", "Superclasses of the best trial", "The best trial has no superclasses."
        )
    table = html.table(("level", "superclass", "classes"), rows, ("level", "superclass"))
    caption = (
        "Each row is a class, each column a level of superclasses, of which level 1 is the coarsest. Classes "
        "that the network confuses share superclasses. A number that stands in several blocks of a column is "
        "one superclass."
    )
    picture = svg(draw_hierarchy(classes.assignments, classes.names))
    figure = html.figure("superclasses", picture, _SVG, caption)
    listed = html.details("superclasses as a table", table)
    return html.section("superclasses", "Superclasses of the best trial", figure, listed)


def confusion_section(records: Records, plan: SweepPlan) -> html.Html:
    """Return the confusion matrix of the kept pass, with classes in the order of their superclasses."""
    classes = trial_classes(records, plan)
    if classes is None or classes.confusion_KK is None:
        return html.empty_section(
            "confusion", "Confusion matrix", _NO_TRIAL if classes is None else _NO_STAGE
        )
    caption = (
        "Validation clips by true and predicted class; classes are ordered by superclass, and those of the "
        "first level are framed."
    )
    picture = svg(draw_confusion(classes))
    return html.section("confusion", "Confusion matrix", html.figure("confusion", picture, _SVG, caption))


def class_section(records: Records, plan: SweepPlan) -> html.Html:
    """Return the accuracy of every class, with the top-5 and the mean class accuracy."""
    classes, stage = trial_classes(records, plan), kept_stage(records)
    if classes is None or stage is None or classes.confusion_KK is None:
        return html.empty_section("classes", "Class accuracies", _NO_TRIAL if classes is None else _NO_STAGE)
    headings = ("class", "superclasses", "clips", "accuracy", "95% interval", "", "most confused with")
    rows = [_class_cells(classes, k) for k in superclass_order(classes.assignments)]
    table = html.table(headings, rows, headings[2:5])
    return html.section(
        "classes", "Class accuracies", html.paragraph(class_summary(stage, classes.confusion_KK)), table
    )


def class_summary(stage: StageRow, confusion_KK: NDArray[np.int64]) -> str:
    """Return the accuracies over all classes, as other parts of the page give them.

    With cross-validation these are means of the folds. Those of all clips together, which the table counts,
    follow if they differ.
    """
    sizes = confusion_KK.sum(axis=1)
    right = confusion_KK.diagonal()
    accuracy = percent(right.sum() / max(sizes.sum(), 1))
    mean_class = percent(float((right / np.maximum(sizes, 1))[sizes > 0].mean()) if sizes.any() else 0.0)
    own_mean_class = mean_class
    if stage.stack_mean_class_accuracies:
        own_mean_class = percent(stage.stack_mean_class_accuracies[-1])
    top5 = f", top-5 {percent(stage.stack_top5_accuracies[-1])}" if stage.stack_top5_accuracies else ""
    text = (
        f"{stage.label} of {stage.trial}, on {int(sizes.sum()):,} validation clips: accuracy "
        f"{percent(stage.accuracy)}{top5}, mean class accuracy {own_mean_class}"
    )
    if (percent(stage.accuracy), own_mean_class) == (accuracy, mean_class):
        return text
    return (
        f"{text}, as means of the folds. The table counts the clips of all folds together: accuracy "
        f"{accuracy}, mean class accuracy {mean_class}."
    )


def _class_cells(classes: TrialClasses, k: int) -> tuple[object, ...]:
    confusion_KK = classes.confusion_KK
    row_K = np.zeros(len(classes.names), dtype=np.int64) if confusion_KK is None else confusion_KK[k]
    size, right = int(row_K.sum()), int(row_K[k])
    others_K = np.where(np.arange(len(row_K)) == k, 0, row_K)
    worst = int(others_K.argmax())
    confused = f"{classes.names[worst]} ({percent(others_K[worst] / size)})" if others_K[worst] else ""
    share = right / size if size else 0.0
    bar = html.Html(f'<span class="bar" style="width: {_BAR_REM * share:.2f}rem"></span>')
    parents = "/".join(str(level[k] + 1) for level in classes.assignments[:-1])
    measured = (percent(share), interval_text(*wilson_interval(share, size))) if size else ("", "")
    return (classes.names[k], parents, f"{size:,}", *measured, bar, confused)


def hard_clip_section(
    records: Records, plan: SweepPlan, number: int, *, predict: bool, board: Path | None = None
) -> html.Html:
    """Return the validation clips that are predicted wrong, with pictures.

    Args:
        records: of the sweep.
        plan: of the sweep.
        number: maximum number of clips.
        predict: whether to predict the clips with the best trial's network if the sweep has no confirmation.
        board: folder of the sweep's TensorBoard runs, which gets the pictures, too; None for none.
    """
    title = "Hardest clips"
    if not number:
        return html.empty_section("clips", title, "Not drawn; 'autohier report' draws them.")
    try:
        store = ClipStore.open(clip_folder(plan))
        if store.fingerprint != plan.clips_fingerprint:
            return html.empty_section("clips", title, "The prepared clips are not those of the sweep.")
        found = confirmed_hard_clips(records, plan, store, number)
        kept = kept_stage(records)
        if predict and not found and kept is not None:
            found = predicted_hard_clips(records, plan, store, kept, number)
        pictures = [_draw_clip(store, each) for each in found]
    except (AutohierError, OSError) as error:
        return html.empty_section("clips", title, f"No pictures: {error}.")
    if not pictures:
        return html.empty_section("clips", title, _NO_RUNS)
    if board is not None:
        with suppress(OSError):  # the page may be that of a sweep that can only be read
            write_clips(board, pictures)
    figures = [
        html.figure(f"clip-{place}", each.png, _PNG, f"{each.clip_id}: {each.caption}")
        for place, each in enumerate(pictures, start=1)
    ]
    note = "Validation clips that are predicted wrong. The page holds their pictures."
    return html.section("clips", title, html.paragraph(note, style="note"), *figures)


def gradient_section(records: Records, plan: SweepPlan, num_clips: int) -> html.Html:
    """Return the gradient maps of the best trial.

    Args:
        records: of the sweep.
        plan: of the sweep.
        num_clips: maximum number of validation clips; 0 computes no maps.
    """
    title = "Gradient maps"
    if not num_clips:
        return html.empty_section(
            "gradients", title, "Not computed; 'autohier report --gradients 32' computes them."
        )
    try:
        maps = recorded_gradients(records, plan, None, num_clips)
    except (AutohierError, OSError) as error:
        return html.empty_section("gradients", title, f"No maps: {error}.")
    if maps is None:
        return html.empty_section("gradients", title, _NO_TRIAL)
    figure = html.figure("gradients", svg(draw_gradients(maps)), _SVG, gradients_caption(maps))
    return html.section("gradients", title, figure)


def _draw_clip(store: ClipStore, clip: HardClip) -> ClipPicture:
    picture = draw_contact_sheet(view_clip(store, clip.row, _FRAMES))
    return ClipPicture(clip.clip_id, f"{clip.class_name}; {clip.note}", picture)
