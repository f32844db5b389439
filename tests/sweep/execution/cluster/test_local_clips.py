"""Copies of the clips on machines: which folder a process reads, and what the driver prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.config.search.loading import load_space
from autohier.config.sweep import LOCAL_CLIPS_VARIABLE
from autohier.data.store.reader import ClipStore
from autohier.sweep.execution.ray_session.session import be_quiet
from autohier.sweep.execution.signals import StopRequest, SweepInterruptedError
from autohier.sweep.paths import SweepFolder
from autohier.sweep.scheduling.rungs import open_rungs
from support.sources.tiny_clips import SPACE_FILE

be_quiet()  # Ray reads its environment when it is imported

from autohier.sweep.execution.actors.context import SweepContext  # noqa: E402
from autohier.sweep.execution.cluster import local_clips as module  # noqa: E402
from autohier.sweep.execution.cluster.local_clips import LocalClips, copy_clips, find_clips  # noqa: E402


def test_without_a_folder_the_shared_clips_are_read(tiny_data: Path) -> None:
    assert find_clips(tiny_data / "demo", None) == LocalClips(tiny_data / "demo")


def test_the_folder_of_the_plan_comes_before_that_of_the_environment(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LOCAL_CLIPS_VARIABLE, str(tmp_path / "environment"))
    own = ClipStore.open(tiny_data / "demo").fingerprint
    assert find_clips(tiny_data / "demo", None).folder == tmp_path / "environment" / own / "demo"
    assert find_clips(tiny_data / "demo", str(tmp_path / "plan")).folder == tmp_path / "plan" / own / "demo"


def test_a_folder_that_cannot_be_written_leaves_the_shared_clips(tiny_data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = find_clips(tiny_data / "demo", str(tmp_path / "file"))
    assert found.folder == tiny_data / "demo"
    assert "file" in found.fault


def test_processes_of_a_sweep_read_the_copy(tiny_data: Path, tmp_path: Path) -> None:
    rungs = open_rungs(load_space(str(SPACE_FILE), ()))
    folder, local = SweepFolder(tmp_path), tmp_path / "local"
    context = SweepContext(folder, tiny_data / "demo", tmp_path, "cpu", 1, rungs, 0, local_clips=str(local))
    clips = context.open_clips()
    assert clips.folder.is_relative_to(local)
    assert clips.fingerprint == ClipStore.open(tiny_data / "demo").fingerprint


def copied(shared: Path, local: Path, stop: StopRequest | None = None) -> list[str]:
    lines: list[str] = []
    copy_clips(shared, str(local), None, lines.append, stop or StopRequest())
    return lines


@pytest.mark.usefixtures("ray_address")
def test_the_driver_says_which_copies_are_read(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_QUIET_S", 0.0)
    own = ClipStore.open(tiny_data / "demo").fingerprint
    *progress, result = copied(tiny_data / "demo", tmp_path / "local")
    assert result.startswith(f"clips: 1 machine read a copy in {tmp_path}/local/{own}/demo (after ")
    # An actor starts in more time than that after which a line says so.
    assert progress[0].startswith("copying the clips to the disks of 1 machine: ")
    assert (tmp_path / "local" / own / "demo" / "manifest.json").is_file()
    (tmp_path / "file").touch()
    *_, fault = copied(tiny_data / "demo", tmp_path / "file")
    assert " reads the shared clips: " in fault


@pytest.mark.usefixtures("ray_address")
def test_a_signal_ends_the_wait_for_the_copies(tiny_data: Path, tmp_path: Path) -> None:
    stop = StopRequest()
    stop.make()
    with pytest.raises(SweepInterruptedError, match=r"^$"):
        copied(tiny_data / "demo", tmp_path / "local", stop)


def test_without_a_folder_nothing_is_started(tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LOCAL_CLIPS_VARIABLE, raising=False)
    copy_clips(tiny_data / "demo", None, None, pytest.fail, StopRequest())
