"""``autohier figures``: files for a paper, of a sweep or of one trial."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autohier.config.sweep import SweepPlan
from autohier.sweep.paths import SweepFolder
from support.command_line import Autohier
from support.sweep_runs.finished_sweeps import finish_sweep
from support.sweep_runs.measured_sweeps import write_sweep
from support.sweep_runs.plans import make_plan, make_provenance

OF_A_TRIAL = ["superclasses", "superclasses-level1", "superclasses-level2", "confusion"]


@pytest.fixture
def finished(tmp_path: Path) -> SweepFolder:
    return write_sweep(tmp_path, (90, 96), (60, 66))


def test_a_sweep_has_all_figures(autohier: Autohier, finished: SweepFolder, tmp_path: Path) -> None:
    ended = autohier("figures", "done", "--sweeps", tmp_path, "--formats", "svg")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    names = [*OF_A_TRIAL, "pruning", "history", "parallel", "front"]
    assert lines[:-1] == [str(finished.path / "figures" / f"{name}.svg") for name in names]
    assert lines[-1].startswith(
        "skipped importances: importances need at least 20 complete or stopped trials"
    )
    assert all(Path(line).stat().st_size > 1000 for line in lines[:-1])


@pytest.mark.usefixtures("finished")
def test_a_trial_has_those_of_its_classes_as_pdf_and_svg(autohier: Autohier, tmp_path: Path) -> None:
    out = tmp_path / "paper"
    arguments = ("--sweeps", tmp_path, "--out", out)
    ended = autohier("figures", "done:t0001@pass-2", *arguments)
    files = [str(out / f"{name}.{ending}") for name in OF_A_TRIAL for ending in ("pdf", "svg")]
    assert ended.out.splitlines() == files
    kept = (out / "confusion.svg").read_bytes()
    assert autohier("figures", "done:t0000", *arguments).code == 0
    assert (out / "confusion.svg").read_bytes() != kept


def test_gradients_are_a_figure_and_arrays(autohier: Autohier, tiny_data: Path, tmp_path: Path) -> None:
    finish_sweep(tmp_path, "trained", tiny_data)
    arguments = ("--sweeps", tmp_path, "--out", tmp_path / "paper", "--formats", "svg", "--gradients", 4)
    ended = autohier("figures", "trained:t0000", *arguments)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-2:] == [
        str(tmp_path / "paper" / f"gradients.{ending}") for ending in ("svg", "npz")
    ]
    assert int(np.load(tmp_path / "paper" / "gradients.npz")["num_clips"]) == 4


def test_a_sweep_without_complete_trials_says_what_is_missing(autohier: Autohier, tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "new")
    plan: SweepPlan = make_plan(tmp_path, name="new")
    folder.write_plan(plan, make_provenance())
    ended = autohier("figures", "new", "--sweeps", tmp_path)
    assert ended.code == 0
    assert ended.out.splitlines()[:2] == [
        "skipped superclasses: no trial is complete",
        "skipped confusion: no trial is complete",
    ]
    assert not (folder.path / "figures").exists()


def test_faults_of_options_are_one_line(autohier: Autohier, finished: SweepFolder, tmp_path: Path) -> None:
    base = ("figures", "done", "--sweeps", tmp_path)
    assert "--formats takes pdf, svg, png" in autohier(*base, "--formats", "eps").error
    file = finished.path / "driver.log"
    file.touch()
    assert "--out must name a folder, not a file" in autohier(*base, "--out", file).error
    assert "must be complete" in autohier("figures", "done:t0009", "--sweeps", tmp_path).error
