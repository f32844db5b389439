"""Gym99: its lists, its clips in videos, its hierarchy, and errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autohier.data.datasets.gym99.lists import read_gym99_lists
from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.prepare.summary import PrepareSummary
from autohier.data.protocols import PublishedSize, find_protocol
from autohier.data.splits import default_held_out, split_clips
from autohier.data.store.reader import ClipStore
from autohier.errors import ClipError, InputError, MissingDataError
from support.sources.tiny_datasets import frame_number, write_video
from support.sources.tiny_finegym import TRAIN, VAL, write_gym99_lists, write_gym99_video

EARLY = "0LtLS9wROrk_E_000002_000006_A_0001_0003"  # seconds 3 and 4 of the video
LATE = "0LtLS9wROrk_E_000002_000006_A_0003_0004"
OTHER = "_E_a-b_E_01_E_000010_000012_A_0000_0002"  # video ids may contain underscores
LAST = "zfqS-wCJSsw_E_006244_006252_A_0000_0007"


def write_numbered_seconds(path: Path, num_seconds: int) -> None:
    """Write a video of 30 frames per second whose grey level encodes the second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = (10 + 5 * np.repeat(np.arange(num_seconds), 30)).astype(np.uint8)
    write_video(path, np.broadcast_to(levels[:, None, None, None], (30 * num_seconds, 48, 64, 3)).copy())


def test_present_clips_are_found_and_the_lists_give_the_published_size(tmp_path: Path) -> None:
    write_gym99_lists(tmp_path / "annotations", {EARLY: 0, LATE: 98, OTHER: 7}, {LAST: 41})
    path = write_gym99_video(tmp_path / "subactions", LATE)
    last = write_gym99_video(tmp_path / "subactions", LAST)
    write_gym99_video(tmp_path / "subactions", "0LtLS9wROrk_E_000002_000006_A_0007_0009")  # in no list
    reader = open_dataset("gym99", source=tmp_path)
    clips = reader.find_clips(tmp_path)
    assert [(clip.clip_id, clip.label, clip.parts) for clip in clips] == [
        (LATE, 98, ("train",)),
        (LAST, 41, ("val",)),
    ]
    assert [clip.video_path for clip in clips] == [path, last]
    # Sorted videos: 0LtLS9wROrk, _E_a-b_E_01, zfqS-wCJSsw; the second is missing but counted.
    assert [clip.subject for clip in clips] == [1, 3]
    (rule,) = reader.protocols
    assert rule.published == (PublishedSize("clips the lists name", 3, 1),)


def test_a_list_without_a_suffix_is_read_if_there_is_no_other(tmp_path: Path) -> None:
    write_gym99_lists(tmp_path, {EARLY: 3, LATE: 5}, {LAST: 41}, ending=".mp4")
    for list_name, part in ((TRAIN, "train"), (VAL, "val")):
        (tmp_path / list_name).rename(tmp_path / f"gym99_{part}.txt")
    assert read_gym99_lists(tmp_path).keys() == {EARLY, LATE, LAST}
    (tmp_path / TRAIN).write_text(f"{EARLY} 3\n")  # replaces the list of its part only
    assert read_gym99_lists(tmp_path).keys() == {EARLY, LAST}


def test_a_list_may_be_present_in_both_forms(tmp_path: Path) -> None:
    write_gym99_lists(tmp_path / "official", {EARLY: 3, LATE: 5}, {LAST: 41})
    write_gym99_lists(tmp_path / "trimmed", {LATE: 5, EARLY: 3}, {LAST: 41}, ending=".mp4")
    (tmp_path / "official" / TRAIN).rename(tmp_path / "official" / "gym99_train_org.txt")
    for clip_id in (EARLY, LATE, LAST):
        write_gym99_video(tmp_path, clip_id)
    reader = open_dataset("gym99", source=tmp_path)
    assert {clip.clip_id: clip.label for clip in reader.find_clips(tmp_path)} == {EARLY: 3, LATE: 5, LAST: 41}
    assert reader.protocols[0].published == (PublishedSize("clips the lists name", 2, 1),)


