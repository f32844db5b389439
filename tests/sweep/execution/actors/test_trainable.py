"""Test of the imports of a Ray actor before its first trial."""

import subprocess
import sys


def test_an_actor_starts_without_the_slow_imports():
    code = (
        "import sys, autohier.sweep.execution.actors.trainable; print({'torch', 'optuna'} & set(sys.modules))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    assert printed.strip() == "set()"
