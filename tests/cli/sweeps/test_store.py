"""``autohier store`` and ``autohier store collect``: their output, and the remaining stages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from autohier.core.stages.store.listing import list_store
from support.command_line import Autohier
from support.fakes.fake_outcomes import fake_inputs, fake_stage
from support.stages.stage_stores import DAY, LONG_AGO, leave, make_sweep, outcome_of, publish


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Two sweeps that share pass 1, and unused, damaged, refit, partial and quarantined stages."""
    best, other = outcome_of(90, 96), outcome_of(78)
    make_sweep(tmp_path, "mhad", best, other, other, other, other)
    make_sweep(tmp_path, "again", best)
    publish(tmp_path, best.stages, LONG_AGO + 3 * DAY)
    publish(tmp_path, other.chain, LONG_AGO + 2 * DAY)
    (damaged,) = publish(tmp_path, [fake_stage("pass-2", 0, 30)], LONG_AGO + DAY)
    (damaged / "stage.json").write_text("{}")
    leave(damaged / "stage.json", LONG_AGO + DAY)
    stage = fake_stage("pass-1", 0, 120)
    inputs = fake_inputs(stage)
    refit = inputs.base.model_copy(update={"all_training_clips": True})
    publish(tmp_path, [stage], LONG_AGO, inputs.model_copy(update={"base": refit, "epochs": 7}))
    leave(tmp_path / "stages" / "partial" / "prune-abc", LONG_AGO, 2_000_000)
    leave(tmp_path / "stages" / "quarantine" / "prune-abd-01234567", LONG_AGO, 3_500_000)
    return tmp_path


def rows(text: str) -> list[list[str]]:
    """Return the cells of a table's rows, which two or more spaces separate."""
    lines = text.splitlines()
    return [re.split(r"\s{2,}", line.strip()) for line in lines if re.search(r"\d{4}-\d\d-\d\d", line)]


def test_it_lists_the_cost_and_the_users_of_every_stage(autohier: Autohier, out: Path) -> None:
    ended = autohier("store", "--out", out)
    assert (ended.code, ended.err) == (0, "")
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    lines_without_sizes = [re.sub(r"[0-9a-f]{12}|[\d.]+ kB", "~", line) for line in lines]
    all_trials = "again: t0000; mhad: t0000, t0001, t0002 and 2 more"
    # 72, 90, 96 and 78 of 120 clips are correct; superclasses are k % 2 and k % 4.
    first = lines_without_sizes.index("validation")
    assert lines_without_sizes[first : first + 2] == [
        "validation",
        "stage key superclasses accuracy size seconds epochs last used (UTC) used by",
    ]
    assert sorted(lines_without_sizes[first + 3 : first + 6]) == [
        f"pass 1 ~ 60.0% ~ 3 2 2026-01-04 00:00 {all_trials}",
        "pass 2 ~ 2/4 75.0% ~ 3 2 2026-01-04 00:00 again: t0000; mhad: t0000",
        "prune 1 ~ 2/4 80.0% ~ 3 1 2026-01-04 00:00 again: t0000; mhad: t0000",
    ]
    assert lines_without_sizes[first + 6 : first + 9] == [
        "pass 2 ~ 2/4 65.0% ~ 3 2 2026-01-03 00:00 mhad: t0001, t0002, t0003 and 1 more",
        "pass-2, damaged ~ ~ 2026-01-02 00:00",
        "pass 1, refit ~ ~ 3 7 2026-01-01 00:00",
    ]
    # Five readable stages took 3 seconds each; 2 + 2 + 1 + 2 + 7 epochs.
    assert lines_without_sizes[:3] == [
        "finished: 6 stages, ~; computed in 15 s, 14 epochs",
        "unfinished: 1 stage, 2.00 MB",
        "quarantined: 1 stage, 3.50 MB",
    ]
    total = sum(stage.num_bytes for stage in list_store(out / "stages"))
    assert lines[3] == f"total: 8 stages, {total / 1e6:.2f} MB"


def test_entries_as_json_and_csv(autohier: Autohier, out: Path) -> None:
    stages = json.loads(autohier("store", "--out", out, "--json").out)["stages"]
    assert len(stages) == 8
    (prune,) = [stage for stage in stages if stage["stage"] == "prune 1"]
    assert (prune["place"], prune["accuracy"], prune["seconds"], prune["epochs"]) == ("finished", 0.8, 3.0, 1)
    assert prune["used_by"] == ["again:t0000", "mhad:t0000"]
    (refit,) = [stage for stage in stages if stage["refit"]]
    assert refit["accuracy"] is None
    rows = autohier("store", "--out", out, "--csv", "--limit", 2).out.splitlines()
    assert rows[0].startswith("stage,key,place,")
    assert len(rows) == 3


