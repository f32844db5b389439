"""The example packages install with pip into a fresh environment and work together in a real sweep."""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from autohier.records.reader import read_records

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(file.parent for file in (ROOT / "examples").glob("*/pyproject.toml"))
SPACE = """\
name = "npy"
dataset = "waves"
num_classes = 4
recipe = "heads-only"
clips = {input = "skeletons", modality = "skeleton", num_frames = 8, num_persons = 1, test_sets = 1}
recognizer = {name = "frame-mlp"}
optimisation = {batch_size = 12, learning_rate = 1e-2, schedule = "linear"}
pass_1 = {epochs = 2}
pass_2 = {epochs = 2}
pruning = {epochs = 1}
protocol = {name = "cross-subject", validation = "clean"}
search = {levels = 1, counts = [2], max_passes = 1, max_seeds = 1}
"""
NUM_FRAMES = 12


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the example packages; a .pth file adds autohier and its dependencies."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    (packages / "autohier_and_dependencies.pth").write_text("\n".join([str(ROOT), *site.getsitepackages()]))
    # pip builds in the source folder, which stays as it is.
    copies = [shutil.copytree(example, folder / "examples" / example.name) for example in EXAMPLES]
    python = folder / "venv" / "bin" / "python"
    options = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", *options]
    subprocess.run([*pip, *map(str, copies)], check=True)
    return python


@pytest.fixture(scope="module")
def autohier(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run a command of autohier in the fresh environment, in one folder; return its output."""
    folder = tmp_path_factory.mktemp("work")
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*arguments: str) -> str:
        command = [str(environment), "-m", "autohier", *arguments]
        ended = subprocess.run(
            command, cwd=folder, env=variables, text=True, capture_output=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    run.folder = folder  # type: ignore[attr-defined]
    return run


def write_waves(folder: Path) -> None:
    """Write skeletons of four classes that differ in the height of one joint, by six subjects."""
    random = np.random.default_rng(0)
    for label in range(4):
        for subject in range(1, 7):
            for replication in range(1, 4):
                joints_TV3 = random.normal([0, 0, 3], 0.05, (NUM_FRAMES, 25, 3))
                joints_TV3[:, label] += [0, 1, 0]
                path = folder / f"class{label}" / f"S001C001P{subject:03}R{replication:03}A{label + 1:03}.npy"
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, (1000 * joints_TV3).astype(np.float32))  # in millimeters


def test_every_extension_point_has_an_example() -> None:
    groups = "\n".join((example / "pyproject.toml").read_text() for example in EXAMPLES)
    for group in (
        "recipes",
        "recognizers",
        "dataset_readers",
        "samplers",
        "trial_schedulers",
        "learning_rate_schedules",
        "stage_kinds",
        "callbacks",
    ):
        assert f'"autohier.{group}"' in groups


def test_a_sweep_uses_the_installed_packages(autohier: Callable[..., str]) -> None:
    folder: Path = autohier.folder  # type: ignore[attr-defined]
    write_waves(folder / "source")
    autohier("prepare", "npy", "--source", "source", "--name", "waves", "--reader-option", "unit_m=1e-3")
    (folder / "npy.toml").write_text(SPACE)
    choices = ("--sampler", "halton", "--scheduler", "median", "--callback", "json-logger")
    autohier("search", "npy.toml", "--trials", "2", "--parallel", "1", "--name", "examples", *choices)

    sweep = folder / "sweeps" / "examples"
    records = read_records(sweep / "records")
    assert {row.state for row in records.trials} <= {"COMPLETE", "PRUNED"}
    assert len(records.trials) == 2
    best = records.ranked()[0]
    assert [stage.label for stage in records.stages_of(best.trial)][:2] == ["pass 1", "heads only"]
    tested = {result.stage for result in records.tests_of(best.trial)}
    assert {"pass 1", "heads only", "heads only, refit"} <= tested
    assert max(row.accuracy or 0.0 for row in records.trials) > 0.5
    lines = (sweep / "json" / "t0000.jsonl").read_text().splitlines()
    assert {json.loads(line)["event"] for line in lines} == {"start", "epoch", "stage"}
    described = (sweep / "sweep.json").read_text()
    for package in (
        "autohier-frame-mlp",
        "autohier-linear",
        "autohier-sampler",
        "autohier-scheduler",
        "autohier-json-logger",
        "autohier-heads-only",
    ):
        assert package in described

    autohier("resume", "examples", "--trials", "3")
    assert len(read_records(sweep / "records").trials) == 3
    shutil.rmtree(folder / "sweeps" / "stages" / "heads-only")
    shutil.rmtree(folder / "sweeps" / "stages" / "prune", ignore_errors=True)
    name = f"examples:{best.trial}"
    assert f"{name} on test clips" in autohier("evaluate", name, "--no-refit")
    assert (folder / "sweeps" / "stages" / "heads-only").is_dir()
    searched = "search.settings.optimisation.schedule_options.end=[0.1, 0.5]"
    planned = autohier("plan", "npy.toml", "--trials", "2", "--set", searched)
    assert "pass 1 " in planned
    assert ", heads only " in planned
