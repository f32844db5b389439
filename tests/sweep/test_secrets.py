"""A database's password is in no file that a sweep writes, and in no message."""

from __future__ import annotations

import io
import stat
import sys
from pathlib import Path

import pytest
from rich.console import Console

from autohier.errors import InputError
from autohier.sweep import api
from autohier.sweep.api import resume_sweep, start_sweep
from autohier.sweep.driver import SweepEnd
from autohier.sweep.paths import SweepFolder
from autohier.sweep.study.storages.storage import open_storage
from support.sources.tiny_clips import SPACE_FILE
from support.sweep_runs.plans import make_plan, make_provenance

URL = "postgresql://me:s3cret@db.example/studies"
REDACTED = "postgresql://me@db.example/studies"


def files_with(folder: Path, text: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_a_sweep_keeps_no_password(tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str | None] = []

    def drive(_: SweepFolder, plan: object, __: Console) -> SweepEnd:
        used.append(plan.storage)  # type: ignore[attr-defined]
        return SweepEnd(0, 1, interrupted=True)

    monkeypatch.setattr(api, "drive", drive)
    monkeypatch.setattr(sys, "argv", ["autohier", "search", f"--storage={URL}", "--storage", URL])
    output = io.StringIO()
    start_sweep(
        SPACE_FILE, trials=1, name="one", out=tmp_path, data=tiny_data, storage=URL,
        console=Console(file=output, width=200),
    )  # fmt: skip
    plan_file = tmp_path / "one" / "sweep.json"
    assert files_with(tmp_path, "s3cret") == []
    assert stat.S_IMODE(plan_file.stat().st_mode) == 0o600
    plan, origin = SweepFolder(tmp_path / "one").read_plan()
    assert plan.storage == REDACTED
    assert origin.command == ("autohier", "search", f"--storage={REDACTED}", "--storage", REDACTED)
    assert "shows all users of this machine the password" in output.getvalue()
    assert "AUTOHIER_STORAGE_PASSWORD" in output.getvalue()
    assert "s3cret" not in output.getvalue()

    resume_sweep(tmp_path / "one", console=Console(file=output))
    assert used == [URL, REDACTED]
    assert stat.S_IMODE(plan_file.stat().st_mode) == 0o600


def test_a_password_of_an_earlier_version_is_removed_on_resume(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    folder.write_plan(make_plan(tmp_path, storage=REDACTED), make_provenance())
    folder.plan_file.write_text(folder.plan_file.read_text().replace(REDACTED, URL))
    folder.plan_file.chmod(0o644)
    folder.write_plan(*folder.read_plan())
    assert "s3cret" not in folder.plan_file.read_text()
    assert stat.S_IMODE(folder.plan_file.stat().st_mode) == 0o600


def test_a_sweep_without_a_database_may_be_read_by_all(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    folder.write_plan(make_plan(tmp_path), make_provenance())
    other = tmp_path / "other"
    other.touch()
    assert folder.plan_file.stat().st_mode == other.stat().st_mode


def test_an_unreachable_database_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOHIER_STORAGE_PASSWORD", "s3cret")
    for url in ("nonsense://me:s3cret@host/db", "postgresql+nodriver://me@host/db"):
        with pytest.raises(InputError, match=r"can be opened.*set AUTOHIER_STORAGE_PASSWORD") as caught:
            open_storage(url, tmp_path / "journal")
        assert "s3cret" not in str(caught.value)
