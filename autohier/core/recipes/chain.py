"""The recipe of a config: how it ends, and its stages without running them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from autohier.config.trial.recipes import RECIPES
from autohier.config.trial.trial_config import Objective, TrialConfig
from autohier.core.pruning import StopRule
from autohier.core.recipes.base import ChainEnd, Recipe, StageRequest, run_recipe
from autohier.core.stages.kinds.base import StageKind
from autohier.errors import InputError


def by_stop_rule(config: TrialConfig) -> ChainEnd:
    """End a chain by HAC's stop rule, or after the sampled number of pruning passes."""
    rule = StopRule(ties=config.pruning.ties)

    def ends(values: Sequence[float]) -> bool:
        return len(values) > config.params.passes or rule.should_stop(values)

    return ends


def chain_end(config: TrialConfig) -> ChainEnd:
    """End a chain as the objectives of its search demand.

    HAC's stop rule ends a chain whose accuracy falls, since more pruning gives no better network. If the
    search minimizes multiply-adds, too, every pruned network is cheaper than those before it, and none of
    them replaces it. Such a chain has its sampled number of passes. A chain of ratio 0 prunes nothing, and
    the rule holds.
    """
    if config.second_objective is not None and config.params.ratio:
        return after_passes(config.params.passes)
    return by_stop_rule(config)


def after_passes(number: int) -> ChainEnd:
    """End a chain after a fixed number of pruning passes; their values do not matter."""
    return lambda values: len(values) > number


def open_recipe(config: TrialConfig, ends: ChainEnd) -> Recipe[Any]:
    """Build the recipe that a config names.

    Args:
        config: config of the trial.
        ends: returns whether the chain ends.

    Raises:
        InputError: if no installed package registers the recipe, or its builder cannot be imported or does
            not build a generator.
    """
    recipe = RECIPES.find(config.recipe).load()(config, ends)
    if not isinstance(recipe, Generator):
        raise InputError(
            f"the builder of recipe {config.recipe!r} must be a generator function",
            got=f"one that returns {type(recipe).__name__}",
            hint="fix or update the package that registers it",
        )
    return recipe


class _OfKind(Protocol):
    @property
    def kind(self) -> StageKind: ...


StageT = TypeVar("StageT", bound=_OfKind)


@dataclass(frozen=True, slots=True)
class UnmeasuredStage:
    """Result of a stage that was requested, but not run."""

    request: StageRequest[UnmeasuredStage]
    accuracy: float = 0.0

    @property
    def kind(self) -> StageKind:
        """Kind of the stage."""
        return self.request.kind

    def measure(self, objective: Objective) -> float:
        """Return another value for each objective."""
        return self.accuracy if objective == "accuracy" else 1 - self.accuracy


def stage_kinds(config: TrialConfig, num_passes: int) -> tuple[StageKind, ...]:
    """Return the kinds of the stages of a config's trial with a number of pruning passes, in order."""
    stages = run_recipe(open_recipe(config, after_passes(num_passes)), UnmeasuredStage)
    return tuple(stage.request.kind for stage in stages)


def stage_epochs(config: TrialConfig, num_passes: int) -> dict[tuple[object, ...], int]:
    """Return the epochs of the stages of a config's trial, per fold.

    The keys are equal for stages that trials of one sweep and seed share.
    """
    return {
        (kind.name, pass_index, *kind.sampled(config.params)): kind.epochs(config)
        for kind, pass_index in numbered(stage_kinds(config, num_passes))
    }


def numbered(kinds: Sequence[StageKind]) -> tuple[tuple[StageKind, int], ...]:
    """Return the kinds of a trial's stages with the pass index of each: 0 up to pass 2, then 1, 2, ..."""
    num_flat = sum(kind.is_flat for kind in kinds)
    return tuple((kind, max(0, index - num_flat)) for index, kind in enumerate(kinds))


def chain_of(stages: Sequence[StageT]) -> tuple[StageT, ...]:
    """Return the stages of a trial that have superclasses: pass 2, prune 1, prune 2, ..."""
    return tuple(stage for stage in stages if not stage.kind.is_flat)


def pass_1_epochs(config: TrialConfig) -> int:
    """Return the epochs of the first stage of a config's trial, per fold."""
    return stage_kinds(config, 0)[0].epochs(config)


def chain_kind(config: TrialConfig, kept_pass: int) -> StageKind:
    """Return the kind of a pass of a config's chain: 0 is the first stage with superclasses."""
    return stage_kinds(config, kept_pass)[-1]


def chain_label(config: TrialConfig, kept_pass: int) -> str:
    """Return the label of a pass of a config's chain; for HAC, "pass 2" for 0 and "prune k" for k."""
    return chain_kind(config, kept_pass).label(kept_pass)
