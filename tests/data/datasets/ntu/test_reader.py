"""NTU's reader: names of clips, and skeletons that the dataset's authors list as missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.data.datasets.registry import open_dataset
from autohier.errors import ClipError
from support.sources.tiny_datasets import write_ntu_clip


def test_reading_a_skeleton_listed_as_missing_is_an_error(tmp_path: Path) -> None:
    write_ntu_clip(tmp_path, "S001C002P005R002A008")  # the first of their list
    reader = open_dataset("ntu60")
    (clip,) = reader.find_clips(tmp_path)
    assert clip.skeleton_path is None
    with pytest.raises(ClipError, match="that NTU's authors do not list as missing or incomplete"):
        reader.read_skeleton(clip)


def test_clip_names_are_parsed(tmp_path: Path) -> None:
    write_ntu_clip(tmp_path, "S017C003P040R002A060")
    (tmp_path / "S018C001P050R001A061_rgb.avi").touch()  # NTU 120's
    (tmp_path / "S001C001P001R001A002.skeleton").touch()  # without a video
    first, last = open_dataset("ntu60").find_clips(tmp_path)
    assert (last.setup, last.camera, last.subject, last.replication, last.label) == (17, 3, 40, 2, 59)
    assert first.video_path is None
    assert first.skeleton_path == tmp_path / "S001C001P001R001A002.skeleton"


@pytest.mark.parametrize("dataset", ["ntu60", "ntu120"])
def test_skeletons_listed_as_missing_are_not_used(tmp_path: Path, dataset: str) -> None:
    write_ntu_clip(tmp_path, "S001C001P001R001A001")
    write_ntu_clip(tmp_path, "S001C002P005R002A008")  # the first of both lists
    complete, missing = open_dataset(dataset).find_clips(tmp_path)
    assert complete.skeleton_path is not None
    assert missing.skeleton_path is None


def test_the_list_of_missing_skeletons_does_not_apply_to_the_demo(tmp_path: Path) -> None:
    write_ntu_clip(tmp_path, "S001C002P005R002A008")
    (clip,) = open_dataset("demo").find_clips(tmp_path)
    assert clip.skeleton_path is not None
