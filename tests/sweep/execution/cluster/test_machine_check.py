"""Tests of the check that runs on each machine, and of what the driver makes of its clock."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from autohier.data.store.reader import ClipStore
from autohier.sweep.execution.cluster import machine_check
from autohier.sweep.execution.cluster.machine_check import Demands, check_machine, installed_versions

NODE = "0123abcd"


@pytest.fixture
def demands(tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> Demands:
    """Demands that this machine meets."""
    monkeypatch.setattr(machine_check, "_VISIBLE_S", 0.0)
    clips = ClipStore.open(tiny_data / "demo")
    (tmp_path / "machines").mkdir()
    met = Demands(
        folder=tmp_path / "machines",
        token="5ec2e7",  # noqa: S106
        clip_folder=clips.folder,
        fingerprint=clips.fingerprint,
        stage_folder=tmp_path / "stages",
        versions=installed_versions(("autohier", "torch")),
        needs_gpu=False,
    )
    met.driver_file.write_text(met.token)
    return met


def test_a_machine_that_meets_the_demands_leaves_the_token(demands: Demands) -> None:
    assert check_machine(demands, NODE).faults == ()
    assert demands.machine_file(NODE).read_text() == "5ec2e7"


def test_a_folder_that_is_not_shared_is_a_fault(demands: Demands) -> None:
    demands.driver_file.write_text("another driver's")
    (fault,) = check_machine(demands, NODE).faults
    assert fault.startswith(
        f"it does not share the sweep's folder: it does not see the driver's file {demands.folder}"
    )
    assert not demands.machine_file(NODE).exists()


def test_missing_and_other_clips_are_faults(demands: Demands, tmp_path: Path) -> None:
    (missing,) = check_machine(replace(demands, clip_folder=tmp_path / "none"), NODE).faults
    assert missing.startswith("it does not share the data: it sees no clips in ")
    (other,) = check_machine(replace(demands, fingerprint="f" * 64), NODE).faults
    assert re.fullmatch(
        f"it has other clips in {demands.clip_folder}: fingerprint {demands.fingerprint[:12]}, not f{{12}}",
        other,
    )


def test_other_versions_are_faults(demands: Demands) -> None:
    versions = {"Python": "2.7", "rich": "0.1", "no-such-package": "2.0", "torch": demands.versions["torch"]}
    assert check_machine(replace(demands, versions=versions), NODE).faults == (
        f"Python {'.'.join(platform.python_version_tuple()[:2])} is not the driver's 2.7",
        f"rich {version('rich')} is not the driver's 0.1",
        "no-such-package missing is not the driver's 2.0",
    )


def test_the_build_of_torch_may_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_check, "version", lambda _: "2.13.0+cu130")
    assert installed_versions(("torch",))["torch"] == "2.13.0"


def test_a_full_disk_is_a_fault(demands: Demands, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(demands.folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=3 << 20))
    faults = check_machine(demands, NODE).faults
    assert faults[0] == f"only 3 MB are free in {demands.stage_folder.parent}"


def test_a_torch_that_finds_no_gpu_is_a_fault(demands: Demands, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}

    def run(command: list[str], *, env: dict[str, str], **_: object) -> subprocess.CompletedProcess[str]:
        seen.update(env)
        return subprocess.CompletedProcess(command, 3, stdout="2.13.0+cpu\n", stderr="")

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # as Ray sets it for a process that holds no GPU
    monkeypatch.setattr(subprocess, "run", run)
    assert check_machine(replace(demands, needs_gpu=True), NODE).faults == (
        "its torch 2.13.0+cpu finds no GPU",
    )
    assert "CUDA_VISIBLE_DEVICES" not in seen


@pytest.mark.parametrize(
    ("machine_s", "expected"),
    [
        (1000.0, []),
        (1039.0, []),
        (970.0, []),
        (1051.0, ["its clock is 41 s ahead of the driver's"]),
        (960.0, ["its clock is 40 s behind the driver's"]),
    ],
)
def test_clocks_may_differ_by_half_a_minute(machine_s: float, expected: list[str]) -> None:
    from autohier.sweep.execution.ray_session.session import be_quiet

    be_quiet()
    from autohier.sweep.execution.cluster.machines import clock_faults

    assert clock_faults(machine_s, 1000.0, 1010.0) == expected


def test_copies_of_stages_that_are_out_of_reach_are_a_fault(demands: Demands) -> None:
    demands.stage_folder.mkdir()
    (demands.stage_folder / "remote.json").write_text('{"url": "nowhere://bucket"}')
    (fault,) = check_machine(demands, NODE).faults
    assert fault.startswith("the copies of the stages cannot be reached: --stages must be a URL of a storage")
    (demands.stage_folder / "remote.json").write_text(f'{{"url": "file://{demands.folder}"}}')
    assert check_machine(demands, NODE).faults == ()


def test_weights_that_lie_on_the_drivers_machine_only_are_a_fault(demands: Demands, tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "here.pth", tmp_path / "elsewhere.pth"
    here.touch()
    wanting = replace(demands, weights=(here, elsewhere))
    assert check_machine(wanting, NODE).faults == (f"it has no weights at {elsewhere}",)


def test_the_check_imports_no_torch() -> None:
    """A process that only checks its machine starts in a third of the time."""
    module = "autohier.sweep.execution.cluster.machine_check"
    code = f"import sys, {module}; sys.exit(bool({{'torch', 'ray'}} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
