"""Check of a dataset's own files: each planted fault is reported once."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autohier.data.datasets.ntu.reader import NtuReader
from autohier.data.datasets.registry import open_dataset
from autohier.data.protocols import Protocol, PublishedSize
from autohier.data.store.table import tabulate_sources
from autohier.data.validate.duplicate_files import find_duplicates
from autohier.data.validate.report import DatasetCheck, check_dataset
from autohier.data.validate.splits import is_published
from autohier.errors import InputError, MissingDataError
from support.sources.tiny_custom import write_custom_clip
from support.sources.tiny_datasets import body_joints, skeleton_text, write_ntu_clip, write_utd_clip
from support.sources.tiny_pyskl import annotation, write_pyskl

TRAINS, TESTS = "S001C001P001R001A001", "S001C001P003R001A002"
"""NTU's subject 1 trains under cross-subject and subject 3 tests; camera 1 tests under cross-view."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two complete clips of the demo, of classes 0 and 1, which differ in length."""
    folder = tmp_path / "source"
    write_ntu_clip(folder, TRAINS, num_frames=6)
    write_ntu_clip(folder, TESTS, num_frames=7)
    return folder


def checked(source: Path, **options: Any) -> DatasetCheck:
    return check_dataset(open_dataset("demo"), source, num_workers=1, **options)


def two_classes(published: Sequence[PublishedSize] = ()) -> NtuReader:
    rule = Protocol("xsub", "subject", (1,), (3,), published=tuple(published))
    return NtuReader("demo", ("drink", "eat"), (rule,))


def test_a_sound_source_is_described_in_numbers(source: Path) -> None:
    found = check_dataset(two_classes([PublishedSize("all", 1, 1)]), source, num_workers=1)
    assert found.is_sound
    assert (found.num_clips, found.num_tried, found.num_rejected) == (2, 2, 0)
    assert (found.clips_per_class, found.empty_classes) == ((1, 1, 1), ())
    assert [(split.train, split.test, split.is_published) for split in found.splits] == [(1, 1, True)]
    assert (found.faults, found.without_skeleton, found.same_names) == ((), (), ())
    # Four files of four sizes: none had to be opened for the comparison.
    assert (found.duplicates.found, found.duplicates.num_read, found.duplicates.num_bytes) == ((), 0, 0)


def test_classes_without_clips_are_named_and_counted_as_0(source: Path) -> None:
    write_ntu_clip(source, "S001C002P001R001A001", num_frames=8)
    reader = NtuReader("demo", ("drink", "eat", "brush", "drop"), two_classes().protocols)
    found = check_dataset(reader, source, num_workers=1)
    # 2, 1, 0 and 0 clips: the median lies between 0 and 1.
    assert found.clips_per_class == (0, 0.5, 2)
    assert found.empty_classes == ("brush", "drop")
    assert found.is_sound


def test_split_sizes_that_differ_from_the_published_ones(source: Path) -> None:
    found = check_dataset(two_classes([PublishedSize("all", 3, 1)]), source, num_workers=1)
    assert found.split_findings == ("demo xsub has 1 train / 1 test clips; published are 3 / 1 (all)",)
    assert (found.is_sound, found.num_rejected, found.splits[0].is_published) == (False, 0, False)


def test_a_truncated_video(source: Path) -> None:
    path = source / f"{TRAINS}_rgb.avi"
    path.write_bytes(path.read_bytes()[:300])
    found = checked(source)
    (fault,) = found.faults
    assert (fault.kind, fault.num_clips) == ("video", 1)
    assert fault.examples[0].startswith(str(path))
    assert "fetch or unpack these files again" in fault.hint
    assert (found.num_rejected, found.is_sound) == (1, False)