@pytest.mark.parametrize(
    ("later", "text"),
    [
        (
            {EARLY: 3, LATE: 5},
            f"with 2, which differ in 1 clips, e.g. {LATE}: keep one of them in the source",
        ),
        ({EARLY: 4}, f"with 1, which differ in 1 clips, e.g. {EARLY}: keep"),
    ],
    ids=["more clips", "another label"],
)
def test_two_versions_of_a_list_are_not_merged(tmp_path: Path, later: dict[str, int], text: str) -> None:
    write_gym99_lists(tmp_path, later, {LAST: 41})
    (tmp_path / TRAIN).rename(tmp_path / "gym99_train_element_v1.1.txt")
    write_gym99_lists(tmp_path, {EARLY: 3}, {LAST: 41})
    with pytest.raises(
        InputError, match="the train lists of a source of gym99 must have one version"
    ) as caught:
        open_dataset("gym99", source=tmp_path)
    paths = f"got {tmp_path / TRAIN} with 1 clips and {tmp_path / 'gym99_train_element_v1.1.txt'} "
    assert paths + text in str(caught.value)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        # In the whole video, the event starts at 2 s and the clip lasts from 1 s to 3 s: seconds 3 and 4.
        ("0LtLS9wROrk.mp4", [3, 4]),
        ("0LtLS9wROrk.avi", [3, 4]),
        ("0LtLS9wROrk_E_000002_000006.mkv", [1, 2]),
        ("0LtLS9wROrk_E_000002_000006_A_0001_0003.mp4", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_clips_are_cut_from_their_videos_and_events(tmp_path: Path, name: str, seconds: list[int]) -> None:
    write_gym99_lists(tmp_path, {EARLY: 3}, {})
    write_numbered_seconds(tmp_path / "videos" / name, 6)
    reader = open_dataset("gym99", source=tmp_path)
    (clip,) = reader.find_clips(tmp_path)
    num_frames = reader.count_frames(clip)
    assert num_frames == 30 * len(seconds)
    frames = list(reader.read_frames(clip, range(num_frames)))
    assert [frame_number(frame) for frame in frames] == [second for second in seconds for _ in range(30)]


def test_the_shortest_file_is_used(tmp_path: Path) -> None:
    write_gym99_lists(tmp_path, {EARLY: 3}, {})
    event = EARLY.rsplit("_A_", 1)[0]
    for name in ("0LtLS9wROrk", event, EARLY):
        path = write_gym99_video(tmp_path / "videos", name)
        (clip,) = open_dataset("gym99", source=tmp_path).find_clips(tmp_path)
        assert clip.video_path == path


@pytest.mark.parametrize(
    ("clip_id", "num_frames"),
    [("v_E_000001_000009_A_0002_0002", 30), ("v_E_000001_000009_A_0000_0001", 30)],
)
def test_a_clip_within_one_second_lasts_one_second(tmp_path: Path, clip_id: str, num_frames: int) -> None:
    write_gym99_lists(tmp_path, {clip_id: 3}, {})
    write_numbered_seconds(tmp_path / "v.mp4", 5)
    reader = open_dataset("gym99", source=tmp_path)
    (clip,) = reader.find_clips(tmp_path)
    assert reader.count_frames(clip) == num_frames


@pytest.mark.parametrize(
    ("clip_id", "reason"),
    [
        (
            "v_E_000001_000009_A_0003_0002",
            "a clip must not end before it begins, but got v_E_000001",
        ),
        (
            "v_E_000001_000009_A_0003_0007",
            r"a video must contain its seconds 4 to 8, but got an end at 5\.0 s",
        ),
        ("v_E_009999_010009_A_0003_0007", "a video must contain its seconds 10002 to 10006"),
    ],
)
def test_times_beyond_the_video_are_refused(tmp_path: Path, clip_id: str, reason: str) -> None:
    write_gym99_lists(tmp_path, {clip_id: 3}, {})
    write_numbered_seconds(tmp_path / "v.mp4", 5)
    reader = open_dataset("gym99", source=tmp_path)
    (clip,) = reader.find_clips(tmp_path)
    with pytest.raises(ClipError, match=reason):
        reader.count_frames(clip)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            f"{EARLY}",
            r"line of a gym99 list must be like .* but got '0LtLS9w.*' at gym99_train_element_v1\.0\.txt:2",
        ),
        (f"{EARLY} 99", r"must be one of 0 to 98, but got 99 at gym99_train_element_v1\.0\.txt:2"),
        (f"{EARLY} 100", "line of a gym99 list"),
        (f"{EARLY} -1", "line of a gym99 list"),
        (f"{EARLY} one", "line of a gym99 list"),
        (f"{EARLY} 17 3", "line of a gym99 list"),
        (f"{EARLY} \N{SUPERSCRIPT TWO}", "line of a gym99 list"),
        ("0LtLS9wROrk 3", "line of a gym99 list"),
        ("0LtLS9wROrk_E_2407_2435.mp4 3", "line of a gym99 list"),
        (
            f"{LATE} 4",
            f"clip of gym99 must have one label, but got {LATE} with 3 and, at .*:2, 4$",
        ),
    ],
)
def test_errors_in_lists_contain_the_line(tmp_path: Path, line: str, reason: str) -> None:
    write_gym99_lists(tmp_path, {LATE: 3}, {})
    with (tmp_path / TRAIN).open("a") as file:
        file.write(line + "\n")
    for call in (
        lambda: open_dataset("gym99", source=tmp_path),
        lambda: open_dataset("gym99").find_clips(tmp_path),
    ):
        with pytest.raises(InputError, match=reason):
            call()


