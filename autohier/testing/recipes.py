"""Contract suite of recipes: the tests that every registered recipe passes.

A package that offers a recipe derives a test class from `RecipeContract` and names it::

    class TestHeadsOnly(RecipeContract):
        recipe = "heads-only"

The contract itself is stated in `autohier.core.recipes.check`.
"""

from __future__ import annotations

import pickle
from typing import ClassVar

import pytest

from autohier.config.search.loading import load_params, load_space
from autohier.config.trial.recipes import RECIPES
from autohier.config.trial.trial_config import TrialConfig
from autohier.core.recipes.base import StageRequest, run_recipe
from autohier.core.recipes.chain import UnmeasuredStage, by_stop_rule, chain_of, open_recipe, stage_kinds
from autohier.core.recipes.check import check_recipe

_FLAT_ACCURACY = 0.5
_CHAIN_ACCURACIES = (0.6, 0.7, 0.8, 0.6, 0.5, 0.9, 0.9, 0.9)
"""Of pass 2 and pruning passes. Prune 3 and 4 are below prune 2, so the stop rule ends the chain."""


class RecipeContract:
    """Tests of one recipe; a subclass names it."""

    recipe: ClassVar[str]
    """Registered name."""
    overrides: ClassVar[tuple[str, ...]] = ()
    """Settings of the space `demo` that the recipe needs, as for ``--set``."""

    @pytest.fixture
    def config(self) -> TrialConfig:
        """Return a config that names the recipe, with seven pruning passes."""
        space = load_space("demo", [f"recipe={self.recipe}", *self.overrides])
        return space.config(load_params(space, ["passes=7"]), seed=0)

    def test_it_is_registered(self) -> None:
        """The name is among the registered ones, and its builder can be imported."""
        assert self.recipe in RECIPES.names
        assert callable(RECIPES.find(self.recipe).load())

    def test_it_follows_the_contract(self, config: TrialConfig) -> None:
        """Its requests, its results and the end of its chain are as the contract says."""
        check_recipe(config)

    def test_the_stop_rule_ends_its_chain(self, config: TrialConfig) -> None:
        """Two pruning passes in a row below the best one end the chain."""
        assert [*self.run(config)] == [*_CHAIN_ACCURACIES[:5]]

    def test_the_sampled_number_of_passes_ends_its_chain(self, config: TrialConfig) -> None:
        """The chain of a trial with one pruning pass has two stages."""
        one = config.model_copy(update={"params": config.params.model_copy(update={"passes": 1})})
        assert [*self.run(one)] == [*_CHAIN_ACCURACIES[:2]]

    def test_its_stages_are_always_the_same(self, config: TrialConfig) -> None:
        """Two trials of one config request equal stages, also in another process."""
        kinds = stage_kinds(config, 2)
        assert pickle.loads(pickle.dumps(kinds)) == kinds == stage_kinds(config, 2)  # noqa: S301  our own

    def run(self, config: TrialConfig) -> tuple[float, ...]:
        """Run the recipe as a trial does, and return the accuracies of its chain."""
        accuracies = iter(_CHAIN_ACCURACIES)

        def run_stage(request: StageRequest[UnmeasuredStage]) -> UnmeasuredStage:
            return UnmeasuredStage(request, _FLAT_ACCURACY if request.kind.is_flat else next(accuracies))

        stages = run_recipe(open_recipe(config, by_stop_rule(config)), run_stage)
        return tuple(stage.accuracy for stage in chain_of(stages))
