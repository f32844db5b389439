"""What an actor loads before it has a trial."""

import subprocess
import sys


def test_an_actor_starts_without_what_takes_seconds_to_load():
    code = "import sys, autohier.sweep.trainable; print({'torch', 'optuna'} & set(sys.modules))"
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    assert printed.strip() == "set()"
