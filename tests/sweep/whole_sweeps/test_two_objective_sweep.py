"""Sweeps of accuracy and multiply-adds as a user sees them; nothing is trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from autohier.config.search.loading import load_space
from autohier.errors import InputError
from autohier.sweep.api import resume_sweep, start_sweep
from autohier.sweep.choice.front import sweep_front
from autohier.sweep.continuation import require_same
from autohier.sweep.finished_trials import read_sweep
from autohier.sweep.paths import SweepFolder
from autohier.sweep.plans.new_plan import SweepOptions
from autohier.sweep.recovery.record_check import read_checked
from autohier.sweep.study.storages.storage import open_storage
from autohier.sweep.study.study import SweepStudy
from support.command_line import Autohier
from support.fakes.sweep_in_process import OVERRIDES, in_this_process
from support.sweep_runs.plans import make_plan
from support.sweep_runs.tensorboard_pages import open_tensorboard

TWO = "search.second_objective=multiply-adds"
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a sweep of four trials, resumed after two."""
    out = tmp_path_factory.mktemp("two")
    options: SweepOptions = {"parallel": 1, "scheduler": "none", "choose": "model"}
    with in_this_process():
        start_sweep(
            "demo",
            trials=2,
            name="two",
            out=out,
            data=out,
            overrides=(*OVERRIDES, TWO),
            console=QUIET,
            **options,
        )
        resume_sweep("two", trials=4, out=out, console=QUIET)
    return out


@pytest.fixture
def folder(finished: Path) -> SweepFolder:
    return SweepFolder(finished / "two")


def test_its_records_agree_with_the_study_and_are_rebuilt_from_it(finished: Path, tmp_path: Path) -> None:
    out = shutil.copytree(finished, tmp_path / "out")
    folder = SweepFolder(out / "two")
    plan, _ = folder.read_plan()
    before = read_checked(folder, plan)
    assert before.is_whole, before.text()
    assert before.records.second_objective == "multiply-adds"
    shutil.rmtree(folder.records / "trials")
    with in_this_process():
        resume_sweep("two", out=out, console=QUIET)
    after = read_checked(folder, plan)
    assert after.is_whole, after.text()
    named = [(row.trial, row.value, row.multiply_adds) for row in before.records.trials]
    assert [(row.trial, row.value, row.multiply_adds) for row in after.records.trials] == named


def test_the_study_has_both_values_of_every_kept_network(folder: SweepFolder) -> None:
    plan, _ = folder.read_plan()
    study = SweepStudy(plan, open_storage(None, folder.journal_file, repair=False))
    rows = read_checked(folder, plan).records.trials
    values = [trial.values for trial in study._trials() if trial.values]
    assert values == [[row.accuracy, row.multiply_adds] for row in rows]
    # Every rung has the cost of its network, so that another driver's scheduler compares both.
    assert all(report.multiply_adds for report in study.rung_reports())


def test_status_states_the_winner_and_lists_the_front(autohier: Autohier, folder: SweepFolder) -> None:
    plan, _ = folder.read_plan()
    records = read_checked(folder, plan).records
    winner = records.ranked()[0]
    kept = f"{winner.trial}@{(records.kept_label(winner) or '').replace(' ', '-')}"
    shown = autohier("status", "two", "--out", folder.path.parent)
    text = " ".join(shown.out.split())
    assert (shown.code, shown.err) == (0, "")
    assert f"winner: {kept}, the most accurate by the estimates, with " in text
    assert "It alone is refit and tested." in text
    content = json.loads(autohier("status", "two", "--out", folder.path.parent, "--json").out)
    names = [each.name for each in sweep_front(records)]
    assert [each["name"] for each in content["front"]] == names
    assert all(name in text for name in names)
    costs = [each["multiply_adds"] for each in content["front"]]
    estimates = [each["estimate"] for each in content["front"]]
    assert (costs, estimates) == (sorted(costs), sorted(estimates))
    assert all(each["low"] <= each["estimate"] <= each["high"] for each in content["front"])


def test_tensorboard_shows_the_front_over_multiply_adds(folder: SweepFolder) -> None:
    plan, _ = folder.read_plan()
    front = sweep_front(read_checked(folder, plan).records)
    request = open_tensorboard(folder.tensorboard)
    points = request("scalars/scalars", run="front", tag="front/estimate")
    assert [step for _, step, _ in points] == [each.stage.multiply_adds for each in front]
    assert [value for *_, value in points] == pytest.approx([each.candidate.estimate for each in front])
    (table,) = request("text/text", run="front", tag="members")
    assert all(each.name in table["text"] for each in front)
    # It is no trial.
    groups = request("hparams/session_groups", {"experimentName": "", "colParams": [], "sliceSize": 9})
    assert "front" not in str(groups)


def test_a_member_of_the_front_is_selected_by_its_name(folder: SweepFolder) -> None:
    sweep = read_sweep(folder)
    for network in sweep_front(sweep.records):
        row = sweep.complete_trial(network.name)
        assert (row.trial, row.kept_pass) == (network.stage.trial, network.candidate.pass_index)
        assert (row.accuracy, row.multiply_adds) == (network.stage.accuracy, network.stage.multiply_adds)


def test_other_objectives_are_refused(folder: SweepFolder) -> None:
    stored, _ = folder.read_plan()
    one = make_plan(folder.path, space=load_space("demo", OVERRIDES), trials=4)
    asked = stored.model_copy(update={"space": one.space})
    with pytest.raises(InputError, match=r"search\.second_objective=None instead of multiply-adds"):
        require_same(stored, asked)


def test_a_sweep_of_one_objective_has_no_front_in_tensorboard(tmp_path: Path) -> None:
    with in_this_process():
        start_sweep(
            "demo", trials=1, name="one", out=tmp_path, data=tmp_path, overrides=OVERRIDES,
            parallel=1, scheduler="none", console=QUIET,
        )  # fmt: skip
    folder = SweepFolder(tmp_path / "one")
    plan, _ = folder.read_plan()
    assert read_checked(folder, plan).records.second_objective is None
    assert not (folder.tensorboard / "front").exists()
