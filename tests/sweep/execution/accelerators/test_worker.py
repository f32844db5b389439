"""A worker in this process: whose stage it trains, and that no trial ends another one's stage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autohier.config.search.loading import load_space
from autohier.core.recipes.chain import stage_kinds
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.stages.store.stage_store import StageStore
from autohier.data.store.reader import ClipStore
from autohier.errors import LostProcessError
from autohier.sweep.execution.ray_session.session import be_quiet
from autohier.sweep.paths import SweepFolder
from autohier.sweep.scheduling.rungs import open_rungs
from support.sources.tiny_clips import SPACE_FILE, open_tiny_trial, tiny_config

be_quiet()  # Ray reads its environment when it is imported

if TYPE_CHECKING:
    from autohier.sweep.execution.accelerators.worker import Order, StageWorker


@pytest.fixture
def worker(tmp_path: Path, tiny_data: Path) -> StageWorker:
    from autohier.sweep.execution.accelerators.worker import StageWorker
    from autohier.sweep.execution.actors.context import SweepContext

    rungs = open_rungs(load_space(str(SPACE_FILE), ()))
    stages = tmp_path / "stages"
    return StageWorker(SweepContext(SweepFolder(tmp_path), tiny_data / "demo", stages, "cpu", 1, rungs, 0))


def order_of(trial: TrialSetup, name: str) -> Order:
    from autohier.sweep.execution.accelerators.worker import Order

    (kind, *_) = stage_kinds(trial.config, 0)
    flat = kind.hierarchy(trial.config, (), {})
    planned = kind.plan(trial.config, trial.base, (), flat, ())
    return Order(trial.config, kind, 0, planned.inputs, planned.prepare, name)


@pytest.fixture
def order(tmp_path: Path, tiny_data: Path) -> Order:
    clips = ClipStore.open(tiny_data / "demo")
    return order_of(open_tiny_trial(tiny_config("pass_1.epochs=2"), clips, tmp_path / "stages"), "t0000")


def test_it_trains_an_epoch_per_call_and_publishes(worker: StageWorker, order: Order, tmp_path: Path) -> None:
    from autohier.sweep.execution.accelerators.worker import WorkedEpoch

    worker.open(order, 0, 1, "unused")
    first, second, result = (worker.advance() for _ in range(3))
    assert isinstance(first, WorkedEpoch)
    assert isinstance(second, WorkedEpoch)
    assert isinstance(result, StageResult)
    assert (first.metrics.epoch, second.metrics.epoch) == (0, 1)
    assert StageStore(tmp_path / "stages").find(order.kind, result.key) is not None
    with pytest.raises(LostProcessError, match="must have a stage open"):
        worker.advance()


def test_a_trial_that_left_late_does_not_end_the_stage_of_another(worker: StageWorker, order: Order) -> None:
    worker.open(order, 0, 1, "unused")
    worker.advance()
    other = replace(order, trial="t0001")
    worker.open(other, 0, 1, "unused")
    worker.leave(order)
    # It continues after the checkpoint of the first.
    assert [getattr(worker.advance(), "reused", None) for _ in range(2)] == [True, False]
    worker.leave(other)
    with pytest.raises(LostProcessError, match="must have a stage open"):
        worker.advance()
