"""Pareto front of a sweep: the networks that no other beats in both estimated accuracy and multiply-adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from autohier.records.reader import Records, params_of
from autohier.records.schema import StageRow
from autohier.sweep.choice.estimates import Candidate
from autohier.sweep.choice.measured import network_of
from autohier.sweep.choice.winner import estimate_all
from autohier.sweep.fronts import STEP

_DIGITS = 6
"""Decimal places that count in a comparison, as in the choice."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network that a sweep measured: a pass of a chain."""

    candidate: Candidate
    stage: StageRow

    @property
    def name(self) -> str:
        """Name by which `autohier.sweep.finished_trials` finds it in its sweep, e.g. "t0003@prune-2"."""
        return f"{self.stage.trial}@{pass_name(self.stage.label)}"

    @property
    def config_text(self) -> str:
        """Its hyperparameters in one line, with the number of its pruning passes."""
        params = self.candidate.params.model_copy(update={"passes": self.candidate.pass_index})
        return params.settings_text


def pass_name(label: str) -> str:
    """Return the label of a pass as it stands in names: "prune-2" for "prune 2"."""
    return label.replace(" ", "-")


def sweep_front(records: Records) -> list[Network]:
    """Return the Pareto front of a sweep, the cheapest network first."""
    return pareto_front(measured_networks(records))


def pareto_front(networks: Iterable[Network]) -> list[Network]:
    """Return the networks to which no other is equal or better in both accuracy and multiply-adds.

    A network is left out if another is better for at most 1% more multiply-adds: heads of other superclass
    counts make such differences.

    Returns:
        The cheapest first. Of equal ones only the first.
    """
    front: list[Network] = []
    for each in sorted(networks, key=lambda one: (one.stage.multiply_adds, -_estimate(one))):
        if not front or _estimate(each) > _estimate(front[-1]):
            front.append(each)
    needed = [
        cheaper
        for cheaper, better in pairwise(front)
        if better.stage.multiply_adds > STEP * cheaper.stage.multiply_adds
    ]
    return [*needed, *front[-1:]]


def measured_networks(records: Records) -> Iterator[Network]:
    """Yield every network that a sweep measured: each pass of each complete or stopped trial, once."""
    stages: dict[tuple[object, ...], StageRow] = {}
    for row in records.trials:
        if row.state in {"COMPLETE", "PRUNED"} and row.number is not None:
            for pass_index, stage in enumerate(records.chain_of(row.trial)):
                stages.setdefault(network_of(params_of(row), pass_index), stage)
    for candidate in estimate_all(records).candidates:
        if candidate.network in stages:
            yield Network(candidate, stages[candidate.network])


def _estimate(network: Network) -> float:
    return round(network.candidate.estimate, _DIGITS)
