"""``autohier compare``: leading configs, their differences, and pairing over the same validation clips."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from autohier.config.search.loading import load_space
from autohier.config.sweep import SweepPlan
from autohier.records.reader import Records
from autohier.records.trial_rows import complete_row
from autohier.records.writer import RecordWriter
from autohier.reports.sweeps.comparison import (
    ComparedSweep,
    comparison_report,
    config_differences,
    sweep_differences,
)
from autohier.sweep.choice.confirmation import kept_params
from autohier.sweep.paths import SweepFolder
from support.command_line import Autohier
from support.fakes.fake_outcomes import MINUTE, PARAMS, START, fake_outcome, fake_row
from support.sweep_runs.plans import make_plan, make_provenance

CLEAN = load_space("demo", ["protocol.validation=clean"])


def compared(
    folder: Path,
    name: str,
    num_right: int,
    *,
    weight_ratio: float = 0.5,
    clips: str = "c",
    seeds: tuple[int, ...] = (11, 12),
) -> ComparedSweep:
    """Return a sweep of one trial that was confirmed with some of 100 clips right."""
    params = PARAMS.model_copy(update={"weight_ratio": weight_ratio})
    best = complete_row(fake_row("t0000", params), fake_outcome(72, (60, 66)), START + MINUTE)
    rows = []
    for seed in seeds:
        row = complete_row(
            fake_row("c0", kept_params(best), seed=seed), fake_outcome(72, (60,)), START + MINUTE
        )
        bits = "1" * num_right + "0" * (100 - num_right)
        row = replace(row, number=None, role="nominee", confirms="t0000", accuracy=num_right / 100)
        rows.append(replace(row, trial=f"c{seed}", right_clips=bits))
    plan = make_plan(folder, name=name, clips_fingerprint=clips, space=CLEAN)
    return ComparedSweep(plan, Records(trials=(best, *rows), confirmed="t0000", run_sd=0.001))


def test_confirmed_configs_are_paired_clip_by_clip(tmp_path: Path) -> None:
    (row,) = sweep_differences([compared(tmp_path, "a", 60), compared(tmp_path, "b", 80)])
    # 20 of 100 clips change: standard error sqrt(.16 / 99) = .0402, half width 7.9 points.
    assert (row.sweep, row.reference, row.paired, row.num_clips, row.num_seeds) == ("b", "a", True, 100, 2)
    assert row.difference == pytest.approx(0.2)
    assert row.low == pytest.approx(0.2 - 0.0789, abs=0.001)


@pytest.mark.parametrize(
    ("other", "note"),
    [({"clips": "d"}, "other prepared clips"), ({"seeds": ()}, "b not confirmed with fresh seeds")],
)
def test_other_configs_are_compared_by_their_intervals(
    tmp_path: Path, other: dict[str, Any], note: str
) -> None:
    (row,) = sweep_differences([compared(tmp_path, "a", 60), compared(tmp_path, "b", 80, **other)])
    # Both measured 66 of 120 clips in the search; Wilson's interval of 0.55.
    assert (row.paired, row.num_clips, row.difference) == (False, None, 0.0)
    assert note in row.note
    z2_n = 1.959964**2 / 120
    centre, half = 0.55 + z2_n / 2, math.sqrt(z2_n * (0.55 * 0.45 + z2_n / 4))
    low, high = (centre - half) / (1 + z2_n), (centre + half) / (1 + z2_n)
    assert row.high == pytest.approx(math.hypot(high - 0.55, 0.55 - low), abs=1e-6)


def test_runs_with_other_seeds_are_paired_on_their_clips_unless_the_seed_samples_them(tmp_path: Path) -> None:
    a, b = compared(tmp_path, "a", 60), compared(tmp_path, "b", 80, seeds=(21,))
    (row,) = sweep_differences([a, b])
    assert (row.paired, row.num_seeds) == (True, 1)
    paper = load_space("demo", ["protocol.validation=paper"])
    plans = (each.plan.model_copy(update={"space": paper}) for each in (a, b))
    (row,) = sweep_differences([replace(each, plan=plan) for each, plan in zip((a, b), plans, strict=True)])
    assert row.note == "no fresh seed in common"


def test_sweeps_that_ask_different_questions_get_no_verdict(tmp_path: Path) -> None:
    a, b = compared(tmp_path, "a", 60), compared(tmp_path, "b", 80)
    for change, is_comparable in (
        ("search.objective=mean-class", False),
        ("protocol.name=cross-view", False),
        ("protocol.drop_duplicates=true", True),
        ("protocol.num_folds=3", True),
    ):
        (row,) = sweep_differences([a, replace(b, plan=plan_of(b, change))])
        assert (row.comparable, row.paired) == (is_comparable, is_comparable)
    console = Console(width=200)
    with console.capture() as capture:
        console.print(comparison_report([a, replace(b, plan=plan_of(b, "protocol.name=cross-view"))]))
    assert "differ in their dataset, protocol, validation or objective): no verdict" in capture.get()


def plan_of(sweep: ComparedSweep, change: str) -> SweepPlan:
    space = load_space("demo", ["protocol.validation=clean", change])
    return sweep.plan.model_copy(update={"space": space})


def test_differing_settings_are_named(tmp_path: Path) -> None:
    a, b = compared(tmp_path, "a", 60), compared(tmp_path, "b", 80, weight_ratio=0.25)
    wider = load_space("demo", ["protocol.validation=clean", "pass_2.epochs=9"])
    b = replace(b, plan=b.plan.model_copy(update={"space": wider, "trials": 7}))
    assert {row.setting: row.values for row in config_differences([a, b])} == {
        "params.weight_ratio": ("0.5", "0.25"),
        "pass_2.epochs": ("8", "9"),
        "sweep.trials": ("6", "7"),
    }


def test_the_command_prints_tables_or_json(autohier: Autohier, tmp_path: Path) -> None:
    for name, chain in (("one", (60, 66)), ("two", (90,))):
        folder = SweepFolder(tmp_path / name)
        folder.write_plan(make_plan(tmp_path, name=name, study_name=name, trials=1), make_provenance())
        outcome = fake_outcome(72, chain)
        RecordWriter(folder.records).write_ended(
            complete_row(fake_row(), outcome, START + MINUTE), outcome.stages
        )
    shown = autohier("compare", "one", "two", "--out", tmp_path)
    assert (shown.code, shown.err) == (0, "")
    assert "two against one: " in shown.out
    assert "not paired" in shown.out
    assert "test" not in shown.out.replace("latest", "")
    content = json.loads(autohier("compare", "one", "two", "--out", tmp_path, "--json").out)
    assert [each["accuracy"] for each in content["sweeps"]] == [66 / 120, 90 / 120]
    assert "at least two" in autohier("compare", "one", "--out", tmp_path).error
    SweepFolder(tmp_path / "new").write_plan(make_plan(tmp_path, name="new"), make_provenance())
    assert "new without one" in autohier("compare", "one", "new", "--out", tmp_path).error
