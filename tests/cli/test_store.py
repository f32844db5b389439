"""``autohier store`` and ``autohier store collect``: what they say of a store, and what is left of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autohier.core.stages.inventory import list_store
from command_line import Autohier
from fake_outcomes import fake_stage
from fake_stages import INPUTS
from stage_stores import DAY, LONG_AGO, leave, make_sweep, outcome_of, publish


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Two sweeps that share pass 1, a stage that nobody used, and one of everything else."""
    best, other = outcome_of(90, 96), outcome_of(78)
    make_sweep(tmp_path, "mhad", best, other, other, other, other)
    make_sweep(tmp_path, "again", best)
    publish(tmp_path, best.stages, LONG_AGO + 3 * DAY)
    publish(tmp_path, other.chain, LONG_AGO + 2 * DAY)
    (damaged,) = publish(tmp_path, [fake_stage("pass-2", 0, 30)], LONG_AGO + DAY)
    (damaged / "stage.json").write_text("{}")
    leave(damaged / "stage.json", LONG_AGO + DAY)
    refit = INPUTS["pass-1"].basis.model_copy(update={"all_training_clips": True})
    publish(
        tmp_path,
        [fake_stage("pass-1", 0, 120)],
        LONG_AGO,
        INPUTS["pass-1"].model_copy(update={"basis": refit, "epochs": 7}),
    )
    leave(tmp_path / "stages" / "partial" / "prune-abc", LONG_AGO, 2_000_000)
    leave(tmp_path / "stages" / "quarantine" / "prune-abd-01234567", LONG_AGO, 3_500_000)
    return tmp_path


def rows(text: str) -> list[list[str]]:
    """The cells of a table's rows: two or more blanks, or the rule's, part them."""
    lines = text.splitlines()
    return [re.split(r"\s{2,}", line.strip()) for line in lines if re.search(r"\d{4}-\d\d-\d\d", line)]


def test_it_lists_what_every_stage_is_cost_and_is_used_by(autohier: Autohier, out: Path) -> None:
    ended = autohier("store", "--out", out)
    assert (ended.code, ended.err) == (0, "")
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    told = [re.sub(r"[0-9a-f]{12}|[\d.]+ kB", "~", line) for line in lines]
    everyone = "again: t0000; mhad: t0000, t0001, t0002 and 2 more"
    # 72, 90, 96 and 78 of 120 clips; superclasses are k % 2 and k % 4.
    assert told[0] == "stage key superclasses accuracy size seconds epochs last used (UTC) used by"
    assert sorted(told[2:5]) == [
        f"pass 1 ~ 60.0% ~ 3 2 2026-01-04 00:00 {everyone}",
        "pass 2 ~ 2/4 75.0% ~ 3 2 2026-01-04 00:00 again: t0000; mhad: t0000",
        "prune 1 ~ 2/4 80.0% ~ 3 1 2026-01-04 00:00 again: t0000; mhad: t0000",
    ]
    assert told[5:8] == [
        "pass 2 ~ 2/4 65.0% ~ 3 2 2026-01-03 00:00 mhad: t0001, t0002, t0003 and 1 more",
        "pass-2, damaged ~ ~ 2026-01-02 00:00",
        "pass 1, refit ~ ~ 3 7 2026-01-01 00:00",
    ]
    # Five stages that can be read took 3 seconds each; 2 + 2 + 1 + 2 + 7 epochs.
    assert told[-4:] == [
        "finished: 6, ~; they took 15 seconds and 14 epochs",
        "partial: 1, 2.00 MB",
        "quarantine: 1, 3.50 MB",
        told[-1],
    ]
    total = sum(stage.num_bytes for stage in list_store(out / "stages"))
    assert lines[-1] == f"in all: {total / 1e6:.2f} MB"


