"""Tests of one call for a sweep that may exist."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from safetensors.torch import load_file, save_file

from autohier.config.search.loading import load_space
from autohier.config.sweep import UNLIMITED_TRIALS
from autohier.core.stages.store.remote_stages import RemoteStages, find_remote
from autohier.errors import InputError
from autohier.records.reader import read_records
from autohier.records.writer import RecordWriter
from autohier.sweep import api
from autohier.sweep.api import SweepResult
from autohier.sweep.continuation import start_or_resume
from autohier.sweep.driver import SweepEnd
from autohier.sweep.execution.signals import StopRequest, catch_signals
from autohier.sweep.locking.sweep_lock import hold_sweep
from autohier.sweep.paths import SweepFolder
from support.fakes.fake_driver import FakeDriver
from support.sources.tiny_clips import SPACE_FILE
from support.sweep_runs.whole_trials import write_2d_weights

Run = Callable[..., SweepResult]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """Replaces the driver of all sweeps."""
    fake = FakeDriver()
    monkeypatch.setattr(api, "drive", fake)
    return fake


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def run(tmp_path: Path, tiny_data: Path, said: io.StringIO) -> Run:
    """Run the same sweep again, possibly with changes."""

    def run(*overrides: str, **changes: Any) -> SweepResult:
        values: dict[str, Any] = {
            "name": "job",
            "trials": 2,
            "console": Console(file=said, width=200),
        } | changes
        return start_or_resume(load_space(str(SPACE_FILE), overrides), out=tmp_path, data=tiny_data, **values)

    return run


def test_the_same_call_starts_continues_extends_and_ends(
    driver: FakeDriver, run: Run, tmp_path: Path
) -> None:
    driver.ends["job"] = lambda: SweepEnd(1, 2, interrupted=True)
    assert not run().complete
    created = SweepFolder(tmp_path / "job").read_plan()[1].created_at
    assert run(parallel=2).complete
    assert run(trials=5).complete
    assert [(plan.trials, plan.parallel) for plan in driver.driven] == [(2, None), (2, 2), (5, 2)]
    assert SweepFolder(tmp_path / "job").read_plan()[1].created_at == created


def test_other_settings_are_refused_and_named(driver: FakeDriver, run: Run) -> None:
    run(seed=3)
    with pytest.raises(
        InputError,
        match=r"sweep job exists.* got pass_1.epochs=3 instead of \d+, seed=0 instead of 3: repeat",
    ):
        run("pass_1.epochs=3")
    with pytest.raises(InputError, match="got trials=1 instead of 2"):
        run(trials=1, seed=3)
    assert len(driver.driven) == 1


def two_weights(folder: Path) -> tuple[Path, Path]:
    """Write two files of 2D weights with different content."""
    first, other = (write_2d_weights(folder / f"{name}.safetensors", width=0.125) for name in "ab")
    save_file({name: tensor + 1 for name, tensor in load_file(other).items()}, other)
    return first, other


@pytest.mark.usefixtures("driver")
def test_all_of_many_other_settings_are_named(run: Run) -> None:
    run("initial=[]")
    ratios = [round(0.01 + 0.02 * k, 2) for k in range(45)]
    changes = {"pass_1.epochs": 77, "search.ratios": ratios, "search.weight_ratios": ratios}
    with pytest.raises(InputError, match="sweep job exists") as caught:
        run("initial=[]", *(f"{name}={value}" for name, value in changes.items()))
    assert all(f"{name}={value} instead of" in str(caught.value) for name, value in changes.items())


def test_weights_are_compared_by_content(driver: FakeDriver, run: Run, tmp_path: Path) -> None:
    first, other = (
        write_2d_weights(tmp_path / name, width=0.125) for name in ("a.safetensors", "b.safetensors")
    )
    save_file({name: tensor + 1 for name, tensor in load_file(other).items()}, other)
    copy = Path(shutil.copy(first, tmp_path / "copy.safetensors"))
    run(f"recognizer.weights={first}")
    run(f"recognizer.weights={copy}")
    assert driver.driven[1].space == driver.driven[0].space  # they are still where they were
    with pytest.raises(InputError, match=rf"got recognizer.weights={other} instead of {first}: repeat its"):
        run(f"recognizer.weights={other}")
    with pytest.raises(InputError, match=r"got recognizer\.weights=None instead of"):
        run()
    first.unlink()
    run(f"recognizer.weights={copy}")
    assert driver.driven[-1].space.recognizer.weights_path == copy
    assert len(driver.driven) == 3


def test_searched_weights_are_compared_by_content(driver: FakeDriver, run: Run, tmp_path: Path) -> None:
    first, other = (
        write_2d_weights(tmp_path / name, width=0.125) for name in ("a.safetensors", "b.safetensors")
    )
    save_file({name: tensor + 1 for name, tensor in load_file(other).items()}, other)

    def searching(*paths: Path) -> tuple[str, ...]:
        return (f"search.settings={{'recognizer.weights'={[str(path) for path in paths]}}}", "initial=[]")

    run(*searching(first, other))
    moved = first.rename(tmp_path / "moved.safetensors")
    with pytest.raises(InputError, match=r"got search.settings.recognizer.weights=.*moved.* instead of"):
        run(*searching(other, moved))
    run(*searching(moved, other))
    before, after = (plan.space for plan in driver.driven)
    assert after.search == before.search
    assert after.moved_weights == {str(first): str(moved)}


def test_a_sweep_that_runs_is_waited_for(
    driver: FakeDriver, run: Run, tmp_path: Path, said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    held = ExitStack()
    held.enter_context(hold_sweep(SweepFolder(tmp_path / "job").lock_file))
    waits = []

    def other_driver_ends(_: StopRequest, seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) == 3:
            held.close()
        return False

    monkeypatch.setattr(StopRequest, "comes_within", other_driver_ends)
    assert run().complete
    assert len(waits) == 3
    assert said.getvalue().count("job is run by process ") == 1
    assert len(driver.driven) == 2


def test_a_signal_ends_the_wait(driver: FakeDriver, run: Run, tmp_path: Path) -> None:
    run()
    with hold_sweep(SweepFolder(tmp_path / "job").lock_file), catch_signals() as stop:
        stop.make()
        result = run()
    assert (result.complete, result.interrupted, result.num_finished) == (False, True, 1)
    assert len(driver.driven) == 1


def test_confirmation_refits_and_budget_may_change(driver: FakeDriver, run: Run) -> None:
    run(confirm="none")
    run(confirm="4x2", refits=3)
    run(confirm="auto", refits=1)  # as a command line has them if they are not given
    run(budget_epochs=500, trials=UNLIMITED_TRIALS)
    found = [(plan.confirm, plan.refits, plan.budget_epochs, plan.trials) for plan in driver.driven]
    assert found == [
        ("none", 1, None, 2),
        ("4x2", 3, None, 2),
        ("4x2", 3, None, 2),
        ("4x2", 3, 500, UNLIMITED_TRIALS),
    ]


@pytest.mark.usefixtures("driver")
def test_confirmations_and_requeued_trials_have_not_ended(run: Run, tmp_path: Path) -> None:
    run()
    folder = SweepFolder(tmp_path / "job")
    (ended,) = read_records(folder.records).trials
    rows = (
        replace(ended, trial="t0001", number=1, state="REQUEUED"),
        replace(ended, trial="c0000", number=None, role="nominee"),
    )
    for row in rows:
        RecordWriter(folder.records).write_trial(row)
    with hold_sweep(folder.lock_file), catch_signals() as stop:
        stop.make()
        assert run().num_finished == 1


def test_stages_are_copied_to_object_storage_from_the_first_run_on_or_from_a_later_one(
    run: Run, driver: FakeDriver, tmp_path: Path, said: io.StringIO
) -> None:
    run()
    assert len(driver.driven) == 1
    assert find_remote(tmp_path / "stages") is None
    url = f"file://{tmp_path}/remote"
    for name in ("job", "other"):
        run(name=name, trials=3, stages=url)
        assert find_remote(tmp_path / "stages") == RemoteStages(url)
        assert f"stages: copied to {url} (0 now)" in said.getvalue()
    with pytest.raises(InputError, match="copied to one place"):
        run(name="third", stages="file:///elsewhere")
    assert not (tmp_path / "third").exists()
    (tmp_path / "stages" / "remote.json").write_text('{"url": "nowhere://bucket"}')
    with pytest.raises(InputError, match="--stages must be a URL of a storage"):
        run(trials=4)
