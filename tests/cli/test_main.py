"""What the command sets for all that computes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

COMMAND = """
import os, sys
from autohier.cli.main import main
assert "torch" not in sys.modules
sys.argv = ["autohier", "spaces"]
try:
    main()
finally:
    print("threads wait", os.environ["OMP_WAIT_POLICY"])
"""


@pytest.mark.parametrize(("set_before", "told"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_sleep_where_they_wait_unless_the_user_wants_else(set_before: str | None, told: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {"OMP_WAIT_POLICY": set_before} if set_before else {}
    ended = subprocess.run(
        [sys.executable, "-c", COMMAND], env=environment, capture_output=True, text=True, check=True
    )
    assert ended.stdout.splitlines()[-1] == f"threads wait {told}"
