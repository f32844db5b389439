"""The page of a sweep: its sections, from its records, its stages and its clips.

Sections stand on the page also if they have nothing to show yet, and say why. Everything that compares or
ranks is measured on validation clips; of the test split the page shows the result to report alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from autohier.config.search.toml_text import space_text
from autohier.config.sweep import Provenance, SweepPlan
from autohier.errors import InputError
from autohier.records.reader import Records
from autohier.records.recorders.trial_progress import read_progress
from autohier.reports.evaluations.levels import best_levels, best_pathways
from autohier.reports.evaluations.test_results import result_text
from autohier.reports.html import elements as html
from autohier.reports.html.class_sections import (
    class_section,
    confusion_section,
    gradient_section,
    hard_clip_section,
    superclass_section,
)
from autohier.reports.html.findings import stage_uses
from autohier.reports.html.trial_sections import (
    front_section,
    history_section,
    importance_section,
    leaderboard_section,
    parallel_section,
)
from autohier.reports.sweeps.progress import duplicates_text, progress_text, waiting_lines
from autohier.reports.sweeps.report import accuracy_steps, best_config
from autohier.reports.sweeps.running import running_trials, running_work, time_left, time_left_text
from autohier.reports.sweeps.summary import state_of
from autohier.reports.trials.ablation import ablation, ablation_note, ablation_title, cells_of
from autohier.reports.trials.confirmation import confirmation_text
from autohier.reports.trials.leaderboard import VALIDATION
from autohier.reports.trials.uncropped import find_uncropped
from autohier.sweep.paths import SweepFolder
from autohier.text import duration_text, time_text

_TERMS = (
    "Pass 1 trains a recognizer of the classes; its confusions give the superclasses. Pass 2 trains it with "
    "a head for each level of superclasses, level 1 the coarsest. Each pruning pass removes filters and "
    "trains again; a trial keeps its best pass. Multiply-adds are those of one clip."
)
_ABLATION = (
    "step",
    "accuracy",
    "95% interval",
    "against hierarchy",
    "parameters",
    "multiply-adds",
    "trial",
    "config",
)


@dataclass(frozen=True, slots=True)
class PageSource:
    """Everything that the page of a sweep is made from."""

    folder: SweepFolder
    plan: SweepPlan
    provenance: Provenance
    records: Records
    """With the choice of the sweep."""
    fault: str = ""
    """What is wrong with the records; empty if nothing is."""


def sweep_page(
    source: PageSource, *, num_hard_clips: int, predict: bool = False, num_gradient_clips: int = 0
) -> str:
    """Return the page of a sweep, running or not, as self-contained HTML.

    Also writes the pictures of clips to TensorBoard.

    Args:
        source: everything that the page is made from.
        num_hard_clips: maximum number of clips that are drawn; 0 draws none.
        predict: True finds hard clips with the best trial's network if the sweep has no confirmation.
        num_gradient_clips: maximum number of clips for the gradient maps; 0 computes none.
    """
    plan, records = source.plan, source.records
    validation = plan.space.protocol.validation
    about = (
        f"{plan.space.dataset}, protocol {plan.space.protocol.name}, "
        f"{VALIDATION.get(validation, validation)}; all accuracies are those of validation clips, except the "
        "line Result"
    )
    return html.page(
        f"Sweep {plan.name} of {plan.space.name}",
        [
            html.paragraph(about, style="note"),
            *_state(source),
            _headline(source),
            _running(source),
            leaderboard_section(records, is_driven=_is_running(source)),
            history_section(records, source.provenance),
            parallel_section(records),
            importance_section(records, plan),
            front_section(records),
            _sharing(records),
            superclass_section(records, plan),
            confusion_section(records, plan),
            class_section(records, plan),
            hard_clip_section(
                records, plan, num_hard_clips, predict=predict, board=source.folder.tensorboard
            ),
            gradient_section(records, plan, num_gradient_clips),
            _ablation(source),
            _provenance(source),
        ],
    )


def _is_running(source: PageSource) -> bool:
    return state_of(source.folder, source.plan, source.records)[0] == "running"


def _state(source: PageSource) -> list[html.Html]:
    plan, records = source.plan, source.records
    state, driver = state_of(source.folder, plan, records)
    times = f"started {time_text(source.provenance.created_at)}, page of {time_text(datetime.now(UTC))}"
    by = f" ({driver})" if driver else ""
    warnings = [duplicates_text(plan.num_shared_test_clips, plan.num_left_out_clips)]
    if source.fault:
        warnings.append(f"WARNING: records are lost or damaged: {source.fault}")
    return [
        html.paragraph(f"{state}{by}; {times}"),
        html.paragraph(progress_text(records, target=plan.trials, is_driven=state == "running")),
        *(html.paragraph(line) for line in [*waiting_lines(records), *warnings]),
    ]


def _headline(source: PageSource) -> html.Html:
    records = source.records
    result, *rest = result_text(records).splitlines()
    texts = (
        "\n".join(line.strip() for line in rest),
        best_config(records),
        accuracy_steps(records),
        best_levels(records),
        best_pathways(records),
        confirmation_text(records),
    )
    return html.section(
        "headline",
        "Result",
        html.paragraph(result, style="headline"),
        html.lines("\n".join(text for text in texts if text)),
        html.paragraph(_TERMS, style="note"),
    )


def _running(source: PageSource) -> html.Html:
    if not _is_running(source):
        return html.Html("")
    plan, records = source.plan, source.records
    rows = running_trials(records, plan, read_progress(source.folder.records), datetime.now(UTC))
    left = time_left_text(time_left(records, plan, rows, running_work(records, plan)))
    headings = ("trial", "stage", "epoch", "seconds an epoch", "left at most", "config")
    cells = [
        (
            row.trial,
            f"waits for {row.waits_for}" if row.waits_for else row.stage or "starting",
            f"{row.epoch} of {row.num_epochs}" if row.num_epochs else "",
            "" if row.epoch_seconds is None else f"{row.epoch_seconds:.1f}",
            "" if row.trial_seconds_left is None else duration_text(row.trial_seconds_left),
            row.config,
        )
        for row in rows
    ]
    table = html.table(headings, cells) if cells else html.paragraph("No trial runs now.", style="note")
    return html.section("running", "Running now", html.paragraph(left), table)


def _sharing(records: Records) -> html.Html:
    uses = stage_uses(records)
    title = "Shared stages"
    if not uses:
        return html.section("sharing", title, html.paragraph("No stage is finished yet.", style="note"))
    headings = (
        "stage",
        "used by trials",
        "different stages",
        "epochs without sharing",
        "epochs",
        "seconds saved",
    )
    rows = [
        (
            each.kind,
            each.num_used,
            each.num_distinct,
            f"{each.epochs_used:,}",
            f"{each.epochs_distinct:,}",
            f"{each.seconds_saved:,.0f}",
        )
        for each in uses
    ]
    used, distinct = sum(each.epochs_used for each in uses), sum(each.epochs_distinct for each in uses)
    saved_s = sum(each.seconds_saved for each in uses)
    note = (
        f"Each stage is computed once: {distinct:,} epochs instead of {used:,}, which saved "
        f"{duration_text(saved_s)} of training. Stages of the search and of the confirmation."
    )
    return html.section("sharing", title, html.table(headings, rows, headings[1:]), html.paragraph(note))


def _ablation(source: PageSource) -> html.Html:
    title, records = "Ablation", source.records
    try:
        rows = ablation(records, find_uncropped(source.folder, records))
    except InputError as error:
        return html.section("ablation", title, html.paragraph(f"{error}.", style="note"))
    table = html.table(_ABLATION, [cells_of(row) for row in rows], _ABLATION[1:6])
    note = html.paragraph(ablation_note(rows, records), style="note")
    return html.section("ablation", title, html.paragraph(ablation_title(records)), table, note)


def _provenance(source: PageSource) -> html.Html:
    origin, plan = source.provenance, source.plan
    rows: list[Sequence[object]] = [
        (name, _origin_text(value))
        for name, value in origin.model_dump(mode="json", exclude={"data", "extensions"}).items()
        if value not in (None, [], {})
    ]
    if origin.data is not None:
        rows += [(f"data: {name}", value) for name, value in origin.data.model_dump().items() if value]
    rows += [(f"extension {name}", value) for name, value in origin.extensions.items()]
    options = plan.model_dump(mode="json", exclude={"space", "storage", "study_name"})
    rows += [
        (f"sweep: {name}", _origin_text(value))
        for name, value in options.items()
        if value not in (None, [], {})
    ]
    space = html.details("search space, as TOML that reads back", html.lines(space_text(plan.space)))
    return html.section("provenance", "Provenance", html.table(("what", "value"), rows), space)


def _origin_text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
