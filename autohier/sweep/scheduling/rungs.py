"""The rungs of a sweep: the points of a trial at which a scheduler decides whether it continues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the scheduler's process starts without pydantic and torch
    from autohier.config.search.search_space import SearchSpace
    from autohier.config.trial.hyperparameters import Hyperparameters

_MIN_EPOCHS = 2
"""Fewest epochs of pass 2 after which a validation accuracy says something about the superclasses."""

StageParams = tuple[object, ...]
"""The hyperparameters that a stage's result depends on; trials with equal ones share the stage."""


@dataclass(frozen=True, slots=True)
class RungReport:
    """A validation accuracy that a trial reached at a rung."""

    step: int
    value: float
    stage: StageParams
    """Equal for trials that share the stage in which the value was measured."""
    trial: tuple[object, ...]
    """Hyperparameters of the trial; equal if a trial runs again after its process died."""
    multiply_adds: int | None = None
    """Multiply-adds of the network that was measured; None unless the search minimizes them."""


@dataclass(frozen=True, slots=True)
class Rungs:
    """The rungs of a sweep: steps 0, 1, ... of a trial's intermediate values.

    The first steps are within pass 2. Then come the end of pass 2 and the end of each pruning pass.
    """

    epochs: tuple[int, ...]
    """Epochs of pass 2 at the rungs within it, ascending: step i is after epochs[i]."""
    budgets: tuple[int, ...]
    """Epochs trained since the start of pass 2, at every step."""
    reduction_factor: float
    """``search.reduction_factor`` of the search space; eta in the papers."""
    unstopped: frozenset[tuple[object, ...]] = frozenset()
    """Hyperparameters, as `RungReport.trial` has them, of trials that are never stopped."""

    def pass_step(self, pass_index: int) -> int:
        """Return the step at the end of pass 2 (0) or of the k-th pruning pass."""
        return len(self.epochs) + pass_index

    def step_at(self, budget: int) -> int:
        """Return the step after this many epochs since the start of pass 2."""
        return self.budgets.index(budget)

    def stage_params(self, params: Hyperparameters, step: int) -> StageParams:
        """Return the hyperparameters that the value at a step depends on."""
        return params.prefix if step <= len(self.epochs) else params.chain

    def report(
        self, params: Hyperparameters, step: int, value: float, multiply_adds: int | None = None
    ) -> RungReport:
        """Return the report of a trial that reached a value at a step."""
        return RungReport(step, value, self.stage_params(params, step), params.effect, multiply_adds)


def open_rungs(space: SearchSpace, *, within_pass_2: bool = True) -> Rungs:
    """Return the rungs that the training recipe of a search space makes.

    The rungs within pass 2 are at epochs / reduction_factor^k. With cross-validation there are none: an epoch
    within pass 2 is measured on one fold only. The first initial config is never stopped: a confirmation
    compares the winner with the pass that it keeps.

    Args:
        space: the search space of the sweep.
        within_pass_2: False leaves out the rungs within pass 2, for schedulers that never stop a trial.
    """
    factor, epochs = space.search.reduction_factor, space.pass_2.epochs
    rungs: list[int] = []
    if within_pass_2 and space.num_folds == 1:
        power = 1
        while (rung := round(epochs / factor**power)) >= _MIN_EPOCHS:
            rungs, power = [rung, *rungs], power + 1
    # A factor near 1 may round several rungs to one epoch.
    rungs = sorted({*rungs} - {epochs})
    passes = range(space.search.max_passes + 1)
    budgets = [*rungs, *(epochs + pass_index * space.pruning.epochs for pass_index in passes)]
    return Rungs(tuple(rungs), tuple(budgets), factor, _first_initial(space))


def _first_initial(space: SearchSpace) -> frozenset[tuple[object, ...]]:
    """Return the first initial config as it is given, and with the weight ratio of the table that is near."""
    if not space.initial:
        return frozenset()
    given = space.complete(space.initial[0].as_params())
    index = space.weight_index(given)
    near = given.weight_ratio if index is None else space.search.weight_ratios[index]
    return frozenset({given.effect, given.model_copy(update={"weight_ratio": near}).effect})
