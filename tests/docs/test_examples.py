"""The Python and TOML examples of the README and the documentation."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

import pytest
import torch

from autohier.config.launch import load_launch_settings
from autohier.config.search.loading import load_space
from support.doc_blocks import all_blocks
from support.sweep_runs.studies import open_study, run_trials

PYTHON = all_blocks("python")
EXTENSIONS = [block for block in PYTHON if block.page == "docs/extending.md"]
SPACES = [block for block in all_blocks("toml") if block.page == "docs/search-spaces.md"]
LAUNCHES = [block for block in all_blocks("toml") if block.page == "docs/cluster.md"]


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.name)
def test_imports_from_autohier_exist(block):
    for node in ast.walk(ast.parse(block.body)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "autohier":
            module = importlib.import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name), f"{node.module}.{name.name}"


@pytest.mark.parametrize("block", EXTENSIONS, ids=lambda block: block.name)
def test_example_of_an_extension_runs(block):
    exec(compile(block.body, block.name, "exec"), {"__name__": "example"})  # noqa: S102  our own page


def test_example_of_a_recognizer_meets_the_contract():
    (block,) = [block for block in EXTENSIONS if "class TwoConvolutions(" in block.body]
    names = {"__name__": "example"}
    exec(compile(block.body, block.name, "exec"), names)  # noqa: S102  our own page
    network = names["build"](layout="kinect-v2-25", channels=8)
    features = network.forward_stacks(torch.zeros(2, 1, 6, 25, 3))  # clips, persons, frames, joints, xyz
    assert [tuple(feature.shape) for feature in features] == [(2, 8), (2, 8)]
    assert [each.name for each in network.prunable_filters()] == ["conv1", "conv2"]


def test_example_of_a_study_opens_a_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (block,) = [block for block in PYTHON if "load_study" in block.body]
    run_trials(open_study(tmp_path, trials=2), 2)
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweep").rename(tmp_path / "sweeps" / "first")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(block.body, block.name, "exec"), names)  # noqa: S102  our own page
    assert [*names["table"]["user_attrs_trial"]] == ["t0000", "t0001"]
    assert "params_weight_ratio" in names["table"]


@pytest.mark.parametrize("block", SPACES, ids=lambda block: block.name)
def test_search_space_loads(block, tmp_path: Path):
    path = tmp_path / "space.toml"
    path.write_text(block.body)
    load_space(str(path))


def test_there_are_examples():
    assert PYTHON
    assert SPACES
    assert LAUNCHES


@pytest.mark.parametrize("block", LAUNCHES, ids=lambda block: block.name)
def test_launch_settings_load(block, tmp_path: Path):
    path = tmp_path / "launch.toml"
    path.write_text(block.body)
    load_launch_settings(path, {"search.name": "a"}, ())
