"""A sweep of joint learning, from its bases to its test results; killed, resumed and rebuilt."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from autohier.records.reader import read_records
from support.sweep_runs.sweeps import Sweeps, finish
from support.sweep_runs.untimed_records import untimed_rows

SETTINGS = (
    *("recipe=joint", "hierarchy=given", "initial=[]", "clips.test_sets=1", "pass_2.heads=last"),
    "recognizer={name='three-pathway', width=0.125, event_frames=1, set_frames=2, element_frames=2}",
    *("search.settings.recognizer.joint_width=[4,6]", "optimisation.batch_size=36", "search.max_passes=0"),
)
JOINT = ("--trials", "2", "--parallel", "1", *(word for each in SETTINGS for word in ("--set", each)))
BASES = ("element-base", "set-base", "event-base")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, sweeps_in):
    """An undisturbed sweep: its folder and its output."""
    sweeps = sweeps_in(tmp_path_factory.mktemp("undisturbed"))
    out = finish(sweeps.search("joint", *JOINT))
    return sweeps.folder / "sweeps" / "joint", out


def test_trials_share_bases_and_the_best_is_refit_and_tested(undisturbed: tuple[Path, str]) -> None:
    folder, out = undisturbed
    records = read_records(folder / "records")
    best = records.ranked()[0].trial
    assert [row.stage for row in records.tests_of(best)] == [
        *("element base", "joint", "element base, refit", "joint, refit"),
    ]
    first, second = (records.stages_of(row.trial) for row in records.trials)
    assert [row.kind for row in first] == [*BASES, "joint"]
    assert [row.reused for row in first[:3]] == [False] * 3
    assert [(row.key, row.reused) for row in second[:3]] == [(row.key, True) for row in first[:3]]
    assert "validation accuracy: element base" in out
    assert "-> joint" in out


def test_a_killed_sweep_ends_in_the_same_records(undisturbed: tuple[Path, str], sweeps: Sweeps) -> None:
    driver = sweeps.search("joint", *JOINT)
    stages = sweeps.folder / "sweeps" / "stages"
    sweeps.stop_when(driver, signal.SIGKILL, lambda: any((stages / "set-base").glob("*/stage.json")))
    finish(sweeps.start("resume", "joint"))
    assert untimed_rows(sweeps.folder / "sweeps" / "joint") == untimed_rows(undisturbed[0])


def test_lost_records_are_rebuilt_from_all_stages(undisturbed: tuple[Path, str], sweeps: Sweeps) -> None:
    folder = sweeps.folder / "sweeps"
    shutil.copytree(undisturbed[0].parent, folder, dirs_exist_ok=True)
    shutil.rmtree(folder / "joint" / "records")
    finish(sweeps.start("resume", "joint"))
    rebuilt, own = (read_records(each / "records") for each in (folder / "joint", undisturbed[0]))
    assert [(row.trial, row.key, row.parent_keys) for row in rebuilt.stages] == [
        (row.trial, row.key, row.parent_keys) for row in own.stages
    ]
    assert [row.accuracy for row in rebuilt.ranked()] == [row.accuracy for row in own.ranked()]
