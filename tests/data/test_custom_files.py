"""A user's own videos: which endings, folders, columns and paths are read, and what is passed over aloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.data.datasets.reader import Remark
from autohier.data.datasets.registry import open_dataset
from autohier.errors import MissingDataError
from command_line import Autohier
from tiny_custom import write_custom_clip

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


def remarks(source: Path) -> tuple[Remark, ...]:
    """But for that on who acts, which few names here tell."""
    told = open_dataset("custom", source=source).remarks
    return tuple(remark for remark in told if "who acts" not in remark.text)


def test_that_nobody_knows_who_acts_is_told(tmp_path: Path) -> None:
    def told(folder: str, table: str) -> list[str]:
        (tmp_path / folder).mkdir()
        reader = open_dataset("custom", source=listed(tmp_path / folder, table))
        return [remark.text.partition(";")[0] for remark in reader.remarks]

    assert told("none", "path,label\nb,x\na,y\n") == [
        "the names of 2 of 2 clips do not tell who acts, e.g. a"
    ]
    assert told("some", "path,label\nS001C001P001R001A001,x\nb,y\n") == [
        "the names of 1 of 2 clips do not tell who acts, e.g. b"
    ]
    assert told("ntu", "path,label\nS001C001P001R001A001,x\nS001C001P002R001A001,y\n") == []
    assert told("table", "path,label,subject\na,x,Ann\nb,y,Bob\n") == []


def test_videos_of_many_endings_are_read(tmp_path: Path) -> None:
    endings = ("MPG", "m4v", "mpeg", "wmv", "flv", "mkv", "3gp", "Mp4")
    touched(tmp_path, *(f"videos/a/{ending}.{ending}" for ending in endings))
    assert clip_ids(tmp_path) == sorted(f"a/{ending}" for ending in endings)
    assert remarks(tmp_path) == ()


def test_mpeg_programme_streams_are_prepared(tmp_path: Path, autohier: Autohier) -> None:
    write_custom_clip(tmp_path / "source", "wave/1", num_frames=8, ending=".mpg")
    options = ("--data", tmp_path / "data", "--workers", 1, "--size", 16)
    ended = autohier("prepare", "custom", "--source", tmp_path / "source", *options)
    assert (ended.code, "source: 1 clips" in ended.out) == (0, True)


def test_what_is_passed_over_is_counted_and_named(tmp_path: Path, autohier: Autohier) -> None:
    source = tmp_path / "source"
    write_custom_clip(source, "wave/1")
    touched(source, "videos/flat.mp4", "videos/wave/s1/x.MP4", "videos/wave/s1/y.mov", "videos/wave/s2/z.mp4")
    touched(source, "videos/wave/1.txt", "videos/wave/2.txt", "videos/wave/._3.mp4", "videos/wave/raw")
    elsewhere, unread = remarks(source)
    assert elsewhere == Remark(
        "4 videos do not lie in videos/CLASS and are passed over: "
        "videos/flat.mp4, videos/wave/s1/x.MP4, videos/wave/s1/y.mov, ...",
        "move them there, or list them in a clips.csv of path, label and, where known, split",
    )
    assert unread.text == (
        "3 files below videos are passed over for their endings (2 of .txt, 1 of none): "
        "videos/wave/1.txt, videos/wave/2.txt, videos/wave/raw"
    )
    checked = autohier("check", "custom", "--source", source, "--workers", 1)
    for remark in (elsewhere, unread):
        assert f"\nWARNING: {remark.text}\n  mend: {remark.remedy}\n" in checked.out
    options = ("--data", tmp_path / "data", "--workers", 1, "--size", 16)
    prepared = autohier("prepare", "custom", "--source", source, *options)
    for remark in (elsewhere, unread):
        assert f"\nWARNING: {remark.text}: {remark.remedy}\n" in prepared.out


def test_folders_of_splits_are_told_to_be_none_of_classes(tmp_path: Path) -> None:
    touched(tmp_path, *(f"videos/{part}/{label}/1.mp4" for part in ("train", "val") for label in "ab"))
    with pytest.raises(
        MissingDataError,
        match=r"where 4 videos do not lie in .*: videos/train/a/1\.mp4, .* clips\.csv of path, label",
    ):
        open_dataset("custom", source=tmp_path)


def test_columns_are_known_in_capitals_and_beside_blanks(tmp_path: Path) -> None:
    listed(tmp_path, "Path, LABEL , Subject\na.mp4, x, ann\nb.mp4, y, bob\n")
    reader = open_dataset("custom", source=tmp_path)
    assert reader.class_names == ("x", "y")
    assert [clip.subject for clip in reader.find_clips(tmp_path)] == [1, 2]
    assert reader.remarks == ()


def test_unknown_columns_are_passed_over_aloud_and_commas_at_the_end_silently(
    tmp_path: Path, autohier: Autohier
) -> None:
    write_custom_clip(tmp_path, "wave/1")
    path = "videos/wave/1.mp4"
    listed(tmp_path, f"path,label,fps,Colour\n{path},x,30,red\n")
    text = f"of clips.csv the columns fps, colour are passed over; known ones are {COLUMNS}"
    assert remarks(tmp_path) == (Remark(text),)
    ended = autohier("check", "custom", "--source", tmp_path, "--workers", 1, "--keep-all")
    assert f"\n{text}\n" in ended.out
    for table in (f"path,label,\n{path},x,\n", f"path,label\n{path},x,,\n", f"path,label,,\n{path},x, ,\n"):
        assert clip_ids(listed(tmp_path, table)) == ["videos/wave/1"]
        assert remarks(tmp_path) == ()


def test_clips_of_val_beside_some_of_test_do_nothing_and_are_told(tmp_path: Path) -> None:
    table = "path,label,split\na,x,train\nb,x,val\nc,x,val\n"
    assert remarks(listed(tmp_path, table)) == ()
    text = "under split the 2 clips of val neither train nor test: validation is drawn from training clips"
    assert remarks(listed(tmp_path, f"{table}d,x,test\n")) == (Remark(text),)


def test_absolute_paths_lead_into_the_folder_or_to_another_disk(tmp_path: Path) -> None:
    source, disk = tmp_path / "source", tmp_path / "disk"
    touched(disk, "v/far.mp4", "v/far.npz")
    link = tmp_path / "link"
    link.symlink_to(source)
    table = f"{source}/v/near.mp4,x,\n{link}/v/linked.mp4,x,\n{disk}/v/far.mp4,y,{disk}/v/far.npz\n"
    listed(source, f"path,label,skeleton\n{table}")
    found = {clip.clip_id: clip for clip in open_dataset("custom", source=link).find_clips(link)}
    far = f"{disk}/v/far".removeprefix("/")
    # Where a path is within the folder, its clip is called as if the path were told from there on.
    assert sorted(found) == sorted([far, "v/linked", "v/near"])
    assert found["v/near"].video_path == link / "v/near.mp4"
    assert (found[far].video_path, found[far].skeleton_path) == (disk / "v/far.mp4", disk / "v/far.npz")


def test_told_cameras_give_a_protocol_of_their_own(tmp_path: Path) -> None:
    rows = [f"{number},x,{camera}" for number, camera in enumerate((7, 2, 5, 2))]
    reader = open_dataset("custom", source=listed(tmp_path, "path,label,camera\n" + "\n".join(rows)))
    assert [rule.name for rule in reader.protocols] == ["random", "cross-view"]
    view = reader.protocols[1]
    assert (view.column, view.train, view.test) == ("camera", (5, 7), (2,))
    with_subjects = "path,label,camera,subject\n" + "\n".join(f"{row},{row[0]}" for row in rows)
    reader = open_dataset("custom", source=listed(tmp_path, with_subjects))
    assert [rule.name for rule in reader.protocols] == ["cross-subject", "cross-view"]
    # One camera, or cameras that names alone tell, divide nothing.
    for table in (
        "path,label,camera\n1,x,1\n2,x,1\n",
        "path,label\nS001C001P001R001A001,x\nS001C002P001R001A002,y\n",
    ):
        reader = open_dataset("custom", source=listed(tmp_path, table))
        assert "cross-view" not in [rule.name for rule in reader.protocols]
