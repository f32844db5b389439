"""Tests of start_sweep and resume_sweep, with and without a real driver."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from autohier.config.search.loading import load_space
from autohier.config.search.search_space import SearchSpace
from autohier.config.sweep import SweepPlan
from autohier.config.trial.recipes import RECIPES
from autohier.core.recipes.base import StageRequest
from autohier.core.stages.kinds.hac import PASS_1
from autohier.errors import InputError, RepeatedFailureError
from autohier.sweep import api
from autohier.sweep.api import resume_sweep, start_sweep
from autohier.sweep.driver import SweepEnd
from autohier.sweep.paths import SweepFolder
from autohier.sweep.scheduling.failure_limit import FailureStreak
from support.fakes.fake_packages import run_with_example
from support.sources.tiny_clips import SPACE_FILE
from support.sweep_runs.finished_sweeps import finish_sweep

QUIET = Console(file=io.StringIO())
Drive = Callable[[SweepFolder, SweepPlan, Console], SweepEnd]


@pytest.fixture
def set_end(monkeypatch: pytest.MonkeyPatch) -> Callable[[SweepEnd], list[SweepPlan]]:
    """Replaces the driver by one that ends at once; returns the plans that it gets."""

    def set_one(end: SweepEnd) -> list[SweepPlan]:
        plans: list[SweepPlan] = []

        def drive(_: SweepFolder, plan: SweepPlan, __: Console) -> SweepEnd:
            plans.append(plan)
            return end

        monkeypatch.setattr(api, "drive", drive)
        return plans

    return set_one


SetEnd = Callable[[SweepEnd], list[SweepPlan]]


def test_a_started_sweep_has_a_plan_with_its_arguments(
    tmp_path: Path, tiny_data: Path, set_end: SetEnd
) -> None:
    (plans, out) = set_end(SweepEnd(0, 3, interrupted=True)), tmp_path / "out"
    result = start_sweep(
        SPACE_FILE, trials=3, name="one", out=out, data=tiny_data, overrides=["pass_1.epochs=7"],
        sampler="random", scheduler="none", parallel=2, seed=5, console=QUIET,
    )  # fmt: skip
    (plan,) = plans
    assert (plan.trials, plan.sampler, plan.scheduler, plan.parallel, plan.seed) == (
        3,
        "random",
        "none",
        2,
        5,
    )
    assert plan.space.pass_1.epochs == 7
    written, origin = SweepFolder(out / "one").read_plan()
    assert written == plan
    assert {"sampler random", "trial scheduler none", "dataset demo"} <= set(origin.extensions)
    assert all(source.startswith("autohier ") for source in origin.extensions.values())
    assert (result.name, result.folder, result.trials, result.best) == ("one", out / "one", (), None)
    assert result.interrupted
    assert not result.complete


def test_a_default_name_holds_the_space_and_the_time(
    tmp_path: Path, tiny_data: Path, set_end: SetEnd
) -> None:
    set_end(SweepEnd(1, 1))
    space = load_space(str(SPACE_FILE))
    result = start_sweep(space, trials=1, out=tmp_path, data=tiny_data, console=QUIET)
    assert result.name.startswith(f"{space.name}-20")


def test_a_result_holds_the_best_trial_and_its_config(
    tmp_path: Path, tiny_data: Path, set_end: SetEnd
) -> None:
    folder, outcomes = finish_sweep(tmp_path, "done", tiny_data)
    plans = set_end(SweepEnd(1, 8))
    for name in ("done", folder.path):
        result = resume_sweep(name, trials=8, out=tmp_path, failures_in_a_row=2, console=QUIET)
        assert result.best is not None
        assert result.best.accuracy == outcomes[0].accuracy
        assert result.best_config == outcomes[0].config
        assert [row.trial for row in result.trials] == ["t0000"]
        assert (result.num_finished, result.target, result.complete, result.interrupted) == (
            1,
            8,
            False,
            False,
        )
    assert (plans[0].trials, plans[0].failures_in_a_row) == (8, 2)
    assert folder.read_plan()[0] == plans[0]


def test_a_resumed_sweep_cannot_shrink(tmp_path: Path, tiny_data: Path) -> None:
    finish_sweep(tmp_path, "done", tiny_data)
    with pytest.raises(InputError, match="cannot be below the old one, 6, but got 5"):
        resume_sweep("done", trials=5, out=tmp_path, console=QUIET)


def test_overrides_need_a_space_that_is_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="overrides change a space that is given by name or file"):
        start_sweep(load_space("demo"), trials=1, out=tmp_path, overrides=["pass_1.epochs=1"])


def test_an_unknown_callback_is_refused_before_anything_is_written(tmp_path: Path, tiny_data: Path) -> None:
    with pytest.raises(InputError, match="unknown callback 'absent'"):
        start_sweep(SPACE_FILE, trials=1, out=tmp_path / "out", data=tiny_data, callbacks=["absent"])
    assert not (tmp_path / "out").exists()


def never_ends(*_: object) -> Iterator[object]:
    """A recipe that breaks its contract."""
    while True:
        yield StageRequest(PASS_1)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("hca", "recipe: unknown recipe 'hca': did you mean 'hac'"),
        ("endless", "recipe 'endless' must end the chain"),
    ],
)
def test_an_unknown_or_broken_recipe_is_refused_before_data_are_generated(
    name: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECIPES._own, "endless", SimpleNamespace(load=lambda: never_ends))
    prepared: list[SearchSpace] = []
    with pytest.raises(InputError, match=error):
        start_sweep(
            "demo", trials=1, overrides=[f"recipe={name}"], out=tmp_path / "out", prepare=prepared.append
        )
    assert prepared == []
    assert not (tmp_path / "out").exists()


def test_a_reached_failure_limit_is_an_error(tmp_path: Path, tiny_data: Path, set_end: SetEnd) -> None:
    set_end(SweepEnd(0, 3, FailureStreak("bad data", "no such clip", (1, 2))))
    with pytest.raises(
        RepeatedFailureError, match=r"2 failures \(bad data\), .* 'no such clip': fix .* resume"
    ):
        start_sweep(SPACE_FILE, trials=3, name="one", out=tmp_path, data=tiny_data, console=QUIET)


@pytest.mark.slow
def test_a_real_sweep_runs_outside_the_main_thread_with_an_installed_callback(
    tmp_path: Path, tiny_data: Path
) -> None:
    options = {
        "trials": 1, "name": "real", "out": str(tmp_path / "out"), "data": str(tiny_data),
        "callbacks": ["json-logger"],
    }  # fmt: skip
    code = f"""
