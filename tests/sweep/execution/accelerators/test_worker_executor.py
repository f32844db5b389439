"""Stages on workers that a real broker lends, on a machine of two cores: results, losses and stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autohier.config.scaling import Scaling
from autohier.config.search.loading import load_space
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup, open_trial
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.training.metrics import EpochMetrics
from autohier.core.trial import evaluate_stage_on_test, train_pass_1
from autohier.data.store.reader import ClipStore
from autohier.errors import DivergedError
from autohier.sweep.execution.trial_share import Share
from autohier.sweep.paths import SweepFolder
from autohier.sweep.scheduling.early_stopping import TrialStoppedError
from autohier.sweep.scheduling.rungs import open_rungs
from support.sources.tiny_clips import SPACE_FILE, open_tiny_trial, tiny_config

if TYPE_CHECKING:
    from autohier.sweep.execution.actors.context import SweepContext

pytestmark = pytest.mark.usefixtures("ray_address")


class Listener(TrialCallback):
    """Notes all calls, and does something after the first epoch."""

    def __init__(self, after_first: Callable[[], None] = lambda: None) -> None:
        self.calls: list[Any] = []
        self.after_first = after_first
        self.on_wait: Callable[[], object] = lambda: None

    def on_stage_wait(self, kind: StageKind, pass_index: int, holder: str) -> None:  # noqa: ARG002
        self.calls.append(f"waits for {holder}")
        self.on_wait()

    def on_stage_start(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:  # noqa: ARG002
        self.calls.append("start")

    def on_epoch_end(self, kind: StageKind, pass_index: int, metrics: EpochMetrics, *, reused: bool) -> None:  # noqa: ARG002
        self.calls.append((metrics.epoch, reused))
        if metrics.epoch == 0 and not reused:
            self.after_first()

    def on_stage_end(self, result: StageResult) -> None:  # noqa: ARG002
        self.calls.append("end")


EPOCHS = 3
WHOLE = ["start", *((epoch, False) for epoch in range(EPOCHS)), "end"]


class Lent:
    """A broker that lends two workers, and trials whose stages they compute."""

    def __init__(self, context: SweepContext) -> None:
        self.context, self.broker = context, context.broker

    def trial(self, seed: int, listener: TrialCallback, *overrides: str, name: str = "t0000") -> TrialSetup:
        """Open a trial; another seed has other stages."""
        from autohier.sweep.execution.accelerators.worker_executor import open_executor

        config = tiny_config(f"pass_1.epochs={EPOCHS}", *overrides, seed=seed)
        return open_trial(
            config,
            clips=ClipStore.open(self.context.clip_folder),
            stages=StageStore(self.context.stage_folder),
            callback=listener,
            executor=open_executor(self.context, name, config),
        )

    def claim(self, holder: str) -> Any:
        """Claim accelerators; return the reference of the loan."""
        return self.broker.claim.remote(holder, "stage")

    def num_idle(self) -> int:
        import ray

        idle: int = ray.get(self.broker.idle.remote())
        return idle


@pytest.fixture(scope="module")
def lent(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path, ray_address: str) -> Iterator[Lent]:  # noqa: ARG001
    import ray

    from autohier.sweep.execution.accelerators.broker import start_broker
    from autohier.sweep.execution.actors.context import SweepContext

    folder, rungs = tmp_path_factory.mktemp("lent"), open_rungs(load_space(str(SPACE_FILE), ()))
    alone = SweepContext(SweepFolder(folder), tiny_data / "demo", folder / "stages", "cpu", 1, rungs, 0)
    broker = start_broker(alone, Share(1, 0, 2, 2), Scaling(2, 0.9))
    yield Lent(replace(alone, broker=broker))
    ray.kill(broker)


def train_alone(tmp_path: Path, data: Path, seed: int) -> StageResult:
    """Return pass 1 as the trial's own process trains it."""
    config = tiny_config(f"pass_1.epochs={EPOCHS}", seed=seed)
    return train_pass_1(open_tiny_trial(config, ClipStore.open(data / "demo"), tmp_path))


