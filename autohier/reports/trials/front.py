"""Pareto front of a sweep: the networks that no other one beats in both accuracy and multiply-adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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
    networks = list(_networks(records))
    front, bound = pareto_front(networks), records.max_multiply_adds
    table = plain_table("Pareto front of validation accuracy and multiply-adds")
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in _TEXT_COLUMNS else "right")
    for each in front:
        candidate, stage = each.candidate, each.stage
        is_over = bound is not None and stage.multiply_adds > bound
        table.add_row(
            f"{count_text(stage.multiply_adds)}{' *' if is_over else ''}",
            count_text(stage.parameters),
            percent(candidate.estimate),
            interval_text(*candidate.interval),
            percent(candidate.observed),
            stage.trial,
            stage.label,
            candidate.params.model_copy(update={"passes": candidate.pass_index}).settings_text,
        )
    note = f"{len(front)} of {plural(len(networks), 'network')}: every pass of every trial counts."
    over = f" * exceeds the bound of {count_text(bound)}." if bound is not None else ""
    return Group(table, Text(), Text(note + over))


def _estimate(network: Network) -> float:
    return round(network.candidate.estimate, _DIGITS)


def _networks(records: Records) -> Iterator[Network]:
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
