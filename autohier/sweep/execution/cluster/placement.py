"""Placement of actors: on the driver's machine, or on any machine that is not refused.

The refused machines are a global of the driver's process, like its Ray session, since Ray Tune pickles its
requests for machines; see `trial_placement`.
"""

from __future__ import annotations

from collections.abc import Collection

import ray
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
