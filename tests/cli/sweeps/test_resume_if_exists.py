"""``autohier search --resume-if-exists``: one command for a job that is queued again."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.sweep import api
from autohier.sweep.driver import SweepEnd
from support.command_line import Autohier
from support.fakes.fake_driver import FakeDriver
from support.sources.tiny_clips import SPACE_FILE


def test_the_same_command_continues_and_then_exits_with_0(
    autohier: Autohier, tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = FakeDriver()
    monkeypatch.setattr(api, "drive", driver)
    where = ("--data", tiny_data, "--out", tmp_path)
    command = ("search", SPACE_FILE, "--trials", "2", *where, "--name", "job", "--resume-if-exists")
    driver.ends["job"] = lambda: SweepEnd(1, 2, interrupted=True)
    assert autohier(*command).code == 130
    ended = autohier(*command)
    assert (ended.code, driver.names) == (0, ["job", "job"])
    assert "extend: " in ended.out
    assert autohier(*command).code == 0
    other = autohier(*command, "--seed", "4")
    assert other.code == 2
    assert "got seed=4 instead of 0" in other.err
    assert len(driver.driven) == 3


def test_a_name_is_needed(autohier: Autohier) -> None:
    ended = autohier("search", "demo", "--resume-if-exists")
    assert ended.code == 2
    assert "--resume-if-exists continues a sweep by its name: add --name NAME" in ended.err
