"""Importances of hyperparameters, computed by Optuna from estimated accuracies."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Final

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.study.parameters import parameter_distributions, parameters

BEST_SHARE: Final = 0.25
"""Share of the configs that count as good."""


def importances(
    space: SearchSpace, estimated: Iterable[tuple[Hyperparameters, float]]
) -> Mapping[str, float]:
    """Return how much each hyperparameter decides if a config is among the best `BEST_SHARE`.

    The measure is PED-ANOVA (Watanabe et al., "PED-ANOVA: Efficiently quantifying hyperparameter importance
    in arbitrary subspaces", 2023). It compares the values of good configs with those of all, so that it
    allows for what the sampler preferred.

    Args:
        space: of the sweep.
        estimated: configs with their accuracies; at least a few dozen.

    Returns:
        Shares by the name of the study's parameter, the highest first; they add up to 1.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        create_trial(
            value=value,
            params=parameters(space, params),
            distributions=parameter_distributions(space, params),
        )
        for params, value in estimated
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        evaluator = PedAnovaImportanceEvaluator(target_quantile=BEST_SHARE)
        return get_param_importances(study, evaluator=evaluator)
