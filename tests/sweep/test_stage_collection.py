"""Tests of the stages that a collection keeps in the stage store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from autohier.config.fusion import Fusion, Member
from autohier.config.search.loading import load_space
from autohier.core.stages.inputs import BaseInputs
from autohier.core.stages.store.listing import list_store
from autohier.errors import InputError, MissingDataError
from autohier.fusion.paths import free_fusion, protected_stages
from autohier.sweep import stage_collection
from autohier.sweep.locking.sweep_lock import hold_sweep
from autohier.sweep.paths import SweepFolder
from autohier.sweep.stage_collection import collect, read_sweeps, users_of_stages
from support.fakes.fake_outcomes import fake_inputs, fake_stage
from support.stages.stage_stores import DAY, LONG_AGO, leave, make_sweep, outcome_of, publish
from support.sweep_runs.plans import make_plan, make_provenance

NOW = datetime.now(UTC)


def stored_paths(out: Path) -> set[Path]:
    return {stage.path for stage in list_store(out / "stages")}


def test_the_stages_of_the_best_three_trials_of_each_sweep_stay(tmp_path: Path) -> None:
    # The last of the four is not among the best three; all trials share their pass 1.
    outcomes = [outcome_of(80, 85), outcome_of(81, 70, 86), outcome_of(90), outcome_of(79)]
    make_sweep(tmp_path, "four", *outcomes)
    make_sweep(tmp_path, "two", outcome_of(60, 61), outcomes[1])
    kept = {path for each in outcomes[:3] for path in publish(tmp_path, each.stages, LONG_AGO)}
    kept |= set(publish(tmp_path, outcome_of(60, 61).stages, LONG_AGO))
    (gone,) = set(publish(tmp_path, outcomes[3].stages, LONG_AGO)) - kept
    (unused,) = publish(tmp_path, [fake_stage("pass-2", 0, 119)], NOW)

    done = collect(tmp_path, keep_bytes=0, protected=protected_stages)

    assert {stage.path for stage in done.removed} == {gone, unused}
    assert stored_paths(tmp_path) == kept
    assert set(done.needed.values()) == {"best trials of four", "best trials of two"}


def test_the_stages_of_a_pareto_front_stay(tmp_path: Path) -> None:
    # Three trials are more accurate, but only the fourth, which was pruned twice, is as cheap.
    outcomes = [outcome_of(90), outcome_of(91), outcome_of(92), outcome_of(60, 61, 62)]
    space = load_space("demo", ["search.second_objective=multiply-adds"])
    for name, each in (("one", load_space("demo")), ("two", space)):
        folder = make_sweep(tmp_path, name, *outcomes)
        folder.write_plan(make_plan(tmp_path, name=name, space=each), make_provenance())
    paths = {path for each in outcomes for path in publish(tmp_path, each.stages, LONG_AGO)}

    done = collect(tmp_path, keep_bytes=0, protected=protected_stages)

    assert stored_paths(tmp_path) == paths
    assert "Pareto front of two" in done.needed.values()
    assert "Pareto front of one" not in done.needed.values()


def test_only_refits_of_best_trials_stay(tmp_path: Path) -> None:
    outcome = outcome_of(80)
    make_sweep(tmp_path, "one", outcome)
    publish(tmp_path, outcome.stages, LONG_AGO)

    def refit(**changes: object) -> Path:
        pass_2 = outcome.stages[1]
        inputs = fake_inputs(pass_2)
        base: BaseInputs = inputs.base.model_copy(update={"all_training_clips": True})
        other = inputs.model_copy(update={"base": base, "parent_key": "7" * 64, **changes})
        (folder,) = publish(tmp_path, [pass_2], LONG_AGO, other)
        return folder

    its_own, another = refit(), refit(weights=(1.0, 1.0))
    collect(tmp_path, keep_bytes=0, protected=protected_stages)
    assert its_own in stored_paths(tmp_path)
    assert another not in stored_paths(tmp_path)


def test_the_stages_of_fusion_members_stay(tmp_path: Path) -> None:
    outcomes = [outcome_of(num_right) for num_right in (90, 91, 92, 60)]
    make_sweep(tmp_path, "one", *outcomes)
    kept = {path for each in outcomes for path in publish(tmp_path, each.stages, LONG_AGO)}
    members = [
        Member(
            sweep=str(tmp_path / "one"),
            trial=trial,
            config=outcome.config,
            stage_keys=tuple(stage.keys for stage in outcome.stages),
            stage_folder=str(tmp_path / "stages"),
            clip_folder=str(tmp_path / "clips"),
            clips_fingerprint="",
            accuracy=outcome.accuracy,
        )
        for trial, outcome in (("t0000", outcomes[0]), ("t0003", outcomes[3]))
    ]
    fusion = Fusion(members=tuple(members), weighting="equal", accuracy=0.9, num_clips=9, created_at="")
    folder = free_fusion("both", tmp_path)
    folder.write(fusion)
    assert folder.read() == fusion

    done = collect(tmp_path, keep_bytes=0, protected=protected_stages)

    assert stored_paths(tmp_path) == kept
    assert set(done.needed.values()) == {"best trials of one", "fusion both"}
    folder.file.write_text("[")
    with pytest.raises(InputError, match="must be a fusion's description"):
        collect(tmp_path, keep_bytes=0, protected=protected_stages)
    folder.file.unlink()
    collect(tmp_path, keep_bytes=0, protected=protected_stages)
    assert kept - stored_paths(tmp_path) == {tmp_path / "stages" / "pass-2" / outcomes[3].kept.key}


class TestRunningSweep:
    """Tests of a sweep that was created two days ago and runs a trial without a record."""

    CREATED = NOW - 2 * DAY

    def test_its_recorded_stages_and_those_used_since_its_start_stay(self, tmp_path: Path) -> None:
        outcomes = [outcome_of(90), outcome_of(91), outcome_of(92), outcome_of(60, 61)]
        folder = make_sweep(tmp_path, "runs", *outcomes, created=self.CREATED)
        recorded = {path for each in outcomes for path in publish(tmp_path, each.stages, LONG_AGO)}
        (found,) = publish(tmp_path, [fake_stage("pass-2", 0, 118)], self.CREATED + DAY)
        (before,) = publish(tmp_path, [fake_stage("pass-2", 0, 119)], self.CREATED - DAY)
        partial = leave(tmp_path / "stages" / "partial" / "prune-abc", self.CREATED + DAY / 2)
        older = leave(tmp_path / "stages" / "partial" / "prune-abd", self.CREATED - DAY)
        aside = leave(tmp_path / "stages" / "quarantine" / "prune-abe-01234567", NOW)

        with hold_sweep(folder.lock_file):
            done = collect(tmp_path, keep_bytes=0, protected=protected_stages)

        assert [stage.path for stage in done.removed] == [aside, older, before]
        assert stored_paths(tmp_path) == recorded | {found, partial}
        assert set(done.needed.values()) == {"runs is running"}

        # Without a driver only its best trials' stages are needed; the fourth trial is not among them.
        collect(tmp_path, keep_bytes=0, protected=protected_stages)
        worst = {tmp_path / "stages" / stage.kind.name / stage.key for stage in outcomes[3].stages[1:]}
        assert stored_paths(tmp_path) == recorded - worst

    def test_nothing_is_removed_if_its_plan_cannot_be_read(self, tmp_path: Path) -> None:
        folder = make_sweep(tmp_path, "runs", outcome_of(90))
        folder.plan_file.write_text("{}")
        (unused,) = publish(tmp_path, [fake_stage("pass-2", 0, 119)], LONG_AGO)
        with hold_sweep(folder.lock_file), pytest.raises(InputError, match="must be a sweep's description"):
            collect(tmp_path, keep_bytes=0, protected=protected_stages)
        assert stored_paths(tmp_path) == {unused}


def test_nothing_is_removed_if_records_are_damaged(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path, "one", outcome_of(90))
    (folder.records / "stages" / "t0000.parquet").write_bytes(b"PAR1")
    (unused,) = publish(tmp_path, [fake_stage("pass-2", 0, 119)], LONG_AGO)
    with pytest.raises(InputError, match=r"must be whole .*stages/t0000\.parquet is damaged"):
        collect(tmp_path, keep_bytes=0, protected=protected_stages)
    assert stored_paths(tmp_path) == {unused}


def test_unfinished_stages_stay_for_a_day(tmp_path: Path) -> None:
    young = leave(tmp_path / "stages" / "partial" / "prune-abc", NOW - 0.9 * DAY)
    leave(tmp_path / "stages" / "partial" / "prune-abd", NOW - 1.1 * DAY)
    done = collect(tmp_path, keep_bytes=0, protected=protected_stages)
    assert done.needed == {young: "unfinished for less than a day"}
    assert stored_paths(tmp_path) == {young}


def test_a_dry_run_returns_the_same_and_removes_nothing(tmp_path: Path) -> None:
    for num_right in (60, 61, 62):
        publish(tmp_path, [fake_stage("pass-2", 0, num_right)], LONG_AGO + num_right * DAY)
    oldest, *others = list_store(tmp_path / "stages")
    keep = sum(stage.num_bytes for stage in others)
    planned = collect(tmp_path, keep_bytes=keep, protected=protected_stages, dry_run=True)
    assert len(stored_paths(tmp_path)) == 3
    assert planned == collect(tmp_path, keep_bytes=keep, protected=protected_stages)
    assert planned.removed == (oldest,)
    assert stored_paths(tmp_path) == {stage.path for stage in others}


def test_a_stage_that_is_used_during_the_collection_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = publish(tmp_path, [fake_stage("pass-2", 0, 60)], LONG_AGO)

    def use_the_stage(out: Path) -> tuple[stage_collection.SweepUse, ...]:
        (folder / "stage.json").touch()
        return read_sweeps(out)

    monkeypatch.setattr(stage_collection, "read_sweeps", use_the_stage)
    assert collect(tmp_path, keep_bytes=0, protected=protected_stages).removed == ()
    assert stored_paths(tmp_path) == {folder}


def test_a_missing_store_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="a stage store must exist"):
        collect(tmp_path, keep_bytes=0, protected=protected_stages)


def test_users_are_the_trials_of_all_sweeps(tmp_path: Path) -> None:
    first, second = outcome_of(80), outcome_of(90)
    make_sweep(tmp_path, "b", first)
    make_sweep(tmp_path, "a", first, second)
    (tmp_path / "no sweep").mkdir()
    users = users_of_stages(read_sweeps(tmp_path))
    assert users == {
        first.pass_1.key: {"a": ["t0000", "t0001"], "b": ["t0000"]},
        first.kept.key: {"a": ["t0000"], "b": ["t0000"]},
        second.kept.key: {"a": ["t0001"]},
    }


def test_the_stage_that_a_sweep_starts_from_stays(tmp_path: Path) -> None:
    outcome = outcome_of(80, 85)
    kept, start, gone = publish(tmp_path, outcome.stages, LONG_AGO)
    folder = SweepFolder(tmp_path / "started")
    space = load_space("demo", [f"recognizer.start={start}"])
    folder.write_plan(make_plan(tmp_path, space=space), make_provenance())
    done = collect(tmp_path, keep_bytes=0, protected=protected_stages)
    assert done.needed == {start: "start of started"}
    assert {stage.path for stage in done.removed} == {kept, gone}