def test_a_clip_in_both_lists_is_refused(tmp_path: Path) -> None:
    write_gym99_lists(tmp_path, {LATE: 3}, {LATE: 3})
    with pytest.raises(
        InputError, match=f"not both train and validate, but got 1 in both lists, e.g. {LATE}:"
    ):
        open_dataset("gym99", source=tmp_path)


@pytest.mark.parametrize("missing", [TRAIN, VAL])
def test_both_lists_are_needed(tmp_path: Path, missing: str) -> None:
    write_gym99_lists(tmp_path, {LATE: 3}, {})
    (tmp_path / missing).unlink()
    part = "train" if missing == TRAIN else "val"
    with pytest.raises(MissingDataError, match=f"must contain files named like gym99_{part}_element.txt"):
        open_dataset("gym99", source=tmp_path)


def test_lists_without_clips_are_refused(tmp_path: Path) -> None:
    write_gym99_lists(tmp_path, {LATE: 3}, {})
    with pytest.raises(MissingDataError, match=f"must contain clips named like {LATE}.mp4, their events or"):
        open_dataset("gym99", source=tmp_path).find_clips(tmp_path)


def test_lists_that_are_not_text_are_refused(tmp_path: Path) -> None:
    write_gym99_lists(tmp_path, {LATE: 3}, {})
    (tmp_path / VAL).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"gym99_val_element\.txt must be UTF-8 text"):
        open_dataset("gym99", source=tmp_path)
    (tmp_path / VAL).unlink()
    (tmp_path / VAL).symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"gym99_val_element\.txt must be readable"):
        open_dataset("gym99", source=tmp_path)


