"""Tests of the entry of the command: signals during its imports, and the command itself."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

CODE = """
import os, signal, sys, time
signal.signal(signal.SIGINT, {handler})

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "autohier.cli.main":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)

sys.meta_path.insert(0, Interrupting())
from autohier.cli.entry import main
main()
"""


@pytest.mark.parametrize(
    ("handler", "code", "out"),
    [("signal.default_int_handler", 130, ""), ("signal.SIG_IGN", 0, "autohier 0")],
    ids=["in the foreground", "ignored, in the background"],
)
def test_ctrl_c_during_the_imports_ends_without_a_word(handler: str, code: int, out: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CODE.format(handler=handler), "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (code, "")
    assert ended.stdout.startswith(out)


def test_the_command_gets_python_s_own_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    from autohier.cli import entry, main

    seen = []
    monkeypatch.setattr(main, "main", lambda: seen.append(signal.getsignal(signal.SIGINT)))
    entry.main()
    assert seen == [signal.default_int_handler]
