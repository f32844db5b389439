"""A damaged journal: the error names file, line and a way out; blank lines do not matter."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.study import StudyDirection

from autohier.errors import InputError
from autohier.sweep.study.ended_trials import read_study_trials
from autohier.sweep.study.storages.storage import open_storage
from support.sweep_runs.plans import make_plan
from support.sweep_runs.studies import complete, open_study

Lines = list[bytes]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """The journal of two complete trials."""
    study = open_study(tmp_path, trials=2)
    for accuracy in (0.5, 0.6):
        sampled = study.next_trial()
        assert sampled is not None
        complete(study, sampled, [accuracy])
    return tmp_path / "sweep" / "study.journal"


def change(journal: Path, edit: Callable[[Lines], Lines]) -> None:
    journal.write_bytes(b"\n".join(edit(journal.read_bytes().split(b"\n"))))


def accuracies(journal: Path) -> list[float | None]:
    study = open_study(journal.parents[1], trials=2)
    return [trial.value for trial in study.trials().ended]


def test_blank_lines_are_skipped(journal: Path) -> None:
    before = journal.read_bytes()
    change(journal, lambda lines: [b"", *lines[:3], b"", b"  ", *lines[3:], b"", b""])
    assert journal.read_bytes() != before
    assert accuracies(journal) == [0.5, 0.6]
    # Another change goes to its end and is read again.
    open_study(journal.parents[1], trials=3).next_trial()
    assert accuracies(journal) == [0.5, 0.6]


def _replace(number: int, line: bytes) -> Callable[[Lines], Lines]:
    return lambda lines: [*lines[: number - 1], line, *lines[number:]]


def _edit(old: bytes, new: bytes) -> Callable[[Lines], Lines]:
    def edit(lines: Lines) -> Lines:
        at = next(at for at, line in enumerate(lines) if old in line)
        return [*lines[:at], lines[at].replace(old, new, 1), *lines[at + 1 :]]

    return edit


DAMAGES: dict[str, tuple[Callable[[Lines], Lines], int, str]] = {
    "not JSON": (_replace(3, b'{"op_code": 4, "wor'), 3, "keep only its lines before it .'head -n 2'"),
    "no text": (_replace(2, b"\xff\x00\xfe"), 2, "keep only its lines"),
    "merged lines": (
        lambda lines: [*lines[:2], lines[2] + lines[3], *lines[4:]],
        3,
        "several changes stand on one line: write each on a line of its own",
    ),
    "merged lines at the start": (lambda lines: [lines[0] + lines[1], *lines[2:]], 1, "several changes"),
    "a number": (_replace(3, b"7"), 3, "keep only its lines"),
    "a list": (_replace(3, b"[]"), 3, "keep only its lines"),
    "an object that is no change": (_replace(3, b"{}"), 3, "keep only its lines"),
    "an unknown change": (_replace(3, b'{"op_code": 99, "worker_id": "w"}'), 3, "keep only its lines"),
    "a change without its fields": (_replace(2, b'{"op_code": 4, "worker_id": "w"}'), 2, "keep only"),
    "deep nesting": (_replace(2, b"[" * 100_000), 2, "keep only"),
    "after blank lines": (lambda lines: [b"", b"", lines[0], b"x", *lines[1:]], 4, "keep only"),
}


DAMAGES |= {
    "a changed number": (_edit(b"0.6", b"0.9"), 0, "keep only its lines"),
    "a changed name": (_edit(b'"seed"', b'"sefd"'), 0, "keep only its lines"),
    "a lost checksum": (_edit(b'"crc"', b'"src"'), 0, "keep only its lines"),
    "a lost line": (lambda lines: [*lines[:2], *lines[3:]], 3, "keep only its lines before it"),
    "a repeated line": (lambda lines: [*lines[:3], lines[2], *lines[3:]], 4, "keep only its lines"),
    "swapped lines": (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], 3, "keep only its lines"),
}
"""The number of the line is 0 if it depends on the journal."""


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_line_is_named_with_a_hint(journal: Path, damage: str) -> None:
    edit, number, hint = DAMAGES[damage]
    change(journal, edit)
    content = journal.read_bytes()
    expected = rf"^line {number or '[0-9]+'} of {journal} must be one change of the study in JSON, but got .*"
    expected += f": .*{hint}"
    for read in (
        lambda: open_study(journal.parents[1], trials=2),
        lambda: read_study_trials(make_plan(journal.parents[1]), journal),
    ):
        with pytest.raises(InputError, match=expected) as caught:
            read()
        assert str(caught.value).isprintable()
    assert journal.read_bytes() == content


def test_the_hint_for_merged_lines_loses_nothing(journal: Path) -> None:
    change(journal, lambda lines: [*lines[:2], lines[2] + lines[3], *lines[4:]])
    journal.write_bytes(journal.read_bytes().replace(b"}{", b"}\n{"))
    assert accuracies(journal) == [0.5, 0.6]


def test_the_hint_for_a_damaged_line_keeps_the_trials_before_it(journal: Path) -> None:
    lines = journal.read_bytes().split(b"\n")
    second = next(at for at, line in enumerate(lines) if b'"trial_index":1,' in line)
    change(journal, _replace(second + 1, b"x"))
    change(journal, lambda lines: [*lines[:second], b""])
    assert accuracies(journal) == [0.5]


@pytest.mark.parametrize("tail", [b'{"op_code": 8, "wor', b'{"op_code": 8, "wor\n', b"\0" * 600])
def test_an_unfinished_last_line_is_cut_off_with_blank_lines_before_it(journal: Path, tail: bytes) -> None:
    journal.write_bytes(journal.read_bytes() + b"\n \n" + tail)
    assert accuracies(journal) == [0.5, 0.6]
    assert all(json.loads(line) for line in journal.read_bytes().split(b"\n") if line.strip())


@pytest.mark.parametrize(("make", "text"), [(os.mkfifo, "a pipe"), (Path.mkdir, "Is a directory")])
def test_what_is_no_file_in_place_of_the_journal_is_named_with_a_hint(
    journal: Path, make: Callable[[Path], None], text: str
) -> None:
    journal.unlink()
    make(journal)
    with pytest.raises(InputError, match=f"{journal} must be the journal.*{text}.*: put a copy of the file"):
        open_storage(None, journal)


def test_a_changed_last_line_is_cut_off(journal: Path) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:-1], lines[-1].replace(b"worker_id", b"worker_ie")]))
    storage = open_storage(None, journal)
    assert journal.read_bytes() == b"".join(lines[:-1])
    storage.create_new_study([StudyDirection.MAXIMIZE], "another")
    open_storage(None, journal)


def test_a_journal_without_checksums_is_read_and_continued(journal: Path) -> None:
    """Earlier versions wrote no checksums. What is appended covers their lines, too."""
    lines = [re.sub(rb',"crc":"[0-9a-f]{8}"}$', b"}", line) for line in journal.read_bytes().splitlines()]
    journal.write_bytes(b"".join(line + b"\n" for line in lines))
    for _ in range(2):
        assert accuracies(journal) == [0.5, 0.6]
    assert journal.read_bytes().splitlines()[: len(lines)] == lines
    change(journal, _edit(b"0.6", b"0.9"))
    with pytest.raises(InputError, match=rf"line {len(lines) + 1} of .*the checksum differs"):
        accuracies(journal)
