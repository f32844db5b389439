"""Registries find autohier's own extensions and those of installed packages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autohier.errors import InputError
from autohier.extensions import Extension, Registry, Source
from support.fakes.fake_packages import installed_package

GROUP = "autohier.test_points"


POINTS = """
from autohier.extensions import Extension

good = Extension("points_builder:build", settings=dict)
no_builder = Extension("points_builder:absent")
wrong = 7
"""
ENTRY_POINTS = """
good = points:good
no-builder = points:no_builder
wrong = points:wrong
gone = absent:x
own = points:good
"""


@pytest.fixture
def package(tmp_path: Path) -> Iterator[None]:
    with installed_package(
        tmp_path,
        name="points-package",
        version="2.5",
        modules={"points": POINTS, "points_builder": "def build():\n    return 'built'\n"},
        entry_points={GROUP: ENTRY_POINTS},
    ):
        yield


def registry() -> Registry:
    return Registry(GROUP, "test point", {"own": Extension("builtins:len")})


def test_without_packages_only_own_names_are_known() -> None:
    assert registry().names == ("own",)
    assert registry().find("own").load()("abc") == 3
    assert registry().source("own").package == "autohier"


@pytest.mark.usefixtures("package")
def test_a_package_adds_names_and_its_builder_loads_late() -> None:
    points = registry()
    assert points.names == ("own", "gone", "good", "no-builder", "wrong")
    assert points.find("good").settings is dict
    assert "points_builder" not in sys.modules
    assert points.find("good").load()() == "built"
    assert points.source("good") == Source("points-package", "2.5")


@pytest.mark.usefixtures("package")
def test_own_names_take_precedence() -> None:
    assert registry().find("own").builder == "builtins:len"
    assert registry().source("own").package == "autohier"


@pytest.mark.usefixtures("package")
def test_an_unknown_name_is_reported_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"^unknown test point 'goood': did you mean 'good'"):
        registry().find("goood")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrong", "must name an autohier.extensions.Extension, but got int: fix 'points:wrong'"),
        ("gone", "the entry point 'gone' in .* must be importable, but got 'absent:x'"),
    ],
)
@pytest.mark.usefixtures("package")
def test_a_broken_entry_point_is_named(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        registry().find(name)


@pytest.mark.usefixtures("package")
def test_a_builder_that_is_absent_is_named() -> None:
    with pytest.raises(InputError, match="importable 'module:function', but got 'points_builder:absent'"):
        registry().find("no-builder").load()
