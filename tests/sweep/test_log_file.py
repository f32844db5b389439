"""The log of a sweep: only a file takes warnings."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from autohier.errors import InputError
from autohier.sweep.log_file import logging_to

LOG = logging.getLogger("autohier.sweep.test")


def test_warnings_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "driver.log"
    for text in ("one", "two"):
        with logging_to(path):
            LOG.warning(text)
    assert [line.rpartition(": ")[2] for line in path.read_text().splitlines()] == ["one", "two"]


def test_a_log_that_cannot_be_opened_is_said_in_one_line_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "absent" / "driver.log"
    with logging_to(path):
        LOG.warning("one")
        LOG.warning("two")
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"cannot write {path}: " in said


def test_without_a_warning_there_is_no_file(tmp_path: Path) -> None:
    with logging_to(tmp_path / "driver.log"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "put",
    [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/null"), lambda path: path.symlink_to(path)],
    ids=["folder", "pipe", "device", "link to itself"],
)
def test_something_else_in_place_of_the_log_is_refused(tmp_path: Path, put: Callable[[Path], None]) -> None:
    path = tmp_path / "driver.log"
    put(path)
    expected = rf"the log of a sweep must be .*{re.escape(str(path))}.*: remove it"
    with pytest.raises(InputError, match=expected), logging_to(path):
        LOG.warning("never written")
