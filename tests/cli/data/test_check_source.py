"""``autohier check --source``: reports on source files of datasets."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from autohier.cli.data import check_source
from autohier.data.splits import split_clips
from autohier.data.store.reader import ClipStore
from support.command_line import Autohier
from support.sources.tiny_custom import write_custom_clip
from support.sources.tiny_datasets import (
    body_joints,
    skeleton_text,
    tracks_text,
    write_ntu_clip,
    write_utd_clip,
)
from support.sources.tiny_pyskl import annotation, write_pyskl
from support.sources.tiny_ucla import write_ucla_json


def test_it_counts_clips_with_joined_tracks(autohier: Autohier, tmp_path: Path) -> None:
    joints = body_joints(30)
    for replication in (1, 2, 3):
        name = f"S001C001P001R{replication:03d}A001.skeleton"
        (tmp_path / name).write_text(skeleton_text({"1": joints + 0.01 * replication}))
    torn = tracks_text(30, {"1": (0, joints[:15]), "2": (15, joints[15:])})
    (tmp_path / "S001C001P001R002A001.skeleton").write_text(torn)
    ended = autohier("check", "ntu60", "--modality", "skeleton", "--source", tmp_path)
    joined = "tracks of a person that was lost and found again were joined in 1 of 3 clips: "
    assert f"{joined}S001C001P001R002A001\n" in ended.out


def write_custom(source: Path, *subjects: int) -> None:
    """Write clips of one class, alternately for training and testing, each one frame longer than the last."""
    rows = ["path,label,subject,split,skeleton"]
    for number, subject in enumerate(subjects):
        write_custom_clip(source, f"jump/{number}", num_frames=5 + number)
        split = ("train", "test")[number % 2]
        rows.append(f"videos/jump/{number}.mp4,jump,{subject},{split},poses/jump/{number}.npz")
    (source / "clips.csv").write_text("\n".join(rows) + "\n")


def test_a_valid_source_exits_with_0_and_is_unchanged(autohier: Autohier, tmp_path: Path) -> None:
    write_custom(tmp_path, 1, 2)
    before = sorted(tmp_path.rglob("*"))
    ended = autohier("check", "custom", "--source", tmp_path, "--name", "mine", "--workers", 1)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[:3] == [
        "mine rgb: 2 clips of 1 class",
        "clips per class: 2 to 2, median 2",
        "split: 1 train / 1 test clips (as listed)",
    ]
    assert lines[3].startswith("duplicates searched by size, then by content: ")
    assert lines[4:] == ["prepare would reject 0 of 2 clips"]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_protocol_without_test_clips_is_a_warning(autohier: Autohier, tmp_path: Path) -> None:
    write_custom_clip(tmp_path, "jump/one")
    write_custom_clip(tmp_path, "wave/one", num_frames=7)
    # A fifth of one clip per class is none.
    ended = autohier("check", "custom", "--source", tmp_path, "--workers", 1)
    assert ended.code == 0
    assert "random: 2 train / 0 test clips\n" in ended.out
    assert "WARNING: no test clips under random\n  fix: add clips, or mark test clips in a table" in ended.out


def test_clips_of_neither_split_are_counted(autohier: Autohier, tmp_path: Path) -> None:
    write_custom(tmp_path, 1, 2, 3, 4)
    table = tmp_path / "clips.csv"
    *rows, third, fourth = table.read_text().splitlines()
    rows += [third.replace(",train,", ",val,"), fourth.replace(",test,", ",,")]
    table.write_text("\n".join(rows))
    ended = autohier("check", "custom", "--source", tmp_path, "--workers", 1)
    assert (ended.code, ended.err) == (0, "")
    assert "\nsplit: 1 train / 1 validation / 1 test clips (as listed), 1 in neither\n" in ended.out


def test_subjects_in_both_splits_and_duplicates_are_warnings(autohier: Autohier, tmp_path: Path) -> None:
    write_custom(tmp_path, 7, 7, 8)
    shutil.copyfile(tmp_path / "videos/jump/0.mp4", tmp_path / "videos/jump/2.mp4")
    ended = autohier("check", "custom", "--source", tmp_path, "--name", "mine", "--workers", 1)
    assert ended.code == 0
    assert "FAULT" not in ended.out
    # Clips 0 and 2 are for training, clip 1 for testing.
    assert (
        "WARNING: 1 subject is in both training and test under split: 7\n  fix: assign each subject"
        in ended.out
    )
    copies = f"  {tmp_path}/videos/jump/0.mp4\n  {tmp_path}/videos/jump/2.mp4\n  fix: keep the one"
    assert f"have equal content: videos/jump/0, videos/jump/2\n{copies}" in ended.out


def test_poses_of_other_frames_and_classes_without_training_clips_are_warnings(
    autohier: Autohier, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    for name, num_frames in (("wave/1", 6), ("jump/1", 8)):
        write_custom_clip(source, name, num_frames=num_frames)
    shutil.copyfile(source / "poses/wave/1.npz", source / "poses/jump/1.npz")
    rows = "videos/wave/1.mp4,wave,train,poses/wave/1.npz\nvideos/jump/1.mp4,jump,test,poses/jump/1.npz\n"
    (source / "clips.csv").write_text(f"path,label,split,skeleton\n{rows}")
    ended = autohier("check", "custom", "--source", source, "--workers", 1)
    assert ended.code == 0
    assert "WARNING: 1 class has test clips but no training clips under split: jump\n  fix: move" in ended.out
    frames = "clip has poses for another number of frames than the video has"
    assert f"\nWARNING: 1 {frames}: videos/jump/1 (6 instead of 8)\n  fix: " in ended.out
    options = ("--data", tmp_path / "data", "--workers", 1, "--size", 16)
    prepared = autohier("prepare", "custom", "--source", source, *options)
    assert "source: 2 clips" in prepared.out
    assert f"\nWARNING: 1 {frames}; 'autohier check" in prepared.out


def test_equal_poses_in_both_splits_are_a_warning(autohier: Autohier, tmp_path: Path) -> None:
    entries = [annotation(name, 0) for name in "ab"]
    path = write_pyskl(tmp_path / "x.pkl", entries, {"train": ["a"], "val": ["b"]})
    ended = autohier("check", "pyskl", "--source", path, "--workers", 1)
    assert ended.code == 0
    assert "\nduplicates searched by skeletons: 2 clips, rounded\n" in ended.out
    warning = "2 clips have equal content, in both training and test under train-val: a, b\n"
    fix = "keep the one with the right name, and remove the others, or search with --drop-duplicates\n"
    assert f"\nWARNING: {warning}  fix: {fix}" in ended.out


def test_faults_exit_with_1_and_name_their_fixes(autohier: Autohier, tmp_path: Path) -> None:
    write_utd_clip(tmp_path, "a1_s1_t1")
    write_utd_clip(tmp_path, "a2_s2_t1", num_frames=7)
    write_utd_clip(tmp_path, "a2_s3_t1", num_frames=8)
    (tmp_path / "Skeleton" / "a1_s1_t1_skeleton.mat").unlink()
    depth = tmp_path / "Depth" / "a2_s3_t1_depth.mat"
    depth.write_bytes(depth.read_bytes()[:100])
    (tmp_path / "again").mkdir()
    shutil.copyfile(tmp_path / "Depth/a2_s2_t1_depth.mat", tmp_path / "again/a2_s2_t1_depth.mat")
    ended = autohier("check", "utd_mhad", "--source", tmp_path, "--modality", "depth", "--workers", 1)
    assert (ended.code, ended.err) == (1, "")
    assert "utd-mhad depth: 3 clips of 27 classes\nclips per class: 0 to 2, median 0\n" in ended.out
    assert "FAULT: utd-mhad cross-subject has 2 train / 1 test clips; published are 431 / 430" in ended.out
    assert "FAULT: 1 clip has a video file that breaks a rule: a .mat file must be readable\n" in ended.out
    assert f"  {depth} (" in ended.out
    assert "  fix: fetch or unpack these files again, or leave them: prepare sets them aside" in ended.out
    assert "FAULT: 1 clip has no skeleton file\n  a1_s1_t1\n" in ended.out
    assert "keep such clips uncropped with --keep-all; --no-crop leaves all clips uncropped" in ended.out
    assert "WARNING: 25 classes have no clips: wave, clap, throw, ...\n" in ended.out
    assert "2 files have the same name" in ended.out
    assert ended.out.endswith("prepare would reject 2 of 3 clips\n")
    kept = autohier("check", "utd-mhad", "--source", tmp_path, "--keep-all", "--workers", 1)
    assert kept.code == 1
    assert "WARNING: 1 clip has no skeleton file" in kept.out
    assert kept.out.endswith("prepare would reject 1 of 3 clips\n")


def test_unprintable_names_are_escaped(autohier: Autohier, tmp_path: Path) -> None:
    folder = tmp_path / "bad\udcff\x1b[2J\n"
    folder.mkdir()
    (folder / "S001C001P001R001A001.skeleton").write_text("3")
    options = ("ntu60", "--modality", "skeleton", "--source", tmp_path, "--workers", 1)
    ended = autohier("check", *options)
    assert ended.code == 1
    assert rf"  {tmp_path}/bad\udcff\x1b[2J\n/S001C001P001R001A001.skeleton (an end after" in ended.out
    (tmp_path / "S001C001P001R001A002.skeleton").write_text(skeleton_text({"1": body_joints(2)}))
    ended = autohier("prepare", *options, "--data", folder)
    assert rf"{tmp_path}/bad\udcff\x1b[2J\n/ntu60-skeleton: 1 clip" in ended.out


def test_a_quick_check_says_how_many_clips_it_read(autohier: Autohier, tmp_path: Path) -> None:
    for number in range(201):
        (tmp_path / f"S001C001P001R{number:03d}A001.skeleton").write_text("")
    ended = autohier(
        *("check", "ntu60", "--modality", "skeleton", "--source", tmp_path), "--quick", "--workers", 1
    )
    assert ended.code == 1
    assert "files of 200 of 201 clips read, evenly spaced (--quick)" in ended.out
    assert ended.out.endswith("prepare would reject at least 200 of 201 clips\n")


def test_a_slow_check_prints_its_progress(
    autohier: Autohier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ntu_clip(tmp_path, "S001C001P001R001A001")
    monkeypatch.setattr(check_source, "_QUIET_S", -1.0)
    ended = autohier("check", "demo", "--source", tmp_path, "--workers", 1)
    assert (ended.code, ended.err) == (0, "reading 1/1\n")


def test_an_interrupted_check_exits_with_130(
    autohier: Autohier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    write_ntu_clip(tmp_path, "S001C001P001R001A001")
    monkeypatch.setattr("autohier.data.validate.report.try_samples", interrupt)
    ended = autohier("check", "demo", "--source", tmp_path)
    assert (ended.code, ended.out, ended.err) == (130, "", "interrupted; nothing was changed\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("demo", "--quick"), r"need a dataset's source files: add --source DIR$"),
        (("demo", "--modality", "rgb"), r"need a dataset's source files: add --source DIR$"),
        (("demo", "--source", "SOURCE", "--set", "a=1"), r"--source checks a dataset: omit one$"),
        (("demo", "--source", "SOURCE"), r"^a source of demo must contain clips named like S001C001"),
        (("dem", "--source", "SOURCE"), r"^unknown dataset 'dem': did you mean 'demo'\?$"),
        (("demo", "--source", "SOURCE", "--modality", "depth"), r"^the modality of demo must be one of rgb"),
    ],
)
def test_errors_of_a_source_check_are_one_line(
    autohier: Autohier, tmp_path: Path, arguments: tuple[str, ...], error: str
) -> None:
    named = [str(tmp_path) if argument == "SOURCE" else argument for argument in arguments]
    assert re.search(error, autohier("check", *named).error)


def write_copied_views(folder: Path) -> Path:
    """Write N-UCLA skeletons in which view 3 repeats a clip of view 2 with other digits and other spaces."""
    for number, (action, view) in enumerate([("a01", 1), ("a02", 1), ("a01", 2), ("a02", 2), ("a02", 3)]):
        write_ucla_json(folder, f"{action}_s01_e01_v0{view}", num_frames=6 + number)
    path = folder / "a01_s01_e01_v02.json"
    content = json.loads(path.read_text())
    joints = np.round(content["skeletons"], 3)
    path.write_text(json.dumps(content | {"skeletons": joints.tolist()}))
    copied = content | {"skeletons": (joints + 1e-6).tolist()}
    (folder / "a01_s01_e01_v03.json").write_text(json.dumps(copied, indent=1))
    return folder


def test_the_same_skeletons_in_other_bytes_are_found_and_left_out(autohier: Autohier, tmp_path: Path) -> None:
    source = write_copied_views(tmp_path / "source")
    ended = autohier("check", "n-ucla", "--source", source, "--modality", "skeleton", "--workers", 1)
    text = "2 clips have equal content, in both training and test under view2, view3: "
    assert f"WARNING: {text}a01_s01_e01_v02, a01_s01_e01_v03\n" in ended.out
    assert "or search with --drop-duplicates\n" in ended.out

    data = tmp_path / "data"
    ended = autohier(
        "prepare", "n-ucla", "--source", source, "--modality", "skeleton", "--data", data, "--workers", 1
    )
    text = "WARNING: 1 clip has the content of another clip: a01_s01_e01_v02 = a01_s01_e01_v03; a search with"
    assert text in ended.out
    clips = ClipStore.open(data / "n-ucla-skeleton")
    rule = clips.manifest.protocol("view3")
    kept = split_clips(clips.clips, rule, validation="paper", held_out=(), drop_duplicates=True)
    assert [clips.clips.clip_id[row] for row in kept.train] == [
        "a01_s01_e01_v01",
        "a02_s01_e01_v01",
        "a02_s01_e01_v02",
    ]
