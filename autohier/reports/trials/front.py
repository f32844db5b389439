"""Pareto front of a sweep: the networks that no other one beats in both accuracy and multiply-adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from rich.console import Group
from rich.text import Text

from autohier.records.reader import Records, params_of
from autohier.reports.text import count_text, interval_text, percent, plain_table
from autohier.sweep.choice.front import (
    Network,
    measured_networks,
    pareto_front,
    pass_name,
    sweep_front,
)
from autohier.sweep.choice.measured import network_of
from autohier.text import plural

_COLUMNS = (
    "mult-\nadds",
    "param-\neters",
    "estimate",
    "95%\ninterval",
    "measured",
    "trial and pass",
    "config",
)
_TEXT_COLUMNS = {"trial and pass", "config"}
_SURE = 0.975
"""Probability from which on a network counts as worse than the most accurate one, as in the leaderboard."""


@dataclass(frozen=True, slots=True)
class FrontNetwork:
    """A network on the Pareto front of estimated validation accuracy and multiply-adds."""

    trial: Annotated[str, "name of the trial that measured it first"]
    stage: Annotated[str, "label of the pass: pass 2, prune 1, ..."]
    multiply_adds: Annotated[int, "multiply-adds for one clip"]
    parameters: Annotated[int, "parameters, without pruned filters"]
    estimate: Annotated[float, "estimated accuracy on other clips and seeds"]
    low: Annotated[float, "lower end of its 95% interval"]
    high: Annotated[float, "upper end of its 95% interval"]
    accuracy: Annotated[float, "measured validation accuracy; the mean over seeds"]
    is_over_bound: Annotated[bool, "true if it exceeds the bound on multiply-adds"]
    config: Annotated[str, "its hyperparameters"]
    name: Annotated[str, "its name after SWEEP: for evaluate, export and fuse, e.g. t0003@prune-2"]


def front_networks(records: Records) -> tuple[FrontNetwork, ...]:
    """Return the Pareto front of a sweep, the cheapest network first."""
    return front_rows(sweep_front(records), records)


def front_rows(front: Sequence[Network], records: Records) -> tuple[FrontNetwork, ...]:
    """Return the rows of a sweep's front."""
    return tuple(_row(each, records.max_multiply_adds) for each in front)


def front_report(records: Records) -> Group:
    """Return the front as a table; accuracies are estimates, which take the luck out of the measured ones."""
    networks = list(measured_networks(records))
    front, bound = pareto_front(networks), records.max_multiply_adds
    by_class = any(row.objective == "mean-class" for row in records.trials)
    table = plain_table(f"Pareto front of validation {objective_name(by_class)} and multiply-adds")
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in _TEXT_COLUMNS else "right")
    for each in front_rows(front, records):
        table.add_row(
            f"{count_text(each.multiply_adds)}{' *' if each.is_over_bound else ''}",
            count_text(each.parameters),
            percent(each.estimate),
            interval_text(each.low, each.high),
            percent(each.accuracy),
            each.name,
            each.config,
        )
    note = f"{len(front)} of {plural(len(networks), 'network')}: every pass of every trial counts."
    over = f" * exceeds the bound of {count_text(bound)}." if bound is not None else ""
    text = winner_text(records, front)
    return Group(table, Text(), *([Text(text)] if text else []), Text(note + over))


def objective_name(by_class: bool) -> str:
    """Return what a search maximizes, in words."""
    return "mean class accuracy" if by_class else "accuracy"


def winner_text(records: Records, front: Sequence[Network]) -> str:
    """Return which trial is the winner of a search with two objectives, and how to take another network.

    Args:
        records: of the sweep.
        front: its Pareto front.

    Returns:
        An empty text for a search with one objective, or without a complete trial.
    """
    winner = next(iter(records.ranked()), None)
    if records.second_objective is None or winner is None:
        return ""
    kept = records.kept_label(winner)
    name = f"{winner.trial}@{pass_name(kept)}" if kept else winner.trial
    network = network_of(params_of(winner), winner.kept_pass or 0)
    is_member = any(each.candidate.network == network for each in front)
    text = (
        f"winner: {name}, {_why(records)}, with {count_text(winner.multiply_adds)} multiply-adds; it is "
        f"{'on' if is_member else 'not on'} the front. It alone is refit and tested."
    )
    near = cheapest_near_best(front)
    if near is None:
        return text
    return (
        f"{text}\ncheapest network within noise of the most accurate: {near.name}, {_summary(near)}. Take "
        f"any member of the front by its name, e.g. 'autohier export SWEEP:{near.name} --out DIR'."
    )


def cheapest_near_best(front: Sequence[Network]) -> Network | None:
    """Return the cheapest network that the most accurate one does not surely beat; None without a front."""
    return next((each for each in front if each.candidate.beaten < _SURE), None)


def _why(records: Records) -> str:
    if records.confirmed:
        return "confirmed as the most accurate with fresh seeds"
    if records.preferred:
        return "the first initial config, as no other is more accurate with enough certainty"
    return "the most accurate by the " + ("estimates" if records.estimates else "measured values")


def _summary(network: Network) -> str:
    candidate = network.candidate
    return (
        f"{count_text(network.stage.multiply_adds)} multiply-adds, estimate {percent(candidate.estimate)} "
        f"({interval_text(*candidate.interval)})"
    )


def _row(network: Network, bound: int | None) -> FrontNetwork:
    candidate, stage = network.candidate, network.stage
    low, high = candidate.interval
    return FrontNetwork(
        trial=stage.trial,
        stage=stage.label,
        multiply_adds=stage.multiply_adds,
        parameters=stage.parameters,
        estimate=candidate.estimate,
        low=low,
        high=high,
        accuracy=candidate.observed,
        is_over_bound=bound is not None and stage.multiply_adds > bound,
        config=network.config_text,
        name=network.name,
    )
