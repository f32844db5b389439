"""A copied sweep whose study lies in a database: the driver refuses it once the other one has continued."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rich.console import Console

from autohier.config.search.loading import load_space
from autohier.errors import InputError
from autohier.sweep import driver
from autohier.sweep.execution.signals import SweepInterruptedError
from autohier.sweep.paths import SweepFolder
from support.sources.tiny_clips import SPACE_FILE
from support.sweep_runs.plans import make_plan, make_provenance


def test_only_one_of_two_copies_is_driven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def session(*_: object) -> None:
        raise SweepInterruptedError

    monkeypatch.setattr(driver, "ray_session", session)
    (tmp_path / "stages").mkdir()
    plan = make_plan(
        tmp_path, name="first", study_name="first", space=load_space(str(SPACE_FILE)),
        storage=f"sqlite:///{tmp_path / 'study.db'}", stage_folder=str(tmp_path / "stages"),
    )  # fmt: skip
    first, other = SweepFolder(tmp_path / "first"), SweepFolder(tmp_path / "copy")
    first.write_plan(plan, make_provenance())

    def drive(folder: SweepFolder) -> bool:
        return driver.drive(folder, folder.read_plan()[0], Console(quiet=True)).interrupted

    assert drive(first)
    shutil.copytree(first.path, other.path)
    assert drive(other)
    with pytest.raises(InputError, match=r"belong to one sweep, but a copy of .*first has continued"):
        drive(first)
    assert drive(other)
