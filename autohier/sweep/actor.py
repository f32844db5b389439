"""What runs inside a trial's Ray actor: the trial itself, its records and its reports to the driver."""

from __future__ import annotations

import json
import os
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import ray
from ray import tune

from autohier.core.failures import breaks_device, failure_class
from autohier.core.pruning.stop_rule import StopRule
from autohier.core.stages.opening import open_trial
from autohier.core.stages.reporter import Reporter, Reporters
from autohier.core.stages.result import StageKind, StageResult, stage_label
from autohier.core.stages.store import StageStore
from autohier.core.training.metrics import EpochMetrics
from autohier.core.trial import TrialOutcome, run_trial
from autohier.data.store.reader import ClipStore
from autohier.errors import AutohierError
from autohier.records.diary import TrialDiary
from autohier.settings.choice import Choice
from autohier.settings.space import Setting
from autohier.sweep.folder import SweepFolder
from autohier.sweep.halving import Ladder
from autohier.sweep.lease_book import Holder
from autohier.sweep.leases import RayLeases
from autohier.sweep.logs import logging_to
from autohier.sweep.rungs import Climb, Judge, TrialStoppedError

_DEVICE_BROKEN = threading.Event()
"""Set once this process cannot compute on its accelerator any more."""


@dataclass(frozen=True, slots=True)
class TrialJob:
    """What all trials of a sweep have in common."""

    folder: SweepFolder
    clip_folder: Path
    stage_folder: Path
    device: str
    num_threads: int
    ladder: Ladder
    seed: int
    """Of the sweep: its settings are judged, those that are run again with other seeds are not."""
    accelerators: float = 0.0
    """That a trial holds."""
    halving: Any = None
    """Handle of the actor that holds a sweep.halving.Halving; None where nothing is stopped."""

    def judge_of(self, setting: Setting) -> Judge:
        """Who says whether a trial goes on."""
        if self.halving is None or setting.seed != self.seed:
            return lambda *_: None
        return self._ask

    def _ask(self, choice: Choice, step: int, value: float) -> str | None:
        arm = self.ladder.arm(choice, step)
        reason: str | None = ray.get(self.halving.judge_arm.remote(arm, choice.effect, step, value))
        return reason

    def leases(self, name: str) -> RayLeases:
        """Leases of what goes by that name in this sweep, in whatever process it runs."""
        return RayLeases(self.stage_folder, Holder(str(self.folder.path), name))


def run_sweep_trial(config: dict[str, Any], *, job: TrialJob) -> None:
    """Run one trial; Ray Tune calls it with what the searcher suggested.

    Reports every epoch that it trains, and at the end ``failure`` with its class, or ``chain`` (the
    accuracies) and ``rungs`` with either ``facts`` or ``stopped`` (JSON, as Ray takes nested results apart).
    Its own failures are reported, not raised: what Ray sees as an error is a process that died, and it starts
    the same trial again.
    """
    if _DEVICE_BROKEN.is_set():
        # Ray starts the trial again in another process. It does not expect one to end between two trials.
        os._exit(1)
    setting = Setting.model_validate_json(config["setting"])
    rule = StopRule(ties=setting.pruning.ties)
    climb = Climb(job.ladder, setting.choice, rule, job.judge_of(setting))
    driver = _RayReporter(setting)
    try:
        with _diary(config, setting, job) as diary:
            listeners = (diary.progress, driver, climb)
            end = _end(setting, job, diary, listeners, job.leases(config["trial"]))
    except Exception as error:  # noqa: BLE001  the outer wall of a trial: told to the driver and recorded
        if breaks_device(error):
            _DEVICE_BROKEN.set()
        report = {"failure": _reason(error), "failure_class": failure_class(error)}
        driver.end(report | {"traceback": traceback.format_exc()})
    else:
        driver.end({**end, "chain": climb.chain, "rungs": json.dumps(climb.reached)})