def test_an_empty_skeleton_rejects_no_clip_if_all_are_kept(source: Path) -> None:
    path = source / f"{TRAINS}.skeleton"
    path.write_text("")
    found = checked(source)
    (fault,) = found.faults
    assert (fault.kind, fault.rule, fault.num_clips) == ("skeleton", "a skeleton must not be empty", 1)
    assert fault.examples == (str(path),)
    assert fault.hint.endswith("keep such clips whole: --keep-all")
    assert (found.num_rejected, found.is_sound) == (1, False)
    kept = checked(source, keep_all=True)
    expected = replace(
        fault, hint="fetch or unpack these files again, or leave them: such clips are kept whole"
    )
    assert (kept.faults, kept.num_rejected, kept.is_sound) == ((expected,), 0, True)


def test_a_skeleton_outside_its_image_gives_no_crop(source: Path) -> None:
    joints = body_joints(6)
    pixels = np.full((6, 25, 2), -100.0)
    (source / f"{TRAINS}.skeleton").write_text(skeleton_text({"1": joints}, {"1": pixels}))
    (fault,) = checked(source).faults
    assert (fault.kind, fault.rule) == ("skeleton", "a skeleton must have joints in its image")
    # The skeleton modality crops no frames.
    skeletons = check_dataset(open_dataset("ntu60", modality="skeleton"), source, num_workers=1)
    assert skeletons.faults == ()


def test_faults_are_grouped_by_their_rule_with_three_examples(tmp_path: Path) -> None:
    for replication in range(1, 6):
        write_ntu_clip(tmp_path, f"S001C001P001R{replication:03d}A001", num_frames=5 + replication)
    for replication in range(1, 5):
        (tmp_path / f"S001C001P001R{replication:03d}A001.skeleton").write_text("")
    (tmp_path / "S001C001P001R005A001.skeleton").write_text("0\n")
    (tmp_path / "S001C001P001R005A001_rgb.avi").unlink()
    found = checked(tmp_path)
    # A skeleton of 0 frames also counts as empty: five skeletons, and one missing video.
    assert [(fault.kind, fault.num_clips, len(fault.examples)) for fault in found.faults] == [
        ("skeleton", 5, 3),
        ("video", 1, 1),
    ]
    assert found.faults[1].examples == ("S001C001P001R005A001",)
    assert found.num_rejected == 5


def test_clips_without_a_skeleton_file(source: Path) -> None:
    (source / f"{TRAINS}.skeleton").unlink()
    found = checked(source)
    assert (found.without_skeleton, found.faults) == ((TRAINS,), ())
    assert (found.num_rejected, found.is_sound) == (1, False)
    assert checked(source, keep_all=True).is_sound


def test_clips_that_the_published_sizes_leave_out_are_no_fault(source: Path) -> None:
    write_ntu_clip(source, "S001C001P001R002A001", num_frames=8)
    sizes = PublishedSize("all", 2, 1), PublishedSize("with skeleton", 1, 1)
    reader = replace(two_classes(sizes), missing_skeletons=frozenset(("S001C001P001R002A001",)))
    found = check_dataset(reader, source, num_workers=1)
    assert (found.num_rejected, found.num_unexpected) == (1, 0)
    assert (found.without_skeleton, found.listed_missing) == ((), ("S001C001P001R002A001",))
    assert found.is_published_without
    assert found.is_sound
    unlisted = replace(reader, missing_skeletons=frozenset())
    (source / "S001C001P001R002A001.skeleton").unlink()
    assert check_dataset(unlisted, source, num_workers=1).is_sound
    unlisted = replace(unlisted, protocols=two_classes(sizes[:1]).protocols)
    assert not check_dataset(unlisted, source, num_workers=1).is_sound


