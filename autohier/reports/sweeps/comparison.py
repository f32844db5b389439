"""Comparison of sweeps: their leading configs, the settings in which these differ, and their accuracies.

Accuracies are those of validation clips. The test split is not read here: sweeps must not be chosen by it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Annotated

from rich.console import Group
from rich.table import Table
from rich.text import Text

from autohier.config.sweep import SweepPlan
from autohier.config.trial.overrides import value_text
from autohier.errors import InputError
from autohier.records.reader import Records, params_of
from autohier.records.schema import TrialRow
from autohier.records.statistics import PairedDifference, paired_difference
from autohier.reports.sweeps.summary import interval_of
from autohier.reports.text import count_text, interval_text, percent, plain_table
from autohier.reports.trials.leaderboard import VALIDATION
from autohier.sweep.choice.confirmation import confirmations, kept_params
from autohier.text import plural

_PLAN_SETTINGS = ("trials", "seed", "sampler", "scheduler", "choose", "budget_epochs", "budget_hours")
"""Settings of a sweep besides the config of its leading trial."""


@dataclass(frozen=True, slots=True)
class ComparedSweep:
    """A sweep to compare, with its records ranked by its own rule."""

    plan: SweepPlan
    records: Records

    @property
    def leader(self) -> TrialRow:
        """The trial that is ranked first.

        Raises:
            InputError: if no trial is complete.
        """
        ranked = self.records.ranked()
        if not ranked:
            raise InputError(
                "a compared sweep must have a complete trial",
                got=f"{self.plan.name} without one",
                hint="leave it out, or continue it with autohier resume",
            )
        return ranked[0]

    @property
    def fresh_runs(self) -> tuple[TrialRow, ...]:
        """Complete runs of the leading config with fresh seeds, by seed; empty if it was not confirmed."""
        own = kept_params(self.leader).effect
        rows = [row for row in confirmations(self.records) if row.state == "COMPLETE"]
        return tuple(sorted((row for row in rows if params_of(row).effect == own), key=lambda row: row.seed))


@dataclass(frozen=True, slots=True)
class LeadingConfig:
    """The leading config of a sweep, measured on its validation clips."""

    sweep: Annotated[str, "name of the sweep"]
    trial: Annotated[str, "name of the trial that is ranked first"]
    dataset: Annotated[str, "dataset of the clips"]
    protocol: Annotated[str, "the dataset's split"]
    validation: Annotated[str, "kind of validation: clean, listed, folds or paper"]
    accuracy: Annotated[float | None, "validation accuracy of the kept pass, which the search has compared"]
    estimate: Annotated[float | None, "estimated accuracy on other clips and seeds; null without estimates"]
    low: Annotated[float | None, "lower end of the 95% interval of the estimate, else of the accuracy"]
    high: Annotated[float | None, "upper end of that interval"]
    fresh_accuracy: Annotated[float | None, "mean validation accuracy with fresh seeds; null if unconfirmed"]
    num_fresh_seeds: Annotated[int, "number of fresh seeds"]
    num_validation_clips: Annotated[int | None, "number of validation clips"]
    parameters: Annotated[int | None, "parameters of the kept network, without pruned filters"]
    multiply_adds: Annotated[int | None, "multiply-adds of the kept network for one clip"]
    config: Annotated[str, "hyperparameters of the kept network"]


@dataclass(frozen=True, slots=True)
class ConfigDifference:
    """A setting in which the leading configs, or the sweeps, differ."""

    setting: Annotated[str, "dotted name of the setting, e.g. pass_2.epochs; sweep.NAME for one of the sweep"]
    values: Annotated[tuple[str, ...], "its value in each sweep, in their order; empty if a sweep lacks it"]


@dataclass(frozen=True, slots=True)
class SweepDifference:
    """Difference between the leading configs of a sweep and of the first one."""

    sweep: Annotated[str, "name of the sweep"]
    reference: Annotated[str, "name of the first sweep"]
    difference: Annotated[float, "accuracy of the sweep's config minus that of the first's, as a share"]
    low: Annotated[float, "lower end of its 95% interval"]
    high: Annotated[float, "upper end of its 95% interval"]
    paired: Annotated[
        bool, "true if both are measured on the same clips with fresh seeds, clip by clip; else estimates"
    ]
    num_clips: Annotated[int | None, "number of clips of a paired difference"]
    num_seeds: Annotated[int | None, "number of fresh seeds of a paired difference"]
    comparable: Annotated[
        bool, "false if the sweeps differ in dataset, protocol, validation or objective: no verdict then"
    ]
    note: Annotated[str, "why the difference is not paired; empty if it is"]


def leading_configs(sweeps: Sequence[ComparedSweep]) -> tuple[LeadingConfig, ...]:
    """Return the leading config of each sweep.

    Raises:
        InputError: if a sweep has no complete trial.
    """
    return tuple(map(_leading_config, sweeps))


def config_differences(sweeps: Sequence[ComparedSweep]) -> tuple[ConfigDifference, ...]:
    """Return the settings in which the leading configs or the sweeps differ."""
    tables = [_settings(each) for each in sweeps]
    names = dict.fromkeys(name for table in tables for name in table)
    rows = (ConfigDifference(name, tuple(table.get(name, "") for table in tables)) for name in names)
    return tuple(row for row in rows if len(set(row.values)) > 1)


def sweep_differences(sweeps: Sequence[ComparedSweep]) -> tuple[SweepDifference, ...]:
    """Return the difference between each further sweep and the first one.

    It is paired if both leading configs were confirmed on the same validation clips: then the luck of the
    clips, which both share, and of the search is not in it. Otherwise it is that of the estimates, whose
    intervals are combined as if they were independent (Zou & Donner 2008).
    """
    first, *others = sweeps
    return tuple(_difference(first, other) for other in others)


def comparison_report(sweeps: Sequence[ComparedSweep]) -> Group:
    """Return the leading configs, their differences and the settings in which they differ, as tables."""
    rows = leading_configs(sweeps)
    parts: list[Table | Text] = [_leaders_table(rows)]
    parts += [Text(), *(Text(_difference_text(each)) for each in sweep_differences(sweeps)), Text()]
    if differences := config_differences(sweeps):
        parts.append(Text("settings in which the leading configs and their sweeps differ:"))
        table = plain_table()
        for column in ("setting", *(row.sweep for row in rows)):
            table.add_column(column)
        for each in differences:
            table.add_row(each.setting, *each.values)
        parts.append(table)
    else:
        parts.append(Text("the leading configs and their sweeps have equal settings"))
    return Group(*parts)


def _leading_config(sweep: ComparedSweep) -> LeadingConfig:
    row, fresh = sweep.leader, sweep.fresh_runs
    estimate = sweep.records.estimates.get(row.trial)
    low, high = interval_of(sweep.records, row)
    values = [each.value for each in fresh if each.value is not None]
    return LeadingConfig(
        sweep=sweep.plan.name,
        trial=row.trial,
        dataset=row.dataset,
        protocol=row.protocol,
        validation=row.validation,
        accuracy=row.accuracy,
        estimate=estimate.value if estimate else None,
        low=low,
        high=high,
        fresh_accuracy=mean(values) if values else None,
        num_fresh_seeds=len(values),
        num_validation_clips=row.num_validation_clips,
        parameters=row.parameters,
        multiply_adds=row.multiply_adds,
        config=kept_params(row).settings_text,
    )


def _settings(sweep: ComparedSweep) -> dict[str, str]:
    """Return the leading config and the settings of its sweep, by dotted name."""
    plan, row = sweep.plan, sweep.leader
    config = plan.space.config(kept_params(row), seed=row.seed).model_dump(mode="json")
    own = {f"sweep.{name}": getattr(plan, name) for name in _PLAN_SETTINGS}
    return {name: value_text(value) for name, value in (*_flatten(config), *own.items()) if value is not None}


def _flatten(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _difference(first: ComparedSweep, other: ComparedSweep) -> SweepDifference:
    pairs, note = _pairs(first, other)
    if pairs:
        found = _paired(pairs, first, other)
        low, high = found.interval
        num_clips = len(pairs[0][0].right_clips)
        return _row(first, other, found.difference, (low, high), num_clips=num_clips, num_seeds=len(pairs))
    ours, theirs = (_measured(each) for each in (other, first))
    centre = ours[0] - theirs[0]
    below = math.hypot(ours[0] - ours[1], theirs[2] - theirs[0])
    above = math.hypot(ours[2] - ours[0], theirs[0] - theirs[1])
    return _row(first, other, centre, (centre - below, centre + above), note=note)


def _row(
    first: ComparedSweep,
    other: ComparedSweep,
    difference: float,
    interval: tuple[float, float],
    *,
    num_clips: int | None = None,
    num_seeds: int | None = None,
    note: str = "",
) -> SweepDifference:
    return SweepDifference(
        sweep=other.plan.name,
        reference=first.plan.name,
        difference=difference,
        low=interval[0],
        high=interval[1],
        paired=not note,
        comparable=_question(first.plan) == _question(other.plan),
        num_clips=num_clips,
        num_seeds=num_seeds,
        note=note,
    )


def _measured(sweep: ComparedSweep) -> tuple[float, float, float]:
    """Return the estimate or the accuracy of a leading config, and its interval.

    Raises:
        InputError: if its records are lost.
    """
    row = sweep.leader
    estimate = sweep.records.estimates.get(row.trial)
    value = estimate.value if estimate else row.value
    low, high = interval_of(sweep.records, row)
    if value is None or low is None or high is None:
        raise InputError(
            "a compared trial must have its records",
            got=f"{row.trial} of {sweep.plan.name} without",
            hint="run autohier resume, which rebuilds them",
        )
    return value, low, high


def _pairs(first: ComparedSweep, other: ComparedSweep) -> tuple[list[tuple[TrialRow, TrialRow]], str]:
    """Return pairs of fresh runs on the same clips; or none, and why."""
    if note := _clips_note(first.plan, other.plan):
        return [], note
    lacking = [each.plan.name for each in (first, other) if not each.fresh_runs]
    if lacking:
        return [], f"{' and '.join(lacking)} not confirmed with fresh seeds; see autohier confirm"
    ours, theirs = other.fresh_runs, first.fresh_runs
    by_seed = {row.seed: row for row in theirs}
    pairs = [(row, by_seed[row.seed]) for row in ours if row.seed in by_seed]
    # Paper validation samples its clips with the seed, so that only runs of one seed share them.
    if not pairs and first.plan.space.protocol.validation != "paper":
        pairs = list(zip(ours, theirs, strict=False))
    if not all(one.right_clips and len(one.right_clips) == len(two.right_clips) for one, two in pairs):
        return [], "the records do not say which clips are right"
    return pairs, "" if pairs else "no fresh seed in common"


def _clips_note(first: SweepPlan, other: SweepPlan) -> str:
    if _question(first) != _question(other):
        return "the sweeps differ in their dataset, protocol, validation or objective"
    if None in {first.clips_fingerprint, other.clips_fingerprint}:
        return "the sweeps do not say which clips they used"
    if first.clips_fingerprint != other.clips_fingerprint:
        return "other prepared clips: their fingerprints differ"
    return ""


def _question(plan: SweepPlan) -> tuple[object, ...]:
    """Return what a sweep's values are of: equal for sweeps that ask the same question."""
    space, protocol = plan.space, plan.space.protocol
    folds = protocol.num_folds if protocol.validation == "folds" else None
    clips = (space.dataset, protocol.name, protocol.validation, protocol.held_out, folds)
    return (*clips, space.search.objective)


