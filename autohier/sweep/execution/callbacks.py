"""Callbacks of Ray Tune in the driver: they pass trials' messages to the display and end lost leases."""

from __future__ import annotations

import logging
from typing import Any

from ray.tune import Callback

from autohier.config.trial.trial_config import TrialConfig
from autohier.sweep.execution.actors.context import SweepContext
from autohier.sweep.execution.display import Display
from autohier.sweep.execution.messages import TrialFailed, from_report
from autohier.sweep.execution.signals import StopRequest

_LOG = logging.getLogger(__name__)


class DisplayCallback(Callback):
    """Shows trials on the display; Ray Tune's loop waits for each method, so that each must be cheap."""

    def __init__(self, display: Display, stop: StopRequest) -> None:
        self._display, self._stop = display, stop

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Show a trial that got its share of a machine."""
        config = TrialConfig.model_validate_json(trial.config["config"])
        self._display.show_start(trial.config["trial"], config.params)

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Any],
        trial: Any,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """Show the messages of a trial and log its failure."""
        name = trial.config["trial"]
        for message in from_report(result):
            if isinstance(message, TrialFailed):
                _LOG.warning(
                    "%s failed (%s): %s\n%s", name, message.failure, message.reason, message.traceback
                )
            self._display.show(name, message)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Show a trial whose process died too often, and not with the sweep."""
        if self._stop.is_made:
            return
        name = trial.config["trial"]
        _LOG.error("%s: its process died; Ray's report is in %s", name, trial.error_file)
        self._display.show(name, TrialFailed("its process died repeatedly", "lost process", ""))

    def __getstate__(self) -> dict[str, Any]:
        # Ray pickles its callbacks into its own snapshot, which is never read.
        return {}


class LeaseCallback(Callback):
    """Ends leases and loans of a trial whose process died, so that no trial waits for them to expire."""

    def __init__(self, context: SweepContext) -> None:
        self._context = context

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """End the leases of a trial that Ray starts again."""
        self._context.give_up(trial.config["trial"])

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """End the leases of a trial whose process died too often."""
        self._context.give_up(trial.config["trial"])
