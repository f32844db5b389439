"""After the search: the Pareto front of a sweep that seeks one, for TensorBoard.

Trials write their own runs. The front changes with every trial, and its estimates take longer the more trials
there are, so that it is written once; ``autohier status`` shows that of a running sweep.
"""

from __future__ import annotations

from autohier.config.sweep import SweepPlan
from autohier.records.tensorboard.front import FrontMember, write_front
from autohier.sweep.choice.front import Network, sweep_front
from autohier.sweep.choice.winner import read_chosen
from autohier.sweep.paths import SweepFolder


def record_front(folder: SweepFolder, plan: SweepPlan) -> None:
    """Write the front of a sweep if its search has two objectives.

    Raises:
        OSError: if the TensorBoard folder cannot be written.
    """
    if plan.space.search.second_objective is not None:
        write_front(folder.tensorboard, [_member(each) for each in sweep_front(read_chosen(folder, plan))])


def _member(network: Network) -> FrontMember:
    low, high = network.candidate.interval
    return FrontMember(
        name=network.name,
        multiply_adds=network.stage.multiply_adds,
        parameters=network.stage.parameters,
        estimate=network.candidate.estimate,
        low=low,
        high=high,
        config=network.config_text,
    )