def _paired(
    pairs: Sequence[tuple[TrialRow, TrialRow]], first: ComparedSweep, other: ComparedSweep
) -> PairedDifference:
    values = [(one.value or 0.0, two.value or 0.0) for one, two in pairs]
    right = [(one.right_clips, two.right_clips) for one, two in pairs]
    deviations = [each.records.run_sd or 0.0 for each in (first, other)]
    return paired_difference(values, right, math.hypot(*deviations) / math.sqrt(2))


def _leaders_table(rows: Sequence[LeadingConfig]) -> Table:
    first = rows[0]
    same = len({(row.dataset, row.protocol, row.validation) for row in rows}) == 1
    about = f" on {first.dataset}, protocol {first.protocol}, {VALIDATION.get(first.validation)}"
    table = plain_table(f"Leading configs, validation accuracy{about if same else ''}")
    columns = ("sweep", *(() if same else ("clips",)), "trial")
    numbers = ("accuracy", "estimate", "95%\ninterval", "fresh\nseeds", "param-\neters", "mult-\nadds")
    for column in columns:
        table.add_column(column)
    for column in numbers:
        table.add_column(column, justify="right")
    table.add_column("config")
    for row in rows:
        clips = () if same else (f"{row.dataset}, {row.protocol}, {row.validation}",)
        table.add_row(row.sweep, *clips, row.trial, *_numbers(row), row.config)
    return table


def _numbers(row: LeadingConfig) -> tuple[str, ...]:
    interval = "" if row.low is None or row.high is None else interval_text(row.low, row.high)
    fresh = "" if row.fresh_accuracy is None else f"{percent(row.fresh_accuracy)} of {row.num_fresh_seeds}"
    shares = ("" if share is None else percent(share) for share in (row.accuracy, row.estimate))
    return (*shares, interval, fresh, count_text(row.parameters), count_text(row.multiply_adds))


def _difference_text(each: SweepDifference) -> str:
    how = f"not paired, of estimates: {each.note}"
    if each.paired:
        seeds = plural(each.num_seeds or 0, "fresh seed")
        how = f"paired on {plural(each.num_clips or 0, 'validation clip')} and {seeds}"
    verdict = "within noise" if each.low <= 0 <= each.high else "shown"
    if not each.comparable:
        verdict = "no verdict"
    return (
        f"{each.sweep} against {each.reference}: {100 * each.difference:+.1f} points, 95% interval "
        f"{100 * each.low:+.1f} to {100 * each.high:+.1f} ({how}): {verdict}"
    )
