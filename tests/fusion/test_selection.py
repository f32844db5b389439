"""Selection of finished trials by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autohier.config.search.loading import load_space
from autohier.errors import InputError
from autohier.fusion.fit import _without_copies
from autohier.fusion.selection import find_member, find_members
from autohier.records.trial_rows import complete_row, started_row
from autohier.records.writer import RecordWriter
from autohier.sweep.paths import SweepFolder
from support.fakes.fake_outcomes import MINUTE, PARAMS, START, fake_outcome
from support.sweep_runs.plans import make_plan, make_provenance

VARIANTS = [
    "search.variants.joint={}",
    "search.variants.bone.optimisation.learning_rate=2e-3",
    "search.variants.motion.optimisation.learning_rate=1e-3",
]
TRIALS = [("joint", (80, 90)), ("bone", (70, 60)), ("joint", (80, 95)), ("bone", (50, 72))]
"""Variant, and the number of correct clips after pass 2 and after the first pruning pass."""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A sweep of two variants, whose fourth trial was stopped."""
    folder = SweepFolder(tmp_path / "varied")
    space = load_space("demo", VARIANTS)
    plan = make_plan(tmp_path, space=space, clips_fingerprint="clips", choose="highest")
    folder.write_plan(plan, make_provenance())
    for number, (variant, num_right) in enumerate(TRIALS):
        params = PARAMS.model_copy(update={"variant": variant, "passes": 1})
        outcome = replace(fake_outcome(chain=num_right), config=space.config(params, seed=0))
        row = started_row(
            outcome.config,
            trial=f"t{number:04d}",
            number=number,
            trial_index=number,
            source="sampled",
            at=START,
        )
        row = complete_row(row, outcome, START + MINUTE)
        if number == 3:
            row = replace(row, state="PRUNED")
        RecordWriter(folder.records).write_ended(row, outcome.stages)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "trial"),
    [("varied", "t0002"), ("varied:t0000", "t0000"), ("varied:joint", "t0002"), ("varied:bone", "t0001")],
)
def test_a_sweep_or_variant_selects_its_best_complete_trial(out: Path, name: str, trial: str) -> None:
    member = find_member(name, out)
    assert member.trial == trial
    assert find_members(name, out, print) == [member]


def test_a_member_is_the_kept_pass(out: Path) -> None:
    assert find_member("varied:joint", out).kept_pass == 1
    assert find_member("varied:bone", out).kept_pass == 0


@pytest.mark.parametrize(
    ("name", "kept_pass", "accuracy"),
    [
        ("varied:t0002@pass-2", 0, 80 / 120),  # it keeps the pruned network
        ("varied:t0002@prune-1", 1, 95 / 120),
        ("varied:bone@prune-1", 1, 60 / 120),
        ("varied:t0003@prune-1", 1, 72 / 120),  # it was stopped later
    ],
)
def test_a_name_may_have_a_pass(out: Path, name: str, kept_pass: int, accuracy: float) -> None:
    member = find_member(name, out)
    assert (member.kept_pass, member.accuracy) == (kept_pass, accuracy)
    assert member.trial == (name[7:12] if "bone" not in name else "t0001")
    assert member.name == f"varied:{member.trial}@{name.partition('@')[2]}"
    assert find_members(name, out, print) == [member]


def test_the_passes_of_one_trial_are_different_members(out: Path) -> None:
    members = [find_member(f"varied:t0002@{name}", out) for name in ("pass-2", "prune-1")]
    assert _without_copies(members, "equal", print) == members
    with pytest.raises(InputError, match="fusion members must differ"):
        _without_copies([members[0], members[0]], "equal", print)


def test_each_selects_the_best_trial_of_every_variant_best_first(out: Path) -> None:
    lines: list[str] = []
    members = find_members("varied:each", out, lines.append)
    assert [member.trial for member in members] == ["t0002", "t0001"]
    assert lines == ["omitted from varied:each, no complete trial: motion"]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("varied:t0003", r"t0003, which is stopped: 'autohier status .*varied' lists its trials"),
        ("varied:t0009@prune-1", r"t0009: 'autohier status .*varied' lists its trials"),
        ("varied:c0009", r"c0009: 'autohier status .*varied' lists its trials"),
        ("varied:motion", r"motion: did you mean 'joint'\?"),
        ("varied:bome", r"bome: did you mean 'bone'\?"),
        ("varied:t0009", r"t0009: 'autohier status"),
    ],
)
def test_incomplete_trials_are_rejected(out: Path, name: str, error: str) -> None:
    with pytest.raises(InputError, match=rf"varied must be complete, but got {error}"):
        find_members(name, out, print)


def test_a_pass_that_the_trial_has_not_finished_is_rejected(out: Path) -> None:
    with pytest.raises(InputError, match=r"t0002 must have .*prune-7: name one of pass-2, prune-1"):
        find_member("varied:t0002@prune-7", out)


def test_a_sweep_without_complete_trials_is_rejected(tmp_path: Path) -> None:
    SweepFolder(tmp_path / "started").write_plan(make_plan(tmp_path), make_provenance())
    with pytest.raises(InputError, match=r"a trial of .*started must be complete, but got none"):
        find_members("started:each", tmp_path, print)
