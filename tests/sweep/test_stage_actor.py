"""A stage beside the trials: what it waits for and what goes wrong in it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autohier.core.trial import find_flat
from autohier.data.store.reader import ClipStore
from autohier.settings.choice import FLAT_CHOICE
from autohier.settings.loading import load_space
from autohier.settings.space import Setting
from autohier.sweep.cluster import Share
from autohier.sweep.folder import SweepFolder
from autohier.sweep.halving import open_ladder
from tiny_clips import SPACE_FILE, open_tiny_trial

if TYPE_CHECKING:
    from autohier.sweep.actor import TrialJob


@contextmanager
def flat_job(folder: Path, data: Path, *overrides: str) -> Iterator[tuple[Setting, TrialJob]]:
    """Pass 1 of the tiny space, and what its processes work with: stages lie in ``folder``."""
    from autohier.sweep.actor import TrialJob
    from autohier.sweep.leases import lease_book_open

    space, stages = load_space(str(SPACE_FILE), overrides), folder / "stages"
    ladder = open_ladder(space, stopping=False)
    with lease_book_open(stages):
        yield (
            space.setting(FLAT_CHOICE, seed=0),
            TrialJob(SweepFolder(folder / "sweep"), data / "demo", stages, "cpu", 1, ladder, 0),
        )


def hold_cores(number: int) -> Any:
    """An actor that does nothing with so many cores."""
    import ray

    class Idle:
        """Holds cores of the machine."""

    holder = ray.remote(num_cpus=number)(Idle).remote()
    ray.get(holder.__ray_ready__.remote())
    return holder


def test_a_store_that_cannot_be_written_is_told_in_one_line(
    tmp_path: Path,
    tiny_data: Path,
    ray_address: str,  # noqa: ARG001
) -> None:
    from autohier.sweep.stage_actor import run_beside

    (tmp_path / "stages").write_text("not a folder")
    with flat_job(tmp_path, tiny_data) as (flat, job), pytest.raises(OSError, match="stages") as raised:
        run_beside("pass_1", flat, job, Share(1, 0, 1, 2), lambda _: None)
    assert "\n" not in str(raised.value)


def test_that_no_machine_is_free_is_told(
    tmp_path: Path,
    tiny_data: Path,
    ray_address: str,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import ray

    from autohier.sweep import stage_actor

    holder = hold_cores(2)
    monkeypatch.setattr(stage_actor, "_SLOW_START_S", 1.0)
    told: list[stage_actor.Event] = []

    def listen(event: stage_actor.Event) -> None:
        if not told:
            ray.kill(holder)
        told.append(event)

    with flat_job(tmp_path, tiny_data) as (flat, job):
        result = stage_actor.run_beside("pass_1", flat, job, Share(2, 0, 1, 2), listen)
    assert told[0] == ("pass 1", "2 cores of one machine to be free")
    assert [event[1] for event in told[1:]] == [1, 2]
    assert len(result.epochs) == 2


def test_folds_are_trained_beside_each_other(
    tmp_path: Path,
    tiny_data: Path,
    ray_address: str,  # noqa: ARG001
) -> None:
    from autohier.sweep.stage_actor import Event, train_folds_beside

    told: list[Event] = []
    folds = ("protocol.validation=folds", "protocol.num_folds=3")
    with flat_job(tmp_path, tiny_data, *folds) as (flat, job):
        results = train_folds_beside(flat, job, Share(1, 0, 2, 2), 3, told.append)
    trained = find_flat(open_tiny_trial(flat, ClipStore.open(tiny_data / "demo"), tmp_path / "stages"))
    assert trained is not None
    assert [result.key for result in results] == list(trained.keys)
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

    holder = hold_cores(1)
    monkeypatch.setattr(stage_actor, "_SLOW_START_S", 0.1)
    told: list[stage_actor.Event] = []
    folds = ("protocol.validation=folds", "protocol.num_folds=2")
    try:
        with flat_job(tmp_path, tiny_data, *folds) as (flat, job):
            stage_actor.train_folds_beside(flat, job, Share(1, 0, 2, 2), 2, told.append)
    finally:
        ray.kill(holder)
    wait = ("pass 1", "1 cores of one machine to be free")
    assert wait in told
    assert [event[:2] for event in told if event != wait] == [
        (f"pass 1 of fold {fold}", epoch) for fold in (1, 2) for epoch in (1, 2)
    ]
