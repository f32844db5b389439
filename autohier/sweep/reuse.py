"""What the study makes of shared stages: free observations of shorter chains, and prefixes worth keeping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState, create_trial

from autohier.settings.choice import Choice
from autohier.settings.space import Space
from autohier.sweep.coding import decode, prefix_names

DERIVED_FROM = "derived_from"
"""Marks, with the number of a trained trial, what was not trained for itself."""
_NUM_PREFIXES = 6


def shorter_chains(trial: FrozenTrial) -> list[FrozenTrial]:
    """What a trained trial has also measured: its setting under every lower pass cap.

    A cap only cuts a chain off, so that a cap of k trains the first k passes of the same chain, and no
    other. Each is worth the best of what is left.

    Args:
        trial: complete, its intermediate values the accuracies of its passes.
    """
    chain = [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)]
    return [
        create_trial(
            state=TrialState.COMPLETE,
            value=max(chain[: cap + 1]),
            params={**trial.params, "passes": cap},
            distributions=trial.distributions,
            user_attrs={DERIVED_FROM: trial.number},
            intermediate_values=dict(enumerate(chain[: cap + 1])),
        )
        for cap in range(trial.params["passes"])
    ]


def best_prefixes(space: Space, trials: Sequence[FrozenTrial]) -> list[Mapping[str, Any]]:
    """The superclass counts and loss weights of the best finished settings, as the study's parameters.

    Trials that agree on them share pass 2, the dearest stage of a trial after pass 1.

    Returns:
        At most six, each once, best first, the earlier of equals first.
    """
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    found: dict[tuple[object, ...], Mapping[str, Any]] = {}
    for trial in sorted(complete, key=lambda trial: (-_value(trial), trial.number)):
        prefix = {name: trial.params[name] for name in prefix_names(space)}
        found.setdefault(_identity(decode(space, trial.params)), prefix)
    return list(found.values())[:_NUM_PREFIXES]


def _identity(choice: Choice) -> tuple[object, ...]:
    return (choice.superclasses, choice.weight_ratio)


def _value(trial: FrozenTrial) -> float:
    return trial.value if trial.value is not None else float("-inf")
