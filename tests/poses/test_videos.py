"""Videos whose poses are to be found, and the names of their pose files."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.errors import InputError, MissingDataError
from autohier.poses.videos import find_videos, pose_folder


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(sources: list[Path], folder: Path) -> dict[str, str]:
    """Return the pose files by the names of the videos."""
    found = find_videos(sources, folder)
    return {each.video.name: each.file.relative_to(folder).as_posix() for each in found}


def test_files_of_a_dataset_lie_where_its_reader_looks_for_them(tmp_path: Path) -> None:
    touch(tmp_path / "videos" / "wave" / "b.mp4", tmp_path / "videos" / "jump" / "a.avi", tmp_path / "c.mp4")
    assert pose_folder([tmp_path], None) == tmp_path / "poses"
    assert names([tmp_path], tmp_path / "poses") == {"a.avi": "jump/a.npz", "b.mp4": "wave/b.npz"}


def test_a_table_says_which_videos_there_are(tmp_path: Path) -> None:
    touch(tmp_path / "all" / "a.mp4", tmp_path / "all" / "b.mp4")
    (tmp_path / "clips.csv").write_text("path,label\nall/b.mp4,1\n")
    assert names([tmp_path], tmp_path / "poses") == {"b.mp4": "all/b.npz"}


def test_any_other_folder_is_searched(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("a.mp4", "deep/er/b.MOV", "notes.txt", ".hidden/c.mp4", ".d.mp4")))
    assert names([tmp_path], tmp_path) == {"a.mp4": "a.npz", "b.MOV": "deep/er/b.npz"}


def test_single_videos_need_a_folder(tmp_path: Path) -> None:
    videos = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    touch(*videos)
    assert names(videos, tmp_path / "out") == {"a.mp4": "a.npz", "b.mp4": "b.npz"}
    for sources in (videos, videos[:1]):
        with pytest.raises(InputError, match=r"poses need a folder to be written to: add --out DIR"):
            pose_folder(sources, None)


def test_two_videos_do_not_share_a_file(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4", tmp_path / "more" / "a.avi")
    with pytest.raises(
        InputError, match=r"a pose file of its own, but got .*a\.npz for .*a\.mp4 and .*a\.avi"
    ):
        find_videos([tmp_path / "a.mp4", tmp_path / "more" / "a.avi"], tmp_path)


def test_there_must_be_a_video(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"there must be a video, but got"):
        find_videos([tmp_path], tmp_path)
    with pytest.raises(MissingDataError, match=r"a video or a folder must exist, but got .*missing"):
        find_videos([tmp_path / "missing"], tmp_path)
