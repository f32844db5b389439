"""The searcher: Ray Tune's view of the study. It asks when Ray has room and tells when a trial ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ray.tune.search import Searcher

from autohier.sweep.study import Asked, Measured, SweepStudy

_DIED = "its process died again and again"


class StudySearcher(Searcher):
    """Hands the study's settings to Ray Tune and what comes of them back to the study.

    Args:
        study: asked and told; stays with the driver.
        on_death: called, before the study is told, with a setting whose process died more often than is
            forgiven, and so could not report its own failure, and with the reason that the study is told.
    """

    def __init__(self, study: SweepStudy, on_death: Callable[[Asked, str], None]) -> None:
        super().__init__(metric="accuracy", mode="max")
        self._study = study
        self._on_death = on_death
        self._running: dict[str, Asked] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """The configuration of the next trial, or that the sweep needs no more."""
        asked = self._study.ask()
        if asked is None:
            finished: str = Searcher.FINISHED
            return finished
        self._running[trial_id] = asked
        return {
            "trial": asked.name,
            "ask": asked.ask,
            "number": asked.trial.number,
            "source": asked.source,
            "setting": asked.setting.model_dump(mode="json"),
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
        last = result or {}
        if asked is None:
            return
        if error:
            self._on_death(asked, _DIED)
            self._study.tell_failure(asked, _DIED)
        elif "failure" in last:
            self._study.tell_failure(asked, last["failure"])
        elif "chain" in last:
            self._tell(asked, last)

    def _tell(self, asked: Asked, last: dict[str, Any]) -> None:
        rungs = {int(step): value for step, value in json.loads(last["rungs"]).items()}
        measured = Measured(last["chain"], rungs)
        if "stopped" in last:
            self._study.tell_stopped(asked, measured, last["stopped"])
        else:
            self._study.tell_complete(asked, measured, json.loads(last["facts"]))

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study keeps itself."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the study keeps itself."""

    def __getstate__(self) -> dict[str, Any]:
        # Ray pickles the searcher into its own snapshot, which is never read.
        return {"_metric": self._metric, "_mode": self._mode}