def test_class_names_are_event_and_number_unless_a_file_names_them(tmp_path: Path) -> None:
    names = open_dataset("gym99").class_names
    assert len(names) == 99
    assert [names[element] for element in (0, 5, 6, 40, 41, 73, 74, 98)] == [
        *("VT 0", "VT 5", "FX 6", "FX 40"),
        *("BB 41", "BB 73", "UB 74", "UB 98"),
    ]
    write_gym99_lists(tmp_path, {LATE: 3}, {})
    lines = [
        f"Clabel: {element:3}; set:  1; Glabel: {element + 7:3}; (VT) jump {element}" for element in range(99)
    ]
    lines[58] = "Clabel:  58; set: 33; Glabel: 290; (BB) salto backward tucked"
    lines[70] = "Clabel:  70; set: 35; Glabel: 359; (BB) salto backward tucked"
    (tmp_path / "gym99_categories.txt").write_text("\n".join(reversed(lines)) + "\n\n")
    names = open_dataset("gym99", source=tmp_path).class_names
    assert (names[0], names[98]) == ("(VT) jump 0", "(VT) jump 98")
    # Two elements, a flight and a dismount, share this name.
    assert (names[58], names[70]) == ("(BB) salto backward tucked (58)", "(BB) salto backward tucked (70)")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Clabel: 3; set: 1; Glabel: 3; jump 3\n", "", "must name the 99 elements of gym99, but got 98"),
        ("Clabel: 3;", "Clabel: 99;", "must name the 99 elements of gym99, but got 99"),
        ("Clabel: 3;", "Clabel: 4;", "one for each label, but got 'Clabel: 4; .*' at gym99_categories.txt:5"),
        ("Clabel: 3;", "Clabel: three;", "one for each label, but got 'Clabel: three; .*:4"),
        ("; jump 3\n", ";\n", r"must be like 'Clabel: 0; .*'Clabel: 3; set: 1; Glabel: 3;' at .*:4"),
    ],
)
def test_bad_categories_are_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    text = "".join(f"Clabel: {element}; set: 1; Glabel: {element}; jump {element}\n" for element in range(99))
    assert old in text
    (tmp_path / "gym99_categories.txt").write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=reason):
        open_dataset("gym99", source=tmp_path)


def test_lists_decide_the_split_and_validation_shares_no_video_with_training(tmp_path: Path) -> None:
    train = {
        f"video{video}_E_000000_000009_A_000{start}_000{start + 1}": start
        for video in "abc"
        for start in (1, 2)
    }
    val = {f"video{video}_E_000010_000019_A_0001_0002": 5 for video in "ad"}
    write_gym99_lists(tmp_path / "source", train | {"missing_E_000000_000009_A_0000_0001": 9}, val)
    for clip_id in (*train, *val):
        write_gym99_video(tmp_path / "source", clip_id)
    reader = open_dataset("gym99", source=tmp_path / "source")

    def prepare(name: str, **options: Any) -> PrepareSummary:
        return prepare_dataset(
            reader,
            tmp_path / "source",
            tmp_path / name,
            size_px=16,
            max_frames=2,
            num_workers=1,
            **options,
        )

    with pytest.raises(
        MissingDataError, match=r"must have a skeleton file: gym99 has no skeletons, .*; --keep-all keeps"
    ):
        prepare("refused", crop=False)
    summary = prepare("store", crop=False, without_skeleton="whole-frame")
    assert (summary.num_clips, summary.num_rejected) == (8, 0)
    assert summary.split_findings == (
        "gym99 gym99 has 6 train / 2 test clips; published are 7 / 2 (clips the lists name)",
    )
    store = ClipStore.open(tmp_path / "store")
    assert store.box_px(0) == (0, 0, 64, 48)
    assert store.skeleton(0).joints_MTV3_m.shape == (0, 6, 17, 3)
    rule = find_protocol("gym99", store.manifest.protocols, "gym99")
    # A tenth of the three training videos is one.
    held_out = default_held_out(store.clips, rule)
    assert len(held_out) == 1
    split = split_clips(store.clips, rule, validation="clean", held_out=held_out)
    assert (len(split.train), len(split.validation), len(split.test)) == (4, 2, 2)
    assert {store.clips.clip_id[row] for row in split.test} == set(val)
    assert len({store.clips.clip_id[row][:6] for row in split.validation}) == 1


def test_changed_labels_in_the_lists_are_prepared_again(tmp_path: Path) -> None:
    write_gym99_video(tmp_path / "source", LATE)
    for label in (3, 5):
        write_gym99_lists(tmp_path / "source", {LATE: label}, {})
        reader = open_dataset("gym99", source=tmp_path / "source")
        prepare_dataset(
            reader, tmp_path / "source", tmp_path / "store", without_skeleton="whole-frame", num_workers=1
        )
        assert ClipStore.open(tmp_path / "store").clips.label.tolist() == [label]