import threading
def run():
    from autohier.sweep.api import start_sweep
    result = start_sweep({str(SPACE_FILE)!r}, **{options!r})
    print(result.complete, result.best.trial, result.best_config.seed, len(result.test_results) > 2)
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""
    printed = run_with_example("autohier-json-logger", tmp_path / "site", "-c", code)
    assert printed.splitlines()[-1] == "True t0000 0 True", printed
    folder = SweepFolder(tmp_path / "out" / "real")
    lines = [json.loads(line) for line in (folder.path / "json" / "t0000.jsonl").read_text().splitlines()]
    assert lines[0]["event"] == "start"
    assert {line["label"] for line in lines if line["event"] == "stage"} >= {"pass 1", "pass 2"}
    assert folder.read_plan()[1].extensions["callback json-logger"] == "autohier-json-logger 0.1.0"


def test_improbable_values_are_said_before_anything_is_computed(
    tmp_path: Path, tiny_data: Path, set_end: SetEnd
) -> None:
    set_end(SweepEnd(0, 3, interrupted=True))
    text = io.StringIO()
    start_sweep(
        SPACE_FILE, trials=3, name="odd", out=tmp_path, data=tiny_data, overrides=["pass_1.epochs=100000"],
        console=Console(file=text, width=200),
    )  # fmt: skip
    assert "WARNING: pass_1.epochs = 100000 is outside its usual range, 1 to 1000" in text.getvalue()
    with pytest.raises(InputError, match=r"the network and a batch of clips must fit in the .* GB"):
        start_sweep(
            SPACE_FILE, trials=3, name="huge", out=tmp_path, data=tiny_data,
            overrides=["recognizer.width=2500"], console=Console(file=text, width=200),
        )  # fmt: skip
    assert "WARNING: recognizer.width = 2500 is outside its usual range" in text.getvalue()
    assert not (tmp_path / "huge").exists()


def test_more_trials_than_a_study_can_hold_are_refused(tmp_path: Path, tiny_data: Path) -> None:
    with pytest.raises(InputError, match="trials must be at most 100000"):
        start_sweep(SPACE_FILE, trials=10**9, name="many", out=tmp_path, data=tiny_data, console=QUIET)
