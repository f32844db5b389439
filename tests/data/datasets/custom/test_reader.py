"""A user's own videos: clips, numbers, protocols, and errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from autohier.data.datasets.base import ClipSource
from autohier.data.datasets.common.poses import pose_file
from autohier.data.datasets.custom.clip import CustomClip
from autohier.data.datasets.custom.protocols import class_names, classes_of, divide
from autohier.data.datasets.custom.reader import CustomReader
from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.splits import default_held_out, split_clips
from autohier.data.store.reader import ClipStore
from autohier.data.store.table import tabulate_sources
from autohier.errors import ClipError, InputError, MissingDataError
from support.command_line import Autohier
from support.sources.tiny_custom import write_custom_clip


def opened(source: Path) -> tuple[CustomReader, list[ClipSource]]:
    reader = open_dataset("custom", source=source)
    assert isinstance(reader, CustomReader)
    return reader, reader.find_clips(source)


def listed(source: Path, table: str | bytes) -> Path:
    source.mkdir(exist_ok=True)
    (source / "clips.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    return source


def touched(source: Path, *clips: str) -> Path:
    for clip in clips:
        (source / "videos" / clip).parent.mkdir(parents=True, exist_ok=True)
        (source / "videos" / clip).touch()
    return source


def test_folders_are_classes(tmp_path: Path) -> None:
    touched(
        tmp_path, "wave/2.MOV", "wave/1.mp4", "clap/1.webm", "clap/._1.mp4", "clap/notes.txt", "stray.mp4"
    )
    reader, clips = opened(tmp_path)
    assert reader.class_names == ("clap", "wave")
    assert [(clip.clip_id, clip.label, clip.subject) for clip in clips] == [
        ("clap/1", 0, 1),
        ("wave/1", 1, 2),
        ("wave/2", 1, 3),
    ]
    assert clips[2].video_path == tmp_path / "videos" / "wave" / "2.MOV"
    assert clips[2].skeleton_path is None


def test_poses_are_read(tmp_path: Path) -> None:
    write_custom_clip(tmp_path, "wave/1", ending=".avi")
    reader, (clip,) = opened(tmp_path)
    skeleton = reader.read_skeleton(clip)
    assert (skeleton.image_width_px, skeleton.image_height_px) == (192, 108)
    assert skeleton.scores_MTV is not None
    assert (skeleton.scores_MTV == 0.5).all()
    with np.load(tmp_path / "poses" / "wave" / "1.npz") as arrays:
        np.testing.assert_array_equal(skeleton.pixels_MTV2, arrays["keypoint"])


def test_clips_with_poses_are_cropped_in_the_store(tmp_path: Path) -> None:
    for clip_id in ("wave/1", "wave/2", "clap/1"):
        write_custom_clip(tmp_path / "source", clip_id)
    (tmp_path / "source" / "poses" / "wave" / "2.npz").unlink()
    reader, _ = opened(tmp_path / "source")
    prepare_dataset(reader, tmp_path / "source", tmp_path / "store", size_px=32, num_workers=1)
    store = ClipStore.open(tmp_path / "store")
    assert store.clips.clip_id == ("clap/1", "wave/1")
    assert store.box_px(0)[2] - store.box_px(0)[0] < 192
    (row,) = pq.read_table(tmp_path / "store" / "rejected.parquet").to_pylist()
    assert row["reason"] == "a clip must have a skeleton file: add one, or keep whole frames with --keep-all"
    whole = prepare_dataset(
        reader, tmp_path / "source", tmp_path / "whole", without_skeleton="whole-frame", num_workers=1
    )
    assert whole.num_clips == 3
    assert ClipStore.open(tmp_path / "whole").box_px(2) == (0, 0, 192, 108)


def test_all_columns_of_a_table_are_read(tmp_path: Path) -> None:
    table = "path,label,subject,camera,setup,split,skeleton\nb.mp4,10,ann,2,5,train,p/b.npz\n"
    table += '"a,1.mp4", 9 ,bob,1,6,Test,\nc/d.mp4,9,ann,1,6,,\n'
    reader, clips = opened(listed(tmp_path, table))
    assert reader.class_names == ("9", "10")  # by number, not as text
    assert [
        (clip.clip_id, clip.label, clip.subject, clip.camera, clip.setup, clip.parts) for clip in clips
    ] == [
        ("a,1", 0, 2, 1, 6, ("test",)),
        ("b", 1, 1, 2, 5, ("train",)),
        ("c/d", 0, 1, 1, 6, ()),
    ]
    assert clips[1].skeleton_path == tmp_path / "p" / "b.npz"
    assert clips[0].skeleton_path is None
    (rule,) = reader.protocols
    assert (rule.name, rule.column, rule.train, rule.test) == ("split", "parts", ("train",), ("test",))
    assert [(size.train, size.test) for size in rule.published] == [(1, 1)]


def test_a_table_without_test_clips_tests_on_val(tmp_path: Path) -> None:
    reader, _ = opened(listed(tmp_path, "\ufeffpath,label,split\r\na,x,train\r\nb,x,val\r\n"))
    assert [(rule.train, rule.test) for rule in reader.protocols] == [(("train",), ("val",))]


def test_every_second_subject_tests(tmp_path: Path) -> None:
    table = "path,label,subject\n" + "".join(
        f"{number},x,{subject}\n" for number, subject in enumerate((7, 3, 12, 9, 3))
    )
    reader, clips = opened(listed(tmp_path, table))
    (rule,) = reader.protocols
    # Sorted: 3, 7, 9, 12; the first and third train.
    assert (rule.name, rule.train, rule.test) == ("cross-subject", (3, 9), (7, 12))
    assert [clip.subject for clip in clips] == [7, 3, 12, 9, 3]


def _ucf(num_groups: int) -> list[str]:
    names = ("Archery", "Biking")
    return [
        f"{name}/v_{name}_g{group:02}_c{clip:02}.avi"
        for name in names
        for group in range(1, num_groups + 1)
        for clip in (1, 2)
    ]


def test_groups_in_names_are_subjects(tmp_path: Path) -> None:
    reader, clips = opened(touched(tmp_path, *_ucf(3)))
    (rule,) = reader.protocols
    assert (rule.name, rule.column, rule.train, rule.test) == ("cross-subject", "subject", (1, 3), (2,))
    assert [clip.subject for clip in clips] == [1, 1, 2, 2, 3, 3] * 2
    assert [clip.replication for clip in clips] == [1, 2] * 6


def test_clean_validation_of_a_given_split_holds_out_groups(tmp_path: Path) -> None:
    rows = [f"{path},{path.partition('/')[0]},{'test' if '_g01_' in path else 'train'}" for path in _ucf(25)]
    reader, clips = opened(listed(tmp_path, "path,label,split\n" + "\n".join(rows)))
    (rule,) = reader.protocols
    table = tabulate_sources(clips)
    held_out = default_held_out(table, rule)
    split = split_clips(table, rule, validation="clean", held_out=held_out)
    # A tenth of the 24 training groups is 2, each with two clips of two classes.
    assert (len(held_out), len(split.train), len(split.validation), len(split.test)) == (2, 88, 8, 4)
    assert set(table.subject[split.validation]) == set(held_out)
    assert not set(held_out) & {1, *table.subject[split.train]}


def test_names_supply_the_columns_that_a_table_lacks(tmp_path: Path) -> None:
    table = "path,label,camera\nS003C002P007R001A001.avi,x,5\nS004C001P008R002A001.avi,x,6\n"
    _, clips = opened(listed(tmp_path, table))
    assert [(clip.subject, clip.camera, clip.setup) for clip in clips] == [(7, 5, 3), (8, 6, 4)]


def test_clips_of_one_name_in_two_folders_have_different_subjects(tmp_path: Path) -> None:
    reader, clips = opened(touched(tmp_path, "clap/1.mp4", "wave/1.mp4"))
    assert [clip.subject for clip in clips] == [1, 2]
    assert [rule.name for rule in reader.protocols] == ["random"]
    _, cut = opened(touched(tmp_path / "cut", "clap/vid_E_1_2_A_0_1.mp4", "wave/vid_E_1_2_A_3_4.mp4"))
    assert [clip.subject for clip in cut] == [1, 1]


@pytest.mark.parametrize("column", ["", ",subject"])
def test_without_subjects_a_reproducible_fifth_of_each_class_tests(tmp_path: Path, column: str) -> None:
    cell = column.replace("subject", "ann")
    lines = [
        f"{label}{number:02},{label}{cell}"
        for label, many in (("a", 10), ("b", 4), ("c", 1))
        for number in range(many)
    ]
    source = listed(tmp_path, f"path,label{column}\n" + "\n".join(lines))
    reader, clips = opened(source)
    assert [(rule.name, rule.train, rule.test) for rule in reader.protocols] == [
        ("random", ("train",), ("test",))
    ]
    tests = [clip.clip_id[0] for clip in clips if clip.parts == ("test",)]
    assert tests == ["a", "a", "b"]  # 2 of 10, 1 of 4 (0.8 is rounded), none of a single one
    listed(source, f"path,label{column}\n" + "\n".join(reversed(lines)))
    assert opened(source)[1] == clips


def test_clips_of_a_rare_shared_subject_stay_together_in_the_random_split() -> None:
    clips = [CustomClip(f"{label}{number:02}", label, Path()) for label in "ab" for number in range(10)]
    subjects = [max(number, 1) for number in range(20)]  # the first two clips share one
    (rule,), parts = divide(clips, subjects, [1] * 20)
    assert (rule.name, rule.column) == ("random", "parts")
    assert parts[0] == parts[1]
    tests = [clip.label for clip, own in zip(clips, parts, strict=True) if own == ("test",)]
    # A fifth of 9 and of 10 subjects, with two clips if the shared one is among them.
    assert sorted(set(tests)) == ["a", "b"]
    assert len(tests) == 4 + (parts[0] == ("test",))
    # With two clips each, subjects are known, and every second one tests.
    (rule,), parts = divide(clips, [number // 2 for number in range(20)], [1] * 20)
    assert (rule.name, rule.test) == ("cross-subject", (1, 3, 5, 7, 9))


def test_classes_are_sorted_by_number_or_name() -> None:
    assert class_names(["10", "9", "09", "1"]) == ("1", "9", "10")
    assert classes_of(["09", "10", "9"], ("1", "9", "10")) == [1, 2, 1]
    assert class_names(["10", "9", "x"]) == ("10", "9", "x")
    assert classes_of(["x", "10"], ("10", "9", "x")) == [2, 0]


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (
            "",
            r"clips\.csv line 1: the header must contain the column path, but got no column: known",
        ),
        ("path\na\n", r"clips\.csv line 1: the header must contain the column label, but got path: known"),
        ("path,class\na,x\n", r"must contain the column label, but got path, class: known columns are path"),
        ("Path,Lable\na,x\n", r"line 1: .* of known columns, but got 'lable': did you mean label\?"),
        ("path,label,subject_id\na,x,1\n", r"columns, but got 'subject_id': did you mean subject\?"),
        (
            "path,label,Label\na,x,x\n",
            r"line 1: the header must contain each column once, but got label 2 times",
        ),
        ("path;label\na;x\n", r"line 1: cells must be separated by commas, but got ';': save the table"),
        ("path\tlabel\na\tx\n", r"line 1: cells must be separated by commas, but got '\\t': save the table"),
        ("path,label,\na,x,y\n", r"line 2: a cell must belong to a column with a name, but got y"),
        (
            "path,label\nv/x.mp4,a\nv/x.avi,a\n",
            r"line 3: two clips must differ in .*, but got v/x\.mp4 and v/x\.avi, both clip v/x: rename one",
        ),
        ("path,label\na.mp4,x\n./a.mp4,y\n", r"line 3: a clip must be listed once, but got \./a\.mp4"),
        ("path,label\na.mp4,\n", r"line 2: label must not be empty"),
        ("path,label,subject\na.mp4,x, \n", r"line 2: subject must not be empty"),
        ("path,label\n\n,x\n", r"line 3: path must not be empty"),
        ("path,label\na.mp4\n", r"line 2: a row must have one cell per column"),
        ("path,label\na.mp4,x,y\n", r"line 2: a row must have one cell per column"),
        (
            "path,label\n/disk2/a.mp4,x\n",
            r"line 2: an absolute path must point to an existing file, but got '/disk2/a\.mp4': mount",
        ),
        ("path,label\nb,x\n../a.mp4,x\n", r"line 3: a path must be absolute, or relative to the folder"),
        ("path,label\nfile:/tmp/a.mp4,x\n", r"line 2: a path must be absolute, or relative to the folder"),
        ("path,label\n/disk2/../a.mp4,x\n", r"line 2: a path must be absolute, or relative to the folder"),
        ("path,label\nb/../../a.mp4,x\n", r"line 2: a path must be absolute, or relative to the folder"),
        (
            "path,label\nC:\\a.mp4,x\n",
            r"line 2: a path must be absolute, .*: write the path with / instead",
        ),
        ("path,label\nb,x\nv\\a.mp4,x\n", r"line 3: a path must separate folders by /, but got 'v.*a\.mp4'"),
        ("path,label\na\0b,x\n", r"line 2: a path must be absolute, or relative to the folder"),
        (
            "path,label,skeleton\na,x,../p.npz\n",
            r"line 2: a path must be absolute, or relative to the folder",
        ),
        ('path,label\n"a,x\n', r"line 2: a table must be CSV"),
        (b"path,label\na,x\nb,\xff\n", r"line 3: a table must be UTF-8 text"),
        (
            "path,label,split\na,x,train\nb,x,train\n",
            r"the column split in clips\.csv must contain train, .*, but got train",
        ),
        (
            "path,label,split\na,x,train\nb,x,Trian\n",
            r"line 3: split must be train, val or test, but got 'Trian': did you mean train\? Leave it empty",
        ),
    ],
)
def test_errors_in_a_table_contain_the_line(tmp_path: Path, table: str | bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        opened(listed(tmp_path, table))


def test_a_source_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        MissingDataError, match="the dataset custom needs a folder of videos: add --source DIR"
    ):
        open_dataset("custom")
    with pytest.raises(
        MissingDataError, match=r"contain clips named like videos/CLASS/CLIP\.mp4, or a clips\.csv"
    ):
        opened(listed(tmp_path, "path,label\n"))
    with pytest.raises(MissingDataError, match="the source must be a folder"):
        opened(tmp_path / "clips.csv")


def test_ambiguous_or_undecodable_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"must differ in more than their endings, but got .*1\.avi and 1\.mp4: rename one"
    ):
        opened(touched(tmp_path / "ambiguous", "wave/1.avi", "wave/1.mp4"))
    touched(tmp_path / "bytes", "wave/1.mp4")
    (tmp_path / "bytes" / "videos" / "wave" / os.fsdecode(b"\xff.mp4")).touch()
    with pytest.raises(InputError, match=r"the names of clips must be UTF-8, but got 'wave/\\udcff'"):
        opened(tmp_path / "bytes")


def test_listed_files_that_are_missing_are_rejected_clips(tmp_path: Path) -> None:
    write_custom_clip(tmp_path, "wave/1")
    table = "path,label,skeleton\nvideos/wave/1.mp4,wave,poses/wave/1.npz\nnone.mp4,wave,poses/wave/1.npz\n"
    listed(tmp_path, table + "videos/wave/2.mp4,wave,\n")
    reader, _ = opened(tmp_path)
    prepare_dataset(reader, tmp_path, tmp_path / "store", size_px=32, num_workers=1)
    rows = pq.read_table(tmp_path / "store" / "rejected.parquet").to_pylist()
    assert [(row["clip_id"], row["path"]) for row in rows] == [
        ("none", str(tmp_path / "none.mp4")),
        ("videos/wave/2", str(tmp_path / "videos" / "wave" / "2.mp4")),
    ]
    assert "a video must be readable, but got No such file or directory: " in rows[0]["reason"]


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"keypoint": np.zeros((6, 17, 2))}, r"shape \(persons, frames, 17, 2\), but got \(6, 17, 2\)"),
        ({"keypoint": np.zeros((1, 6, 25, 2))}, r"shape \(persons, frames, 17, 2\), but got \(1, 6, 25, 2\)"),
        ({"keypoint": np.full((1, 6, 17, 2), np.nan)}, "a skeleton must contain a body"),
        ({"keypoint": np.zeros((1, 0, 17, 2))}, "keypoint must contain a frame"),
        ({"keypoint": np.array([None])}, r"an \.npz file must be readable, but got .*Object arrays"),
        ({"keypoint": np.array(["a"])}, "keypoint must be an array of numbers, but got <U1"),
        ({"points": np.zeros(3)}, "keypoint must be an array of numbers, but got NoneType"),
        (
            {"keypoint": np.ones((1, 6, 17, 2)), "keypoint_score": np.zeros((6, 17))},
            r"keypoint_score must have the shape of its keypoint, but got \(6, 17\), not \(1, 6, 17\)",
        ),
    ],
)
def test_bad_poses_reject_their_clip(tmp_path: Path, arrays: dict[str, Any], reason: str) -> None:
    write_custom_clip(tmp_path, "wave/1")
    np.savez(tmp_path / "poses" / "wave" / "1.npz", **arrays)
    reader, (clip,) = opened(tmp_path)
    with pytest.raises(ClipError, match=reason):
        reader.read_skeleton(clip)


def test_poses_above_the_size_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_custom_clip(tmp_path, "wave/1")
    reader, (clip,) = opened(tmp_path)
    monkeypatch.setattr(pose_file, "_MAX_BYTES", 100)
    # 6 frames of 17 joints of 2 float32.
    with pytest.raises(ClipError, match=r"keypoint must have at most 100 bytes, but got 816"):
        reader.read_skeleton(clip)


def test_the_command_sets_the_name(tmp_path: Path, autohier: Autohier) -> None:
    write_custom_clip(tmp_path / "source", "wave/1")
    options = ("--data", tmp_path / "data", "--workers", 1, "--size", 32)
    done = autohier("prepare", "custom", "--source", tmp_path / "source", "--name", "My_Own", *options)
    assert (done.code, ClipStore.open(tmp_path / "data" / "my-own").manifest.dataset) == (0, "my-own")
    assert "needs a folder of videos" in autohier("prepare", "custom", *options).error


def test_a_declared_layout_in_space_is_refused(tmp_path: Path) -> None:
    layout = tmp_path / "two.toml"
    layout.write_text('name = "two"\ndimensions = 3\njoints = ["a", "b"]\nparents = ["", "a"]\n')
    listed(tmp_path, "path,label\nb,x\n")
    with pytest.raises(InputError, match=r"must be 2D .*, but got joint layout two with 3 dimensions: set"):
        open_dataset("custom", source=tmp_path, layout=str(layout))
