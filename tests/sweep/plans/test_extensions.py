"""Tests of the extensions that a plan uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autohier.config.search.loading import load_space
from autohier.errors import InputError
from autohier.sweep.plans.extensions import check_extensions, extension_texts, foreign_packages
from support.fakes.fake_packages import installed_example, installed_package
from support.sources.tiny_clips import SPACE_FILE
from support.sweep_runs.plans import make_plan


@pytest.fixture
def site(tmp_path: Path) -> Iterator[None]:
    """An installed package that offers the callback "lines"."""
    module = "from autohier.extensions import Extension\nextension = Extension('builtins:print')\n"
    site = tmp_path / "site"
    site.mkdir()
    with installed_package(
        site,
        name="some-callback",
        version="1.0",
        modules={"some_callback": module},
        entry_points={"autohier.callbacks": "lines = some_callback:extension"},
    ):
        yield


@pytest.mark.usefixtures("site")
def test_a_plan_s_extensions_name_package_and_version(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, callbacks=("lines",))
    texts = extension_texts(plan)
    recognizer = f"recognizer {plan.space.recognizer.name}"
    scheduler = "trial scheduler successive-halving"
    schedule = f"learning-rate schedule {plan.space.optimisation.schedule}"
    stages = {"recipe hac", "stage kind pass-1", "stage kind pass-2", "stage kind prune"}
    others = {recognizer, schedule, "sampler tpe", scheduler, "callback lines", "dataset demo"}
    assert set(texts) == stages | others
    assert texts["callback lines"] == "some-callback 1.0"
    assert texts["sampler tpe"].startswith("autohier ")
    assert foreign_packages(plan) == {"some-callback": "1.0"}
    assert foreign_packages(make_plan(tmp_path)) == {}


@pytest.mark.usefixtures("site")
def test_a_sweep_needs_the_packages_that_it_started_with(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, callbacks=("lines",))
    check_extensions(plan, extension_texts(plan))
    check_extensions(plan, {})  # of a sweep that recorded none
    check_extensions(plan, {"sampler tpe": "autohier 0.0"})
    expected = "callback lines must come from some-callback 0.9, .*, but got some-callback 1.0: install"
    with pytest.raises(InputError, match=expected):
        check_extensions(plan, {"callback lines": "some-callback 0.9"})


def test_every_recognizer_of_a_space_is_named(tmp_path: Path) -> None:
    graph = "search.variants.graph={clips={input='skeletons'}, recognizer={name='st-gcn'}}"
    space = load_space(str(SPACE_FILE), ["search.variants.plain={}", graph, "initial=[]"])
    texts = extension_texts(make_plan(tmp_path, space=space))
    assert {"recognizer st-gcn", f"recognizer {space.recognizer.name}"} <= set(texts)


def test_every_schedule_of_a_space_is_named(tmp_path: Path) -> None:
    overrides = [
        "search.variants.a.optimisation.schedule=plateau",
        "search.variants.b.pass_1.epochs=3",
        "search.settings.optimisation.schedule=['one-cycle', 'cosine']",
        "initial=[]",
    ]
    variants = make_plan(tmp_path, space=load_space(str(SPACE_FILE), overrides[1:]))
    names = {name for name in extension_texts(variants) if name.startswith("learning-rate schedule")}
    assert names == {"learning-rate schedule one-cycle", "learning-rate schedule cosine"}
    one = make_plan(
        tmp_path, space=load_space(str(SPACE_FILE), [overrides[0], *overrides[1:2], "initial=[]"])
    )
    assert "learning-rate schedule plateau" in extension_texts(one)


def test_a_missing_package_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown callback 'lines'"):
        check_extensions(make_plan(tmp_path, callbacks=("lines",)), {})


def test_the_recipe_and_its_stage_kinds_are_named(tmp_path: Path) -> None:
    with installed_example("autohier-stage-kind", tmp_path / "site"):
        plan = make_plan(tmp_path, space=load_space(str(SPACE_FILE), ["recipe=heads-only"]))
        texts = extension_texts(plan)
        assert foreign_packages(plan) == {"autohier-heads-only": "0.1.0"}
    assert {use: text for use, text in texts.items() if use.startswith(("recipe", "stage kind heads"))} == {
        "recipe heads-only": "autohier-heads-only 0.1.0",
        "stage kind heads-only": "autohier-heads-only 0.1.0",
    }