def assert_equal_training(lent: StageResult, alone: StageResult) -> None:
    """Check that two trainings differ by rounding only, which grows from step to step.

    The seeds are ones for which two threads instead of one change the losses by less than this.
    """
    assert lent.key == alone.key
    for own, other, rounding in zip(lent.epochs, alone.epochs, (1e-4, 1e-3, 1e-2), strict=True):
        assert own.loss == pytest.approx(other.loss, rel=rounding)
    assert lent.accuracy == pytest.approx(alone.accuracy, abs=0.15)


def test_a_stage_trains_on_two_workers_as_it_does_alone(tmp_path: Path, tiny_data: Path, lent: Lent) -> None:
    listener, widths = Listener(), []
    listener.after_first = lambda: widths.append(2 - lent.num_idle())
    trial = lent.trial(0, listener)
    result = train_pass_1(trial)
    assert listener.calls == WHOLE
    assert widths == [2]
    assert (result.reused, result.num_restored) == (False, 0)
    assert_equal_training(result, train_alone(tmp_path, tiny_data, 0))
    # Its test result is computed on a worker as well; afterwards all are given back.
    evaluation = evaluate_stage_on_test(trial, result)
    alone = open_tiny_trial(trial.config, trial.context.clips, lent.context.stage_folder)
    assert evaluation.accuracy == evaluate_stage_on_test(alone, result).accuracy
    assert lent.num_idle() == 2


def test_another_stage_gets_a_worker_at_the_next_epoch(tmp_path: Path, tiny_data: Path, lent: Lent) -> None:
    import ray

    claims: list[Any] = []
    listener = Listener(lambda: claims.append(lent.claim("other")))
    result = train_pass_1(lent.trial(1, listener))
    assert len(ray.get(claims[0]).workers) == 1
    assert listener.calls == WHOLE
    assert result.num_restored == 0
    assert_equal_training(result, train_alone(tmp_path, tiny_data, 1))
    # A stage that finds no worker says so, and trains when one is given back.
    second = lent.claim("third")
    ray.get(second)
    waiting = Listener()
    waiting.on_wait = lambda: lent.broker.give_up.remote("third")
    assert_equal_training(train_pass_1(lent.trial(2, waiting)), train_alone(tmp_path, tiny_data, 2))
    assert waiting.calls == ["waits for stages on all accelerators", *WHOLE]
    ray.get(lent.broker.give_up.remote("other"))
    assert lent.num_idle() == 2


def test_a_stage_whose_worker_dies_continues_after_its_checkpoint(
    tmp_path: Path, tiny_data: Path, lent: Lent
) -> None:
    import ray

    loan = ray.get(lent.claim("look"))
    ray.get(lent.broker.give_up.remote("look"))
    listener = Listener(lambda: ray.kill(loan.workers[1], no_restart=False))
    result = train_pass_1(lent.trial(8, listener))
    assert listener.calls == WHOLE
    assert result.num_restored == 0
    assert_equal_training(result, train_alone(tmp_path, tiny_data, 8))


def test_a_stopped_trial_gives_its_workers_back(lent: Lent) -> None:
    def stop() -> None:
        raise TrialStoppedError("weak")

    with pytest.raises(TrialStoppedError, match="weak"):
        train_pass_1(lent.trial(4, Listener(stop)))
    assert lent.num_idle() == 2
    # The next trial continues with the epoch that it trained.
    listener = Listener()
    result = train_pass_1(lent.trial(4, listener))
    assert listener.calls == ["start", (0, True), (1, False), (2, False), "end"]
    assert result.num_restored == 1


def test_an_error_of_the_training_is_the_trial_s(lent: Lent) -> None:
    with pytest.raises(DivergedError, match="must be finite"):
        train_pass_1(lent.trial(5, Listener(), "optimisation.learning_rate=1e30"))
    assert lent.num_idle() == 2


def test_a_worker_whose_machine_is_lost_counts_as_dead() -> None:
    import ray
    from ray.exceptions import RayActorError

    from autohier.sweep.execution.accelerators.worker_answers import await_restart, gathered
    from autohier.sweep.execution.cluster.placement import on_machine

    class Worker:
        def advance(self) -> None:
            pass

    worker = ray.remote(num_cpus=0)(Worker).options(scheduling_strategy=on_machine("a" * 56)).remote()
    with pytest.raises(RayActorError, match="its machine was lost: The actor is not schedulable"):
        gathered([worker.advance.remote()], [worker])
    await_restart([worker])
