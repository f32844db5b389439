"""``autohier confirm``: its options, and the places of a sweep that is given by its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.sweep import api
from support.command_line import Autohier
from support.fakes.fake_driver import FakeDriver
from support.sources.tiny_clips import SPACE_FILE


@pytest.fixture
def driver(
    autohier: Autohier, tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> FakeDriver:
    """A driver that has finished the sweep ``sure`` below ``out``; another folder is the current one."""
    fake = FakeDriver()
    monkeypatch.setattr(api, "drive", fake)
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    ended = autohier("search", SPACE_FILE, "--trials", 1, "--data", tiny_data, "--out", out, "--name", "sure")
    assert ended.code == 0
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return fake


@pytest.mark.parametrize("options", [(), ("--top", "2", "--seeds", "3")])
def test_a_sweep_keeps_its_stage_store(
    driver: FakeDriver, autohier: Autohier, tmp_path: Path, options: tuple[str, ...]
) -> None:
    ended = autohier("confirm", tmp_path / "out" / "sure", *options)
    assert ended.code == 0, ended.err
    searched, confirmed = driver.driven
    assert confirmed.stage_folder == searched.stage_folder == str(tmp_path / "out" / "stages")
    assert confirmed.confirm == ("2x3" if options else "4x2")


def test_a_sweep_is_found_by_its_name_and_may_use_other_folders(
    driver: FakeDriver, autohier: Autohier, tmp_path: Path, tiny_data: Path
) -> None:
    assert autohier("confirm", "sure", "--out", tmp_path / "out").code == 0
    missing = autohier("confirm", "sure", "--out", tmp_path / "out", "--data", tmp_path / "none").error
    assert "the prepared clips of sure must exist" in missing
    assert [plan.data_folder for plan in driver.driven] == [str(tiny_data)] * 2
