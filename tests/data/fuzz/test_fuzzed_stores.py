"""Damaged stores are read or refused, and preparing again repairs them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.skeleton import LAYOUTS
from autohier.data.splits import check_split_sizes
from autohier.data.store.manifest import Manifest, Receipt, StoreOptions, load_record
from autohier.data.store.paths import MANIFEST, OPTIONS, REJECTED, shard_path
from autohier.data.store.reader import ClipStore
from autohier.data.store.same_content import SAME_CONTENT, SameContent
from autohier.data.store.schema import SCHEMA
from autohier.errors import AutohierError, MissingDataError
from support.fuzz.edits import cuts, edited, words
from support.fuzz.law import check_law, every_third, fuzz_settings, naming_input
from support.fuzz.places import PLACES
from support.sources.changed_records import change_record, read_values
from support.sources.small_preparations import contents
from support.sources.tiny_datasets import write_ntu_clip

SHARD, RECEIPT = "shards/00000.arrow", "shards/00000.json"
MANY = 64 << 20


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Store of two clips next to their source; read-only."""
    folder = tmp_path_factory.mktemp("good")
    for action in (1, 2, 3):
        write_ntu_clip(folder / "source", f"S001C001P001R001A00{action}", num_frames=4)
    next((folder / "source").rglob("*A003.skeleton")).write_text("0\n")
    prepare(folder / "source", folder / "store")
    return folder / "store"


@pytest.fixture
def store(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "store"))


def prepare(source: Path, folder: Path) -> list[AutohierError]:
    prepare_dataset(open_dataset("ntu60"), source, folder, size_px=16, max_frames=3, num_workers=1)
    return []


def read(folder: Path) -> list[AutohierError]:
    """Read everything in a store."""
    store = ClipStore.open(folder)
    manifest = store.manifest
    assert manifest.joint_layout in LAYOUTS
    assert set(store.clips.label.tolist()) <= set(range(len(manifest.class_names)))
    check_split_sizes(store.clips, manifest.dataset, manifest.protocols)
    store.replications()
    for row in range(len(store)):
        num_kept = store.num_kept(row)
        frames_THWC = store.frames(row, range(num_kept))
        assert frames_THWC.shape == (num_kept, manifest.size_px, manifest.size_px, manifest.channels)
        assert store.frames(row, range(num_kept), size_px=8).shape == (num_kept, 8, 8, manifest.channels)
        assert len(store.frame_indices(row)) == num_kept
        skeleton = store.skeleton(row)
        assert skeleton.joints_MTV3_m.shape[:3] == skeleton.pixels_MTV2.shape[:3]
        assert len(store.box_px(row)) == 4
        assert len(store.video_size_px(row)) == 2
    return []


def try_store(folder: Path) -> list[AutohierError]:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.suffix)
    return check_law("store", partial(read, folder), num_bytes=MANY + 100 * size, source=folder.parent)


def put_shard(folder: Path, content: bytes) -> None:
    """Replace the shard, and its size in the manifest."""
    shard_path(folder, 0).write_bytes(content)
    first, *others = read_values(folder / MANIFEST)["shards"]
    change_record(folder / MANIFEST, shards=[first | {"num_bytes": len(content)}, *others])


@pytest.mark.parametrize("name", [MANIFEST, OPTIONS, REJECTED, SHARD, RECEIPT])
def test_preparing_again_repairs_a_damaged_store(name: str, good: Path, tmp_path: Path) -> None:
    content = (good / name).read_bytes()
    damages: dict[str, Callable[[Path], object]] = {
        damage: partial(Path.write_bytes, data=damaged) for damage, damaged in cuts(content)
    }
    for number, (damage, put) in enumerate(every_third((damages | PLACES).items())):
        folder = tmp_path / str(number) / "store"
        shutil.copytree(good, folder)
        (folder / name).unlink()
        put(folder / name)
        with naming_input(damage):
            try_store(folder)
            again = partial(prepare, good.parent / "source", folder)
            if not check_law("store", again, num_bytes=MANY, source=folder.parent):
                assert contents(folder) == contents(good)


