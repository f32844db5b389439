"""What the study makes of shared stages: free observations of shorter chains, and prefixes worth keeping."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from autohier.settings.choice import Choice
from autohier.settings.space import Space
from autohier.sweep.coding import prefix_names

_NUM_PREFIXES = 6


def shorter_chains(trial: FrozenTrial) -> Iterator[tuple[int, float]]:
    """What a trained chain says of its setting under lower caps of passes.

    A cap only cuts a chain off, so that a cap of k trains the first k passes of the same chain, and no
    other. Each is worth the best of what is left.

    Args:
        trial: complete, or stopped at a rung.

    Yields:
        Every lower cap whose chain is measured, and its value: all of them where the trial is complete, be it
        by the stop rule; up to the last pass that was trained where it was stopped.
    """
    chain, caps = trial.user_attrs["chain"], trial.params["passes"]
    if trial.state is TrialState.PRUNED:
        caps = min(caps, len(chain))
    for cap in range(caps):
        yield cap, max(chain[: cap + 1])


class Prefixes:
    """What pass 2 follows from, with the best value that any setting of it reached.

    Trials that agree on them share pass 2, the dearest stage of a trial after pass 1.
    """

    def __init__(self, space: Space) -> None:
        self._names = prefix_names(space)
        self._found: dict[tuple[object, ...], tuple[float, int, Mapping[str, Any]]] = {}

    def add(self, choice: Choice, params: Mapping[str, Any], value: float) -> None:
        """A setting was measured."""
        identity = choice.prefix
        before = self._found.get(identity)
        if before is None:
            prefix = {name: params[name] for name in self._names}
            self._found[identity] = (value, -len(self._found), prefix)
        elif value > before[0]:
            self._found[identity] = (value, *before[1:])

    def best(self) -> list[Mapping[str, Any]]:
        """The study's parameters of at most six prefixes, best first, the earlier of equals first."""
        best = heapq.nlargest(_NUM_PREFIXES, self._found.values(), key=lambda found: found[:2])
        return [prefix for _, _, prefix in best]
