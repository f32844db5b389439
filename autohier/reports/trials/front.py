"""Pareto front of a sweep: the networks that no other one beats in both accuracy and multiply-adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from rich.console import Group
from rich.text import Text

from autohier.records.reader import Records, params_of
from autohier.records.schema import StageRow
from autohier.reports.text import count_text, interval_text, percent, plain_table
from autohier.sweep.choice.choose import Candidate
from autohier.sweep.choice.measured import network_of
from autohier.sweep.choice.records import estimate_all
from autohier.text import plural

_DIGITS = 6
"""Decimal places that count in a comparison, as in the choice."""
_COLUMNS = (
    "mult-\nadds",
    "param-\neters",
    "estimate",
    "95%\ninterval",
    "measured",
    "trial",
    "pass",
    "config",
)
_TEXT_COLUMNS = {"trial", "pass", "config"}


@dataclass(frozen=True, slots=True)
class Network:
    """A network that a sweep measured: a pass of a chain."""

    candidate: Candidate
    stage: StageRow


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


def front_networks(records: Records) -> tuple[FrontNetwork, ...]:
    """Return the Pareto front of a sweep, the cheapest network first."""
    bound = records.max_multiply_adds
    return tuple(
        FrontNetwork(
            trial=each.stage.trial,
            stage=each.stage.label,
            multiply_adds=each.stage.multiply_adds,
            parameters=each.stage.parameters,
            estimate=each.candidate.estimate,
            low=each.candidate.interval[0],
            high=each.candidate.interval[1],
            accuracy=each.candidate.observed,
            is_over_bound=bound is not None and each.stage.multiply_adds > bound,
            config=_config_text(each.candidate),
        )
        for each in pareto_front(measured_networks(records))
    )


def pareto_front(networks: Iterable[Network]) -> list[Network]:
    """Return the networks to which no other is equal or better in both accuracy and multiply-adds.

    Returns:
        The cheapest first. Of equal ones only the first.
    """
    front: list[Network] = []
    for each in sorted(networks, key=lambda one: (one.stage.multiply_adds, -_estimate(one))):
        if not front or _estimate(each) > _estimate(front[-1]):
            front.append(each)
    return front


def front_report(records: Records) -> Group:
    """Return the front as a table; accuracies are estimates, which take the luck out of the measured ones."""
    num_networks = sum(1 for _ in measured_networks(records))
    front, bound = front_networks(records), records.max_multiply_adds
    table = plain_table("Pareto front of validation accuracy and multiply-adds")
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in _TEXT_COLUMNS else "right")
    for each in front:
        table.add_row(
            f"{count_text(each.multiply_adds)}{' *' if each.is_over_bound else ''}",
            count_text(each.parameters),
            percent(each.estimate),
            interval_text(each.low, each.high),
            percent(each.accuracy),
            each.trial,
            each.stage,
            each.config,
        )
    note = f"{len(front)} of {plural(num_networks, 'network')}: every pass of every trial counts."
    over = f" * exceeds the bound of {count_text(bound)}." if bound is not None else ""
    return Group(table, Text(), Text(note + over))


def _estimate(network: Network) -> float:
    return round(network.candidate.estimate, _DIGITS)


def _config_text(candidate: Candidate) -> str:
    return candidate.params.model_copy(update={"passes": candidate.pass_index}).settings_text


def measured_networks(records: Records) -> Iterator[Network]:
    """Yield every network that a sweep measured: each pass of each complete or stopped trial, once."""
    stages: dict[tuple[object, ...], StageRow] = {}
    for row in records.trials:
        if row.state in {"COMPLETE", "PRUNED"} and row.number is not None:
            chain = [stage for stage in records.stages_of(row.trial) if stage.superclasses]
            for pass_index, stage in enumerate(chain):
                stages.setdefault(network_of(params_of(row), pass_index), stage)
    for candidate in estimate_all(records).candidates:
        network = network_of(candidate.params, candidate.pass_index)
        if network in stages:
            yield Network(candidate, stages[network])
