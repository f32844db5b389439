"""``autohier search --protocols``: a sweep per protocol, their results and mean, and how it continues."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from autohier.sweep import api
from autohier.sweep.driver import SweepEnd
from support.command_line import Autohier, Ended
from support.fakes.fake_driver import FakeDriver
from support.sources.tiny_clips import SPACE_FILE

Search = Callable[..., Ended]
BOTH = ("two-cross-subject", "two-cross-view")


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """Replaces the driver of all sweeps."""
    fake = FakeDriver()
    monkeypatch.setattr(api, "drive", fake)
    return fake


@pytest.fixture
def search(autohier: Autohier, tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> Search:
    """Search the tiny space with further options, in the folder of the test."""
    monkeypatch.chdir(tmp_path)
    return lambda *options: autohier("search", SPACE_FILE, "--trials", "1", "--data", tiny_data, *options)


def interrupted_by(number: signal.Signals) -> SweepEnd:
    """Get a signal as a driver does, which then ends its sweep."""
    signal.raise_signal(number)
    return SweepEnd(0, 1, interrupted=True)


def _continuing(ended: Ended) -> str:
    """The printed command that continues; another thread prints that the signal came, maybe after it."""
    found = re.search(r"Continue with:\n  (.*)\n", ended.out)
    assert found is not None, ended.out
    return str(found[1])


def test_the_end_prints_each_result_and_the_mean_as_status_does(
    search: Search, autohier: Autohier, driver: FakeDriver
) -> None:
    ended = search("--protocols", "all", "--name", "two")
    assert (ended.code, ended.err) == (0, "")
    assert driver.names == list(BOTH)
    assert re.findall(r"^protocol .*", ended.out, flags=re.MULTILINE) == [
        "protocol cross-subject, 1 of 2",
        "protocol cross-view, 2 of 2",
    ]
    assert ended.out.count("best config: t0000") == 2
    table = ended.out[ended.out.index("Test accuracy on demo") : ended.out.index("table again: ")]
    # Half of the 120 test clips of each are correct.
    assert [re.search(rf"{name} .* 50\.0%", table) is not None for name in (*BOTH, "mean of 2")] == [True] * 3
    command = ended.out.splitlines()[-1].removeprefix("table again: autohier ")
    assert command == "status sweeps/two-cross-subject sweeps/two-cross-view"
    assert autohier(*command.split()).out == table


def test_ctrl_c_ends_the_whole_command_and_prints_the_one_that_continues(
    search: Search, autohier: Autohier, driver: FakeDriver
) -> None:
    driver.ends["two-cross-view"] = lambda: interrupted_by(signal.SIGINT)
    ended = search("--protocols", "cross-subject,cross-view", "--name", "two", "--set", "search.max_passes=2")
    assert (ended.code, ended.err) == (130, "")
    assert (
        "interrupted after 1 of 2 protocols and 0 of 1 trial of two-cross-view; finished sweeps" in ended.out
    )
    assert "mean of" not in ended.out
    command = _continuing(ended)
    assert command.startswith(f"autohier search {SPACE_FILE} --trials 1 --data ")
    again = autohier(*command.split()[1:])
    assert again.code == 0
    assert "mean of 2" in again.out
    assert driver.names == [*BOTH, *BOTH]


def test_the_command_that_continues_has_the_name_that_was_made_up(
    search: Search, autohier: Autohier, driver: FakeDriver
) -> None:
    driver.next_end = lambda: interrupted_by(signal.SIGTERM)
    ended = search("--protocols", "all")
    assert (ended.code, ended.err) == (143, "")
    command = _continuing(ended)
    (name,) = re.findall(r" --protocols all --name (tiny-\d{8}-\d{6})$", command)
    assert driver.names == [f"{name}-cross-subject"]
    assert "mean of 2" in autohier(*command.split()[1:]).out
    assert driver.names[1:] == [f"{name}-cross-subject", f"{name}-cross-view"]


def test_without_a_complete_trial_there_is_no_mean(search: Search, driver: FakeDriver) -> None:
    driver.ends["two-cross-subject"] = lambda: SweepEnd(1, 1)
    ended = search("--protocols", "all", "--name", "two")
    assert (ended.code, ended.err) == (1, "")
    assert driver.names == list(BOTH)
    assert "no trial is complete; see sweeps/two-cross-subject/records" in ended.out
    assert ended.out.endswith("no mean: not every protocol has a complete trial\n")


def test_an_unknown_protocol_is_one_line_with_the_nearest_one(
    autohier: Autohier, tmp_path: Path, driver: FakeDriver
) -> None:
    error = autohier("search", "n_ucla", "--protocols", "view1,veiw3", "--data", tmp_path).error
    assert error == "unknown protocol 'veiw3' of n-ucla: did you mean 'view3'?"
    missing = autohier("search", "n_ucla", "--protocols", "all", "--data", tmp_path).error
    assert "autohier prepare n-ucla" in missing
    assert driver.names == []
