"""Folder of a store: which options, sources and parts may write to it."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.parts import Part
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.prepare.store_writer import claim_folder
from autohier.data.prepare.summary import PrepareProgress, PrepareSummary
from autohier.data.store.manifest import StoreOptions
from autohier.data.store.paths import MANIFEST, receipt_path, shard_path
from autohier.data.store.reader import ClipStore
from autohier.data.store.same_content import SAME_CONTENT
from autohier.errors import InputError, MissingDataError
from support.sources.small_preparations import CLIP_IDS, contents, run
from support.sources.tiny_custom import write_custom_clip
from support.sources.tiny_datasets import write_ntu_clip

pytestmark = pytest.mark.usefixtures("small_shards")


def test_a_shrunken_source_leaves_no_shard_behind(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "source")
    run(tmp_path / "source", tmp_path / "demo")
    for clip_id in sorted(CLIP_IDS)[4:]:
        (tmp_path / "source" / f"{clip_id}_rgb.avi").unlink()
        (tmp_path / "source" / f"{clip_id}.skeleton").unlink()
    assert run(tmp_path / "source", tmp_path / "demo").num_clips == 4
    assert [path.name for path in sorted((tmp_path / "demo" / "shards").iterdir())] == [
        "00000.arrow",
        "00000.json",
    ]


@pytest.mark.parametrize("damage", ["content", "size", "gone", "receipt", "groups"])
def test_preparing_again_replaces_a_damaged_file(source: Path, tmp_path: Path, damage: str) -> None:
    run(source, tmp_path / "demo")
    before = contents(tmp_path / "demo")
    path = shard_path(tmp_path / "demo", 1)
    if damage == "content":
        path.write_bytes(path.read_bytes()[:-500] + b"\0" * 500)
    elif damage == "size":
        path.write_bytes(path.read_bytes()[:-500])
    elif damage == "gone":
        path.unlink()
    elif damage == "groups":
        (tmp_path / "demo" / SAME_CONTENT).write_text('{"groups": 1}')
    else:
        receipt_path(tmp_path / "demo", 1).write_text('{"index": 1')
    run(source, tmp_path / "demo")
    assert contents(tmp_path / "demo") == before


def test_other_options_are_refused_with_a_hint(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "demo")
    reason = r"size_px 32, not 16; max_frames 6, not 4; cropped True, not False: delete .* or .* --data"
    with pytest.raises(InputError, match=reason):
        run(source, tmp_path / "demo", size_px=16, max_frames=4, crop=False)


def test_another_source_does_not_replace_a_store(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "demo")
    before = contents(tmp_path / "demo")
    other = tmp_path / "other"
    other.mkdir()
    for number, clip_id in enumerate(sorted(CLIP_IDS)):
        for ending in ("_rgb.avi", ".skeleton"):
            name = f"S009C001P{number + 1:03d}R001A001{ending}"
            shutil.copy(source / f"{clip_id}{ending}", other / name)
    reason = f"must be of one source, but got .*demo, whose {len(CLIP_IDS)} clips have other names: .* --name"
    with pytest.raises(InputError, match=reason):
        run(other, tmp_path / "demo")
    assert contents(tmp_path / "demo") == before


def test_two_parts_give_the_same_store_as_one_run(source: Path, tmp_path: Path) -> None:
    whole = run(source, tmp_path / "whole")
    # Three shards: the first part has the first and the last, the second part the one between.
    first_run = run(source, tmp_path / "parts", part=Part(2, 2))
    assert (first_run.fingerprint, first_run.num_clips) == (None, 5)
    with pytest.raises(MissingDataError, match="is not prepared"):
        ClipStore.open(tmp_path / "parts")
    reports: list[PrepareProgress] = []
    last_run = run(source, tmp_path / "parts", part=Part(1, 2), on_progress=reports.append)
    assert (reports[-1].num_done, reports[-1].num_clips) == (7, 7)
    assert (last_run.fingerprint, last_run.num_clips) == (whole.fingerprint, 12)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_parts_of_other_machines_are_joined_by_copying_their_shards(source: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        run(source, tmp_path / str(number), part=Part(number, 2))
    shutil.copytree(tmp_path / "2", tmp_path / "1", dirs_exist_ok=True)
    reports: list[PrepareProgress] = []
    joined = run(source, tmp_path / "1", on_progress=reports.append)
    assert joined.fingerprint == run(source, tmp_path / "whole").fingerprint
    assert reports[-1].num_reused == 12


@pytest.mark.parametrize("text", ["", "3", "0/8", "9/8", "3/", "a/b", "-1/2", "1/2/3"])
def test_an_invalid_part_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"a part must be written as NUMBER/COUNT, e\.g\. 3/8, but got"):
        Part.parse(text)


def test_a_part_is_parsed() -> None:
    assert Part.parse("3/8") == Part(3, 8)


def test_other_options_are_allowed_if_no_clip_could_be_prepared(tmp_path: Path) -> None:
    for clip_id in CLIP_IDS[:2]:
        write_ntu_clip(tmp_path / "source", clip_id)
        (tmp_path / "source" / f"{clip_id}.skeleton").unlink()
    folder = tmp_path / "store"
    with pytest.raises(MissingDataError, match="but got none of 2: the first reason is"):
        run(tmp_path / "source", folder)
    assert run(tmp_path / "source", folder, without_skeleton="whole-frame").num_clips == 2


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("size_px", 0, "options of a store: size_px must be at least 8, but got 0"),
        ("max_frames", 0, "max_frames must be at least 1, but got 0"),
        ("jpeg_quality", 101, "jpeg_quality must be at most 95, but got 101"),
        ("num_workers", 0, "number of workers must be at least 1, but got 0"),
    ],
)
def test_options_out_of_range_are_refused(
    source: Path, tmp_path: Path, option: str, value: int, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        run(source, tmp_path / "demo", **{option: value})
    assert not (tmp_path / "demo").exists()


def test_a_folder_that_holds_something_else_is_left_alone(source: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="a new store's folder must be empty"):
        run(source, tmp_path)
    assert contents(tmp_path) == {"thesis.txt": b"mine"}


def test_a_wrong_source_leaves_no_trace(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="the source must be a folder"):
        run(tmp_path / "none", tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


def test_parts_that_start_at_the_same_time_share_a_new_folder(tmp_path: Path) -> None:
    options = StoreOptions.checked(
        dataset="demo", modality="rgb", size_px=32, max_frames=6, jpeg_quality=90, cropped=True,
        without_skeleton="reject",
    )  # fmt: skip
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        with ThreadPoolExecutor(8) as pool:
            claims = [pool.submit(claim_folder, folder, options) for _ in range(8)]
        assert [claim.result() for claim in claims] == [False] * 8
        assert [path.name for path in folder.iterdir()] == ["options.json"]


def test_a_part_with_other_options_is_refused_before_the_first_shard_is_written(tmp_path: Path) -> None:
    values = {
        "dataset": "demo", "modality": "rgb", "max_frames": 6, "jpeg_quality": 90, "cropped": True,
        "without_skeleton": "reject",
    }  # fmt: skip
    claim_folder(tmp_path / "store", StoreOptions.checked(**values, size_px=32))
    with pytest.raises(InputError, match="one set of options, but got one with size_px 32, not 64"):
        claim_folder(tmp_path / "store", StoreOptions.checked(**values, size_px=64))


def test_other_files_in_the_folder_of_shards_are_kept(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "store")
    (tmp_path / "store" / "shards" / "00000.arrow.bak").touch()
    (tmp_path / "store" / "shards" / "00003 (1).arrow").touch()
    run(source, tmp_path / "store")
    assert (tmp_path / "store" / "shards" / "00000.arrow.bak").exists()


def _prepare_15_joints(folder: Path, layout: str, *, keep_all: bool) -> PrepareSummary:
    """Prepare six clips with poses of 15 joints; the reader expects 17 unless a layout is stated."""
    source = folder / "source"
    if not source.exists():
        for number in range(6):
            write_custom_clip(source, f"{'walk' if number % 2 else 'wave'}/{number}")
        for path in (source / "poses").rglob("*.npz"):
            np.savez(path, keypoint=np.load(path)["keypoint"][:, :, :15])
    return prepare_dataset(
        open_dataset("custom", source=source, layout=layout),
        source,
        folder / "own",
        num_workers=1,
        size_px=32,
        without_skeleton="whole-frame" if keep_all else "reject",
    )


def test_clips_rejected_for_their_joints_are_read_again_in_another_layout(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"must have the shape \(persons, frames, 17, 2\)"):
        _prepare_15_joints(tmp_path, "", keep_all=False)
    assert _prepare_15_joints(tmp_path, "jhmdb-15", keep_all=False).num_rejected == 0
    assert ClipStore.open(tmp_path / "own").skeleton(0).pixels_MTV2.shape == (1, 6, 15, 2)


def test_clips_kept_without_their_joints_are_not_reused_in_another_layout(tmp_path: Path) -> None:
    assert [count for _, count in _prepare_15_joints(tmp_path, "", keep_all=True).rejected_by_kind] == [6]
    (tmp_path / "own" / MANIFEST).unlink()  # as if the preparation had not ended
    with pytest.raises(InputError, match=r"joint_shape \(17, 2\), not \(15, 2\): delete"):
        _prepare_15_joints(tmp_path, "jhmdb-15", keep_all=True)
