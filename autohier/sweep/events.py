"""Passes what Ray Tune hears from trials on to the display, the log and the book of leases."""

from __future__ import annotations

import logging
from typing import Any

from ray.tune import Callback

from autohier.settings.space import Setting
from autohier.sweep.actor import TrialJob
from autohier.sweep.display import Display

_LOG = logging.getLogger(__name__)


class DisplayCallback(Callback):
    """Called in Ray Tune's loop, so that each event must be cheap."""

    def __init__(self, display: Display) -> None:
        self._display = display

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial got its share of a machine."""
        setting = Setting.model_validate_json(trial.config["setting"])
        self._display.trial_started(trial.config["trial"], setting.choice)

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Any],
        trial: Any,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """A trial reported an epoch, a stage or its end; see autohier.sweep.actor for the forms."""
        name = trial.config["trial"]
        for stage, epochs, accuracy in result.get("found", ()):
            self._display.stage_found(name, stage, epochs, accuracy)
        if "failure" in result:
            failure, reason = result["failure_class"], result["failure"]
            _LOG.warning("%s failed (%s): %s\n%s", name, failure, reason, result["traceback"])
            self._display.trial_failed(name, result["failure"], result["failure_class"])
        elif "stopped" in result:
            self._display.trial_stopped(name, result["stopped"])
        elif "chain" in result:
            self._display.trial_finished(name, max(result["chain"]))
        elif "waits_for" in result:
            self._display.stage_waits(name, result["stage"], result["waits_for"])
        elif "stage_accuracy" in result:
            self._display.stage_finished(name, result["stage"], result["stage_accuracy"])
        elif "epoch" in result:
            self._display.epoch_finished(
                name, result["stage"], result["epoch"], result["accuracy"], reused=result["reused"]
            )

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial's process died too often."""
        _LOG.error("%s: its process died; Ray's account is in %s", trial.config["trial"], trial.error_file)
        self._display.trial_failed(trial.config["trial"], "its process died again and again", "lost process")

    def __getstate__(self) -> dict[str, Any]:
        # Ray pickles its callbacks into its own snapshot, which is never read.
        return {}


class LeaseCallback(Callback):
    """Ends the leases of a trial whose process died, so that nobody waits for them to run out."""

    def __init__(self, job: TrialJob) -> None:
        self._job = job

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial's process died and will be started again."""
        self._job.leases(trial.config["trial"]).give_up()

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial's process died too often."""
        self._job.leases(trial.config["trial"]).give_up()