def test_an_empty_store_is_listed(autohier: Autohier, tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    ended = autohier("store", "--out", tmp_path)
    assert ended.code == 0
    assert "finished: 0 stages, 0.0 kB; computed in 0 s, 0 epochs" in ended.out
    assert ended.out.splitlines()[3] == "total: 0 stages, 0.0 kB"


def test_collecting_removes_stages_and_lists_them(autohier: Autohier, out: Path) -> None:
    total = sum(stage.num_bytes for stage in list_store(out / "stages"))
    # The excess is less than the size of the quarantined stage, so that only this one is removed.
    ended = autohier("store", "collect", "--keep-gb", (total - 3_400_000) / 1e9, "--out", out)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == "removed quarantine prune abd: 3.50 MB, last used 2026-01-01 00:00 UTC"
    assert lines[1] == "removed 1 of 8 stages, which frees 3.50 MB"
    assert re.fullmatch(r"protected \(best trials of mhad\): 1 stage, [\d.]+ kB", lines[2])
    assert re.fullmatch(r"protected \(best trials of again\): 3 stages, [\d.]+ kB", lines[3])
    assert lines[4] == (
        f"the store holds {(total - 3_500_000) / 1e6:.2f} MB of at most {(total - 3_400_000) / 1e6:.2f} MB"
    )
    assert sum(stage.num_bytes for stage in list_store(out / "stages")) == total - 3_500_000


@pytest.mark.parametrize("before", [True, False])
def test_a_dry_run_removes_nothing_and_out_may_come_first(
    autohier: Autohier, out: Path, before: bool
) -> None:
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
    assert lines[4].startswith("would remove 4 of 8 stages, which frees 5.5")
    assert "the store would hold" in lines[-1]
    assert list_store(out / "stages") == listed


def test_a_limit_below_the_protected_stages_is_not_reached(autohier: Autohier, out: Path) -> None:
    ended = autohier("store", "collect", "--keep-gb", 0, "--out", out)
    assert ended.code == 0
    needed = sum(stage.num_bytes for stage in list_store(out / "stages"))
    assert ended.out.splitlines()[-1] == (
        f"the store holds {needed / 1000:.1f} kB, more than 0.0 kB: all remaining stages are protected"
    )
    assert len(list_store(out / "stages")) == 4


def test_a_small_store_is_unchanged(autohier: Autohier, out: Path) -> None:
    listed = list_store(out / "stages")
    ended = autohier("store", "collect", "--keep-gb", "inf", "--out", out)
    assert ended.out.splitlines()[0] == "removed 0 of 8 stages, which frees 0.0 kB"
    assert list_store(out / "stages") == listed


@pytest.mark.parametrize("arguments", [("store",), ("store", "collect", "--keep-gb", 1)])
def test_a_folder_without_a_store_is_one_line(
    autohier: Autohier, tmp_path: Path, arguments: tuple[object, ...]
) -> None:
    ended = autohier(*arguments, "--out", tmp_path)
    assert ended.error == (
        f"a stage store must exist, but got {tmp_path / 'stages'}: "
        "name the folder of sweeps and stages with --out"
    )


@pytest.mark.parametrize("arguments", [(), ("--keep-gb", -1), ("--keep-gb", "nan"), ("--keep-gb", "much")])
def test_collecting_needs_a_limit(autohier: Autohier, out: Path, arguments: tuple[object, ...]) -> None:
    ended = autohier("store", "--out", out, "collect", *arguments)
    assert ended.code == 2
    assert "--keep-gb" in ended.err
    assert len(list_store(out / "stages")) == 8


def test_a_limit_shows_the_stages_used_last(autohier: Autohier, out: Path) -> None:
    whole, limited = (autohier("store", "--out", out, *limit).out for limit in ((), ("--limit", 2)))
    assert len(rows(limited)) == 2
    assert rows(limited) == rows(whole)[:2]
    assert "2 of 6 stages shown, most recently used first" in limited
    assert limited.splitlines()[:4] == whole.splitlines()[:4]


def test_stages_are_copied_to_object_storage(autohier: Autohier, out: Path, tmp_path: Path) -> None:
    url, stages = f"file://{tmp_path}/remote", out / "stages"
    ended = autohier("store", "--out", out, "remote")
    assert (ended.code, ended.out) == (0, f"stages of {stages} are copied nowhere\n")
    num_finished = sum(stage.place == "finished" for stage in list_store(stages))
    ended = autohier("store", "--out", out, "remote", url)
    # The stage with the damaged description cannot be copied.
    num_copied = num_finished - 1
    copied = f"copied {num_copied} stages of {stages} to {url}; 1 could not be copied\n"
    assert (ended.code, ended.out) == (0, copied)
    assert len(list((tmp_path / "remote").rglob("stage.json"))) == num_copied
    assert autohier("store", "remote", "--out", out).out == f"stages of {stages} are copied to {url}\n"
    ended = autohier("store", "remote", "file:///elsewhere", "--out", out)
    assert ended.code == 2
    assert f"but they are in {url}: see 'autohier store remote'" in " ".join(ended.err.split())
    assert autohier("store", "remote", url, "--none", "--out", out).code == 2
    ended = autohier("store", "remote", "--none", "--out", out)
    assert (ended.code, ended.out) == (0, f"stages of {stages} are copied nowhere\n")
