"""The searcher: Ray Tune's view of the study. It asks when Ray has room and tells when a trial ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ray.tune.search import Searcher

from autohier.errors import FailureClass
from autohier.sweep.breaker import Breaker
from autohier.sweep.study import Asked, Measured, SweepStudy

_DIED = "its process died again and again"


class StudySearcher(Searcher):
    """Hands the study's settings to Ray Tune and what comes of them back to the study.

    Args:
        study: asked and told; stays with the driver.
        breaker: told of every end; where it says halt, the study is asked no more and the settings of the
            row are taken back.
        on_death: called, before the study is told, with a setting whose process died more often than is
            forgiven, and so could not report its own failure, and with the reason that the study is told.
    """

    def __init__(self, study: SweepStudy, breaker: Breaker, on_death: Callable[[Asked, str], None]) -> None:
        super().__init__(metric="accuracy", mode="max")
        self._study = study
        self._breaker = breaker
        self._on_death = on_death
        self._running: dict[str, Asked] = {}
        self.fault: OSError | None = None
        """Why the study could not be written. Then it is asked and told no more: what it remembers is ahead
        of what is written; the next driver asks again what was not told."""

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """The configuration of the next trial, or that the sweep needs no more."""
        asked = None
        if not (self._breaker.halt or self.fault):
            try:
                asked = self._study.ask()
            except OSError as error:
                self.fault = error
        if asked is None:
            finished: str = Searcher.FINISHED
            return finished
        self._running[trial_id] = asked
        return {
            "trial": asked.name,
            "ask": asked.ask,
            "number": asked.trial.number,
            "source": asked.source,
            # One text, as Ray copies, encodes and keeps a configuration part by part.
            "setting": asked.setting.model_dump_json(),
        }

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Epochs are the display's business; the study hears of a trial when it ends."""

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell the study how a trial ended.

        A trial that was cut short with its sweep (Ctrl-C) has reported neither a chain nor a failure: the
        study keeps it as running, and the next driver takes its setting up again.
        """
        asked = self._running.pop(trial_id, None)
        if asked is None or self.fault:
            return
        try:
            self._end(asked, result or {}, died=error)
        except OSError as fault:
            self.fault = fault

    def _end(self, asked: Asked, last: Mapping[str, Any], *, died: bool) -> None:
        if died:
            self._on_death(asked, _DIED)
            self._fail(asked, _DIED, "lost process")
        elif "failure" in last:
            self._fail(asked, last["failure"], last["failure_class"])
        elif "chain" in last:
            self._breaker.trial_completed()
            self._tell(asked, last)

    def _tell(self, asked: Asked, last: Mapping[str, Any]) -> None:
        rungs = {int(step): value for step, value in json.loads(last["rungs"]).items()}
        measured = Measured(last["chain"], rungs)
        if "stopped" in last:
            self._study.tell_stopped(asked, measured, last["stopped"])
        else:
            self._study.tell_complete(asked, measured, json.loads(last["facts"]))

    def _fail(self, asked: Asked, reason: str, failure: FailureClass) -> None:
        self._breaker.trial_failed(asked.trial.number, failure, reason)
        if self._breaker.halt:
            # Before it is told: a driver that dies in between must not leave the setting as tried.
            self._study.take_back(self._breaker.halt.numbers)
        self._study.tell_failure(asked, reason, failure)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study keeps itself."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the study keeps itself."""

    def __getstate__(self) -> dict[str, Any]:
        # Ray pickles the searcher into its own snapshot, which is never read.
        return {"_metric": self._metric, "_mode": self._mode}