def test_an_empty_store_is_listed(autohier: Autohier, tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    ended = autohier("store", "--out", tmp_path)
    assert ended.code == 0
    assert "finished: 0, 0.0 kB; they took 0 seconds and 0 epochs" in ended.out
    assert ended.out.splitlines()[-1] == "in all: 0.0 kB"


def test_collecting_tells_what_went_and_frees_it(autohier: Autohier, out: Path) -> None:
    total = sum(stage.num_bytes for stage in list_store(out / "stages"))
    # Less than the quarantine is too much: it goes, and no more.
    ended = autohier("store", "collect", "--keep-gb", (total - 3_400_000) / 1e9, "--out", out)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == "removed quarantine prune abd: 3.50 MB, last used 2026-01-01 00:00 UTC"
    assert lines[1] == "removed 1 of 8, which frees 3.50 MB"
    assert re.fullmatch(r"needed \(best trials of mhad\): 1, [\d.]+ kB", lines[2])
    assert re.fullmatch(r"needed \(best trials of again\): 3, [\d.]+ kB", lines[3])
    assert lines[4] == (
        f"the store holds {(total - 3_500_000) / 1e6:.2f} MB, "
        f"at most {(total - 3_400_000) / 1e6:.2f} MB were asked for"
    )
    assert sum(stage.num_bytes for stage in list_store(out / "stages")) == total - 3_500_000


@pytest.mark.parametrize("before", [True, False])
def test_a_dry_run_removes_nothing_wherever_out_is_named(autohier: Autohier, out: Path, before: bool) -> None:
    listed = list_store(out / "stages")
    place = ("--out", out)
    ended = autohier("store", *place * before, "collect", "--keep-gb", 0, "--dry-run", *place * (not before))
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert [line.split()[:4] for line in lines[:4]] == [
        ["would", "remove", "quarantine", "prune"],
        ["would", "remove", "partial", "prune"],
        ["would", "remove", "finished", "pass"],
        ["would", "remove", "finished", "pass-2,"],
    ]
    assert lines[4].startswith("would remove 4 of 8, which frees 5.5")
    assert "the store would hold" in lines[-1]
    assert list_store(out / "stages") == listed


def test_a_limit_below_what_is_needed_is_told(autohier: Autohier, out: Path) -> None:
    ended = autohier("store", "collect", "--keep-gb", 0, "--out", out)
    assert ended.code == 0
    needed = sum(stage.num_bytes for stage in list_store(out / "stages"))
    assert ended.out.splitlines()[-1] == (
        f"the store holds {needed / 1000:.1f} kB: it cannot be brought to 0.0 kB, as what is left is needed"
    )
    assert len(list_store(out / "stages")) == 4


def test_a_store_that_is_small_enough_is_left_alone(autohier: Autohier, out: Path) -> None:
    listed = list_store(out / "stages")
    ended = autohier("store", "collect", "--keep-gb", "inf", "--out", out)
    assert ended.out.splitlines()[0] == "removed 0 of 8, which frees 0.0 kB"
    assert list_store(out / "stages") == listed


@pytest.mark.parametrize("arguments", [("store",), ("store", "collect", "--keep-gb", 1)])
def test_a_folder_without_a_store_is_one_line(
    autohier: Autohier, tmp_path: Path, arguments: tuple[object, ...]
) -> None:
    ended = autohier(*arguments, "--out", tmp_path)
    assert ended.error == (
        f"a stage store must exist, but got {tmp_path / 'stages'}: say with --out where sweeps and stages lie"
    )


@pytest.mark.parametrize("arguments", [(), ("--keep-gb", -1), ("--keep-gb", "nan"), ("--keep-gb", "much")])
def test_collecting_needs_a_limit(autohier: Autohier, out: Path, arguments: tuple[object, ...]) -> None:
    ended = autohier("store", "--out", out, "collect", *arguments)
    assert ended.code == 2
    assert "--keep-gb" in ended.err
    assert len(list_store(out / "stages")) == 8
