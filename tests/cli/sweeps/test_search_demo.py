"""``autohier search demo`` on a machine where the demo is not prepared yet."""

import os
import signal
import time

import pytest

from autohier.machine import ENDING_SIGNALS
from support.command_line import Autohier


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_the_preparation(
    autohier: Autohier, tmp_path, monkeypatch: pytest.MonkeyPatch, number, code
):
    handlers = [signal.getsignal(each) for each in ENDING_SIGNALS]

    def generate(*_: object, **__: object) -> None:
        os.kill(os.getpid(), number)
        time.sleep(60)

    monkeypatch.setattr("autohier.data.prepare.demo_source.generate_demo", generate)
    ended = autohier("search", "demo", "--trials", 1, "--data", tmp_path / "data", "--out", tmp_path / "out")
    assert ended.code == code
    assert "interrupted; finished shards are kept: run the same command to resume" in ended.out + ended.err
    assert not (tmp_path / "out").exists()
    assert [signal.getsignal(each) for each in ENDING_SIGNALS] == handlers
