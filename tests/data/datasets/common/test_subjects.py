"""Subjects as users state them: a table next to the clips, or a pattern over their ids."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autohier.data.datasets.common.clip_ids import clip_numbers, warn_unnamed
from autohier.data.datasets.common.subjects import SUBJECTS, read_subjects
from autohier.data.datasets.registry import open_dataset
from autohier.errors import InputError
from support.command_line import Autohier
from support.sources.tiny_pyskl import annotation, write_pyskl


def test_a_table_or_a_pattern_decides_before_the_ids(tmp_path: Path) -> None:
    ids = ["walk_s01_x", "walk_s02_x", "sit_s01_x"]
    (tmp_path / SUBJECTS).write_text("Subject, clip\nBea,walk_s01_x\nAl,walk_s02_x\nBea,sit_s01_x\nC,other\n")
    stated = read_subjects(tmp_path, None)
    # Sorted: Al, Bea.
    assert [each.subject for each in clip_numbers(ids, stated).values()] == [2, 1, 2]
    assert warn_unnamed(["a", "b"], stated) == ()
    stated = read_subjects(tmp_path, r"^(\w+)_s")
    # Sorted: sit, walk.
    assert [each.subject for each in clip_numbers(ids, stated).values()] == [2, 2, 1]
    stated = read_subjects(tmp_path, r"_s(\d+)_")
    assert [each.subject for each in clip_numbers(ids, stated).values()] == [1, 2, 1]


def test_composed_and_decomposed_names_are_one_clip(tmp_path: Path) -> None:
    (tmp_path / SUBJECTS).write_text("clip,subject\ne\u0301,3\n", encoding="utf-8")
    assert read_subjects(tmp_path, None).of(["\u00e9"]) == {"\u00e9": "3"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip\na\n", "must have the columns clip and subject, but got clip"),
        ("clip;subject\na;1\n", "but got clip;subject: save the table with commas"),
        ("", "must have the columns clip and subject, but got none"),
        ("clip,subject\na,1\nb\n", "line 3 of .* must name a clip and its subject, but got b"),
        ("clip,subject\na,1\na,2\n", "must give each clip one subject, but got two of a"),
        ('clip,subject\n"a,1\n', "must be CSV in UTF-8"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / SUBJECTS).write_text(text)
    with pytest.raises(InputError, match=message):
        read_subjects(tmp_path, None)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "must be a regular expression, but got '\\('"),
        ("s01", "must have one group, the subject, but got 's01' with 0"),
        ("(a)(b)", "must have one group, the subject, but got '.*' with 2"),
    ],
)
def test_a_wrong_pattern_is_refused(tmp_path: Path, pattern: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_subjects(tmp_path, pattern)


def test_every_clip_needs_a_subject(tmp_path: Path) -> None:
    (tmp_path / SUBJECTS).write_text("clip,subject\na,1\n")
    with pytest.raises(InputError, match=r"clip must be in subjects\.csv, but got 1 of 2 clips .* b"):
        read_subjects(tmp_path, None).of(["a", "b"])
    text = "every clip must match --subject-pattern s(.), but got 1 of 2 clips that do not, e.g. b"
    with pytest.raises(InputError, match=re.escape(text)):
        read_subjects(tmp_path, "s(.)").of(["s1", "b"])


def test_a_table_of_files_instead_of_clips_is_refused_with_an_example(tmp_path: Path) -> None:
    (tmp_path / SUBJECTS).write_text("clip,subject\na/1.mp4,1\n")
    text = "e.g. a/1: add a line CLIP,SUBJECT for each, with the clip's id; the first one in the table is "
    with pytest.raises(InputError, match=re.escape(text) + r"a/1\.mp4"):
        read_subjects(tmp_path, None).of(["a/1"])


def test_stated_subjects_that_differ_in_case_or_blanks_only_are_a_warning(tmp_path: Path) -> None:
    (tmp_path / SUBJECTS).write_text("clip,subject\na,Ann\nb,ann\nc,Bo Li\nd,BoLi\ne,Cy\nunread,CY\n")
    found = warn_unnamed(["a", "b", "c", "d", "e", "f"], read_subjects(tmp_path, None))
    assert [warning.text for warning in found] == [
        "the names of 2 subjects differ in case only: Ann, ann",
        "the names of 2 subjects differ in blanks only: 'Bo Li', 'BoLi'",
    ]


def test_a_pickle_takes_a_pattern_and_a_table_next_to_it(tmp_path: Path, autohier: Autohier) -> None:
    entries = [
        annotation(name, number % 2) for number, name in enumerate(["x-anna", "y-ben", "z-anna", "w-ben"])
    ]
    path = write_pyskl(
        tmp_path / "x.pkl", entries, {"train": ["x-anna", "y-ben", "z-anna"], "val": ["w-ben"]}
    )

    def subjects(pattern: str | None = None) -> dict[str, int]:
        reader = open_dataset("pyskl", source=path, subject_pattern=pattern)
        return {clip.clip_id: clip.subject for clip in reader.find_clips(path)}

    assert subjects("-(.*)") == {"x-anna": 1, "y-ben": 2, "z-anna": 1, "w-ben": 2}
    (tmp_path / SUBJECTS).write_text("clip,subject\nx-anna,7\ny-ben,8\nz-anna,7\nw-ben,9\n")
    assert subjects() == {"x-anna": 7, "y-ben": 8, "z-anna": 7, "w-ben": 9}
    ended = autohier("check", "pyskl", "--source", path, "--subject-pattern", "-(.*)", "--workers", 1)
    assert "1 subject is in both training and test under train-val: 2\n" in ended.out


def test_published_datasets_take_no_pattern(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not apply to ntu60, whose files .*, but got \(\.\)"):
        open_dataset("ntu60", source=tmp_path, subject_pattern="(.)")
