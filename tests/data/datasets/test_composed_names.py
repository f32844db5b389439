"""Names with composed and with decomposed letters are one name, in every place that compares names."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from autohier.data.datasets.registry import open_dataset
from autohier.data.names import composed
from autohier.data.protocols import Protocol, find_protocol
from autohier.errors import InputError
from autohier.reports.clips.view import find_clip
from support.command_line import Autohier
from support.sources.tiny_custom import write_custom_clip
from support.sources.tiny_finegym import write_gym99_lists, write_gym99_video
from support.sources.tiny_pyskl import annotation, write_pyskl

CLASS = "caf\N{LATIN SMALL LETTER E WITH ACUTE}"
CLIP = "\N{HANGUL SYLLABLE GAG}1"


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def test_composing_is_idempotent_and_leaves_composed_text() -> None:
    assert decomposed(CLASS) != CLASS
    assert composed(decomposed(CLASS)) == composed(CLASS) == CLASS


SPELLINGS = pytest.mark.parametrize("spell", [composed, decomposed])


@SPELLINGS
def test_folders_of_one_class_and_their_poses(tmp_path: Path, spell: Callable[[str], str]) -> None:
    write_custom_clip(tmp_path, f"{CLASS}/{CLIP}")
    write_custom_clip(tmp_path, f"{decomposed(CLASS)}/2")
    (tmp_path / "poses").rename(tmp_path / "old")
    # All poses lie in one folder, in one spelling.
    folder = tmp_path / "poses" / spell(CLASS)
    folder.mkdir(parents=True)
    for path in (tmp_path / "old").glob("*/*"):
        path.rename(folder / spell(path.name))
    reader = open_dataset("custom", source=tmp_path)
    assert reader.class_names == (CLASS,)
    clips = reader.find_clips(tmp_path)
    assert [clip.clip_id for clip in clips] == [f"{CLASS}/2", f"{CLASS}/{CLIP}"]
    assert [reader.read_skeleton(clip).num_frames for clip in clips] == [6, 6]


def test_poses_are_found_in_either_of_two_folders_of_one_class(tmp_path: Path) -> None:
    # Videos and poses come from different machines: each pose lies in the folder of the other spelling.
    for clip in ("1", "2"):
        write_custom_clip(tmp_path, f"{CLASS}/{clip}")
    (tmp_path / "poses" / decomposed(CLASS)).mkdir()
    (tmp_path / "poses" / CLASS / "2.npz").rename(tmp_path / "poses" / decomposed(CLASS) / "2.npz")
    (tmp_path / "videos" / decomposed(CLASS)).mkdir()
    (tmp_path / "videos" / CLASS / "1.mp4").rename(tmp_path / "videos" / decomposed(CLASS) / "1.mp4")
    reader = open_dataset("custom", source=tmp_path)
    clips = reader.find_clips(tmp_path)
    assert [clip.clip_id for clip in clips] == [f"{CLASS}/1", f"{CLASS}/2"]
    assert [reader.read_skeleton(clip).num_frames for clip in clips] == [6, 6]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    write_custom_clip(tmp_path, f"{CLASS}/{CLIP}")
    write_custom_clip(tmp_path, f"{decomposed(CLASS)}/{CLIP}")
    with pytest.raises(InputError, match="differ in more than their endings"):
        open_dataset("custom", source=tmp_path)


@SPELLINGS
def test_paths_and_labels_in_a_table(tmp_path: Path, spell: Callable[[str], str]) -> None:
    write_custom_clip(tmp_path, f"{CLASS}/{CLIP}")
    write_custom_clip(tmp_path, f"{CLASS}/2")
    other = decomposed if spell is composed else composed
    moved = write_custom_clip(tmp_path / "elsewhere" / spell(CLASS), "x/3")
    lines = ["path,label,subject,skeleton"]
    for clip, subject in ((CLIP, "1"), ("2", "2")):
        name = f"{CLASS}/{clip}"
        lines.append(f"{spell(f'videos/{name}.mp4')},{other(CLASS)},{subject},{spell(f'poses/{name}.npz')}")
    lines.append(f"{other(str(moved))},{CLASS},3,")
    (tmp_path / "clips.csv").write_text("\n".join(lines))
    reader = open_dataset("custom", source=tmp_path)
    assert reader.class_names == (CLASS,)
    third, second, first = reader.find_clips(tmp_path)
    assert (first.clip_id, second.clip_id) == (f"videos/{CLASS}/{CLIP}", f"videos/{CLASS}/2")
    assert third.clip_id == f"elsewhere/{CLASS}/videos/x/3"
    assert [reader.count_frames(clip) for clip in (first, second, third)] == [6, 6, 6]
    assert reader.read_skeleton(first).num_frames == 6


def test_a_file_that_does_not_exist_keeps_the_path_of_the_table(tmp_path: Path) -> None:
    write_custom_clip(tmp_path, f"{decomposed(CLASS)}/1")
    (tmp_path / "clips.csv").write_text(f"path,label\nvideos/{CLASS}/none.mp4,{CLASS}\n")
    (clip,) = open_dataset("custom", source=tmp_path).find_clips(tmp_path)
    assert clip.video_path is not None
    assert clip.video_path.name == "none.mp4"


def test_a_listed_pair_of_one_name_is_refused(tmp_path: Path) -> None:
    table = f"path,label\n{CLASS}.mp4,a\n{decomposed(CLASS)}.avi,a\n"
    (tmp_path / "clips.csv").write_text(table)
    with pytest.raises(InputError, match="differ in more than their endings"):
        open_dataset("custom", source=tmp_path)


def test_ids_in_the_lists_of_a_pickle(tmp_path: Path) -> None:
    entries = [annotation(f"{CLASS}1", 0), annotation(f"{decomposed(CLASS)}2", 1), annotation("3", 0)]
    lists = {"train": [f"{decomposed(CLASS)}1", "3"], "val": [f"{CLASS}2"]}
    path = write_pyskl(tmp_path / "x.pkl", entries, lists)
    reader = open_dataset("pyskl", source=path)
    (rule,) = reader.protocols
    assert [(size.train, size.test) for size in rule.published] == [(2, 1)]
    parts = {clip.clip_id: clip.parts for clip in reader.find_clips(path)}
    assert parts == {"3": ("train",), f"{CLASS}1": ("train",), f"{CLASS}2": ("val",)}


def test_two_annotations_of_one_name_are_not_mixed_up(tmp_path: Path) -> None:
    entries = [annotation(CLASS, 0), annotation(decomposed(CLASS), 1), annotation("other", 1)]
    path = write_pyskl(tmp_path / "x.pkl", entries, {"train": [CLASS], "val": ["other"]})
    clips = open_dataset("pyskl", source=path).find_clips(path)
    assert [clip.clip_id for clip in clips] == ["annotation 1", CLASS, "other"]


@SPELLINGS
def test_videos_of_gym99(tmp_path: Path, spell: Callable[[str], str]) -> None:
    clip_id = f"{CLASS}_E_000000_000001_A_0000_0001"
    other = decomposed if spell is composed else composed
    write_gym99_lists(tmp_path, {spell(clip_id): 3}, {})
    path = write_gym99_video(tmp_path, other(clip_id))
    reader = open_dataset("gym99", source=tmp_path)
    (clip,) = reader.find_clips(tmp_path)
    assert clip.clip_id == clip_id
    assert reader.count_frames(clip) == 6  # the trimmed clip, not a second of an event
    shutil.move(path, tmp_path / "gone")


def test_names_that_users_type() -> None:
    assert find_clip([CLASS, "other"], decomposed(CLASS)) == 0
    assert find_clip([f"{CLASS}/1", "other"], decomposed(CLASS)) == 0
    rules = [Protocol(CLASS, "parts", ("train",), ("test",))]
    assert find_protocol("x", rules, decomposed(CLASS)) is rules[0]


def test_names_that_differ_in_case_only_are_a_warning(autohier: Autohier, tmp_path: Path) -> None:
    rows = ["path,label,subject", "1.mp4,Jump,Ann", "2.mp4,jump,Bob", "3.mp4,walk,ann", "4.mp4,walk,Bob"]
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    ended = autohier("check", "custom", "--source", tmp_path)
    assert (
        "WARNING: the names of 2 classes differ in case only: Jump, jump\n"
        "  fix: spell them alike if they are one; they are read as different classes\n"
    ) in ended.out
    assert "WARNING: the names of 2 subjects differ in case only: Ann, ann\n" in ended.out
    assert "walk" not in ended.out.partition("WARNING")[2].partition("prepare would")[0]
