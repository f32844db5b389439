"""The flat baseline on uncropped frames, found among the sweeps in a folder."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytest

from autohier.config.search.loading import load_space
from autohier.config.sweep import DataOrigin
from autohier.reports.trials.ablation import ablation, ablation_latex, ablation_note
from autohier.reports.trials.uncropped import Uncropped, find_uncropped
from autohier.sweep.choice.winner import read_chosen
from autohier.sweep.paths import SweepFolder
from support.command_line import Autohier
from support.sweep_runs.recorded_sweeps import open_recorded_sweep

OPTIONS = (
    '{"version": 5, "dataset": "demo", "modality": "rgb", "size_px": 64, "max_frames": 40, '
    '"jpeg_quality": 90, "cropped": %s, "without_skeleton": "reject", "joint_shape": [15, 2]}'
)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    for name, is_cropped in (("cropped", "true"), ("whole", "false")):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "options.json").write_text(OPTIONS % is_cropped)
    return tmp_path


def record(out: Path, name: str, store: str, *chain: int, overrides: tuple[str, ...] = ()) -> SweepFolder:
    """Record a sweep of one trial, whose clips are in a store."""
    recorded = open_recorded_sweep(out / "made" / name, *overrides)
    recorded.complete(*chain)
    plan, provenance = recorded.folder.read_plan()
    origin = DataOrigin(store=str(out / "data" / store), fingerprint="0")
    recorded.folder.write_plan(plan, provenance.model_copy(update={"data": origin}))
    shutil.move(recorded.folder.path, out / name)
    return SweepFolder(out / name)


def find(folder: SweepFolder) -> Uncropped | None:
    return find_uncropped(folder, read_chosen(folder, folder.read_plan()[0]))


def test_the_pass_1_of_a_sweep_of_uncropped_clips_is_the_first_row(out: Path) -> None:
    folder = record(out, "mine", "cropped", 90, 96)
    record(out, "whole", "whole", 30)
    records = read_chosen(folder, folder.read_plan()[0])
    rows = ablation(records, find(folder))
    shown = [(row.step, row.trial, row.difference is None) for row in rows[:3]]
    assert shown == [
        ("baseline without cropping", "whole:t0000", False),
        ("baseline", "t0000", False),
        ("hierarchy", "t0000", True),
    ]
    assert "whole:t0000 trained the same pass 1 on frames that are not cropped" in ablation_note(
        rows, records
    )
    assert "configs of their own" not in ablation_note(rows, records)
    assert (
        ablation_latex(records, find(folder)).count(r"\midrule") == 2
    )  # below the heading and the hierarchy


@pytest.mark.parametrize(
    ("store", "overrides"),
    [("cropped", ()), ("gone", ()), ("whole", ("pass_1.epochs=2",)), ("whole", ("recognizer.width=0.25",))],
)
def test_other_sweeps_are_no_baseline(out: Path, store: str, overrides: tuple[str, ...]) -> None:
    folder = record(out, "mine", "cropped", 90)
    record(out, "other", store, 30, overrides=overrides)
    (out / "damaged").mkdir()
    (out / "damaged" / "sweep.json").write_text("{")
    assert find(folder) is None


def test_settings_of_later_stages_may_differ(out: Path) -> None:
    folder = record(out, "mine", "cropped", 90)
    record(out, "other", "whole", 30, overrides=("pass_2.epochs=2", "pruning.epochs=1"))
    found = find(folder)
    assert found is not None
    assert (found.sweep, found.trial.trial) == ("other", "t0000")


def test_a_sweep_of_uncropped_clips_has_no_row_of_its_own(out: Path) -> None:
    folder = record(out, "mine", "whole", 90)
    record(out, "other", "whole", 30)
    assert find(folder) is None


def test_cropping_changes_no_skeletons(out: Path) -> None:
    skeletons = load_space("utd_mhad_skeleton")
    for name, store in (("mine", "cropped"), ("other", "whole")):
        folder = record(out, name, store, 90)
        plan, provenance = folder.read_plan()
        changes = {"clips": skeletons.clips, "recognizer": skeletons.recognizer}
        space = plan.space.model_copy(update=changes)
        folder.write_plan(plan.model_copy(update={"space": space}), provenance)
    assert find(SweepFolder(out / "mine")) is None


def test_the_command_prints_the_row(autohier: Autohier, out: Path) -> None:
    record(out, "mine", "cropped", 90, 96)
    record(out, "whole", "whole", 30)
    text = autohier("ablation", "mine", "--out", out, "--csv").out
    first = next(csv.DictReader(io.StringIO(text)))
    # Pass 1 of recorded sweeps gets 72 of 120 clips right.
    assert (first["group"], first["trial"], first["accuracy"]) == (
        "baseline without cropping",
        "whole:t0000",
        "0.6",
    )
