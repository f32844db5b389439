"""Whether what is to be prepared fits its disk: of this part, of all parts, beside what it replaces."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from autohier.data import preparation
from autohier.data.datasets.registry import open_dataset
from autohier.data.disk_room import Room, check_room, describe_room
from autohier.data.preparation import Part
from autohier.data.store.manifest import StoreOptions
from autohier.errors import InputError
from small_preparations import run

pytestmark = pytest.mark.usefixtures("small_shards")


def _free(monkeypatch: pytest.MonkeyPatch, num_bytes: int) -> None:
    full = SimpleNamespace(free=num_bytes)
    monkeypatch.setattr("autohier.data.disk_room.shutil.disk_usage", lambda _: full)


def _estimate(source: Path) -> Room:
    reader = open_dataset("demo")
    options = StoreOptions.checked(
        dataset="demo", modality="rgb", size_px=32, max_frames=6, jpeg_quality=90, cropped=True,
        without_skeleton="reject",
    )  # fmt: skip
    nowhere = source / "not" / "there"
    own, whole = check_room(reader, options, nowhere, {0: reader.find_clips(source)}, {})
    assert own == whole
    return own


def _clips_told(line: str) -> list[int]:
    return [int(number) for number in re.findall(r"(\d+) clips", line)]


def test_the_room_that_a_store_takes_is_told_and_comes_true(source: Path, tmp_path: Path) -> None:
    told: list[str] = []
    summary = run(source, tmp_path / "store", say=told.append)
    room = _estimate(source)
    assert told[0].startswith(f"12 clips, about {room.written_bytes / 1e6:.1f} MB; ")
    assert len(told) == 1
    # A shard of one clip has the frame of a whole shard, so that small clips are thought larger.
    assert summary.num_bytes < room.written_bytes < 4 * summary.num_bytes


def test_a_part_tells_its_own_room_and_that_of_all_parts(source: Path, tmp_path: Path) -> None:
    told: list[str] = []
    # Shards of 5, 5 and 2 clips: the first part has the first and the last.
    run(source, tmp_path / "store", part=Part(1, 2), say=told.append)
    run(source, tmp_path / "store", part=Part(2, 2), say=told.append)
    first, second = told
    assert first.startswith("this part: 7 clips")
    assert _clips_told(first) == [7, 12]
    # Nothing but the second part is left by then.
    assert _clips_told(second) == [5]


def test_a_store_that_will_not_fit_is_refused_before_it_begins(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _free(monkeypatch, 1000)
    with pytest.raises(InputError, match=r"the store of 12 clips must fit the disk, but got about 0\.\d MB"):
        run(source, tmp_path / "store")
    assert not list((tmp_path / "store").glob("shards/*"))
    # Where it was prepared already nothing is needed.
    monkeypatch.undo()
    monkeypatch.setattr(preparation, "SHARD_CLIPS", 5)
    run(source, tmp_path / "store")
    _free(monkeypatch, 1000)
    assert run(source, tmp_path / "store").num_clips == 12


def test_what_is_replaced_makes_room(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(source, tmp_path / "source")
    run(tmp_path / "source", tmp_path / "store")
    for path in (tmp_path / "source").glob("*.skeleton"):
        path.write_text(path.read_text().replace(" 3.0 ", " 2.9 "))
    # With a tenth to spare this is too little for a new store, while an old one of a fourth of it goes away.
    _free(monkeypatch, _estimate(source).written_bytes)
    with pytest.raises(InputError, match="must fit the disk"):
        run(tmp_path / "source", tmp_path / "new")
    told: list[str] = []
    assert run(tmp_path / "source", tmp_path / "store", say=told.append).num_clips == 12
    assert _clips_told(told[0]) == [12]


def test_a_disk_that_will_not_hold_all_parts_is_told() -> None:
    own = Room(10, written_bytes=10**9, added_bytes=10**9, free_bytes=2 * 10**9)
    whole = Room(30, written_bytes=3 * 10**9, added_bytes=25 * 10**8, free_bytes=2 * 10**9)
    assert describe_room(own, whole) == (
        "this part: 10 clips, about 1.0 GB; all parts: 30 clips, about 2.5 GB; "
        "2.0 GB are free, too little for all parts"
    )


@pytest.mark.parametrize(("free_bytes", "is_enough"), [(1099, False), (1100, True)])
def test_a_tenth_of_what_is_written_is_to_spare(free_bytes: int, is_enough: bool) -> None:
    assert Room(1, written_bytes=2000, added_bytes=900, free_bytes=free_bytes).is_enough == is_enough
