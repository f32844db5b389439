"""Placement of actors: on the driver's machine, or on any machine that is not refused.

Ray Tune asks for a placement group whenever it starts a trial. `AdmittedPlacement` leaves out the machines
that are refused at that moment. They are a global of the driver's process, like its Ray session, since Ray
Tune pickles its requests.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import ray
from ray.tune import PlacementGroupFactory
from ray.util.placement_group import PlacementGroup, placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

_NODE_LABEL = "ray.io/node-id"
"""Label that Ray gives every machine."""
_refused: frozenset[str] = frozenset()


def refuse_machines(nodes: Collection[str]) -> None:
    """Start no more actors of this driver's trials and stages on these machines, by Ray's identifiers."""
    global _refused  # noqa: PLW0603  see the first lines
    _refused = frozenset(nodes)


def admitted_only() -> dict[str, str]:
    """Return a label selector for the machines that are not refused."""
    return {_NODE_LABEL: f"!in({','.join(sorted(_refused))})"} if _refused else {}


def on_driver_machine() -> NodeAffinitySchedulingStrategy:
    """Return the strategy of an actor that must not be lost before the driver."""
    return on_machine(ray.get_runtime_context().get_node_id())


def on_machine(node: str) -> NodeAffinitySchedulingStrategy:
    """Return the strategy of an actor or a task that runs on one machine and nowhere else."""
    return NodeAffinitySchedulingStrategy(node, soft=False)


class AdmittedPlacement(PlacementGroupFactory):
    """A trial's share of one machine that is not refused at the moment when the trial starts."""

    def to_placement_group(self) -> PlacementGroup:
        """Ask Ray for the share; Ray Tune calls this for every trial that starts."""
        selector: dict[str, Any] = {"bundle_label_selector": [admitted_only()]} if admitted_only() else {}
        return placement_group(self.bundles, strategy=self.strategy, **selector)
