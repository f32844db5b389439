"""Whole sweeps in this process: real driver, study, records and stage store, without Ray and training.

Trials run one after the other. Each stage reports two fixed epochs, saves a checkpoint after each, and is
published; its accuracy follows from the trial's hyperparameters.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import nn

from autohier.config.sweep import SweepPlan
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.config.trial.trial_config import TrialConfig
from autohier.core.stages.callbacks import CallbackList, TrialCallback
from autohier.core.stages.kinds.base import StageKind
from autohier.core.stages.kinds.hac import PASS_1, PASS_2, PRUNE
from autohier.core.stages.result import StageResult
from autohier.core.stages.store.single_flight import NO_LEASES
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.training.metrics import Evaluation
from autohier.core.training.schedules import Schedule
from autohier.core.trial import TrialOutcome
from autohier.digest import derive_seed
from autohier.records.tensorboard.event_files import Picture
from autohier.sweep.api import SweepResult, resume_sweep, start_sweep
from autohier.sweep.execution.messages import EpochEnd
from autohier.sweep.execution.ray_session.session import be_quiet
from autohier.sweep.execution.trial_share import Share
from autohier.sweep.log_file import logging_to
from autohier.sweep.paths import clip_folder
from support.fakes.fake_outcomes import fake_confusion, fake_inputs, fake_stage
from support.sweep_runs.plans import make_provenance

TRIALS = 2
OVERRIDES = ("initial=[]", "search.max_passes=1", "protocol.validation=paper")


def start(out: Path, **options: Any) -> SweepResult:
    """Start the sweep "sweep" of two trials of the demo in a folder."""
    return start_sweep(
        "demo", trials=TRIALS, name="sweep", out=out, data=out, overrides=OVERRIDES,
        **{"scheduler": "none", "parallel": 1, "console": Console(quiet=True), **options},
    )  # fmt: skip


def resume(out: Path) -> SweepResult:
    """Resume it."""
    return resume_sweep("sweep", out=out, console=Console(quiet=True))


@contextmanager
def in_this_process() -> Iterator[None]:
    """Run sweeps in this process while the block runs."""
    be_quiet()  # Ray reads its environment when it is imported
    from autohier.sweep.execution.actors import context, stage_actor, trial_actor

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autohier.sweep.api.check_new_plan", _check_new_plan)
        patch.setattr("autohier.sweep.api.check_plan", lambda plan: plan)
        patch.setattr("autohier.sweep.api.provenance", lambda *_: make_provenance())
        patch.setattr("autohier.sweep.driver.ray_session", _ray_session)
        patch.setattr("autohier.sweep.phases.pass_1.open_flat", _open_flat)
        patch.setattr("autohier.sweep.phases.pass_1.find_pass_1", lambda _: None)
        patch.setattr("autohier.sweep.execution.tuner.run_trials", _run_trials)
        patch.setattr(context.SweepContext, "leases", lambda *_: NO_LEASES)
        patch.setattr(stage_actor, "run_in_stage_actor", _run_in_stage_actor)
        patch.setattr(trial_actor, "_run", _run_trial)
        for name in ("confusion_picture", "hierarchy_picture"):
            patch.setattr(f"autohier.records.tensorboard.callback.{name}", lambda *_: Picture(b"", 1, 1))
        yield


def _check_new_plan(plan: SweepPlan, **_: Any) -> SweepPlan:
    for folder in (Path(plan.stage_folder), clip_folder(plan)):
        folder.mkdir(parents=True, exist_ok=True)
    return plan


@contextmanager
def _ray_session(_: Any) -> Iterator[Share]:
    yield Share(cpus=1, gpus=0, parallel=1, node_cpus=1)


def _open_flat(plan: Any, _: Any) -> SimpleNamespace:
    return SimpleNamespace(fold_bases=(), config=plan.space.config(FLAT_PARAMS, seed=plan.seed))


def _run_trials(folder: Any, study: Any, context: Any, _: Share, display: Any, limit: Any, stop: Any) -> None:
    """Run trials as `tuner.run_trials` does, one after the other."""
    from autohier.sweep.execution.actors import trial_actor
    from autohier.sweep.execution.searcher import StudySearcher

    class Tuner:
        """Ray Tune's, which runs each trial in this process."""

        def __init__(self, _: Any, tune_config: Any, **_options: Any) -> None:
            self._searcher: StudySearcher = tune_config.search_alg

        def fit(self) -> None:
            for number in itertools.count():
                config = self._searcher.suggest(f"{number}")
                if config is None or isinstance(config, str):
                    return
                reports: list[dict[str, Any]] = []
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr("ray.tune.report", reports.append)
                    trial_actor.run_sweep_trial(config, context=context)
                self._searcher.on_trial_complete(f"{number}", reports[-1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ray.tune.Tuner", Tuner)
        patch.setattr("ray.tune.with_resources", lambda trainable, _: trainable)
        patch.setattr("ray.put", lambda context: context)
        _REAL_RUN_TRIALS(folder, study, context, _SHARE, display, limit, stop)


def _run_trial(
    _: Any, config: TrialConfig, context: Any, recorder: Any, callbacks: Sequence[TrialCallback]
) -> TrialOutcome:
    with recorder.curves(()) as curves, logging_to(context.folder.log_file):
        return _run_chain(config, StageStore(context.stage_folder), CallbackList(curves, *callbacks))


def _run_chain(config: TrialConfig, store: StageStore, callback: TrialCallback) -> TrialOutcome:
    rights = [60] + [70 + derive_seed(config.params, step) % 40 for step in range(config.params.passes + 1)]
    stages: list[StageResult] = []
    for step, num_right in enumerate(rights):
        kind = (PASS_1, PASS_2)[step] if step < 2 else PRUNE
        parent = stages[-1].key if stages else None
        stages.append(_run_stage(kind, max(0, step - 1), num_right, parent, store, callback))
    chain = rights[1:]
    return TrialOutcome(config, tuple(stages), chain.index(max(chain)))


def _run_stage(
    kind: StageKind,
    pass_index: int,
    num_right: int,
    parent: str | None,
    store: StageStore,
    callback: TrialCallback,
) -> StageResult:
    """Reuse or train a stage as `autohier.core.stages.runner.run_stage` does."""
    stage = fake_stage(kind, pass_index, num_right, parent_key=parent)
    found = store.find(kind, stage.key)
    callback.on_stage_start(kind, pass_index, reused=found is not None)
    network = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    checkpoint = store.partial(kind, stage.key)
    restored = [] if found else checkpoint.restore(network, optimizer, Schedule())
    for number, metrics in enumerate(stage.epochs):
        reused = found is not None or number < len(restored)
        if not reused:
            checkpoint.save(network, optimizer, Schedule(), stage.epochs[: number + 1])
        callback.on_epoch_end(kind, pass_index, metrics, reused=reused)
    if found is None:
        store.publish(stage, fake_inputs(stage), {"weight": torch.ones(3)})
        checkpoint.remove()
    result = found or stage
    callback.on_stage_end(result)
    return result


def _run_in_stage_actor(method: str, config: TrialConfig, context: Any, *others: Any) -> Any:
    on_message: Callable[[Any], None] = others[-1]

    class Messages(TrialCallback):
        """Passes the epochs on as a stage's process does."""

        def on_epoch_end(self, kind: StageKind, pass_index: int, metrics: Any, *, reused: bool) -> None:
            on_message(EpochEnd(kind.label(pass_index), metrics.epoch + 1, metrics.accuracy, reused, 1.0))

    store = StageStore(context.stage_folder)
    with logging_to(context.folder.log_file):
        if method == "pass_1":
            return _run_stage(PASS_1, 0, 60, None, store, Messages())
        outcome = _run_chain(config, store, Messages())
    evaluation = Evaluation(1.0, (0.5,), fake_confusion(60))
    labels: Mapping[str, None] = dict.fromkeys(stage.label for stage in (*outcome.stages[:2], outcome.kept))
    return [(label, evaluation) for label in labels]


_SHARE = Share(cpus=1, gpus=0, parallel=1, node_cpus=1)


def _real_run_trials() -> Any:
    be_quiet()
    from autohier.sweep.execution.tuner import run_trials

    return run_trials


_REAL_RUN_TRIALS = _real_run_trials()
