"""Test of the imports of a Ray actor before its first trial or stage."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "slow"),
    [("trainable", {"torch", "optuna"}), ("stage_actor", {"ray.tune", "optuna", "pandas", "tensorboard"})],
)
def test_an_actor_starts_without_slow_imports_that_it_does_not_need(module: str, slow: set[str]) -> None:
    code = f"import sys, autohier.sweep.execution.actors.{module}; print({slow} & set(sys.modules))"
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    assert printed.strip() == "set()"