def test_clips_that_the_authors_list_are_no_fault_of_an_incomplete_copy(source: Path) -> None:
    write_ntu_clip(source, "S001C001P001R002A001", num_frames=8)
    reader = replace(two_classes(), missing_skeletons=frozenset(("S001C001P001R002A001",)))
    (source / f"{TRAINS}.skeleton").unlink()
    found = check_dataset(reader, source, num_workers=1)
    assert not found.is_published_without
    assert (found.without_skeleton, found.listed_missing) == ((TRAINS,), ("S001C001P001R002A001",))
    assert (found.num_rejected, found.num_unexpected) == (2, 1)
    # An unreadable video is a fault even if its skeleton is listed as missing.
    (source / "S001C001P001R002A001_rgb.avi").write_bytes(b"no video")
    found = check_dataset(reader, source, num_workers=1)
    assert (found.num_rejected, found.num_unexpected) == (2, 2)


def test_equal_content_under_two_clips(source: Path) -> None:
    copy = source / "again" / "S001C001P003R002A002_rgb.avi"
    copy.parent.mkdir()
    original = source / f"{TRAINS}_rgb.avi"
    shutil.copyfile(original, copy)
    (copy.parent / "S001C001P003R002A002.skeleton").write_text(skeleton_text({"1": body_joints(9)}))
    found = checked(source)
    (same,) = found.duplicates.found
    assert set(same.clip_ids) == {TRAINS, "S001C001P003R002A002"}
    assert set(same.paths) == {original, copy}
    # Both are shorter than 64 KiB: each is read once for its beginning and once to its end.
    size = original.stat().st_size
    assert size < 65536
    assert (found.duplicates.num_read, found.duplicates.num_bytes) == (2, 4 * size)
    assert found.is_sound


def test_files_of_equal_size_and_different_content_are_no_duplicates(source: Path) -> None:
    reader = open_dataset("demo")
    first, second = (source / f"{clip_id}_rgb.avi" for clip_id in (TRAINS, TESTS))
    first.write_bytes(b"a" * 100_000)
    second.write_bytes(b"a" * 99_999 + b"b")
    found = find_duplicates(reader.find_clips(source))
    # Equal beginnings, so both are read to the end: twice 65,536 bytes and 200,000 bytes.
    assert (found.found, found.num_read, found.num_bytes) == ((), 2, 331_072)
    second.write_bytes(b"b" * 100_000)
    assert find_duplicates(reader.find_clips(source)).num_bytes == 131_072


def test_empty_and_missing_files_are_no_duplicates(source: Path) -> None:
    first, second = (source / f"{clip_id}_rgb.avi" for clip_id in (TRAINS, TESTS))
    first.write_bytes(b"")
    second.write_bytes(b"")
    clips = open_dataset("demo").find_clips(source)
    assert find_duplicates(clips).num_read == 0
    first.unlink()
    assert find_duplicates(clips).num_read == 0


def test_folders_of_frames_are_compared_by_all_their_files(source: Path, tmp_path: Path) -> None:
    folders = [tmp_path / "frames" / name for name in "abc"]
    for folder, last in zip(folders, (b"2", b"2", b"3"), strict=True):
        folder.mkdir(parents=True)
        (folder / "1.jpg").write_bytes(b"1")
        (folder / "2.jpg").write_bytes(last)
    clip = open_dataset("demo").find_clips(source)[0]
    clips = [replace(clip, clip_id=path.name, video_path=path, skeleton_path=path) for path in folders]
    (same,) = find_duplicates(clips).found
    assert same.clip_ids == ("a", "b")


def test_a_clip_with_files_in_two_folders(source: Path) -> None:
    (source / "z").mkdir()
    shutil.copyfile(source / f"{TRAINS}.skeleton", source / "z" / f"{TRAINS}.skeleton")
    found = checked(source)
    assert found.same_names == ((source / f"{TRAINS}.skeleton", source / "z" / f"{TRAINS}.skeleton"),)
    assert found.is_sound


def test_custom_clips_may_have_equal_file_names(tmp_path: Path) -> None:
    write_custom_clip(tmp_path, "jump/one")
    write_custom_clip(tmp_path, "run/one", num_frames=7)
    found = check_dataset(open_dataset("custom", source=tmp_path, stored_as="mine"), tmp_path, num_workers=1)
    assert found.same_names == ()
    assert found.is_sound


