"""Estimate of disk space: for one part, for all parts, and for shards that replace others."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare import pipeline
from autohier.data.prepare.disk_space import DiskSpace, check_disk_space, describe_disk_space
from autohier.data.prepare.parts import Part
from autohier.data.store.manifest import StoreOptions
from autohier.errors import InputError
from support.sources.small_preparations import run

pytestmark = pytest.mark.usefixtures("small_shards")


def set_free_space(monkeypatch: pytest.MonkeyPatch, num_bytes: int) -> None:
    usage = SimpleNamespace(free=num_bytes)
    monkeypatch.setattr("autohier.data.prepare.disk_space.shutil.disk_usage", lambda _: usage)


def estimate(source: Path) -> DiskSpace:
    reader = open_dataset("demo")
    options = StoreOptions.checked(
        dataset="demo", modality="rgb", size_px=32, max_frames=6, jpeg_quality=90, cropped=True,
        without_skeleton="reject",
    )  # fmt: skip
    missing = source / "not" / "there"
    own, whole = check_disk_space(reader, options, missing, {0: reader.find_clips(source)}, {})
    assert own == whole
    return own


def clips_in(line: str) -> list[int]:
    return [int(number) for number in re.findall(r"(\d+) clips", line)]


def test_the_estimate_is_reported_once_and_close_to_the_size_of_the_store(
    source: Path, tmp_path: Path
) -> None:
    messages: list[str] = []
    summary = run(source, tmp_path / "store", on_message=messages.append)
    space = estimate(source)
    assert messages[0].startswith(f"12 clips, about {space.written_bytes / 1e6:.1f} MB; ")
    assert len(messages) == 1
    # Each sample is a shard of one clip with a full header, so that small clips are overestimated.
    assert summary.num_bytes < space.written_bytes < 4 * summary.num_bytes


def test_a_part_reports_its_own_space_and_that_of_all_parts(source: Path, tmp_path: Path) -> None:
    messages: list[str] = []
    # Shards of 5, 5 and 2 clips: the first part has the first and the last.
    run(source, tmp_path / "store", part=Part(1, 2), on_message=messages.append)
    run(source, tmp_path / "store", part=Part(2, 2), on_message=messages.append)
    first, second = messages
    assert first.startswith("this part: 7 clips")
    assert clips_in(first) == [7, 12]
    # Only the second part is left by then.
    assert clips_in(second) == [5]


def test_a_store_that_does_not_fit_is_refused_before_it_is_written(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_free_space(monkeypatch, 1000)
    with pytest.raises(InputError, match=r"the store of 12 clips must fit the disk, but got about 0\.\d MB"):
        run(source, tmp_path / "store")
    assert not list((tmp_path / "store").glob("shards/*"))
    # A finished store needs no more space.
    monkeypatch.undo()
    monkeypatch.setattr(pipeline, "SHARD_CLIPS", 5)
    run(source, tmp_path / "store")
    set_free_space(monkeypatch, 1000)
    assert run(source, tmp_path / "store").num_clips == 12


def test_replaced_shards_count_as_free_space(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(source, tmp_path / "source")
    run(tmp_path / "source", tmp_path / "store")
    for path in (tmp_path / "source").glob("*.skeleton"):
        path.write_text(path.read_text().replace(" 3.0 ", " 2.9 "))
    # With the margin of 10% this is too little for a new store, but enough to replace the old one, whose
    # shards take at least a fourth of the estimate.
    set_free_space(monkeypatch, estimate(source).written_bytes)
    with pytest.raises(InputError, match="must fit the disk"):
        run(tmp_path / "source", tmp_path / "new")
    messages: list[str] = []
    assert run(tmp_path / "source", tmp_path / "store", on_message=messages.append).num_clips == 12
    assert clips_in(messages[0]) == [12]


def test_a_disk_too_small_for_all_parts_is_reported() -> None:
    own = DiskSpace(10, written_bytes=10**9, added_bytes=10**9, free_bytes=2 * 10**9)
    whole = DiskSpace(30, written_bytes=3 * 10**9, added_bytes=25 * 10**8, free_bytes=2 * 10**9)
    assert describe_disk_space(own, whole) == (
        "this part: 10 clips, about 1.0 GB; all parts: 30 clips, about 2.5 GB; "
        "2.0 GB are free, too little for all parts"
    )


@pytest.mark.parametrize(("free_bytes", "is_enough"), [(1099, False), (1100, True)])
def test_the_margin_is_a_tenth_of_the_written_bytes(free_bytes: int, is_enough: bool) -> None:
    assert DiskSpace(1, written_bytes=2000, added_bytes=900, free_bytes=free_bytes).is_enough == is_enough
