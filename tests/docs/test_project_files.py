"""Project files that must agree with each other: dependencies, their pins, versions and hooks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import autohier

ROOT = Path(__file__).parents[2]
PROJECT_TEXT = (ROOT / "pyproject.toml").read_text()
PROJECT = tomllib.loads(PROJECT_TEXT)["project"]
EXTRAS = PROJECT["optional-dependencies"]
RUN_AND_TEST = [*PROJECT["dependencies"], *EXTRAS["dev"]]
ALL = [*RUN_AND_TEST, *EXTRAS["docs"], *EXTRAS["bench"]]


def _name(dependency):
    return re.split(r"[\[>=]", dependency)[0]


def _pins(file):
    return dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / file).read_text(), flags=re.MULTILINE))


def _numbers(version):
    return tuple(int(part) for part in version.split("."))


@pytest.mark.parametrize("dependency", ALL)
def test_dependency_is_pinned(dependency):
    assert _name(dependency) in _pins("constraints.txt")


@pytest.mark.parametrize("dependency", ALL)
def test_dependency_has_a_reason(dependency):
    assert re.search(rf'"{re.escape(dependency)}",\s+# \w+', PROJECT_TEXT)


@pytest.mark.parametrize("dependency", RUN_AND_TEST)
def test_lowest_version_is_the_lower_bound(dependency):
    bound = dependency.partition(">=")[2]
    lowest = _numbers(_pins("constraints-min.txt")[_name(dependency)])
    assert lowest[: len(_numbers(bound))] == _numbers(bound)


def test_citation_and_changelog_have_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    version = PROJECT.get("version", autohier.__version__)
    assert citation["version"] == version
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_hooks_run_installed_programs():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [hook["id"] for hook in hooks] == ["ruff", "ruff-format", "language"]
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks)


def test_ci_runs_make_test():
    assert re.search(r"^make test\b", (ROOT / ".ci/run").read_text(), flags=re.MULTILINE)


def test_public_names_of_the_python_api_are_importable():
    from autohier.core.hierarchy import balanced_partition
    from autohier.core.pruning import StopRule
    from autohier.models import build_recognizer

    assert callable(build_recognizer)
    assert callable(balanced_partition)
    assert StopRule().should_stop([0.5, 0.4, 0.3])
