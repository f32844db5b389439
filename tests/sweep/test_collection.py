"""What a collection leaves in the stage store, whatever the limit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from autohier.core.stages.inputs import Basis
from autohier.core.stages.inventory import list_store
from autohier.errors import InputError, MissingDataError
from autohier.settings.fusion import Fusion, Member
from autohier.sweep import collection
from autohier.sweep.collection import collect, read_sweeps, users_of_stages
from autohier.sweep.fusions import free_fusion
from autohier.sweep.lock import hold_sweep
from fake_outcomes import fake_stage
from fake_stages import INPUTS
from stage_stores import DAY, LONG_AGO, leave, make_sweep, outcome_of, publish

NOW = datetime.now(UTC)


def left(out: Path) -> set[Path]:
    return {stage.path for stage in list_store(out / "stages")}


def test_the_stages_of_the_best_three_trials_of_each_sweep_stay(tmp_path: Path) -> None:
    # The worst of four is the third in one sweep and not in the other; its pass 1 is that of all.
    outcomes = [outcome_of(80, 85), outcome_of(81, 70, 86), outcome_of(90), outcome_of(79)]
    make_sweep(tmp_path, "four", *outcomes)
    make_sweep(tmp_path, "two", outcome_of(60, 61), outcomes[1])
    kept = {path for each in outcomes[:3] for path in publish(tmp_path, each.stages, LONG_AGO)}
    kept |= set(publish(tmp_path, outcome_of(60, 61).stages, LONG_AGO))
    (gone,) = set(publish(tmp_path, outcomes[3].stages, LONG_AGO)) - kept
    (unused,) = publish(tmp_path, [fake_stage("pass-2", 0, 119)], NOW)

    done = collect(tmp_path, keep_bytes=0)

    assert {stage.path for stage in done.removed} == {gone, unused}
    assert left(tmp_path) == kept
    assert set(done.needed.values()) == {"best trials of four", "best trials of two"}


def test_the_refit_of_a_best_trial_stays_and_other_refits_go(tmp_path: Path) -> None:
    outcome = outcome_of(80)
    make_sweep(tmp_path, "one", outcome)
    publish(tmp_path, outcome.stages, LONG_AGO)

    def refit(num_right: int, **changes: object) -> Path:
        inputs = INPUTS["pass-2"]
        basis: Basis = inputs.basis.model_copy(update={"all_training_clips": True})
        other = inputs.model_copy(update={"basis": basis, "parent_key": "7" * 64, **changes})
        (folder,) = publish(tmp_path, [fake_stage("pass-2", 0, num_right)], LONG_AGO, other)
        return folder

    its_own, another = refit(110), refit(111, weights=(1.0, 1.0))
    collect(tmp_path, keep_bytes=0)
    assert its_own in left(tmp_path)
    assert another not in left(tmp_path)


def test_the_stages_of_a_fusion_s_members_stay(tmp_path: Path) -> None:
    outcomes = [outcome_of(num_right) for num_right in (90, 91, 92, 60)]
    make_sweep(tmp_path, "one", *outcomes)
    kept = {path for each in outcomes for path in publish(tmp_path, each.stages, LONG_AGO)}
    members = [
        Member(
            sweep=str(tmp_path / "one"),
            trial=trial,
            setting=outcome.setting,
            stage_keys=tuple(stage.keys for stage in outcome.stages),
            stage_folder=str(tmp_path / "stages"),
            clip_folder="",
            clips_fingerprint="",
            accuracy=outcome.accuracy,
        )
        for trial, outcome in (("t0000", outcomes[0]), ("t0003", outcomes[3]))
    ]
    fusion = Fusion(members=tuple(members), weighting="equal", accuracy=0.9, num_clips=9, created_at="")
    folder = free_fusion("both", tmp_path)
    folder.write(fusion)
    assert folder.read() == fusion

    done = collect(tmp_path, keep_bytes=0)

    assert left(tmp_path) == kept
    assert set(done.needed.values()) == {"best trials of one", "fusion both"}
    folder.file.write_text("[")
    with pytest.raises(InputError, match="must be a fusion's description"):
        collect(tmp_path, keep_bytes=0)
    folder.file.unlink()
    collect(tmp_path, keep_bytes=0)
    assert kept - left(tmp_path) == {tmp_path / "stages" / "pass-2" / outcomes[3].kept.key}


class TestRunningSweep:
    """It was created two days ago, and a trial of it runs, which is in no record."""

    CREATED = NOW - 2 * DAY

    def test_what_it_recorded_and_what_was_used_since_it_began_stays(self, tmp_path: Path) -> None:
        outcomes = [outcome_of(90), outcome_of(91), outcome_of(92), outcome_of(60, 61)]
        folder = make_sweep(tmp_path, "runs", *outcomes, created=self.CREATED)
        recorded = {path for each in outcomes for path in publish(tmp_path, each.stages, LONG_AGO)}
        (found,) = publish(tmp_path, [fake_stage("pass-2", 0, 118)], self.CREATED + DAY)
        (before,) = publish(tmp_path, [fake_stage("pass-2", 0, 119)], self.CREATED - DAY)
        partial = leave(tmp_path / "stages" / "partial" / "prune-abc", self.CREATED + DAY / 2)
        older = leave(tmp_path / "stages" / "partial" / "prune-abd", self.CREATED - DAY)
        aside = leave(tmp_path / "stages" / "quarantine" / "prune-abe-01234567", NOW)

        with hold_sweep(folder.lock_file):
            done = collect(tmp_path, keep_bytes=0)

        assert [stage.path for stage in done.removed] == [aside, older, before]
        assert left(tmp_path) == recorded | {found, partial}
        assert set(done.needed.values()) == {"runs is running"}

        # Once nobody drives it, its fourth trial is not among the best and nothing else needs the others.
        collect(tmp_path, keep_bytes=0)
        worst = {tmp_path / "stages" / stage.kind / stage.key for stage in outcomes[3].stages[1:]}
        assert left(tmp_path) == recorded - worst

    def test_where_it_cannot_be_read_nothing_is_removed(self, tmp_path: Path) -> None:
        folder = make_sweep(tmp_path, "runs", outcome_of(90))
        folder.plan_file.write_text("{}")
        (unused,) = publish(tmp_path, [fake_stage("pass-2", 0, 119)], LONG_AGO)
        with hold_sweep(folder.lock_file), pytest.raises(InputError, match="must be a sweep's description"):
            collect(tmp_path, keep_bytes=0)
        assert left(tmp_path) == {unused}


def test_where_records_are_damaged_nothing_is_removed(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path, "one", outcome_of(90))
    (folder.records / "stages" / "t0000.parquet").write_bytes(b"PAR1")
    (unused,) = publish(tmp_path, [fake_stage("pass-2", 0, 119)], LONG_AGO)
    with pytest.raises(InputError, match="a record file must be whole Parquet"):
        collect(tmp_path, keep_bytes=0)
    assert left(tmp_path) == {unused}


def test_unfinished_stages_stay_for_a_day(tmp_path: Path) -> None:
    young = leave(tmp_path / "stages" / "partial" / "prune-abc", NOW - 0.9 * DAY)
    leave(tmp_path / "stages" / "partial" / "prune-abd", NOW - 1.1 * DAY)
    done = collect(tmp_path, keep_bytes=0)
    assert done.needed == {young: "unfinished for less than a day"}
    assert left(tmp_path) == {young}


def test_a_dry_run_tells_the_same_and_removes_nothing(tmp_path: Path) -> None:
    for num_right in (60, 61, 62):
        publish(tmp_path, [fake_stage("pass-2", 0, num_right)], LONG_AGO + num_right * DAY)
    oldest, *others = list_store(tmp_path / "stages")
    keep = sum(stage.num_bytes for stage in others)
    told = collect(tmp_path, keep_bytes=keep, dry_run=True)
    assert len(left(tmp_path)) == 3
    assert told == collect(tmp_path, keep_bytes=keep)
    assert told.removed == (oldest,)
    assert left(tmp_path) == {stage.path for stage in others}


def test_what_a_trial_finds_during_the_collection_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = publish(tmp_path, [fake_stage("pass-2", 0, 60)], LONG_AGO)

    def and_then_it_is_used(out: Path) -> tuple[collection.SweepUse, ...]:
        (folder / "stage.json").touch()
        return read_sweeps(out)

    monkeypatch.setattr(collection, "read_sweeps", and_then_it_is_used)
    assert collect(tmp_path, keep_bytes=0).removed == ()
    assert left(tmp_path) == {folder}


def test_without_a_store_there_is_nothing_to_collect(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="a stage store must exist"):
        collect(tmp_path, keep_bytes=0)


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