@contextmanager
def _diary(config: dict[str, Any], setting: Setting, job: TrialJob) -> Iterator[TrialDiary]:
    """The trial's diary; an error that ends the block is recorded."""
    diary = TrialDiary(
        job.folder.records,
        job.folder.tensorboard,
        setting,
        trial=config["trial"],
        number=config["number"],
        ask=config["ask"],
        source=config["source"],
        accelerators=job.accelerators,
    )
    try:
        yield diary
    except Exception as error:
        diary.fail(_reason(error), failure_class(error))
        raise


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, AutohierError) else f"{type(error).__name__}: {error}"


def _end(
    setting: Setting, job: TrialJob, diary: TrialDiary, listeners: Sequence[Reporter], leases: RayLeases
) -> dict[str, str]:
    try:
        outcome = _run(setting, job, diary, listeners, leases)
    except TrialStoppedError as stop:
        diary.stop(str(stop))
        return {"stopped": str(stop)}
    diary.complete(outcome)
    return {"facts": json.dumps(_facts(outcome))}


def _run(
    setting: Setting, job: TrialJob, diary: TrialDiary, listeners: Sequence[Reporter], leases: RayLeases
) -> TrialOutcome:
    clips = open_clips(job.clip_folder)
    with diary.curves(clips.manifest.class_names) as curves, logging_to(job.folder.log_file):
        trial = open_trial(
            setting,
            clips=clips,
            stages=StageStore(job.stage_folder),
            reporter=Reporters(curves, *listeners),
            device=job.device,
            num_threads=job.num_threads,
            leases=leases,
        )
        return run_trial(trial)


class _RayReporter:
    """Tells the driver of every stage and epoch; of stages that are found together with what comes next.

    Ray Tune takes one report at a time, which its trial waits for: a chain that is found must not cost one
    for every epoch.
    """

    def __init__(self, setting: Setting) -> None:
        self._has_folds = setting.protocol.validation == "folds"
        self._epochs: dict[StageKind, int] = {
            "pass-1": setting.pass_1.epochs,
            "pass-2": setting.pass_2.epochs,
            "prune": setting.pruning.epochs,
        }
        self._found: list[tuple[str, int, float]] = []
        self._stage = ""
        self._reused = False

    def stage_waits(self, kind: StageKind, pass_index: int, holder: str) -> None:
        tune.report({"stage": stage_label(kind, pass_index), "waits_for": holder})

    def stage_started(self, kind: StageKind, pass_index: int, *, reused: bool) -> None:
        self._stage = stage_label(kind, pass_index)
        self._reused = reused
        if self._found and not reused:
            self.tell({})

    def epoch_finished(
        self,
        kind: StageKind,
        pass_index: int,  # noqa: ARG002
        metrics: EpochMetrics,
        *,
        reused: bool,
    ) -> None:
        if self._reused:
            return
        # Epochs of folds are numbered through.
        fold, epoch = divmod(metrics.epoch, self._epochs[kind]) if self._has_folds else (0, metrics.epoch)
        stage = f"{self._stage} of fold {fold + 1}" if self._has_folds else self._stage
        self.tell({"stage": stage, "reused": reused, "epoch": epoch + 1, "accuracy": metrics.accuracy})

    def stage_finished(self, result: StageResult) -> None:
        if result.reused:
            self._found.append((self._stage, len(result.epochs), result.accuracy))
        else:
            self.tell({"stage": self._stage, "stage_accuracy": result.accuracy})

    def tell(self, report: dict[str, Any]) -> None:
        found, self._found = self._found, []
        tune.report({"found": found, **report})

    def end(self, report: dict[str, Any]) -> None:
        """The last report; Ray Tune does not come back to ask whether there is another one.

        In an actor it does not return: Ray ends the thread that waits in it before the next trial.
        """
        self.tell({**report, "done": True})


@lru_cache(maxsize=2)
def open_clips(folder: Path) -> ClipStore:
    """The prepared clips; opened once per process, since actors are reused between trials."""
    return ClipStore.open(folder)


def _facts(outcome: TrialOutcome) -> dict[str, Any]:
    return {
        "kept_pass": outcome.kept_pass,
        "parameters": outcome.kept.cost.parameters,
        "multiply_adds": outcome.kept.cost.multiply_adds,
        "stages": [key for stage in outcome.stages for key in stage.keys],
        "epochs_spared": outcome.epochs(reused=True),
        "epochs_computed": outcome.epochs(reused=False),
    }
