"""``autohier check``: what a sweep of a space would draw and read, and what a dataset's own files hold."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from autohier.cli import check_source
from command_line import Autohier
from tiny_clips import SPACE_FILE
from tiny_custom import write_custom_clip
from tiny_datasets import body_joints, skeleton_text, write_ntu_clip, write_utd_clip
from tiny_pyskl import annotation, write_pyskl


def test_it_tells_what_would_be_drawn_and_read(autohier: Autohier, tiny_data: Path) -> None:
    before = sorted(tiny_data.rglob("*"))
    ended = autohier("check", SPACE_FILE, "--data", tiny_data)
    assert (ended.code, ended.err) == (0, "")
    # Of 2 and 3, one ascending pair. 18 weight ratios (17 on the grid from 2^-2.5 to 2^1.5 by quarters of an
    # octave, and a third), 2 scopes, 11 ratios and 0 to 7 passes: 18 * 2 * 11 * 8 = 3168.
    # Epochs: 2 in pass 1, 1 in pass 2, 1 in each of 7 passes.
    # Parameters, stem and stacks of 8, 16, 32, 64 channels with their norms: 1192 + 6976 + 24480 + 97600 +
    # 389760; heads of 2, 2 and 6 on 16, 32 and 64 channels: 34 + 66 + 390. In all 520498.
    # Clips: 24 of each subject; 1, 3 and 7 train, 9 validates, 2 and 4 test.
    assert ended.out.splitlines() == [
        "tiny: Six colours",
        "protocol: cross-subject, validation clean",
        "superclass counts: 1 tuples of 2 from [2, 3]",
        "settings in all: 3,168; known ones tried first: 1",
        "epochs of one setting: at most 10, of which 2 are shared by all",
        "recognizer: inflated-resnet18, 0.520 M parameters",
        "superclasses that come with the data: hue, 3 of them",
        "superclasses that come with the data: nothing, 2 of them",
        "clips: 72 train, 24 validate (held out [9]), 48 test",
    ]
    assert sorted(tiny_data.rglob("*")) == before


def test_that_sided_clips_are_mirrored_is_told(autohier: Autohier, tiny_data: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_data, tmp_path / "data")
    path = tmp_path / "data" / "demo" / "manifest.json"

    def told(*, sided: bool, flip: str) -> str:
        path.write_text(json.dumps(json.loads(path.read_text()) | {"sided": sided}))
        ended = autohier("check", SPACE_FILE, "--data", tmp_path / "data", "--set", f"clips.flip={flip}")
        assert ended.code == 0
        return ended.out

    warning = "WARNING: clips.flip mirrors clips whose classes may have a side\n  mend: --set "
    assert warning in told(sided=True, flip="true")
    assert "WARNING" not in told(sided=True, flip="false") + told(sided=False, flip="true")


def test_it_tells_which_given_superclasses_are_drawn(autohier: Autohier, tiny_data: Path) -> None:
    given = ("check", SPACE_FILE, "--data", tiny_data, "--set", "hierarchy=given", "--set", "known=[]")
    ended = autohier(*given, "--set", "search.counts=[3, 4]")
    assert ended.out.splitlines()[-3:-1] == [
        "superclasses that come with the data: hue, 3 of them, drawn",
        "superclasses that come with the data: nothing, 2 of them, never drawn: counts are [3, 4]",
    ]
    ended = autohier(*given, "--set", "search.counts=[4, 5]")
    assert ended.error == (
        "a count must be that of superclasses that come with the data, 3 of hue, 2 of nothing, for "
        "hierarchy = 'given', but got none among [4,5]: --set search.counts=[2,3]"
    )
    assert "nothing, 2 of them, never drawn: counts are [4, 5]" in ended.out


def test_overrides_count(autohier: Autohier, tiny_data: Path) -> None:
    changes = (
        "protocol.held_out=[3,7]",
        "search.ratios=[0.25]",
        "search.scopes=['by-layer']",
        "pass_1.epochs=4",
    )
    ended = autohier(
        "check", SPACE_FILE, "--data", tiny_data, *(part for each in changes for part in ("--set", each))
    )
    # 18 weight ratios, 8 pass counts; 4 + 1 + 7 epochs; subjects 3 and 7 validate and 1 and 9 train.
    assert "settings in all: 144; known ones" in ended.out
    assert "at most 12, of which 4 are shared" in ended.out
    assert "clips: 48 train, 48 validate (held out [3, 7]), 48 test" in ended.out


def test_variants_and_searched_settings_are_told(autohier: Autohier, tiny_data: Path) -> None:
    changes = (
        "search.variants.plain={}",
        "search.variants.narrow={recognizer.width=0.0625, pass_1.epochs=5}",
        "search.settings.pruning.epochs=[1, 3]",
        "search.settings.pruning.norm=['l2', 'layer-mean']",
    )
    ended = autohier(
        "check", SPACE_FILE, "--data", tiny_data, *(part for each in changes for part in ("--set", each))
    )
    assert (ended.code, ended.err) == (0, "")
    # Twice as many as above by the variants, and by either table. At most 3 epochs after each of 7 passes.
    *told, narrow = ended.out.splitlines()[3:-3]
    assert told == [
        "settings in all: 25,344; known ones tried first: 1",
        "variant plain: the space as it is",
        "variant narrow: pass_1.epochs 5, recognizer.width 0.0625",
        "searched setting pruning.epochs: 1, 3",
        "searched setting pruning.norm: l2, layer-mean",
        "epochs of one setting of plain: at most 24, of which 2 are shared where pass 1 is the same",
        "epochs of one setting of narrow: at most 27, of which 5 are shared where pass 1 is the same",
        "recognizer of variant plain: inflated-resnet18, 0.520 M parameters",
    ]
    assert narrow.startswith("recognizer of variant narrow: inflated-resnet18, 0.1")


def test_every_recognizer_that_can_be_drawn_is_built(autohier: Autohier, tiny_data: Path) -> None:
    graph = "search.variants.graph={clips={form='skeletons'}, recognizer={name='st-gcn'}}"
    changes = ("search.variants.plain={}", graph, "search.levels=3", "known=[]", "search.counts=[2, 3, 4]")
    ended = autohier(
        "check", SPACE_FILE, "--data", tiny_data, *(part for each in changes for part in ("--set", each))
    )
    assert ended.error.startswith("variant graph: a recognizer of 3 stacks carries 1 to 3 heads, but got 4")


def test_the_paper_s_protocol_is_told_by_its_name(autohier: Autohier, tiny_data: Path) -> None:
    ended = autohier("check", SPACE_FILE, "--data", tiny_data, "--set", "protocol.validation=paper")
    assert "protocol: cross-subject, validation paper\n" in ended.out
    # All four training subjects train; a tenth of 48 test clips validates.
    assert ended.out.endswith("clips: 96 train, 5 validate (they test too), 48 test\n")


@pytest.mark.parametrize("name", ["demo", "ntu60", "ntu60_skeleton", "utd_mhad"])
def test_shipped_spaces_can_be_checked_before_their_clips_are_prepared(
    autohier: Autohier, tmp_path: Path, name: str
) -> None:
    ended = autohier("check", name, "--data", tmp_path)
    assert (ended.code, ended.err) == (0, "")
    folder = {"utd_mhad": "utd-mhad-depth", "ntu60_skeleton": "ntu60-skeleton"}.get(name, name)
    assert ended.out.splitlines()[-1] == f"clips: not prepared yet, expected in {tmp_path / folder}"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("ntu6",), r"^unknown space, but got 'ntu6': did you mean 'ntu60'\?$"),
        (("SPACE", "--set", "clip.flip=true"), r"unknown setting 'clip': did you mean 'clips'\?$"),
        (("SPACE", "--set", "search.levels=3"), r"3 ascending superclass counts must fit 6 classes"),
        (
            ("SPACE", "--set", "search.ratios=[0.1]"),
            r"known setting of 'three colours.*' must lie in the space",
        ),
        (("SPACE", "--set", "protocol.held_out=[2]"), r"^clean validation holds out subjects that train"),
        (("SPACE", "--set", "protocol.held_out=[]"), r"protocol\.held_out must name somebody; leave it out"),
        (
            ("utd_mhad_skeleton", "--set", "clips.stream=bone"),
            r"^variants joint and bone must differ: leave what they differ in as it is, or search one",
        ),
        (
            ("SPACE", "--set", "protocol.name=cross-set"),
            r"^the protocol of demo must be one of cross-subject",
        ),
        (("demo",), r"^num_classes must be that of the data, 6, but got 12: mend num_classes in the space$"),
    ],
)
def test_what_is_wrong_is_told_on_one_line(
    autohier: Autohier, tiny_data: Path, arguments: tuple[str, ...], told: str
) -> None:
    named = [str(SPACE_FILE) if argument == "SPACE" else argument for argument in arguments]
    assert re.search(told, autohier("check", "--data", tiny_data, *named).error)


def test_half_prepared_clips_are_told(autohier: Autohier, tiny_data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_data, tmp_path / "data")) / "demo"
    (folder / "manifest.json").unlink()
    ended = autohier("check", SPACE_FILE, "--data", tmp_path / "data")
    assert ended.error.startswith(f"demo is not prepared: no store at {folder}: run 'autohier prepare demo")


@pytest.mark.parametrize("name", ["manifest.json", "options.json"])
def test_the_manifest_decides_on_the_version(
    autohier: Autohier, tiny_data: Path, tmp_path: Path, name: str
) -> None:
    path = Path(shutil.copytree(tiny_data, tmp_path / "data")) / "demo" / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    ended = autohier("check", SPACE_FILE, "--data", tmp_path / "data")
    if name == "manifest.json":
        assert "must be of version 3, but got 99" in ended.error
    else:
        assert ended.code == 0


def test_a_damaged_shard_is_told(autohier: Autohier, tiny_data: Path, tmp_path: Path) -> None:
    shard = Path(shutil.copytree(tiny_data, tmp_path / "data")) / "demo" / "shards" / "00000.arrow"
    shard.write_bytes(shard.read_bytes()[:-1])
    ended = autohier("check", SPACE_FILE, "--data", tmp_path / "data")
    assert re.search(r"^the shard .*00000\.arrow is missing or damaged: run 'autohier prepare", ended.error)


def write_custom(source: Path, *subjects: int) -> None:
    """Clips of one class, by turns of training and of testing, each a frame longer than the last."""
    rows = ["path,label,subject,split,skeleton"]
    for number, subject in enumerate(subjects):
        write_custom_clip(source, f"jump/{number}", num_frames=5 + number)
        split = ("train", "test")[number % 2]
        rows.append(f"videos/jump/{number}.mp4,jump,{subject},{split},poses/jump/{number}.npz")
    (source / "clips.csv").write_text("\n".join(rows) + "\n")


def test_a_sound_source_ends_with_0_and_changes_nothing(autohier: Autohier, tmp_path: Path) -> None:
    write_custom(tmp_path, 1, 2)
    before = sorted(tmp_path.rglob("*"))
    ended = autohier("check", "custom", "--source", tmp_path, "--name", "mine", "--workers", 1)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[:3] == [
        "mine rgb: 2 clips of 1 classes",
        "clips of a class: 2 to 2, median 2",
        "split: 1 train / 1 test clips, as listed",
    ]
    assert lines[3].startswith("files compared by size, then by content: ")
    assert lines[4:] == ["prepare would reject 0 of 2 clips"]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_protocol_under_which_nothing_tests_is_told(autohier: Autohier, tmp_path: Path) -> None:
    write_custom_clip(tmp_path, "jump/one")
    write_custom_clip(tmp_path, "wave/one", num_frames=7)
    # A fifth of a class of one clip is none.
    ended = autohier("check", "custom", "--source", tmp_path, "--workers", 1)
    assert ended.code == 0
    assert "random: 2 train / 0 test clips\n" in ended.out
    assert "WARNING: nothing tests under random\n  mend: add clips, or say in a table" in ended.out


def test_clips_that_neither_train_nor_test_are_counted(autohier: Autohier, tmp_path: Path) -> None:
    write_custom(tmp_path, 1, 2, 3, 4)
    table = tmp_path / "clips.csv"
    *rows, third, fourth = table.read_text().splitlines()
    # Where clips test, those to validate on are held-out training clips.
    rows += [third.replace(",train,", ",val,"), fourth.replace(",test,", ",,")]
    table.write_text("\n".join(rows))
    ended = autohier("check", "custom", "--source", tmp_path, "--workers", 1)
    assert (ended.code, ended.err) == (0, "")
    assert "\nsplit: 1 train / 1 test clips, as listed, 2 clips do neither\n" in ended.out


def test_what_is_only_odd_is_a_warning(autohier: Autohier, tmp_path: Path) -> None:
    write_custom(tmp_path, 7, 7, 8)
    shutil.copyfile(tmp_path / "videos/jump/0.mp4", tmp_path / "videos/jump/2.mp4")
    ended = autohier("check", "custom", "--source", tmp_path, "--name", "mine", "--workers", 1)
    assert ended.code == 0
    assert "FAULT" not in ended.out
    # Of the clips 0, 1 and 2 the first and the last train.
    assert "WARNING: 1 subjects both train and test under split: 7\n  mend: give each subject" in ended.out
    copies = f"  {tmp_path}/videos/jump/0.mp4\n  {tmp_path}/videos/jump/2.mp4\n  mend: keep the one"
    assert f"hold the same content: videos/jump/0, videos/jump/2\n{copies}" in ended.out


def test_poses_of_other_frames_and_classes_that_never_train_are_warnings(
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
    assert "WARNING: 1 classes test and never train under split: jump\n  mend: let clips of them" in ended.out
    told = "the poses of 1 clips are not of as many frames as their video: videos/jump/1 (6, not 8)\n  mend: "
    assert f"\nWARNING: {told}" in ended.out
    options = ("--data", tmp_path / "data", "--workers", 1, "--size", 16)
    prepared = autohier("prepare", "custom", "--source", source, *options)
    assert "source: 2 clips" in prepared.out
    assert (
        "\nWARNING: 1 clips are kept whose poses are not of as many frames as their video; " in prepared.out
    )


def test_the_same_poses_on_both_sides_are_a_warning(autohier: Autohier, tmp_path: Path) -> None:
    entries = [annotation(name, 0) for name in "ab"]
    path = write_pyskl(tmp_path / "x.pkl", entries, {"train": ["a"], "val": ["b"]})
    ended = autohier("check", "pyskl", "--source", path, "--workers", 1)
    assert ended.code == 0
    assert "\nposes of 2 clips of one file compared by content\n" in ended.out
    told = "2 clips hold the same content, and both train and test under train-val: a, b\n  mend: keep the "
    assert f"\nWARNING: {told}one that is named rightly, and take the others out\n" in ended.out


def test_faults_end_with_1_and_say_what_mends_them(autohier: Autohier, tmp_path: Path) -> None:
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
    assert "utd-mhad depth: 3 clips of 27 classes\nclips of a class: 0 to 2, median 0\n" in ended.out
    assert "FAULT: utd-mhad cross-subject has 2 train / 1 test clips; published are 431 / 430" in ended.out
    assert "FAULT: 1 clips break this rule of a video file: a .mat file must be readable\n" in ended.out
    assert f"  {depth} (" in ended.out
    assert "  mend: fetch or unpack these files again, or leave them: prepare sets them aside" in ended.out
    assert "FAULT: 1 clips come without a skeleton file\n  a1_s1_t1\n" in ended.out
    assert "keep such clips whole: --keep-all, and with --no-crop all clips alike" in ended.out
    assert "WARNING: 25 classes are without clips: wave, clap, throw, ...\n" in ended.out
    assert "a file is there 2 times" in ended.out
    assert ended.out.endswith("prepare would reject 2 of 3 clips\n")
    kept = autohier("check", "utd-mhad", "--source", tmp_path, "--keep-all", "--workers", 1)
    assert kept.code == 1
    assert "WARNING: 1 clips come without a skeleton file" in kept.out
    assert kept.out.endswith("prepare would reject 1 of 3 clips\n")


def test_names_that_no_terminal_prints_are_written_out(autohier: Autohier, tmp_path: Path) -> None:
    folder = tmp_path / "bad\udcff\x1b[2J\n"
    folder.mkdir()
    (folder / "S001C001P001R001A001.skeleton").write_text("3")
    options = ("ntu60", "--modality", "skeleton", "--source", tmp_path, "--workers", 1)
    ended = autohier("check", *options)
    assert ended.code == 1
    assert rf"  {tmp_path}/bad\udcff\x1b[2J\n/S001C001P001R001A001.skeleton (an end after" in ended.out
    (tmp_path / "S001C001P001R001A002.skeleton").write_text(skeleton_text({"1": body_joints(2)}))
    ended = autohier("prepare", *options, "--data", folder)
    assert rf"{tmp_path}/bad\udcff\x1b[2J\n/ntu60-skeleton: 1 clips" in ended.out


def test_a_quick_check_says_what_it_did_not_read(autohier: Autohier, tmp_path: Path) -> None:
    for number in range(201):
        (tmp_path / f"S001C001P001R{number:03d}A001.skeleton").write_text("")
    ended = autohier(
        *("check", "ntu60", "--modality", "skeleton", "--source", tmp_path), "--quick", "--workers", 1
    )
    assert ended.code == 1
    assert "files of 200 evenly spaced clips of 201 were read (--quick)" in ended.out
    assert ended.out.endswith("prepare would reject at least 200 of 201 clips\n")


def test_progress_is_told_where_it_takes_long(
    autohier: Autohier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ntu_clip(tmp_path, "S001C001P001R001A001")
    monkeypatch.setattr(check_source, "_QUIET_S", -1.0)
    ended = autohier("check", "demo", "--source", tmp_path, "--workers", 1)
    assert (ended.code, ended.err) == (0, "reading 1/1\n")


def test_ctrl_c_ends_it_with_130(autohier: Autohier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    write_ntu_clip(tmp_path, "S001C001P001R001A001")
    monkeypatch.setattr("autohier.data.checking.try_samples", interrupt)
    ended = autohier("check", "demo", "--source", tmp_path)
    assert (ended.code, ended.out, ended.err) == (130, "", "stopped; nothing was changed\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("demo", "--quick"), r"look at a dataset's own files: add --source DIR$"),
        (("demo", "--modality", "rgb"), r"look at a dataset's own files: add --source DIR$"),
        (("demo", "--source", "SOURCE", "--set", "a=1"), r"--source checks a dataset: leave out one$"),
        (("demo", "--source", "SOURCE"), r"^a source of demo must hold clips named like S001C001"),
        (("dem", "--source", "SOURCE"), r"^the dataset must be one of .* did you mean 'demo'\?$"),
        (("demo", "--source", "SOURCE", "--modality", "depth"), r"^the modality of demo must be one of rgb"),
    ],
)
def test_what_is_wrong_with_a_check_of_a_source(
    autohier: Autohier, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    named = [str(tmp_path) if argument == "SOURCE" else argument for argument in arguments]
    assert re.search(told, autohier("check", *named).error)
