"""Names that people give to finished trials."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autohier.errors import InputError
from autohier.records.rows import begun_row, complete_row
from autohier.records.writer import RecordWriter
from autohier.settings.loading import load_space
from autohier.sweep.folder import SweepFolder
from autohier.sweep.members import find_member, find_members
from fake_outcomes import CHOICE, MINUTE, START, fake_outcome
from plans import make_plan, make_provenance

VARIANTS = [
    "search.variants.joint={}",
    "search.variants.bone.optimisation.learning_rate=2e-3",
    "search.variants.motion.optimisation.learning_rate=1e-3",
]
TRIALS = [("joint", (80, 90)), ("bone", (70, 60)), ("joint", (80, 95)), ("bone", (50, 72))]
"""Variant, and the right clips of pass 2 and the first pruning pass."""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A sweep of two variants, the fourth trial of which was stopped."""
    folder = SweepFolder(tmp_path / "varied")
    space = load_space("demo", VARIANTS)
    plan = make_plan(tmp_path, space=space, clips_fingerprint="clips")
    folder.write_plan(plan, make_provenance())
    for number, (variant, num_right) in enumerate(TRIALS):
        choice = CHOICE.model_copy(update={"variant": variant, "passes": 1})
        outcome = replace(fake_outcome(chain=num_right), setting=space.setting(choice, seed=number))
        row = begun_row(
            outcome.setting, trial=f"t{number:04d}", number=number, ask=number, source="drawn", at=START
        )
        row = complete_row(row, outcome, START + MINUTE)
        if number == 3:
            row = replace(row, state="PRUNED")
        RecordWriter(folder.records).trial_ended(row, outcome.stages)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "trial"),
    [("varied", "t0002"), ("varied:t0000", "t0000"), ("varied:joint", "t0002"), ("varied:bone", "t0001")],
)
def test_a_sweep_and_a_variant_stand_for_their_best_finished_trial(out: Path, name: str, trial: str) -> None:
    member = find_member(name, out)
    assert member.trial == trial
    assert find_members(name, out, print) == [member]


def test_a_member_is_the_pass_that_was_kept(out: Path) -> None:
    assert find_member("varied:joint", out).kept_pass == 1
    assert find_member("varied:bone", out).kept_pass == 0


def test_each_variant_gives_its_best_trial_the_best_of_them_first(out: Path) -> None:
    said: list[str] = []
    found = find_members("varied:each", out, said.append)
    assert [member.trial for member in found] == ["t0002", "t0001"]
    assert said == ["left out of varied:each, as none of its trials is complete: motion"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("varied:t0003", r"t0003, which is pruned: 'autohier status .*varied' lists its trials"),
        ("varied:motion", r"motion: did you mean 'joint'\?"),
        ("varied:bome", r"bome: did you mean 'bone'\?"),
        ("varied:t0009", r"t0009: 'autohier status"),
    ],
)
def test_what_is_not_complete_is_refused(out: Path, name: str, told: str) -> None:
    with pytest.raises(InputError, match=rf"varied must be complete, but got {told}"):
        find_members(name, out, print)


def test_a_sweep_without_finished_trials_has_none_to_fuse(tmp_path: Path) -> None:
    SweepFolder(tmp_path / "begun").write_plan(make_plan(tmp_path), make_provenance())
    with pytest.raises(InputError, match=r"a trial of .*begun must be complete, but got none"):
        find_members("begun:each", tmp_path, print)
