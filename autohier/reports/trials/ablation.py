"""Ablation of a sweep in the form of HAC's tables: flat, hierarchy, and k-pass pruning by scope.

Every cell is a stage of one trial, measured on validation clips. Only under ``paper`` validation, whose
purpose is the comparison with published tables, are cells test accuracies where the sweep has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from rich.console import Group
from rich.text import Text

from autohier.errors import InputError
from autohier.records.reader import Records, params_of
from autohier.records.schema import StageRow, TrialRow
from autohier.records.statistics import wilson_interval, within_noise
from autohier.reports.text import count_text, interval_text, percent, plain_table
from autohier.reports.trials.leaderboard import VALIDATION
from autohier.reports.trials.uncropped import Uncropped
from autohier.sweep.choice.confirmation import FLAT, confirmations

UNCROPPED = "baseline without cropping"
_UNPRUNED = (UNCROPPED, "baseline", "hierarchy")
_GROUPS = (
    ("layerwise pruning", "layerwise"),
    ("global pruning", "global"),
    ("retraining, nothing pruned", ""),
)
_COLUMNS = (
    "step",
    "accuracy",
    "95%\ninterval",
    "against\nhierarchy",
    "param-\neters",
    "mult-\nadds",
    "trial",
    "config",
)
_TEXT_COLUMNS = {"step", "trial", "config"}
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}",
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AblationRow:
    """One step of the method, measured in one trial."""

    group: Annotated[
        str,
        "baseline without cropping, baseline, hierarchy, layerwise pruning, global pruning, or retraining, "
        "nothing pruned",
    ]
    passes: Annotated[int, "number of pruning passes; 0 for the baselines and the hierarchy"]
    trial: Annotated[str, "name of the trial; of another sweep SWEEP:TRIAL"]
    stage: Annotated[str, "label of the stage: pass 1, pass 2, prune 3, ..."]
    superclasses: Annotated[str, "superclass counts, front to back; empty without superclasses"]
    ratio: Annotated[float | None, "share of the remaining filters that a pruning pass removes"]
    split: Annotated[str, "clips of the accuracy: validation, or test under paper validation"]
    accuracy: Annotated[float, "accuracy after the stage"]
    low: Annotated[float | None, "lower end of its 95% interval"]
    high: Annotated[float | None, "upper end of its 95% interval"]
    num_clips: Annotated[int | None, "number of clips"]
    difference: Annotated[float | None, "accuracy minus that of the hierarchy; null for the hierarchy itself"]
    is_noise: Annotated[bool | None, "true if the difference is within noise"]
    parameters: Annotated[int, "parameters, without pruned filters"]
    multiply_adds: Annotated[int, "multiply-adds for one clip, without pruned filters"]
    is_kept: Annotated[bool, "true for the pass that the sweep's best trial kept"]
    config: Annotated[str, "hyperparameters of the trial up to this stage"]

    @property
    def step(self) -> str:
        """Name of the step, e.g. "global pruning, 2 passes"."""
        return (
            f"{self.group}, {self.passes} {'pass' if self.passes == 1 else 'passes'}"
            if self.passes
            else self.group
        )


def ablation(records: Records, uncropped: Uncropped | None = None) -> tuple[AblationRow, ...]:
    """Return the ablation of a sweep's best trial, with chains of other trials for the scopes that it lacks.

    Of each scope, the chain is the best trial's own or, if it prunes in another way, that of the trial which
    differs least from it: in its superclasses and loss weights, then in its ratio; of several the longest.

    Args:
        records: of the sweep.
        uncropped: trial of another sweep that is the baseline without cropping, from `find_uncropped`.

    Raises:
        InputError: if no trial is complete, or the best trial's stages are not recorded.
    """
    best = next(iter(records.ranked()), None)
    if best is None:
        raise InputError("an ablation needs a complete trial", hint="continue the sweep with autohier resume")
    own = records.stages_of(best.trial)
    chain = records.chain_of(best.trial)
    if not (own and chain):
        raise InputError(
            "an ablation needs the stages of the best trial",
            got=f"{best.trial} without",
            hint="run autohier resume, which rebuilds the records",
        )
    rows = [_uncropped_row(records, uncropped)] if uncropped else []
    rows += [_row(records, best, own[0], "baseline"), _row(records, best, chain[0], "hierarchy")]
    for group, scope in _GROUPS:
        trial = _trial_of_scope(records, best, scope)
        passes = records.chain_of(trial.trial)[1:] if trial else ()
        rows += [_row(records, trial, stage, group) for stage in passes if trial]
    return tuple(rows)


def ablation_report(records: Records, uncropped: Uncropped | None = None) -> Group:
    """Return the ablation as a table."""
    rows = ablation(records, uncropped)
    table = plain_table()
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in _TEXT_COLUMNS else "right")
    for each in rows:
        table.add_row(*cells_of(each))
    return Group(Text(ablation_title(records)), Text(), table, Text(), Text(ablation_note(rows, records)))


def cells_of(row: AblationRow) -> tuple[str, ...]:
    """Return the cells of a row: step, accuracy, interval, difference, costs, trial and config."""
    interval = "" if row.low is None or row.high is None else interval_text(row.low, row.high)
    difference = (
        "" if row.difference is None else f"{'≈ ' if row.is_noise else ''}{100 * row.difference:+.1f}"
    )
    costs = (count_text(row.parameters), count_text(row.multiply_adds))
    accuracy = f"{percent(row.accuracy)}{' (test)' if row.split == 'test' else ''}"
    return (
        f"{row.step}{' *' if row.is_kept else ''}",
        accuracy,
        interval,
        difference,
        *costs,
        row.trial,
        row.config,
    )


def ablation_title(records: Records) -> str:
    """Return what the accuracies of an ablation are of."""
    best = records.ranked()[0]
    validation = VALIDATION.get(best.validation, best.validation)
    return f"Ablation of {best.trial}: accuracy on {best.dataset}, protocol {best.protocol}, {validation}"


def ablation_note(rows: Sequence[AblationRow], records: Records) -> str:
    """Return what the marks mean."""
    has_control = any(row.role == FLAT for row in confirmations(records))
    control = "; the confirmation has a flat control trained as long" if has_control else ""
    best = records.ranked()[0].trial
    others = dict.fromkeys(row.trial for row in rows if row.trial != best and row.group != UNCROPPED)
    foreign = f" Chains of {', '.join(others)} have configs of their own." if others else ""
    foreign += "".join(
        f" {row.trial} trained the same pass 1 on frames that are not cropped."
        for row in rows
        if row.group == UNCROPPED
    )
    return (
        "* the pass that the best trial kept; ≈ within noise of the hierarchy. The baseline trains pass 1 "
        f"alone, for fewer epochs than the others{control}.{foreign}"
    )


def ablation_latex(records: Records, uncropped: Uncropped | None = None) -> str:
    """Return the ablation as a LaTeX table for the package booktabs."""
    rows = ablation(records, uncropped)
    lines = [
        r"\begin{tabular}{llrrrr}",
        r"\toprule",
        r"Step & Superclasses & Accuracy (\%) & 95\% interval & Parameters & Multiply-adds \\",
        r"\midrule",
        *_latex_lines(rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join([f"% {' '.join(ablation_title(records).split())}", *lines])


def _latex_lines(rows: Sequence[AblationRow]) -> Iterator[str]:
    group = rows[0].group
    for row in rows:
        if row.group not in (group, *_UNPRUNED):
            yield r"\midrule"
        group = row.group
        interval = "" if row.low is None or row.high is None else f"{100 * row.low:.1f}--{100 * row.high:.1f}"
        accuracy = f"{100 * row.accuracy:.1f}"
        cells = (
            _latex(row.step),
            _latex(row.superclasses or "none"),
            rf"\textbf{{{accuracy}}}" if row.is_kept else accuracy,
            interval,
            _latex(count_text(row.parameters)),
            _latex(count_text(row.multiply_adds)),
        )
        yield f"{' & '.join(cells)} \\\\"


def _latex(text: str) -> str:
    return "".join(_LATEX.get(char, char) for char in text)


def _trial_of_scope(records: Records, best: TrialRow, scope: str) -> TrialRow | None:
    """Return the trial whose chain stands for a scope; an empty one is retraining without pruning."""
    rows = [
        row
        for row in (best, *records.ranked(), *records.trials)
        if row.number is not None and len(records.chain_of(row.trial)) > 1 and _scope_of(row) == scope
    ]
    own = params_of(best)

    def difference(row: TrialRow) -> tuple[bool, bool, float, int, str]:
        params = params_of(row)
        length = len(records.chain_of(row.trial))
        return (row is not best, params.prefix != own.prefix, abs(row.ratio - best.ratio), -length, row.trial)

    return min(rows, key=difference, default=None)


def _scope_of(row: TrialRow) -> str:
    return row.scope if row.ratio else ""


def _uncropped_row(records: Records, uncropped: Uncropped) -> AblationRow:
    other, trial = uncropped.records, uncropped.trial
    stage = other.stages_of(trial.trial)[0]
    row = _row(records, trial, stage, UNCROPPED, measured=_measured(other, trial, stage))
    return replace(row, trial=f"{uncropped.sweep}:{trial.trial}")


def _row(
    records: Records,
    trial: TrialRow,
    stage: StageRow,
    group: str,
    *,
    measured: tuple[str, float, int | None] | None = None,
) -> AblationRow:
    """Return the row of a stage.

    Args:
        records: of the sweep.
        trial: of the stage.
        stage: the stage.
        group: of the row.
        measured: as `_measured` returns it; by default from these records.
    """
    best = records.ranked()[0]
    hierarchy = _measured(records, best, records.chain_of(best.trial)[0])
    split, accuracy, num_clips = measured or _measured(records, trial, stage)
    low, high = (None, None) if num_clips is None else wilson_interval(accuracy, num_clips)
    is_compared = group != "hierarchy" and split == hierarchy[0]
    difference = accuracy - hierarchy[1] if is_compared else None
    params = params_of(trial).model_copy(update={"passes": stage.pass_index})
    return AblationRow(
        group=group,
        passes=stage.pass_index,
        trial=trial.trial,
        stage=stage.label,
        superclasses=stage.superclasses,
        ratio=trial.ratio if stage.pass_index else None,
        split=split,
        accuracy=accuracy,
        low=low,
        high=high,
        num_clips=num_clips,
        difference=difference,
        is_noise=within_noise(accuracy, hierarchy[1], num_clips) if is_compared and num_clips else None,
        parameters=stage.parameters,
        multiply_adds=stage.multiply_adds,
        is_kept=trial is best and group != "baseline" and stage.pass_index == best.kept_pass,
        config=params.settings_text if group not in (UNCROPPED, "baseline") else "",
    )


def _measured(records: Records, trial: TrialRow, stage: StageRow) -> tuple[str, float, int | None]:
    """Return the split, the accuracy and the number of clips of a stage."""
    if trial.validation == "paper" and (tested := records.first_test(trial, stage.label)):
        return "test", tested.accuracy, tested.num_clips
    return "validation", stage.accuracy, trial.num_validation_clips
