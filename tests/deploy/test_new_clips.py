"""New files are prepared like those of the store that the model was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.clip import prepare_clip
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.skeleton import COCO_17
from autohier.data.store.memory import ClipsInMemory
from autohier.data.store.reader import ClipStore
from autohier.deploy.model_file import ClipFormat
from autohier.deploy.new_clips import (
    ClipArrays,
    find_files,
    name_files,
    open_file_reader,
    open_labelled,
    sources_of_files,
)
from autohier.errors import ClipError, InputError, MissingDataError
from support.sources.tiny_custom import write_custom_clip
from support.sources.tiny_datasets import write_ntu_clip, write_utd_clip

NTU_CLIP = "S001C001P001R001A001"


def prepared(source: Path, folder: Path, name: str, modality: str | None = None) -> ClipStore:
    reader = open_dataset(name, modality=modality, source=source)
    prepare_dataset(reader, source, folder, size_px=32, max_frames=4, num_workers=1)
    return ClipStore.open(folder)


def check_equal(store: ClipStore, files: list[Path], poses: Path | None) -> None:
    """Check that single files give the frames and the skeleton of the store's first clip."""
    clip_format = ClipFormat.of(store.manifest)
    (source,) = sources_of_files(clip_format, files, name_files(files), poses)
    clip, rejection = prepare_clip(open_file_reader(clip_format), source, clip_format.options)
    assert rejection is None
    check_same_clip(ClipsInMemory((clip,), 32, clip_format.channels), store)


def check_same_clip(clips: ClipsInMemory, store: ClipStore) -> None:
    assert clips.num_kept(0) == store.num_kept(0)
    positions = range(store.num_kept(0))
    np.testing.assert_array_equal(clips.frames(0, positions), store.frames(0, positions))
    for name in ("joints_MTV3_m", "pixels_MTV2", "scores_MTV", "image_width_px", "image_height_px"):
        np.testing.assert_array_equal(getattr(clips.skeleton(0), name), getattr(store.skeleton(0), name))


def test_a_video_with_poses_of_its_own(tmp_path: Path) -> None:
    for name in ("walk/a", "run/b"):
        write_custom_clip(tmp_path / "own", name)
    store = prepared(tmp_path / "own", tmp_path / "store", "custom")
    assert store.clips.clip_id[0].endswith("b")
    check_equal(store, [tmp_path / "own/videos/run/b.mp4"], tmp_path / "own/poses/run")


def test_a_video_with_a_cameras_skeleton_file(tmp_path: Path) -> None:
    write_ntu_clip(tmp_path / "ntu", NTU_CLIP)
    store = prepared(tmp_path / "ntu", tmp_path / "store", "ntu60")
    (video,) = tmp_path.glob("ntu/**/*.avi")
    (skeleton,) = tmp_path.glob("ntu/**/*.skeleton")
    poses = tmp_path / "poses"
    poses.mkdir()
    (poses / f"{video.stem}.skeleton").write_bytes(skeleton.read_bytes())
    check_equal(store, [video], poses)


def test_a_skeleton_file_alone(tmp_path: Path) -> None:
    write_ntu_clip(tmp_path / "ntu", NTU_CLIP)
    store = prepared(tmp_path / "ntu", tmp_path / "store", "ntu60", "skeleton")
    check_equal(store, list(tmp_path.glob("ntu/**/*.skeleton")), None)


def test_a_folder_in_the_layout_of_the_dataset(tmp_path: Path) -> None:
    write_utd_clip(tmp_path / "utd", "a1_s1_t1")
    store = prepared(tmp_path / "utd", tmp_path / "store", "utd-mhad", "depth")
    clip_format = ClipFormat.of(store.manifest)
    found = open_labelled(clip_format, tmp_path / "utd")
    assert found.class_of() == {"a1_s1_t1": store.manifest.class_names[0]}
    clip, _ = prepare_clip(found.reader, found.sources[0], clip_format.options)
    check_same_clip(ClipsInMemory((clip,), 32, 1), store)


