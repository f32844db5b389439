"""The UTD-MHAD benchmark on tiny sweeps: its differences, compared with networks trained step by step."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from autohier.config.fusion import Member
from autohier.core.hierarchy import Hierarchy
from autohier.core.prediction import find_kept_pass
from autohier.core.stages.callbacks import CallbackList
from autohier.core.stages.inputs import Pass1Inputs, Pass2Inputs, PruneInputs
from autohier.core.stages.kinds.base import PlannedStage
from autohier.core.stages.kinds.hac import PASS_1, PASS_2, PRUNE
from autohier.core.stages.preparations.pass_1 import prepare_pass_1
from autohier.core.stages.preparations.pass_2 import prepare_pass_2
from autohier.core.stages.preparations.prune import prepare_prune
from autohier.core.stages.runner import run_stage
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.training.evaluation import predict
from autohier.core.training.metrics import Predictions
from autohier.fusion.members import open_member
from autohier.fusion.selection import find_member
from autohier.records.schema import EvaluationRow
from autohier.records.writer import RecordWriter
from support.benchmark_modules import load_benchmark
from support.sources.tiny_clips import CLIPS_PER_SUBJECT, TEST_SUBJECTS
from support.sweep_runs.finished_sweeps import finish_sweep

FOLDS = ("protocol.validation=folds", "protocol.num_folds=2")


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return load_benchmark("utd_mhad")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweeps")


@pytest.fixture(scope="module")
def members(out: Path, tiny_data: Path) -> list[Member]:
    """One trial of each of two sweeps; the second prunes nothing. Both keep their last pass."""
    kept = []
    for name, seed, passes in (("skeletons-7", 0, 1), ("depth-7", 1, 0)):
        _, (outcome,) = finish_sweep(out, name, tiny_data, *FOLDS, seeds=(seed,), passes=passes)
        keys = tuple(stage.keys for stage in outcome.stages)
        kept.append(find_member(name, out).model_copy(update={"stage_keys": keys}))
    return kept


def opened(member: Member) -> TrialSetup:
    return open_member(member, callback=CallbackList(), device="cpu", num_threads=1)


def accuracy_by_hand(
    member: Member, hierarchy: Hierarchy, weights: tuple[float, ...], *ratios: float
) -> float:
    """Train pass 1, pass 2 and pruning passes on all training clips; return the test accuracy."""
    config = member.config
    trial = opened(member).with_all_training_clips()
    context, common = trial.context, {"base": trial.base, "optimisation": config.optimisation}
    inputs_1 = Pass1Inputs(**common, epochs=config.pass_1.epochs)
    job = PlannedStage(inputs_1, partial(prepare_pass_1, inputs_1))
    pass_1 = run_stage(PASS_1, job, context, pass_index=0)
    inputs_2 = Pass2Inputs(
        **common,
        epochs=config.pass_2.epochs,
        assignments=hierarchy.assignments,
        weights=weights,
        parent_key=pass_1.key,
    )
    job = PlannedStage(inputs_2, partial(prepare_pass_2, inputs_2, PASS_1))
    stage = run_stage(PASS_2, job, context, pass_index=0)
    for index, ratio in enumerate(ratios, start=1):
        inputs = PruneInputs(
            **common,
            epochs=config.pruning.epochs,
            norm=config.pruning.norm,
            floor=config.pruning.floor,
            scope="layerwise",
            ratio=ratio,
            weights=weights,
            parent_key=stage.key,
        )
        job = PlannedStage(inputs, partial(prepare_prune, inputs, stage.kind, hierarchy, index))
        stage = run_stage(PRUNE, job, context, pass_index=index)
    rows = trial.data_loader.rows("test")
    stacks, labels_B = predict(
        trial.load_network(stage), trial.data_loader, "test", num_sets=2, autocast=context.device.autocast
    )
    assert len(rows) == len(TEST_SUBJECTS) * CLIPS_PER_SUBJECT
    return float((stacks[-1].argmax(dim=1) == labels_B).float().mean())


def test_ablations_compare_refit_networks(benchmark: ModuleType, members: list[Member]) -> None:
    member = members[0]
    weights, flat = (0.25, 0.5, 1.0), (1.0,)
    hierarchy = find_kept_pass(opened(member), 1, member.stage_keys[-1]).hierarchy
    without = accuracy_by_hand(member, Hierarchy.flat(6), flat)
    pass_2 = accuracy_by_hand(member, hierarchy, weights)
    pruned = accuracy_by_hand(member, hierarchy, weights, 0.25)
    retrained = accuracy_by_hand(member, hierarchy, weights, 0.0)
    pairs = benchmark.ablate(member, opened, print)
    added = {name: model.accuracy - other.accuracy for name, (model, other) in pairs.items()}
    assert added == pytest.approx({"hierarchy": pass_2 - without, "pruning": pruned - retrained})


def test_without_pruning_passes_there_is_no_pruning_ablation(
    benchmark: ModuleType, members: list[Member]
) -> None:
    assert list(benchmark.ablate(members[1], opened, print)) == ["hierarchy"]


def test_a_member_that_kept_pass_2_has_no_pruning_ablation(
    benchmark: ModuleType, members: list[Member]
) -> None:
    kept = members[0].model_copy(update={"stage_keys": members[0].stage_keys[:2]})
    assert list(benchmark.ablate(kept, opened, print)) == ["hierarchy"]


def test_a_gain_is_a_clip_that_only_one_model_classifies_correctly(benchmark: ModuleType) -> None:
    few, many = predictions(4), predictions(6)
    assert benchmark.gains(many, few, tuple("hfe")) == (0, 1, 1)
    assert benchmark.gains(few, many, tuple("hfe")) == (0, -1, -1)


def predictions(num_right: int) -> Predictions:
    """Return predictions for ten clips of class 0."""
    probabilities_NK = np.zeros((10, 2), dtype=np.float32)
    probabilities_NK[:num_right, 0] = probabilities_NK[num_right:, 1] = 1
    return Predictions(tuple("abcdefghij"), np.zeros(10, dtype=np.int64), probabilities_NK)


def test_finished_commands_are_not_repeated(benchmark: ModuleType, tmp_path: Path) -> None:
    options = argparse.Namespace(data=tmp_path / "data", out=tmp_path / "out", source=tmp_path)
    done = benchmark.commands(7, options)
    assert [command[0] for command in done.values()] == [
        *("prepare", "prepare", "search", "search", "fuse", "evaluate")
    ]
    search = list(done.values())[2]
    assert search[:8] == (
        "search",
        "utd_mhad_skeleton",
        "--trials",
        "12",
        "--scheduler",
        "none",
        "--seed",
        "7",
    )
    (tmp_path / "out" / "depth-7").mkdir(parents=True)
    (tmp_path / "out" / "depth-7" / "sweep.json").touch()
    resumed = list(benchmark.commands(7, options).values())[3]
    assert resumed[:2] == ("resume", "depth-7")


def test_commands_run_by_hand_are_not_repeated_and_not_timed(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = argparse.Namespace(data=tmp_path / "data", out=tmp_path / "out", source=tmp_path)
    ran: list[str] = []
    monkeypatch.setattr(
        benchmark.subprocess, "run", lambda command, check: ran.append(command[3]) if check else None
    )
    for made in benchmark.commands(7, options):
        if made.name == "tests":
            RecordWriter(made.parent).write_test_results("t0000", [a_result("pass 1, refit")])
        else:
            path = made if made.suffix == ".json" else made / "part.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    assert benchmark.run_commands(7, options) == 0
    assert ran == []
    # A sweep that was killed before its test result has none, except one that a user requested.
    records = tmp_path / "out" / "skeletons-7" / "records"
    for part in (records / "tests").iterdir():
        part.unlink()
    RecordWriter(records).add_test_result(a_result("pass 2, refit"))
    assert benchmark.run_commands(7, options) > 0
    assert ran == ["search"]


def test_a_recorded_seed_is_not_measured_again(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured: list[int] = []

    def measure(seed: int, _: argparse.Namespace) -> object:
        measured.append(seed)
        none: dict[str, tuple[()]] = dict.fromkeys(("fusion", "depth", "hierarchy", "pruning"), ())
        return benchmark.Seed(seed, 1.0, 0.5 + seed / 10, {}, ("a", "b"), none)

    monkeypatch.setattr(benchmark, "measure", measure)
    for seeds in ("1", "2"):
        benchmark.main(["--source", "nowhere", "--out", str(tmp_path), "--seeds", "1", seeds])
    assert measured == [1, 2]
    printed = capsys.readouterr().out
    assert "mean over 1 seeds: 60.00%" in printed
    assert "mean over 2 seeds: 65.00%" in printed


def a_result(stage: str) -> EvaluationRow:
    return EvaluationRow(
        *("t0000", stage, "cross-subject", "folds"),
        0.5,
        10,
        (0.5,),
        0.2,
        0.8,
        datetime(2026, 1, 1, tzinfo=UTC),
    )
