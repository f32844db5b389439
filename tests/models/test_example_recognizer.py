"""The recognizer of examples/autohier-recognizer passes the contract suite and trains."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.fakes.fake_packages import EXAMPLES, run_with_example
from support.sources.tiny_clips import OVERRIDES, SPACE_FILE

TESTS = EXAMPLES / "autohier-recognizer" / "tests" / "test_frame_mlp.py"
CHANGES = (OVERRIDES["skeletons"][0], "recognizer={name='frame-mlp', hidden=8}")


def run_python(folder: Path, *arguments: object) -> str:
    return run_with_example("autohier-recognizer", folder / "site", *arguments)


def test_it_passes_the_contract_suite(tmp_path: Path) -> None:
    test_file = shutil.copy(TESTS, tmp_path)  # out of the project, whose pytest options do not apply then
    assert "passed" in run_python(tmp_path, "-m", "pytest", "-p", "no:cacheprovider", test_file)


def test_loading_a_space_does_not_import_its_network(tmp_path: Path) -> None:
    code = (
        "import sys; from autohier.config.search.loading import load_space;"
        f"print(load_space('demo', {[CHANGES[0], CHANGES[1]]!r}).recognizer.options());"
        "print({'torch', 'autohier_frame_mlp.network'} & set(sys.modules))"
    )
    assert run_python(tmp_path, "-c", code) == "{'hidden': 8, 'num_stacks': 3}\nset()\n"


@pytest.mark.slow
def test_it_trains_and_is_pruned(tiny_data: Path, tmp_path: Path) -> None:
    overrides = [word for text in (*CHANGES, "pass_1.epochs=1", "passes=1") for word in ("--set", text)]
    folders = ("--data", tiny_data, "--out", tmp_path)
    command = ("-m", "autohier", "train", SPACE_FILE, *folders, "--device", "cpu", *overrides)
    assert "prune 1: " in run_python(tmp_path, *command)
