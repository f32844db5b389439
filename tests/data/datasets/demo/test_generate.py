"""The whole demo: names and layout, reproducible content, resuming, workers without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autohier.data.datasets.demo.generate import _Take, generate_demo
from autohier.errors import InputError


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    generate_demo(folder, num_workers=1, num_subjects=1, num_replications=1)
    return folder


def test_every_clip_has_a_video_and_a_skeleton_with_ntu_names(tiny: Path) -> None:
    ids = [f"S001C{c:03d}P001R001A{a:03d}" for c in (1, 2, 3) for a in range(1, 13)]
    assert set(contents(tiny)) == {f"{clip}{end}" for clip in ids for end in ("_rgb.avi", ".skeleton")}


def test_the_number_of_workers_does_not_change_the_content(tiny: Path, tmp_path: Path) -> None:
    generate_demo(tmp_path, num_workers=2, num_subjects=1, num_replications=1)
    assert contents(tmp_path) == contents(tiny)


def test_two_subjects_share_a_setup() -> None:
    names = [_Take(subject, replication=2, label=6).clip_id(camera=3) for subject in (1, 2, 3, 10)]
    assert names == [
        "S001C003P001R002A007",
        "S001C003P002R002A007",
        "S002C003P003R002A007",
        "S005C003P010R002A007",
    ]


def test_another_seed_changes_every_file(tiny: Path, tmp_path: Path) -> None:
    generate_demo(tmp_path, num_workers=1, num_subjects=1, num_replications=1, seed=1)
    other, first = contents(tmp_path), contents(tiny)
    assert other.keys() == first.keys()
    assert not [name for name in first if other[name] == first[name]]


def test_resuming_generates_only_missing_clips(tiny: Path, tmp_path: Path) -> None:
    for name, content in contents(tiny).items():
        (tmp_path / name).write_bytes(content)
    missing = tmp_path / "S001C002P001R001A004_rgb.avi"
    missing.unlink()
    before = {
        file: file.stat().st_mtime_ns for file in tmp_path.iterdir() if "C002P001R001A004" not in file.name
    }
    calls: list[tuple[int, int]] = []
    generate_demo(
        tmp_path,
        num_workers=1,
        num_subjects=1,
        num_replications=1,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert contents(tmp_path) == contents(tiny)
    assert {file: file.stat().st_mtime_ns for file in before} == before
    # 12 performances of 3 clips, of which one performance was incomplete.
    assert calls == [(33, 36), (36, 36)]


def test_the_cameras_record_the_same_performance(tiny: Path) -> None:
    for a in range(1, 13):
        first_lines = {
            (tiny / f"S001C{c:03d}P001R001A{a:03d}.skeleton").read_text().split("\n", 1)[0] for c in (1, 2, 3)
        }
        assert len(first_lines) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("num_subjects", 0), ("num_subjects", 1000), ("num_replications", 0), ("num_workers", 0)],
)
def test_counts_out_of_range_are_refused(tmp_path: Path, name: str, value: int) -> None:
    counts: dict[str, Any] = {name: value}
    with pytest.raises(InputError, match=name):
        generate_demo(tmp_path / "demo", **counts)
    assert not (tmp_path / "demo").exists()


def test_a_worker_does_not_import_torch() -> None:
    code = "import sys, autohier.data.datasets.demo.generate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
