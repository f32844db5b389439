"""Endings, folders, columns and paths of a user's own videos, and warnings about skipped ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.data.datasets.base import DatasetWarning
from autohier.data.datasets.registry import open_dataset
from autohier.errors import MissingDataError
from support.command_line import Autohier
from support.sources.tiny_custom import write_custom_clip

COLUMNS = "path, label, subject, camera, setup, split, skeleton"


def touched(source: Path, *paths: str) -> Path:
    for path in paths:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).touch()
    return source


def listed(source: Path, table: str) -> Path:
    source.mkdir(exist_ok=True)
    (source / "clips.csv").write_text(table)
    return source


def clip_ids(source: Path) -> list[str]:
    return [clip.clip_id for clip in open_dataset("custom", source=source).find_clips(source)]


def warnings(source: Path) -> tuple[DatasetWarning, ...]:
    """Return all warnings except that on subjects."""
    found = open_dataset("custom", source=source).warnings
    return tuple(warning for warning in found if "contain no subject" not in warning.text)


def test_clips_without_a_subject_cause_a_warning(tmp_path: Path) -> None:
    def texts(folder: str, table: str) -> list[str]:
        (tmp_path / folder).mkdir()
        reader = open_dataset("custom", source=listed(tmp_path / folder, table))
        return [warning.text.partition(";")[0] for warning in reader.warnings]

    assert texts("none", "path,label\nb,x\na,y\n") == ["the names of 2 of 2 clips contain no subject, e.g. a"]
    assert texts("some", "path,label\nS001C001P001R001A001,x\nb,y\n") == [
        "the names of 1 of 2 clips contain no subject, e.g. b"
    ]
    assert texts("ntu", "path,label\nS001C001P001R001A001,x\nS001C001P002R001A001,y\n") == []
    assert texts("table", "path,label,subject\na,x,Ann\nb,y,Bob\n") == []


def test_hidden_files_and_folders_are_no_classes(tmp_path: Path) -> None:
    touched(tmp_path, "videos/a/1.mp4", "videos/a/.2.mp4", "videos/.thumbnails/1.mp4")
    assert clip_ids(tmp_path) == ["a/1"]
    assert warnings(tmp_path) == ()


def test_folders_that_differ_in_blanks_only_are_a_warning(tmp_path: Path) -> None:
    touched(tmp_path, "videos/sit/1.mp4", "videos/sit /2.mp4", "videos/walk/3.mp4")
    (warning,) = warnings(tmp_path)
    assert warning.text == "the names of 2 classes differ in blanks only: 'sit', 'sit '"


def test_videos_of_many_endings_are_read(tmp_path: Path) -> None:
    endings = ("MPG", "m4v", "mpeg", "wmv", "flv", "mkv", "3gp", "Mp4")
    touched(tmp_path, *(f"videos/a/{ending}.{ending}" for ending in endings))
    assert clip_ids(tmp_path) == sorted(f"a/{ending}" for ending in endings)
    assert warnings(tmp_path) == ()


def test_mpeg_programme_streams_are_prepared(tmp_path: Path, autohier: Autohier) -> None:
    write_custom_clip(tmp_path / "source", "wave/1", num_frames=8, ending=".mpg")
    options = ("--data", tmp_path / "data", "--workers", 1, "--size", 16)
    ended = autohier("prepare", "custom", "--source", tmp_path / "source", *options)
    assert (ended.code, "source: 1 clip," in ended.out) == (0, True)


def test_skipped_files_are_counted_and_listed(tmp_path: Path, autohier: Autohier) -> None:
    source = tmp_path / "source"
    write_custom_clip(source, "wave/1")
    touched(source, "videos/flat.mp4", "videos/wave/s1/x.MP4", "videos/wave/s1/y.mov", "videos/wave/s2/z.mp4")
    touched(source, "videos/wave/1.txt", "videos/wave/2.txt", "videos/wave/._3.mp4", "videos/wave/raw")
    elsewhere, other = warnings(source)
    assert elsewhere == DatasetWarning(
        "4 videos are skipped because they are not in videos/CLASS: "
        "videos/flat.mp4, videos/wave/s1/x.MP4, videos/wave/s1/y.mov, ...",
        "move them there, or list them in a clips.csv with the columns path, label and, if known, split",
    )
    assert other.text == (
        "3 files below videos are skipped because their endings are not those of videos "
        "(2 of .txt, 1 of none): "
        "videos/wave/1.txt, videos/wave/2.txt, videos/wave/raw"
    )
    checked = autohier("check", "custom", "--source", source, "--workers", 1)
    for warning in (elsewhere, other):
        assert f"\nWARNING: {warning.text}\n  fix: {warning.hint}\n" in checked.out
    options = ("--data", tmp_path / "data", "--workers", 1, "--size", 16)
    prepared = autohier("prepare", "custom", "--source", source, *options)
    for warning in (elsewhere, other):
        assert f"\nWARNING: {warning.text}: {warning.hint}\n" in prepared.out


def test_folders_of_splits_are_not_classes(tmp_path: Path) -> None:
    touched(tmp_path, *(f"videos/{part}/{label}/1.mp4" for part in ("train", "val") for label in "ab"))
    with pytest.raises(
        MissingDataError,
        match=r"in which 4 videos are skipped .*: videos/train/a/1\.mp4, .* clips\.csv with the columns path",
    ):
        open_dataset("custom", source=tmp_path)


def test_case_and_blanks_in_column_names_are_ignored(tmp_path: Path) -> None:
    listed(tmp_path, "Path, LABEL , Subject\na.mp4, x, ann\nb.mp4, y, bob\n")
    reader = open_dataset("custom", source=tmp_path)
    assert reader.class_names == ("x", "y")
    assert [clip.subject for clip in reader.find_clips(tmp_path)] == [1, 2]
    assert reader.warnings == ()


def test_unknown_columns_cause_a_warning_and_trailing_commas_none(tmp_path: Path, autohier: Autohier) -> None:
    write_custom_clip(tmp_path, "wave/1")
    path = "videos/wave/1.mp4"
    listed(tmp_path, f"path,label,fps,Colour\n{path},x,30,red\n")
    text = f"the columns fps, colour of clips.csv are skipped; known columns are {COLUMNS}"
    assert warnings(tmp_path) == (DatasetWarning(text),)
    ended = autohier("check", "custom", "--source", tmp_path, "--workers", 1, "--keep-all")
    assert f"\n{text}\n" in ended.out
    for table in (f"path,label,\n{path},x,\n", f"path,label\n{path},x,,\n", f"path,label,,\n{path},x, ,\n"):
        assert clip_ids(listed(tmp_path, table)) == ["videos/wave/1"]
        assert warnings(tmp_path) == ()


def test_clips_of_val_validate_if_others_test(tmp_path: Path) -> None:
    table = "path,label,split\na,x,train\nb,x,val\nc,x,val\n"
    (rule,) = open_dataset("custom", source=listed(tmp_path, table)).protocols
    assert (rule.test, rule.validation) == (("val",), ())
    (rule,) = open_dataset("custom", source=listed(tmp_path, f"{table}d,x,test\n")).protocols
    assert (rule.test, rule.validation) == (("test",), ("val",))
    assert rule.published[0].test == 1


def test_absolute_paths_may_be_in_the_folder_or_on_another_disk(tmp_path: Path) -> None:
    source, disk = tmp_path / "source", tmp_path / "disk"
    touched(disk, "v/far.mp4", "v/far.npz")
    link = tmp_path / "link"
    link.symlink_to(source)
    table = f"{source}/v/near.mp4,x,\n{link}/v/linked.mp4,x,\n{disk}/v/far.mp4,y,{disk}/v/far.npz\n"
    listed(source, f"path,label,skeleton\n{table}")
    clips = {clip.clip_id: clip for clip in open_dataset("custom", source=link).find_clips(link)}
    far = f"{disk}/v/far".removeprefix("/")
    # The id of a clip inside the folder is its relative path.
    assert sorted(clips) == sorted([far, "v/linked", "v/near"])
    assert clips["v/near"].video_path == link / "v/near.mp4"
    assert (clips[far].video_path, clips[far].skeleton_path) == (disk / "v/far.mp4", disk / "v/far.npz")


def test_a_column_of_cameras_adds_cross_view(tmp_path: Path) -> None:
    rows = [f"{number},x,{camera}" for number, camera in enumerate((7, 2, 5, 2))]
    reader = open_dataset("custom", source=listed(tmp_path, "path,label,camera\n" + "\n".join(rows)))
    assert [rule.name for rule in reader.protocols] == ["random", "cross-view"]
    view = reader.protocols[1]
    assert (view.column, view.train, view.test) == ("camera", (5, 7), (2,))
    with_subjects = "path,label,camera,subject\n" + "\n".join(f"{row},{row[0]}" for row in rows)
    reader = open_dataset("custom", source=listed(tmp_path, with_subjects))
    assert [rule.name for rule in reader.protocols] == ["cross-subject", "cross-view"]
    # One camera, or cameras in names only, add no protocol.
    for table in (
        "path,label,camera\n1,x,1\n2,x,1\n",
        "path,label\nS001C001P001R001A001,x\nS001C002P001R001A002,y\n",
    ):
        reader = open_dataset("custom", source=listed(tmp_path, table))
        assert "cross-view" not in [rule.name for rule in reader.protocols]
