"""Choice of a sweep's winner: from its records and its plan alone.

The trials are ranked by their measured values or by estimates of a noise model; a confirmation, if there is
one, then decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from autohier.config.sweep import SweepPlan
from autohier.records.estimates import Estimate
from autohier.records.reader import Records, chain_rows, params_of, read_records
from autohier.records.schema import StageRow, TrialRow
from autohier.sweep.choice.confirmation import (
    NOMINEE,
    Run,
    confirmations,
    control_runs,
    first_initial,
    fresh_values,
    nominee_runs,
)
from autohier.sweep.choice.estimates import Choice, choose
from autohier.sweep.choice.measured import Measured, measured_by_trial, network_of
from autohier.sweep.paths import SweepFolder


def read_chosen(folder: SweepFolder, plan: SweepPlan) -> Records:
    """Read the records of a sweep, ranked by its choice rule and its confirmation.

    Raises:
        InputError: if a file is damaged; the message names it.
    """
    return with_choice(read_records(folder.records), plan)


def with_choice(records: Records, plan: SweepPlan) -> Records:
    """Add a sweep's bound and second objective, its trials' estimates, if any, and the confirmed winner."""
    search = plan.space.search
    records = replace(
        records, max_multiply_adds=search.max_multiply_adds, second_objective=search.second_objective
    )
    if plan.choose == "highest" and not any(confirmations(records)):
        return replace(records, estimates={}, confirmed=None)
    choice = _choice(records)
    chosen = replace(records, estimates={}) if plan.choose == "highest" else _with_estimates(records, choice)
    if plan.choose == "cautious" and chosen.estimates:
        chosen = replace(chosen, preferred=_preferred(records, choice))
    if not any(confirmations(records)):
        return replace(chosen, confirmed=None)
    nominated = _choice(records, _within(records)) if records.over_bound() else choice
    return replace(chosen, confirmed=_confirmed(chosen, plan, nominated), run_sd=choice.run_sd)


def wanted_runs(records: Records, plan: SweepPlan) -> list[Run]:
    """Return the runs of a sweep's confirmation: the nominees', and the controls' when one has won.

    Args:
        records: from `with_choice`.
        plan: of the sweep.
    """
    if plan.confirm == "none":
        return []
    return [*nominee_runs(records, plan, _choice(records, _within(records))), *control_runs(records)]


def estimate_all(records: Records) -> Choice:
    """Return the estimates of every network that the search measured, of stopped trials, too."""
    num_clips = max((row.num_validation_clips or 0 for row in records.trials), default=0)
    return choose(measured_in(records), num_clips)


def _within(records: Records) -> list[TrialRow]:
    """Return the complete trials within the bound on multiply-adds."""
    over = records.over_bound()
    return [row for row in _complete(records) if row not in over]


def _choice(records: Records, rows: Sequence[TrialRow] | None = None) -> Choice:
    """Return the estimates of the kept passes of trials; of all complete ones by default."""
    num_clips = max((row.num_validation_clips or 0 for row in records.trials), default=0)
    kept = frozenset(_network(row) for row in (_complete(records) if rows is None else rows))
    return choose(measured_in(records), num_clips, among=kept) if num_clips and kept else Choice(())


def _complete(records: Records) -> list[TrialRow]:
    return [row for row in records.trials if row.state == "COMPLETE" and row.number is not None]


def _network(row: TrialRow) -> tuple[object, ...]:
    return network_of(params_of(row), row.kept_pass or 0)


def _with_estimates(records: Records, choice: Choice) -> Records:
    """Add the estimate of every complete trial's kept pass, by which `Records.ranked` then ranks them."""
    by_network = {
        network_of(each.params, each.pass_index): Estimate(
            value=each.estimate,
            low=each.interval[0],
            high=each.interval[1],
            best_probability=each.best_probability,
            beaten=each.beaten,
        )
        for each in choice.candidates
    }
    complete = _complete(records)
    # A trial without stage records, which the study stands in for, cannot be compared with the others.
    if not all(_network(row) in by_network for row in complete):
        return replace(records, estimates={})
    return replace(records, estimates={row.trial: by_network[_network(row)] for row in complete})


def _preferred(records: Records, choice: Choice) -> str | None:
    """Return the trial of the first initial config, if no other is better with enough certainty."""
    first = first_initial(records)
    if first is None or first in records.over_bound():
        return None
    return first.trial if choice.prefers(_network(first)) else None


def _confirmed(records: Records, plan: SweepPlan, choice: Choice) -> str | None:
    """Return the trial that won the confirmation; None while it is not decided."""
    runs = nominee_runs(records, plan, choice)
    values = fresh_values(records, runs)
    if not values:
        return None
    if plan.decide == "pooled":
        pooled, names = _pooled(records, runs)
        first = first_initial(records)
        if plan.choose == "cautious" and first is not None and pooled.prefers(_network(first)):
            return names[_network(first)]
        values = {
            names[network_of(each.params, each.pass_index)]: each.estimate for each in pooled.candidates
        }
    order = list(dict.fromkeys(run.confirms for run in runs))
    return min(values, key=lambda name: (-round(values[name], 6), order.index(name)))


def _pooled(records: Records, runs: Sequence[Run]) -> tuple[Choice, dict[tuple[object, ...], str]]:
    """Return the nominees' estimates given the search and the confirmation, and their trials by network."""
    num_clips = max(row.num_validation_clips or 0 for row in records.trials)
    networks = {network_of(run.params, run.params.passes): run.confirms for run in runs}
    measured = [*measured_in(records), *confirmed_in(records, runs)]
    return choose(measured, num_clips, among=frozenset(networks)), networks


def measured_in(records: Records) -> Iterator[Measured]:
    """Yield what the search's trials measured: those that are complete and those that were stopped."""
    stages: dict[str, list[StageRow]] = {}
    for stage in records.stages:
        stages.setdefault(stage.trial, []).append(stage)
    for row in records.trials:
        if row.state in {"COMPLETE", "PRUNED"} and row.number is not None:
            chain = [_value(row, stage) for stage in chain_rows(stages.get(row.trial, []))]
            rungs = dict(zip(row.rung_epochs, row.rung_values, strict=True))
            measured = [value for value in chain if value is not None]
            yield from measured_by_trial(row.trial, params_of(row), row.seed, measured, rungs)


def confirmed_in(records: Records, runs: Sequence[Run]) -> Iterator[Measured]:
    """Yield the value of every complete run of a nominee.

    Args:
        records: of the sweep.
        runs: of the nominees; a control of an earlier winner may have trained one of them.
    """
    wanted = {(run.params.effect, run.seed) for run in runs}
    for row in confirmations(records):
        is_nominee = row.role == NOMINEE or (params_of(row).effect, row.seed) in wanted
        if row.state == "COMPLETE" and is_nominee and row.value is not None:
            yield Measured(row.trial, params_of(row), row.seed, row.passes, row.value)


def _value(row: TrialRow, stage: StageRow) -> float | None:
    """Return the value of the objective; None if an earlier version did not record it."""
    if row.objective == "accuracy":
        return stage.accuracy
    return stage.stack_mean_class_accuracies[-1] if stage.stack_mean_class_accuracies else None
