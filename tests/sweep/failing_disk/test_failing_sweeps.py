"""A whole sweep on a disk that fails at its n-th change, for every n: driver, study, trials, stages, records.

It ends with a reason, and after a resume its records are those of a sweep on a sound disk.
"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Sequence
from pathlib import Path

import pytest

from autohier.errors import ENVIRONMENT_FAILURES, AutohierError
from autohier.sweep.api import SweepResult
from support.fakes.faulty_disk import BROKEN, FULL, FaultyDisk, failing
from support.fakes.sweep_in_process import in_this_process, resume, start
from support.sweep_runs.untimed_records import untimed_rows

ALL_MODES = "AUTOHIER_FUZZ_EXAMPLES" in os.environ
MODES = [(FULL, False), (BROKEN, False), (FULL, True), (BROKEN, True)]
SHARE = 1 if ALL_MODES else 4
"""One in this number of the changes that repeat others is tried."""
_OF_A_RUN = re.compile(r"\.?[0-9a-f]{8,}|\.[0-9]+|t[0-9]{4}|-[0-9]+")
"""Parts of file names that differ from run to run, or from trial to trial."""


def check_equal(out: Path, sound: Path) -> None:
    assert untimed_rows(out / "sweep") == untimed_rows(sound / "sweep")
    assert not (out / "stages" / "quarantine").exists()


def check_end(result: SweepResult, out: Path, sound: Path) -> None:
    """Check that a sweep that ended well is whole, or says what failed."""
    assert result.complete
    failed = [row for row in result.trials if row.state == "FAIL"]
    assert all(row.failure in ENVIRONMENT_FAILURES for row in failed)
    if not failed:
        check_equal(out, sound)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A sweep on a sound disk, and its changes."""
    out = tmp_path_factory.mktemp("sound")
    with in_this_process(), failing(FaultyDisk(out)) as disk:
        assert start(out).complete
    return out, disk.seen


def different(changes: list[str]) -> list[int]:
    """Return the numbers of the changes, without those that repeat an earlier one of another trial."""
    first: dict[str, int] = {}
    for number, change in enumerate(changes, start=1):
        first.setdefault(_OF_A_RUN.sub("", change), number)
    return list(first.values())


def test_different_changes_may_fail(sound: tuple[Path, list[str]], tmp_path: Path) -> None:
    undisturbed, changes = sound
    numbers = different(changes)
    assert 30 < len(numbers) < len(changes) / 2
    fail_each(numbers, undisturbed, tmp_path)


@pytest.mark.slow
def test_changes_that_repeat_others_may_fail(sound: tuple[Path, list[str]], tmp_path: Path) -> None:
    undisturbed, changes = sound
    others = sorted({*range(1, len(changes) + 1)} - {*different(changes)})
    fail_each(others[::SHARE], undisturbed, tmp_path)


def fail_each(numbers: Sequence[int], sound: Path, folder: Path) -> None:
    with in_this_process():
        for place, first in enumerate(numbers):
            for mode in range(len(MODES)) if ALL_MODES else [place % len(MODES)]:
                number, lasts = MODES[mode]
                disk = FaultyDisk(folder / f"{first}-{mode}", first, number, lasts)
                disk.folder.mkdir()
                try:
                    disturb_and_resume(disk, sound)
                except Exception as error:
                    error.add_note(f"change {first} in mode {MODES[mode]}: {disk.failed[:2]}")
                    raise


def disturb_and_resume(disk: FaultyDisk, sound: Path) -> None:
    out = disk.folder
    error: Exception | None = None
    with failing(disk):
        try:
            check_end(start(out), out, sound)
        except (AutohierError, OSError) as raised:
            error = raised
    if error is not None:
        assert "\n" not in str(error)
        # The reason is the failure of the disk, not one that follows from it.
        assert os.strerror(disk.number) in "".join(traceback.format_exception(error))
    again = resume if (out / "sweep" / "sweep.json").exists() else start
    result = again(out)
    assert result.complete
    check_equal(out, sound)


def test_a_disk_that_fills_up_stops_the_sweep_at_once(tmp_path: Path, sound: tuple[Path, list[str]]) -> None:
    undisturbed, changes = sound
    disk = FaultyDisk(tmp_path, len(changes) // 2, FULL, lasts=True)
    with in_this_process():
        with failing(disk), pytest.raises((AutohierError, OSError), match="No space left on device"):
            start(tmp_path)
        assert resume(tmp_path).complete
    check_equal(tmp_path, undisturbed)
