"""A stage beside the trials: what it waits for and what goes wrong in it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.core.trial import find_flat
from autohier.data.store.reader import ClipStore
from autohier.settings.choice import FLAT_CHOICE
from autohier.settings.loading import load_space
from autohier.sweep.cluster import Share
from autohier.sweep.folder import SweepFolder
from autohier.sweep.halving import open_ladder
from tiny_clips import SPACE_FILE, open_tiny_trial


def test_a_store_that_cannot_be_written_is_told_in_one_line(
    tmp_path: Path,
    tiny_data: Path,
    ray_address: str,  # noqa: ARG001
) -> None:
    from autohier.sweep.actor import TrialJob
    from autohier.sweep.leases import lease_book_open
    from autohier.sweep.stage_actor import run_beside

    space = load_space(str(SPACE_FILE))
    blocked = tmp_path / "stages"
    blocked.write_text("not a folder")
    ladder = open_ladder(space, stopping=False)
    job = TrialJob(SweepFolder(tmp_path / "sweep"), tiny_data / "demo", blocked, "cpu", 1, ladder, 0)
    with lease_book_open(blocked), pytest.raises(OSError, match="stages") as raised:
        run_beside("pass_1", space.setting(FLAT_CHOICE, seed=0), job, Share(1, 0, 1, 2), lambda _: None)
    assert "\n" not in str(raised.value)


def test_that_no_machine_is_free_is_told(
    tmp_path: Path,
    tiny_data: Path,
    ray_address: str,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import ray

    from autohier.sweep import stage_actor
    from autohier.sweep.actor import TrialJob
    from autohier.sweep.leases import lease_book_open

    class Idle:
        """Holds the cores of the machine."""

    holder = ray.remote(num_cpus=2)(Idle).remote()
    ray.get(holder.__ray_ready__.remote())
    monkeypatch.setattr(stage_actor, "_SLOW_START_S", 1.0)
    told: list[stage_actor.Event] = []

    def listen(event: stage_actor.Event) -> None:
        if not told:
            ray.kill(holder)
        told.append(event)

    space = load_space(str(SPACE_FILE))
    ladder = open_ladder(space, stopping=False)
    stages = tmp_path / "stages"
    job = TrialJob(SweepFolder(tmp_path / "sweep"), tiny_data / "demo", stages, "cpu", 1, ladder, 0)
    with lease_book_open(stages):
        flat = space.setting(FLAT_CHOICE, seed=0)
        result = stage_actor.run_beside("pass_1", flat, job, Share(2, 0, 1, 2), listen)
    assert told[0] == ("pass 1", "2 cores of one machine to be free")
    assert [event[1] for event in told[1:]] == [1, 2]
    assert len(result.epochs) == 2


def test_folds_are_trained_beside_each_other(
    tmp_path: Path,
    tiny_data: Path,
    ray_address: str,  # noqa: ARG001
) -> None:
    from autohier.sweep.actor import TrialJob
    from autohier.sweep.leases import lease_book_open
    from autohier.sweep.stage_actor import Event, train_folds_beside

    told: list[Event] = []
    space = load_space(str(SPACE_FILE), ["protocol.validation=folds", "protocol.num_folds=3"])
    flat = space.setting(FLAT_CHOICE, seed=0)
    stages = tmp_path / "stages"
    ladder = open_ladder(space, stopping=False)
    job = TrialJob(SweepFolder(tmp_path / "sweep"), tiny_data / "demo", stages, "cpu", 1, ladder, 0)
    with lease_book_open(stages):
        folds = train_folds_beside(flat, job, Share(1, 0, 2, 2), 3, told.append)
    trained = find_flat(open_tiny_trial(flat, ClipStore.open(tiny_data / "demo"), stages))
    assert trained is not None
    assert [fold.key for fold in folds] == list(trained.keys)
    assert sorted(event[:2] for event in told) == [
        (f"pass 1 of fold {fold}", epoch) for fold in (1, 2, 3) for epoch in (1, 2)
    ]
    # Two at a time: the third begins when one of the others has ended.
    first = [next(place for place, event in enumerate(told) if event[0][-1] == fold) for fold in "123"]
    assert first[2] > min(first[0], first[1]) + 1


def test_a_fold_takes_the_room_of_another_where_there_is_less_than_was_told(
    tmp_path: Path,
    tiny_data: Path,
    ray_address: str,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import ray

    from autohier.sweep import stage_actor
    from autohier.sweep.actor import TrialJob
    from autohier.sweep.leases import lease_book_open

    class Idle:
        """Holds a core of the machine."""

    holder = ray.remote(num_cpus=1)(Idle).remote()
    ray.get(holder.__ray_ready__.remote())
    monkeypatch.setattr(stage_actor, "_SLOW_START_S", 5.0)
    told: list[stage_actor.Event] = []
    space = load_space(str(SPACE_FILE), ["protocol.validation=folds", "protocol.num_folds=2"])
    flat = space.setting(FLAT_CHOICE, seed=0)
    stages = tmp_path / "stages"
    ladder = open_ladder(space, stopping=False)
    job = TrialJob(SweepFolder(tmp_path / "sweep"), tiny_data / "demo", stages, "cpu", 1, ladder, 0)
    try:
        with lease_book_open(stages):
            stage_actor.train_folds_beside(flat, job, Share(1, 0, 2, 2), 2, told.append)
    finally:
        ray.kill(holder)
    wait = ("pass 1", "1 cores of one machine to be free")
    assert wait in told
    assert [event[:2] for event in told if event != wait] == [
        (f"pass 1 of fold {fold}", epoch) for fold in (1, 2) for epoch in (1, 2)
    ]
