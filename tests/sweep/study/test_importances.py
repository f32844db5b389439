"""Importances of hyperparameters, of accuracies that are known functions of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from autohier.config.search.loading import load_space
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.study.importances import importances
from autohier.sweep.study.sampling.hyperparameters import ConfigSampler
from autohier.sweep.study.sampling.search_space import decode

SPACE = load_space("demo", ["initial=[]"])


def sampled(accuracy: Callable[[Hyperparameters], float]) -> list[tuple[Hyperparameters, float]]:
    configs = ConfigSampler(SPACE, (), ())
    params = [decode(SPACE, configs.sample("random", seed, {})) for seed in range(80)]
    return [(each, accuracy(each)) for each in params]


@pytest.mark.parametrize(
    ("accuracy", "first"),
    [
        (lambda params: -abs(math.log2(params.weight_ratio) + 1), "weight_ratio"),
        (lambda params: -params.ratio, "ratio"),
        (lambda params: params.scope == "global", "scope"),
        (lambda params: -params.superclasses[0], "superclasses_1"),
    ],
    ids=["weight_ratio", "ratio", "scope", "superclasses_1"],
)
def test_what_decides_the_accuracy_is_most_important(
    accuracy: Callable[[Hyperparameters], float], first: str
) -> None:
    random = np.random.default_rng(0)
    noisy = [(params, value + random.normal(0, 1e-6)) for params, value in sampled(accuracy)]
    shares = importances(SPACE, noisy)
    assert set(shares) == {"superclasses_1", "superclasses_2", "weight_ratio", "scope", "ratio", "passes"}
    assert max(shares, key=lambda name: shares[name]) == first
    assert math.isclose(sum(shares.values()), 1)