@pytest.mark.parametrize("name", [MANIFEST, OPTIONS, RECEIPT, SAME_CONTENT])
def test_no_byte_of_a_record_may_change(store: Path, name: str) -> None:
    kinds: dict[str, Any] = {
        MANIFEST: Manifest,
        OPTIONS: StoreOptions,
        RECEIPT: Receipt,
        SAME_CONTENT: SameContent,
    }
    path, kind = store / name, kinds[name]
    whole, expected = path.read_bytes(), load_record(kind, path)
    assert expected is not None
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        assert load_record(kind, path) in (None, expected)


def test_a_changed_byte_of_a_shard_is_found(store: Path) -> None:
    ClipStore.open(store).check_digests()
    path = shard_path(store, 0)
    content = bytearray(path.read_bytes())
    at = content.index(b"\xff\xd8") + 40
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(MissingDataError, match=r"00000\.arrow must match its digest: run 'autohier"):
        ClipStore.open(store).check_digests()


def test_no_clip_of_a_shard_with_a_changed_byte_is_read(store: Path) -> None:
    """The byte may be of a frame, a joint, a label, a length, or lie between them."""
    path = shard_path(store, 0)
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 300)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        try:
            damaged = ClipStore.open(store)
        except MissingDataError:
            continue
        for read in (partial(damaged.frames, positions=[0]), damaged.skeleton):
            for row in range(len(damaged)):
                with pytest.raises(MissingDataError, match=r"00000\.arrow must match its digest"):
                    read(row)
    path.write_bytes(whole)
    assert ClipStore.open(store).frames(0, [0]).size


def test_words_of_a_manifest(store: Path) -> None:
    path = store / MANIFEST
    change_record(path)
    for name, content in words(path.read_bytes()):
        path.write_bytes(content)
        with naming_input(name):
            try_store(store)


@pytest.mark.parametrize("name", [MANIFEST, SHARD])
def test_random_edits(store: Path, name: str) -> None:
    path = store / name
    change_record(store / MANIFEST)
    content, manifest = path.read_bytes(), (store / MANIFEST).read_bytes()

    @fuzz_settings(60)
    @given(edited(content, is_text=name == MANIFEST))
    def try_edited(content: bytes) -> None:
        (store / MANIFEST).write_bytes(manifest)
        if name == SHARD:
            put_shard(store, content)
        else:
            path.write_bytes(content)
        try_store(store)

    try_edited()


def rows(store: Path) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = pa.ipc.open_file(shard_path(store, 0)).read_all().to_pylist()
    return table


def written(rows: list[dict[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
    content: bytes = sink.getvalue().to_pybytes()
    return content


def test_random_edits_of_a_frame(store: Path) -> None:
    first, *others = rows(store)
    jpeg, *frames = first["frames"]

    @fuzz_settings(60)
    @given(edited(jpeg, is_text=False))
    def try_edited(content: bytes) -> None:
        put_shard(store, written([first | {"frames": [content, *frames]}, *others]))
        try_store(store)

    try_edited()


NUMBERS = st.none() | st.sampled_from([-(2**31), -1, 0, 1, 2, 60, 2**31 - 1])
VALUES = {
    "clip_id": st.none() | st.text(max_size=3),
    **dict.fromkeys(["label", "subject", "camera", "setup", "replication", "num_frames"], NUMBERS),
    "parts": st.none() | st.lists(st.none() | st.text(max_size=3), max_size=2),
    "frame_indices": st.none() | st.lists(NUMBERS, max_size=4),
    "frames": st.none() | st.lists(st.none() | st.binary(max_size=3), max_size=4),
    "video_size_px": st.none() | st.lists(NUMBERS, min_size=2, max_size=2),
    "box_px": st.none() | st.lists(NUMBERS, min_size=4, max_size=4),
    "skeleton_shape": st.none() | st.lists(NUMBERS, min_size=3, max_size=3),
    "skeleton_image_px": st.none() | st.lists(NUMBERS, min_size=2, max_size=2),
    **dict.fromkeys(
        ["joints_MTV3_m", "pixels_MTV2", "scores_MTV"],
        st.none() | st.sampled_from([b"", bytes(3), np.zeros((2, 4, 25, 3), "f4").tobytes()]),
    ),
}


def test_other_values_in_a_row(store: Path) -> None:
    good = rows(store)

    @fuzz_settings(80)
    @given(st.fixed_dictionaries({}, optional=VALUES))
    def try_row(values: dict[str, Any]) -> None:
        put_shard(store, written([good[0], good[1] | values]))
        try_store(store)

    try_row()