def test_files_of_a_folder_are_sorted_and_hidden_ones_left_out(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.mp4", ".DS_Store"):
        (tmp_path / name).touch()
    assert [path.name for path in find_files([tmp_path])] == ["a.mp4", "b.mp4"]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_folders_below_a_folder_are_searched_for_videos(tmp_path: Path) -> None:
    """As `autohier poses` does, so that no video of a folder is left out silently."""
    touch(tmp_path, "c.mp4", "wave/b.MOV", "wave/deep/a.mp4", "wave/notes.txt", "poses/c.npz", ".x/d.mp4")
    found = [path.relative_to(tmp_path).as_posix() for path in find_files([tmp_path])]
    assert found == ["c.mp4", "wave/b.MOV", "wave/deep/a.mp4"]
    assert find_files([tmp_path / "poses"]) == [tmp_path / "poses/c.npz"]


def test_folders_of_pose_files_and_of_frames(tmp_path: Path) -> None:
    touch(tmp_path, "poses/jump/a.npz", "poses/wave/b.npz", "view/a01_s01_e00/frame_1.jpg")
    assert find_files([tmp_path / "poses"]) == [tmp_path / "poses/jump/a.npz", tmp_path / "poses/wave/b.npz"]
    assert find_files([tmp_path / "view"]) == [tmp_path / "view"]


def test_poses_lie_in_folders_as_those_of_the_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `autohier poses new --out poses` writes them; clips of one name keep their own poses."""
    write_custom_clip(tmp_path / "own", "walk/a")
    clip_format = ClipFormat.of(prepared(tmp_path / "own", tmp_path / "store", "custom").manifest)
    touch(tmp_path, "new/jump/a.mp4", "new/wave/a.mp4", "new/b.mp4", "new/none.mp4")
    touch(tmp_path, "poses/jump/a.npz", "poses/wave/a.npz", "poses/b.npz", "poses/b.skeleton")

    def poses_of(files: list[Path], poses: Path) -> list[str]:
        sources = sources_of_files(clip_format, files, name_files(files), poses)
        return [
            each.skeleton_path.relative_to(poses).as_posix() if each.skeleton_path else "" for each in sources
        ]

    files = [tmp_path / "new" / name for name in ("jump/a.mp4", "wave/a.mp4", "b.mp4", "none.mp4")]
    assert poses_of(files, tmp_path / "poses") == ["jump/a.npz", "wave/a.npz", "b.npz", ""]
    monkeypatch.chdir(tmp_path / "new" / "wave")
    assert poses_of([Path("a.mp4")], tmp_path / "poses") == ["wave/a.npz"]
    assert poses_of([Path("a.mp4")], tmp_path / "poses" / "jump") == ["a.npz"]
    with pytest.raises(InputError, match=r"a pose file of its own, but got .*a\.npz for .*jump.* and .*wave"):
        poses_of(files, tmp_path / "poses" / "jump")


def test_names_are_paths_where_stems_repeat(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.mp4").touch()
    (tmp_path / "b.mp4").touch()
    files = [tmp_path / "x/a.mp4", tmp_path / "y/a.mp4", tmp_path / "b.mp4"]
    assert name_files(files) == [str(files[0]), str(files[1]), "b"]
    with pytest.raises(InputError, match="each clip must be given once"):
        name_files([files[0], files[0]])
    with pytest.raises(MissingDataError, match=r"a clip must be a file, but got .*none"):
        name_files([tmp_path / "none.mp4"])


def test_arrays_must_have_the_layout_and_one_shape() -> None:
    pixels = np.ones((1, 3, 17, 2))
    skeleton = ClipArrays(pixels_MTV2=pixels, image_size_px=(40, 30)).skeleton(COCO_17)
    assert (skeleton.image_width_px, skeleton.num_frames, skeleton.scores_MTV) == (40, 3, None)
    assert np.isnan(skeleton.joints_MTV3_m).all()
    with pytest.raises(ClipError, match=r"pixels_MTV2 must have the shape \(1, 3, 17, 2\)"):
        ClipArrays(pixels_MTV2=pixels[:, :, :5]).skeleton(COCO_17)
    with pytest.raises(ClipError, match="a clip must have poses"):
        ClipArrays().skeleton(COCO_17)


@pytest.mark.parametrize("suffix", [".npz", ".skeleton"])
def test_a_pose_file_in_place_of_a_video_names_the_option_of_poses(tmp_path: Path, suffix: str) -> None:
    write_custom_clip(tmp_path / "own", "walk/a")
    store = prepared(tmp_path / "own", tmp_path / "store", "custom")
    clip_format = ClipFormat.of(store.manifest)
    file = tmp_path / f"a{suffix}"
    file.write_bytes((tmp_path / "own/poses/walk/a.npz").read_bytes())
    (source,) = sources_of_files(clip_format, [file], ["a"], None)
    with pytest.raises(ClipError, match=r"must be a video, but got the pose file .*: give .* with --poses"):
        open_file_reader(clip_format).count_frames(source)
