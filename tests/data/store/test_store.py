"""Store: frames and skeletons read back, and the errors of stores that cannot be read."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.store.paths import MANIFEST, find_store_folder, prepare_command, shard_path, store_folder
from autohier.data.store.reader import ClipStore
from autohier.data.store.same_content import SAME_CONTENT
from autohier.data.store.schema import SCHEMA
from autohier.digest import digest_file
from autohier.errors import InputError, MissingDataError
from support.sources.changed_records import change_record, read_values
from support.sources.tiny_datasets import write_ntu_clip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for action in (1, 2):
        write_ntu_clip(tmp_path / "source", f"S001C001P001R001A00{action}")
    reader = open_dataset("demo")
    prepare_dataset(reader, tmp_path / "source", tmp_path / "demo", size_px=64, max_frames=4, num_workers=1)
    return tmp_path / "demo"


def test_the_manifest_describes_the_clips(folder: Path) -> None:
    store = ClipStore.open(folder)
    manifest = store.manifest
    assert (manifest.dataset, manifest.modality, manifest.channels) == ("demo", "rgb", 3)
    assert (manifest.size_px, manifest.max_frames, manifest.num_clips) == (64, 4, 2)
    assert len(manifest.class_names) == 12
    assert manifest.joint_layout == "kinect-v2-25"
    assert not manifest.sided


def test_positions_may_come_in_any_order_and_repeat(folder: Path) -> None:
    store = ClipStore.open(folder)
    in_order = store.frames(1, [0, 1, 2, 3])
    np.testing.assert_array_equal(store.frames(1, [2, 0, 2]), in_order[[2, 0, 2]])
    assert store.frames(1, []).shape == (0, 64, 64, 3)
    assert in_order.dtype == np.uint8


@pytest.mark.parametrize("size_px", [16, 24, 64, 100])
def test_frames_are_decoded_in_the_given_size(folder: Path, size_px: int) -> None:
    store = ClipStore.open(folder)
    resized = store.frames(0, [3], size_px=size_px)
    assert resized.shape == (1, size_px, size_px, 3)
    assert resized.mean() == pytest.approx(store.frames(0, [3]).mean(), abs=2)


def test_skeletons_are_views_of_the_mapped_shard(folder: Path) -> None:
    skeleton = ClipStore.open(folder).skeleton(1)
    expected = open_dataset("demo").read_skeleton(
        open_dataset("demo").find_clips(folder.parent / "source")[1]
    )
    np.testing.assert_array_equal(skeleton.joints_MTV3_m, expected.joints_MTV3_m)
    np.testing.assert_array_equal(skeleton.pixels_MTV2, expected.pixels_MTV2)
    assert (skeleton.image_width_px, skeleton.layout) == (1920, "kinect-v2-25")
    assert not skeleton.joints_MTV3_m.flags.writeable
    assert not skeleton.joints_MTV3_m.flags.owndata


@pytest.mark.parametrize("row", [-1, 2])
def test_a_row_that_does_not_exist_is_an_error(folder: Path, row: int) -> None:
    with pytest.raises(IndexError, match=f"clip {row} of 2"):
        ClipStore.open(folder).num_kept(row)


@pytest.mark.parametrize("position", [-1, 4])
def test_a_position_that_does_not_exist_is_an_error(folder: Path, position: int) -> None:
    with pytest.raises(IndexError, match=f"position {position} of the 4 kept frames"):
        ClipStore.open(folder).frames(0, [position])


def test_a_store_pickles_as_its_path(folder: Path) -> None:
    store = ClipStore.open(folder)
    copy = pickle.loads(pickle.dumps(store))
    assert copy.fingerprint == store.fingerprint
    np.testing.assert_array_equal(copy.frames(0, [1]), store.frames(0, [1]))
    assert len(pickle.dumps(store)) < 1000


def test_the_fingerprint_changes_with_the_clips(folder: Path, tmp_path: Path) -> None:
    reader = open_dataset("demo")
    again = prepare_dataset(
        reader, tmp_path / "source", tmp_path / "again", size_px=64, max_frames=4, num_workers=1
    )
    assert again.fingerprint == ClipStore.open(folder).fingerprint
    write_ntu_clip(tmp_path / "source", "S001C001P001R001A002", num_frames=7)
    other = prepare_dataset(
        reader, tmp_path / "source", tmp_path / "other", size_px=64, max_frames=4, num_workers=1
    )
    assert other.fingerprint != again.fingerprint


def test_the_error_of_a_missing_store_names_the_command_that_prepares_it(tmp_path: Path) -> None:
    with pytest.raises(
        MissingDataError,
        match=r"^ntu60 is not prepared: no store at .*ntu60: run 'autohier prepare ntu60 --source DIR",
    ):
        ClipStore.open(tmp_path / "ntu60")


def test_the_error_of_a_missing_store_names_other_prepared_modalities(tmp_path: Path) -> None:
    (tmp_path / "own-skeleton").mkdir()
    with pytest.raises(MissingDataError, match=r"no store at .*own: run 'autohier prepare custom"):
        ClipStore.open(tmp_path / "own")
    (tmp_path / "own-skeleton" / MANIFEST).touch()
    hint = r"use a prepared modality with --set clips.modality=skeleton, or run 'autohier prepare custom"
    with pytest.raises(MissingDataError, match=hint):
        ClipStore.open(tmp_path / "own")
    (tmp_path / "utd-mhad-skeleton").mkdir()
    (tmp_path / "utd-mhad-skeleton" / MANIFEST).touch()
    with pytest.raises(MissingDataError, match=r"modality with --set clips.modality=skeleton, or run"):
        ClipStore.open(tmp_path / "utd-mhad-depth")
    with pytest.raises(MissingDataError, match=r"modality with --modality skeleton, or run"):
        ClipStore.open(tmp_path / "utd-mhad-depth", modality_option="--modality ")


def test_the_only_prepared_modality_is_the_default(tmp_path: Path) -> None:
    for name in ("ntu60", "utd-mhad-depth", "utd-mhad-skeleton"):
        (tmp_path / name).mkdir()  # unfinished stores

    def found(dataset: str, modality: str | None = None) -> str:
        return find_store_folder(tmp_path, dataset, modality).name

    assert (found("ntu60"), found("utd_mhad")) == ("ntu60", "utd-mhad-depth")
    for name in ("ntu60-skeleton", "utd-mhad-rgb"):
        (tmp_path / name).mkdir()
        (tmp_path / name / MANIFEST).touch()
    assert (found("ntu60"), found("utd_mhad")) == ("ntu60-skeleton", "utd-mhad-rgb")
    assert found("ntu60", "rgb") == "ntu60"
    (tmp_path / "utd-mhad-skeleton" / MANIFEST).touch()  # with two others the choice is not unique
    assert found("utd_mhad") == "utd-mhad-depth"
    (tmp_path / "utd-mhad-depth" / MANIFEST).touch()
    assert found("utd_mhad") == "utd-mhad-depth"
    with pytest.raises(InputError, match="must be one of rgb, depth, skeleton, but got 'video'"):
        found("utd_mhad", "video")


@pytest.mark.parametrize(
    ("folder", "command"),
    [
        ("data/ntu60", "autohier prepare ntu60 --source DIR"),
        ("data/demo", "autohier prepare demo"),
        ("data/utd-mhad-depth", "autohier prepare utd-mhad --modality depth --source DIR"),
        ("data/my-poses-skeleton", "autohier prepare pyskl --source FILE.pkl --name my-poses"),
        ("/big/mine", "autohier prepare custom --source DIR --name mine --data /big"),
        ("/big/utd-mhad-rgb", "autohier prepare utd-mhad --modality rgb --source DIR --data /big"),
    ],
)
def test_the_prepare_command_follows_from_the_folder(folder: str, command: str) -> None:
    assert prepare_command(Path(folder)) == command


def test_folders_of_stores() -> None:
    data = Path("data")
    assert store_folder(data, "ntu60", None) == data / "ntu60"
    assert store_folder(data, "ntu60", "rgb") == data / "ntu60"
    assert store_folder(data, "utd_mhad", None) == data / "utd-mhad-depth"
    assert store_folder(data, "utd-mhad", "rgb") == data / "utd-mhad-rgb"


def test_a_store_of_another_version_is_refused(folder: Path) -> None:
    for name in ("manifest.json", "options.json"):
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99, "unknown": 1}))
    with pytest.raises(
        MissingDataError, match=r"must be of version 5, but got 99: delete it and run 'autohier"
    ):
        ClipStore.open(folder)
    reader = open_dataset("demo")
    with pytest.raises(
        MissingDataError, match=r"must be of version 5, but got 99: delete .* to prepare it again"
    ):
        prepare_dataset(reader, folder.parent / "source", folder, size_px=64, max_frames=4, num_workers=1)


@pytest.mark.parametrize("content", ["", "[]", '{"version": 5}', '{"version": 5, "dataset": "demo"'])
def test_a_damaged_manifest_is_refused(folder: Path, content: str) -> None:
    (folder / "manifest.json").write_text(content)
    with pytest.raises(MissingDataError, match="is damaged"):
        ClipStore.open(folder)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"joint_layout": "six-limbs"}, "is damaged"),
        ({"channels": 7}, "is damaged"),
        ({"levels": [{"name": "limb", "assignment": [0, 1]}]}, "is damaged"),
        ({"class_names": [], "levels": []}, "must contain clips of the classes in its manifest"),
    ],
)
def test_an_inconsistent_manifest_is_refused(folder: Path, values: dict[str, object], reason: str) -> None:
    change_record(folder / "manifest.json", **values)
    with pytest.raises(MissingDataError, match=reason):
        ClipStore.open(folder)


@pytest.mark.parametrize("name", ["options.json", "shards/00000.json"])
def test_a_pipe_in_a_store_is_not_read(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    reader, source = open_dataset("demo"), folder.parent / "source"
    if name == "options.json":
        with pytest.raises(MissingDataError, match=r"options\.json is damaged"):
            prepare_dataset(reader, source, folder, size_px=64, max_frames=4, num_workers=1)
    else:
        prepare_dataset(reader, source, folder, size_px=64, max_frames=4, num_workers=1)
        assert (folder / name).is_file()


@pytest.mark.parametrize("damage", ["gone", "short", "scrambled"])
def test_a_damaged_shard_is_refused(folder: Path, damage: str) -> None:
    path = shard_path(folder, 0)
    content = path.read_bytes()
    path.unlink()
    if damage == "short":
        path.write_bytes(content[:-100])
    elif damage == "scrambled":
        path.write_bytes(bytes(len(content)))
    with pytest.raises(
        MissingDataError, match=r"shard .*00000\.arrow is missing or damaged: run 'autohier prepare demo"
    ):
        ClipStore.open(folder)


def rewrite(folder: Path, values: dict[str, object], *, offset: tuple[int, int] | None = None) -> None:
    """Replace values of the first row, and one 8-byte number of the file by another."""
    path = shard_path(folder, 0)
    first, second = pa.ipc.open_file(path).read_all().to_pylist()
    with pa.ipc.new_file(path, SCHEMA) as writer:
        writer.write_batch(pa.RecordBatch.from_pylist([first | values, second], schema=SCHEMA))
    if offset is not None:
        before, after = (struct.pack("<qq", 0, number) for number in offset)
        content = path.read_bytes()
        assert content.count(before) == 1
        path.write_bytes(content.replace(before, after))
    manifest = folder / "manifest.json"
    first, *others = read_values(manifest)["shards"]
    entry = first | {"num_bytes": path.stat().st_size, "sha256": digest_file(path)}
    change_record(manifest, shards=[entry, *others])


@pytest.mark.parametrize("content", [None, "", '{"groups": 3}'])
def test_a_store_without_its_comparison_of_contents_is_refused(folder: Path, content: str | None) -> None:
    # Otherwise --drop-duplicates would drop none, under the same fingerprint.
    path = folder / SAME_CONTENT
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(
        MissingDataError, match=r"same_content\.json is missing or damaged: run 'autohier prep"
    ):
        ClipStore.open(folder)


def test_a_length_beyond_the_end_of_the_shard_is_refused(folder: Path) -> None:
    num_bytes = len(pa.ipc.open_file(shard_path(folder, 0)).read_all()["joints_MTV3_m"][0].as_py())
    rewrite(folder, {}, offset=(num_bytes, 2**40))
    with pytest.raises(MissingDataError, match="is missing or damaged"):
        ClipStore.open(folder)


@pytest.mark.parametrize(
    "values",
    [
        {"skeleton_shape": [1, 6, 24]},
        {"skeleton_shape": [-1, -6, 25]},
        {"skeleton_shape": [2**31 - 1] * 3, "joints_MTV3_m": None, "pixels_MTV2": None, "scores_MTV": None},
        {"joints_MTV3_m": bytes(3)},
        {"scores_MTV": bytes(3)},
        {"label": None},
        {"box_px": [0, 0, None, 1]},
        {"frames": [None] * 4},
        {"frames": []},
    ],
    ids=str,
)
def test_an_inconsistent_row_is_refused(folder: Path, values: dict[str, object]) -> None:
    rewrite(folder, values)
    with pytest.raises(MissingDataError, match="is missing or damaged"):
        ClipStore.open(folder)


@pytest.mark.parametrize("label", [-1, 12])
def test_a_class_beyond_the_last_is_refused(folder: Path, label: int) -> None:
    rewrite(folder, {"label": label})
    with pytest.raises(MissingDataError, match="must contain clips of the classes in its manifest"):
        ClipStore.open(folder)


def test_a_frame_of_another_size_does_not_decode(folder: Path) -> None:
    jpeg = io.BytesIO()
    Image.new("RGB", (64, 65)).save(jpeg, format="JPEG")
    rewrite(folder, {"frames": [jpeg.getvalue()] * 4})
    with pytest.raises(MissingDataError, match=r"frame 2 of S001C001P001R001A001 in .* does not decode"):
        ClipStore.open(folder).frames(0, [2], size_px=8)


def test_the_error_of_a_damaged_frame_names_clip_and_hint(folder: Path) -> None:
    rewrite(folder, {"frames": [bytes(64)] * 4})
    with pytest.raises(MissingDataError, match=r"frame 0 of S001C001P001R001A001 in .* does not decode: run"):
        ClipStore.open(folder).frames(0, [0])


def test_incomplete_options_are_refused(folder: Path) -> None:
    (folder / "options.json").write_text('{"version": 5, "dataset": "demo"}')
    with pytest.raises((InputError, MissingDataError), match=r"options\.json is damaged"):
        prepare_dataset(open_dataset("demo"), folder.parent / "source", folder, num_workers=1)
