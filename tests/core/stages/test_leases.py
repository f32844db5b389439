"""A stage that several trials need is trained by the one that holds its lease."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from autohier.core.stages.opening import OpenTrial
from autohier.core.stages.result import StageResult
from autohier.core.trial import TrialOutcome, run_trial
from autohier.data.store.reader import ClipStore
from fake_stages import Told
from tiny_clips import open_tiny_trial, tiny_setting

SETTING = tiny_setting(passes=1)


@dataclass
class FakeLeases:
    """Grants everything; ``while_waiting`` happens before it grants, as if somebody else held the lease."""

    while_waiting: Callable[[str], None] | None = None
    events: list[tuple[str, str]] = field(default_factory=list)

    @contextmanager
    def hold(self, name: str, on_wait: Callable[[str], None]) -> Iterator[None]:
        if self.while_waiting is not None:
            on_wait("t0003")
            self.while_waiting(name)
        self.events.append(("held", name))
        try:
            yield
        finally:
            self.events.append(("released", name))


def names(outcome: TrialOutcome) -> list[str]:
    return [f"{stage.kind}-{stage.key}" for stage in outcome.stages]


def run(
    clips: ClipStore, folder: Path, leases: FakeLeases, told: Told | None = None
) -> tuple[TrialOutcome, OpenTrial]:
    trial = open_tiny_trial(SETTING, clips, folder, told or Told(), leases=leases)
    return run_trial(trial), trial


@pytest.fixture(scope="module")
def computed(tiny_clips: ClipStore, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrialOutcome, Path]:
    folder = tmp_path_factory.mktemp("stages")
    outcome, _ = run(tiny_clips, folder, FakeLeases())
    return outcome, folder


def test_every_stage_is_trained_under_a_lease_of_its_own(tiny_clips: ClipStore, tmp_path: Path) -> None:
    leases = FakeLeases()
    outcome, _ = run(tiny_clips, tmp_path, leases)
    assert leases.events == [(what, name) for name in names(outcome) for what in ("held", "released")]


def test_a_stage_that_is_there_needs_no_lease(
    tiny_clips: ClipStore, computed: tuple[TrialOutcome, Path]
) -> None:
    leases = FakeLeases()
    outcome, _ = run(tiny_clips, computed[1], leases)
    assert leases.events == []
    assert all(stage.reused for stage in outcome.stages)


def test_a_stage_that_is_published_during_the_wait_is_found(
    tiny_clips: ClipStore, computed: tuple[TrialOutcome, Path], tmp_path: Path
) -> None:
    theirs, folder = computed

    def publish(name: str) -> None:
        stage = theirs.stages[names(theirs).index(name)]
        shutil.copytree(folder / stage.kind / stage.key, tmp_path / stage.kind / stage.key)

    told = Told()
    ours, trial = run(tiny_clips, tmp_path, FakeLeases(publish), told)

    assert all(stage.reused for stage in ours.stages)
    assert ours.epochs(reused=False) == 0
    first = [event for event in told.events if event[0] in ("waits", "started")]
    assert first == [
        event
        for stage in theirs.stages
        for event in (
            ("waits", stage.kind, stage.pass_index, "t0003"),
            ("started", stage.kind, stage.pass_index, True),
        )
    ]
    assert not (trial.context.store.folder / "partial").exists()


def test_a_stage_whose_holder_died_is_trained_on(
    tiny_clips: ClipStore, computed: tuple[TrialOutcome, Path], tmp_path: Path
) -> None:
    class DiesError(Exception):
        """Stands for the holder's death."""

    class Dies(Told):
        def epoch_finished(self, kind: object, *args: object, **kwargs: object) -> None:  # noqa: ARG002
            raise DiesError

    def die(_: str) -> None:
        if not (tmp_path / "pass-1").exists():
            with pytest.raises(DiesError):
                run(tiny_clips, tmp_path, FakeLeases(), Dies())

    ours, _ = run(tiny_clips, tmp_path, FakeLeases(die))

    # Pass 1 has two epochs; the first one was kept.
    assert [stage.num_restored for stage in ours.stages] == [1, 0, 0]
    assert [untimed(stage) for stage in ours.stages] == [untimed(stage) for stage in computed[0].stages]


def untimed(result: StageResult) -> list[object]:
    return [dataclasses.replace(metrics, seconds=0.0) for metrics in result.epochs]


@pytest.mark.parametrize("end", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_trial_that_is_cut_short_holds_nothing(
    tiny_clips: ClipStore, tmp_path: Path, end: type[BaseException]
) -> None:
    class CutShort(Told):
        def epoch_finished(self, kind: object, *args: object, **kwargs: object) -> None:  # noqa: ARG002
            raise end("cut short")

    leases = FakeLeases()
    with pytest.raises(end, match="cut short"):
        run(tiny_clips, tmp_path, leases, CutShort())
    assert [what for what, _ in leases.events] == ["held", "released"]


def test_a_reporter_may_end_the_wait(tiny_clips: ClipStore, tmp_path: Path) -> None:
    class Impatient(Told):
        def stage_waits(self, kind: object, pass_index: int, holder: str) -> None:  # noqa: ARG002
            raise TimeoutError(f"waited for {holder}")

    leases = FakeLeases(lambda _: None)
    with pytest.raises(TimeoutError, match="waited for t0003"):
        run(tiny_clips, tmp_path, leases, Impatient())
    assert leases.events == []