def test_a_subject_on_both_sides_of_a_custom_split(tmp_path: Path) -> None:
    rows = ["path,label,subject,split"]
    for number, (subject, part) in enumerate([(1, "train"), (2, "train"), (2, "test"), (3, "test")]):
        write_custom_clip(tmp_path, f"jump/{number}", num_frames=5 + number)
        rows.append(f"videos/jump/{number}.mp4,jump,{subject},{part}")
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    reader = open_dataset("custom", source=tmp_path, stored_as="mine")
    found = check_dataset(reader, tmp_path, keep_all=True, num_workers=1)
    (split,) = found.splits
    assert (split.protocol, split.column, split.on_both_sides) == ("split", "subject", (2,))
    assert (split.train, split.test, split.is_published) == (2, 2, True)
    assert found.is_sound


def test_cameras_show_the_same_subjects_on_purpose(source: Path) -> None:
    write_ntu_clip(source, "S001C002P001R001A001", num_frames=8)
    assert [(split.protocol, split.on_both_sides) for split in checked(source).splits] == [
        ("cross-subject", ()),
        ("cross-view", ()),
    ]


def test_faults_in_a_multi_clip_file_name_the_clip(tmp_path: Path) -> None:
    broken = annotation("b", 1) | {"total_frames": 9}
    path = write_pyskl(tmp_path / "poses.pkl", [annotation("a", 0), broken], {"train": ["a"], "val": ["b"]})
    found = check_dataset(open_dataset("pyskl", source=path), path, num_workers=1)
    (fault,) = found.faults
    assert fault.examples == ("b (9, not 6)",)
    assert "--keep-all" not in fault.hint
    assert (found.duplicates.num_read, found.num_rejected) == (0, 1)


def test_equal_poses_in_one_file(tmp_path: Path) -> None:
    longer = annotation("c", 1, num_frames=9)
    entries = [annotation("a", 0), annotation("b", 1), longer, longer | {"frame_dir": "d", "label": 0}]
    broken = [annotation(name, 0) | {"keypoint": None} for name in "ef"]
    split = {"train": ["a", "c", "d", "e"], "val": ["b", "f"]}
    path = write_pyskl(tmp_path / "poses.pkl", [*entries, *broken], split)
    found = check_dataset(open_dataset("pyskl", source=path), path, num_workers=1).duplicates
    # Unreadable entries are reported as faults, not as duplicates.
    assert [(same.clip_ids, same.paths, same.across) for same in found.found] == [
        (("a", "b"), (), ("train-val",)),
        (("c", "d"), (), ()),
    ]
    assert found.num_skeletons == 4


def test_classes_with_test_clips_only(tmp_path: Path) -> None:
    rows = ["path,label,split"]
    for number, part in enumerate(["train", "test", "test", ""]):
        write_custom_clip(tmp_path, f"c/{number}", num_frames=5 + number)
        rows.append(f"videos/c/{number}.mp4,{min(number, 2)},{part}")
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    found = check_dataset(open_dataset("custom", source=tmp_path, stored_as="mine"), tmp_path, num_workers=1)
    assert [split.untrained for split in found.splits] == [(1, 2)]


def test_poses_with_another_number_of_frames_than_their_video_are_reported(tmp_path: Path) -> None:
    for name, num_frames in (("a", 6), ("b", 4), ("c", 9), ("d", 7)):
        write_custom_clip(tmp_path, f"jump/{name}", num_frames=num_frames)
    poses = tmp_path / "poses" / "jump"
    shutil.copyfile(poses / "a.npz", poses / "b.npz")
    shutil.copyfile(poses / "a.npz", poses / "c.npz")
    (tmp_path / "videos" / "jump" / "d.mp4").write_bytes(b"no video")
    reader = open_dataset("custom", source=tmp_path, stored_as="mine")
    for num_workers in (1, 2):
        found = check_dataset(reader, tmp_path, num_workers=num_workers)
        unequal = [(one.clip_id, one.skeleton, one.video) for one in found.unequal]
        assert unequal == [("jump/b", 6, 4), ("jump/c", 6, 9)]
        assert found.num_rejected == 1


