"""Trial recipes: which stages a trial runs, and in which order.

A recipe is a generator. It yields a `StageRequest` and receives the result of that stage; it returns all
results. It holds no training code, so that the same recipe drives a real trial
(`autohier.core.trial.StoreRunner`), a simulated sweep (`autohier.sweep.planning.simulation`) and tests.

A package adds a recipe through an entry point of the group ``autohier.recipes`` that names an
`autohier.extensions.Extension` whose builder is a `RecipeFunction`. `autohier.core.recipes.check` states what
a recipe must do.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from autohier.config.trial.trial_config import Objective, TrialConfig
from autohier.core.hierarchy import Hierarchy
from autohier.core.stages.kinds.base import StageKind


class Measured(Protocol):
    """Part of a stage's result that a recipe reads."""

    @property
    def accuracy(self) -> float:
        """Validation accuracy in the original classes."""

    def measure(self, objective: Objective, /) -> float:
        """Return the objective's value on the validation clips."""


ResultT = TypeVar("ResultT", bound=Measured)


@dataclass(frozen=True, slots=True)
class StageRequest(Generic[ResultT]):
    """Request of a recipe for one stage."""

    kind: StageKind
    ancestors: tuple[ResultT, ...] = ()
    """Earlier stages of the trial, oldest first. The stage starts from the weights of the last."""
    pass_index: int = 0
    """k for the k-th pruning pass."""
    hierarchy: Hierarchy | None = None
    """Superclasses to train with; None lets the kind choose them."""


Recipe = Generator[StageRequest[ResultT], ResultT, tuple[ResultT, ...]]
ChainEnd = Callable[[Sequence[float]], bool]
"""Returns whether a trial ends, given the values of its chain: pass 2, prune 1, prune 2, ...

The values are those of the objective, ``stage.measure(config.objective)``."""
RecipeFunction = Callable[[TrialConfig, ChainEnd], Recipe[ResultT]]
"""Builds the recipe of a config, whose chain is as long as the second argument says."""


def run_recipe(
    recipe: Recipe[ResultT], run: Callable[[StageRequest[ResultT]], ResultT]
) -> tuple[ResultT, ...]:
    """Run a recipe to its end and return its results.

    Args:
        recipe: yields requests.
        run: returns the result of a stage. If it raises an exception, the recipe ends.
    """
    try:
        request = next(recipe)
        while True:
            result = run(request)
            request = recipe.send(result)
    except StopIteration as end:
        results: tuple[ResultT, ...] = end.value
        return results
    finally:
        recipe.close()
