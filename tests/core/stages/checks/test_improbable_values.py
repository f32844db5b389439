"""Values that are possible and probably not meant: which are found, and what was probably meant."""

from __future__ import annotations

import pytest

from autohier.config.search.loading import load_space, shipped_spaces
from autohier.core.stages.checks.improbable_values import improbable_values
from autohier.core.stages.checks.space_warnings import space_warnings


def found(*overrides: str, space: str = "demo") -> list[str]:
    loaded = load_space(space, [*overrides, "initial=[]"])
    return list(improbable_values(loaded, loaded.search.settings))


@pytest.mark.parametrize("name", shipped_spaces())
def test_shipped_spaces_have_usual_values(name: str) -> None:
    space = load_space(name)
    for params in space.flat_params():
        assert list(improbable_values(space.apply(params), space.search.settings)) == []


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("recognizer.width=25", "0.25"),  # a percentage
        ("recognizer.width=0.001", "0.1"),
        ("optimisation.learning_rate=1e3", "0.001"),  # the other sign of the exponent
        ("pass_2.learning_rate=20", "0.02"),
        ("pruning.learning_rate=1e5", "1e-05"),
        ("optimisation.weight_decay=10", "0.1"),
        ("optimisation.label_smoothing=0.9", "0.009"),
        ("optimisation.repeats=1000", "10"),
        ("pass_1.epochs=100000", "1000"),
        ("pruning.epochs=2000", "20"),
        ("search.max_passes=100", "1"),
    ],
)
def test_the_value_that_was_probably_meant_is_named(override: str, meant: str) -> None:
    name, value = override.split("=")
    (warning,) = found(override)
    rule, fix = warning.splitlines()
    assert rule.startswith(f"{name} = {float(value):g} is outside its usual range, ")
    assert rule.endswith(f"; was {meant} meant?")
    assert fix == f"  fix: --set {name}={meant}, unless the value is meant"


def test_without_a_guess_the_nearest_usual_value_is_the_fix() -> None:
    (warning,) = found("recognizer.width=1e-9")
    assert warning.splitlines() == [
        "recognizer.width = 1e-09 is outside its usual range, 0.015625 to 4",
        "  fix: --set recognizer.width=0.015625, unless the value is meant",
    ]


def test_the_range_of_learning_rates_is_that_of_the_optimizer() -> None:
    assert found("optimisation.learning_rate=0.5", "optimisation.optimizer=sgd") == []
    (warning,) = found("optimisation.learning_rate=0.5")
    assert "usual range, 1e-07 to 0.1" in warning


def test_each_value_of_a_list_is_looked_at() -> None:
    (warning,) = found("search.ratios=[0.1, 0.9, 0.2]")
    assert warning.startswith("search.ratios = 0.9 is outside")
    assert warning.endswith("  fix: correct it in search.ratios, unless the value is meant")


def test_searched_settings_are_looked_at() -> None:
    (warning,) = found("search.settings.optimisation.learning_rate=[2e-3, 1e3]")
    assert warning.startswith("optimisation.learning_rate = 1000 is outside")
    assert "fix: correct it in search.settings, optimisation.learning_rate, unless" in warning


def test_persons_and_frames_of_skeletons_are_looked_at() -> None:
    warnings = found("clips.num_persons=50", "clips.num_frames=10000", space="utd_mhad_skeleton")
    assert [warning.split(" = ")[0] for warning in warnings] == ["clips.num_frames", "clips.num_persons"]


def test_only_the_variants_with_the_value_are_named() -> None:
    variants = ["search.variants.a={}", "search.variants.b.recognizer.width=25"]
    (warning,) = space_warnings(load_space("demo", [*variants, "initial=[]"]), None)
    assert warning.startswith("WARNING: variants b: recognizer.width = 25 is outside")