def test_a_sensor_skeleton_may_have_another_number_of_frames(source: Path) -> None:
    (source / f"{TRAINS}.skeleton").write_text(skeleton_text({"1": body_joints(9)}))
    assert checked(source).unequal == ()


def test_an_unreadable_video_of_a_clip_with_poses_is_reported_once(tmp_path: Path) -> None:
    write_custom_clip(tmp_path, "jump/one").write_bytes(b"no video")
    found = check_dataset(open_dataset("custom", source=tmp_path, stored_as="mine"), tmp_path, num_workers=1)
    assert [(fault.kind, fault.rule) for fault in found.faults] == [("video", "a video must be readable")]


def test_truncated_depth_files_are_reported(tmp_path: Path) -> None:
    write_utd_clip(tmp_path, "a1_s1_t1")
    depth = tmp_path / "Depth" / "a1_s1_t1_depth.mat"
    depth.write_bytes(depth.read_bytes()[:100])
    found = check_dataset(open_dataset("utd-mhad"), tmp_path, num_workers=1)
    assert [(fault.kind, fault.rule) for fault in found.faults] == [("video", "a .mat file must be readable")]


def test_a_quick_check_reads_200_evenly_spaced_clips(tmp_path: Path) -> None:
    for number in range(400):
        (tmp_path / f"S001C001P001R{number:03d}A001.skeleton").write_text("")
    found = check_dataset(open_dataset("ntu60", modality="skeleton"), tmp_path, quick=True, num_workers=1)
    assert (found.num_clips, found.num_tried, found.num_rejected) == (400, 200, 200)
    # The middle of each of 200 pairs is its second clip.
    assert found.faults[0].examples[:2] == tuple(
        str(tmp_path / f"S001C001P001R{number:03d}A001.skeleton") for number in (1, 3)
    )


def test_the_result_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    for number in range(130):
        path = tmp_path / f"S001C001P001R{number:03d}A001.skeleton"
        path.write_text("" if number % 2 else "1\n0\n")
    reports: list[tuple[str, int, int]] = []
    reader = open_dataset("ntu60", modality="skeleton")
    one_worker = check_dataset(reader, tmp_path, num_workers=1)
    found = check_dataset(reader, tmp_path, num_workers=2, on_progress=lambda *step: reports.append(step))
    assert found == one_worker
    assert {(fault.rule, fault.num_clips) for fault in found.faults} == {
        ("a skeleton must not be empty", 65),
        ("a skeleton must contain a body", 65),
    }
    # Eight chunks of 16 clips and one of 2 end in any order, the last one with all.
    read = [report for report in reports if report[0] == "reading"]
    assert len(read) == 9
    assert read[-1] == ("reading", 130, 130)


def test_an_empty_source_and_no_workers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="a source of demo must contain clips named like"):
        checked(tmp_path)
    with pytest.raises(InputError, match="the number of workers must be at least 1"):
        check_dataset(open_dataset("demo"), tmp_path, num_workers=0)


def test_a_table_of_sources_has_their_columns(source: Path) -> None:
    clips = open_dataset("demo").find_clips(source)
    table = tabulate_sources(clips)
    assert table.clip_id == (TRAINS, TESTS)
    assert (table.label.tolist(), table.subject.tolist()) == ([0, 1], [1, 3])
    assert table.label.dtype == np.int64
    assert (table.num_frames.tolist(), table.parts) == ([0, 0], ((), ()))
    assert not is_published(table, two_classes().protocols[0])
