"""Single flight: the trial that holds the lease of a stage trains it; other trials wait."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.trial import TrialOutcome, run_trial
from autohier.data.store.reader import ClipStore
from support.fakes.fake_stages import RecordingCallback
from support.sources.tiny_clips import open_tiny_trial, tiny_config

CONFIG = tiny_config(passes=1)


@dataclass
class FakeLeases:
    """Grants every lease. With ``while_waiting``, another process holds the lease while that runs."""

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
    return [f"{stage.kind.name}-{stage.key}" for stage in outcome.stages]


def run(
    clips: ClipStore, folder: Path, leases: FakeLeases, callback: RecordingCallback | None = None
) -> tuple[TrialOutcome, TrialSetup]:
    trial = open_tiny_trial(CONFIG, clips, folder, callback or RecordingCallback(), leases=leases)
    return run_trial(trial), trial


@dataclass(frozen=True)
class Trained:
    """A finished trial, its store and the leases that it held."""

    outcome: TrialOutcome
    folder: Path
    leases: FakeLeases


@pytest.fixture(scope="module")
def trained(tiny_clips: ClipStore, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder, leases = tmp_path_factory.mktemp("stages"), FakeLeases()
    outcome, _ = run(tiny_clips, folder, leases)
    return Trained(outcome, folder, leases)


def test_every_stage_is_trained_under_a_lease_of_its_own(trained: Trained) -> None:
    assert trained.leases.events == [
        (what, name) for name in names(trained.outcome) for what in ("held", "released")
    ]


def test_a_cached_stage_needs_no_lease(tiny_clips: ClipStore, trained: Trained) -> None:
    leases = FakeLeases()
    outcome, _ = run(tiny_clips, trained.folder, leases)
    assert leases.events == []
    assert all(stage.reused for stage in outcome.stages)


def test_a_stage_that_is_published_during_the_wait_is_reused(
    tiny_clips: ClipStore, trained: Trained, tmp_path: Path
) -> None:
    other, folder = trained.outcome, trained.folder

    def publish(name: str) -> None:
        stage = other.stages[names(other).index(name)]
        shutil.copytree(folder / stage.kind.name / stage.key, tmp_path / stage.kind.name / stage.key)

    recorder = RecordingCallback()
    outcome, trial = run(tiny_clips, tmp_path, FakeLeases(publish), recorder)

    assert all(stage.reused for stage in outcome.stages)
    assert outcome.epochs(reused=False) == 0
    starts = [event for event in recorder.events if event[0] in ("waits", "started")]
    assert starts == [
        event
        for stage in other.stages
        for event in (
            ("waits", stage.kind.name, stage.pass_index, "t0003"),
            ("started", stage.kind.name, stage.pass_index, True),
        )
    ]
    assert not (trial.context.store.folder / "partial").exists()


def test_a_stage_whose_holder_died_continues_from_its_checkpoint(
    tiny_clips: ClipStore, trained: Trained, tmp_path: Path
) -> None:
    class DeathError(Exception):
        """Simulates the death of the holder."""

    class Dying(RecordingCallback):
        def on_epoch_end(self, kind: object, *args: object, **kwargs: object) -> None:  # noqa: ARG002
            raise DeathError

    def die(_: str) -> None:
        if not (tmp_path / "pass-1").exists():
            with pytest.raises(DeathError):
                run(tiny_clips, tmp_path, FakeLeases(), Dying())

    outcome, _ = run(tiny_clips, tmp_path, FakeLeases(die))

    # Pass 1 has two epochs; the first one is in the checkpoint.
    assert [stage.num_restored for stage in outcome.stages] == [1, 0, 0]
    assert [untimed(stage) for stage in outcome.stages] == [
        untimed(stage) for stage in trained.outcome.stages
    ]


def untimed(result: StageResult) -> list[object]:
    return [dataclasses.replace(metrics, seconds=0.0) for metrics in result.epochs]


@pytest.mark.parametrize("end", [ValueError, SystemExit, KeyboardInterrupt])
def test_an_interrupted_trial_releases_its_lease(
    tiny_clips: ClipStore, tmp_path: Path, end: type[BaseException]
) -> None:
    class Interrupting(RecordingCallback):
        def on_epoch_end(self, kind: object, *args: object, **kwargs: object) -> None:  # noqa: ARG002
            raise end("interrupted")

    leases = FakeLeases()
    with pytest.raises(end, match="interrupted"):
        run(tiny_clips, tmp_path, leases, Interrupting())
    assert [what for what, _ in leases.events] == ["held", "released"]


def test_a_callback_may_end_the_wait(tiny_clips: ClipStore, tmp_path: Path) -> None:
    class Impatient(RecordingCallback):
        def on_stage_wait(self, kind: object, pass_index: int, holder: str) -> None:  # noqa: ARG002
            raise TimeoutError(f"waited for {holder}")

    leases = FakeLeases(lambda _: None)
    with pytest.raises(TimeoutError, match="waited for t0003"):
        run(tiny_clips, tmp_path, leases, Impatient())
    assert leases.events == []
