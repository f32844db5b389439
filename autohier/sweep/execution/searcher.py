"""The searcher: lets Ray Tune sample trials from the study and reports their ends to the study."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from ray.tune.search import Searcher

from autohier.errors import ENVIRONMENT_FAILURES, FailureClass
from autohier.sweep.execution.messages import (
    TrialComplete,
    TrialEnd,
    TrialFacts,
    TrialFailed,
    TrialStopped,
    from_report,
)
from autohier.sweep.execution.signals import StopRequest
from autohier.sweep.scheduling.failure_limit import FailureLimit
from autohier.sweep.study.attributes import COSTS
from autohier.sweep.study.confirmation_study import ConfirmationStudy
from autohier.sweep.study.study import Measurements, SampledTrial, SweepStudy

_DIED = "its process died repeatedly"
_STATES: dict[type[TrialEnd], str] = {TrialComplete: "COMPLETE", TrialStopped: "PRUNED"}
UNRECORDED = "its machine reported its end, but what it recorded does not reach the driver"


class StudySearcher(Searcher):
    """Ray Tune's searcher over a study of a sweep.

    A trial that failed because of a disk or a lost process runs again at once, and if it fails again with the
    next driver: its config is not at fault, and the winner should not depend on it.

    Args:
        study: samples the trials and receives their ends; stays in the driver.
        failure_limit: receives every end. If it halts the sweep, no more trials are sampled, and the failed
            ones are taken back.
        on_loss: called, before the study, with a trial that cannot record its own failure, the reason and the
            failure class: its process died too often, or what it wrote does not reach the driver.
        stop: after it is made, no process dies because of its trial.
        has_record: returns True if the driver can read the record of a trial that reported its end, with the
            state that follows.
        room: returns the number of trials that may run at the same time now.
    """

    def __init__(
        self,
        study: SweepStudy | ConfirmationStudy,
        failure_limit: FailureLimit,
        on_loss: Callable[[SampledTrial, str, FailureClass], None],
        stop: StopRequest,
        has_record: Callable[[SampledTrial, str], bool] = lambda *_: True,
        room: Callable[[], int] = lambda: sys.maxsize,
    ) -> None:
        super().__init__(metric="accuracy", mode="max")
        self._study = study
        self._failure_limit = failure_limit
        self._on_loss = on_loss
        self._has_record = has_record
        self._stop = stop
        self._room = room
        self._running: dict[str, SampledTrial] = {}
        self._repeated: set[int] = set()
        """Indices of the trials that this driver has run twice, as a disk or a process failed."""
        self.fault: OSError | None = None
        """Error of a failed write of the study. After it the searcher neither samples nor reports, as the
        study in memory is ahead of its file; the next driver runs the unreported trials again."""

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the configuration of the next trial, ``FINISHED`` if there is none, or None to wait."""
        sampled = None
        if self._running and len(self._running) >= self._room() and not self._is_halted:
            return None
        if not self._is_halted:
            try:
                sampled = self._study.next_trial()
            except OSError as error:
                self.fault = error
        if sampled is None:
            if self._running and not self._is_halted:
                return None  # one of them may have to run again
            finished: str = Searcher.FINISHED
            return finished
        self._running[trial_id] = sampled
        return {
            "trial": sampled.name,
            "ask": sampled.trial_index,
            "number": sampled.number,
            "role": sampled.role,
            "confirms": sampled.confirms,
            "source": sampled.source,
            # One text, because Ray copies, encodes and keeps each part of a configuration.
            "config": sampled.config.model_dump_json(),
        }

    @property
    def _is_halted(self) -> bool:
        return bool(self._failure_limit.exceeded or self.fault)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Do nothing: the display shows epochs, the study receives a trial when it ends."""

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Report the end of a trial to the study.

        A trial that was interrupted with its sweep has sent no `TrialEnd`. The study keeps it as running, and
        the next driver runs it again.
        """
        sampled = self._running.pop(trial_id, None)
        if sampled is None or self.fault:
            return
        try:
            if error and not self._stop.is_made:
                self._lose(sampled, _DIED, "lost process")
            for message in from_report(result):
                if isinstance(message, TrialEnd) and not error:
                    self._report_end(sampled, message)
        except OSError as fault:
            self.fault = fault

    def _lose(self, sampled: SampledTrial, reason: str, failure: FailureClass) -> None:
        self._on_loss(sampled, reason, failure)
        self._report_failure(sampled, reason, failure)

    def _report_end(self, sampled: SampledTrial, end: TrialEnd) -> None:
        state = _STATES.get(type(end))
        if state is not None and not self._has_record(sampled, state):
            # The report alone would count, and the trial would be missing from every result of the sweep.
            self._lose(sampled, UNRECORDED, "disk error")
            return
        match end:
            case TrialFailed(reason, failure):
                spent = {"epochs_computed": end.epochs_computed, "seconds_computed": end.seconds_computed}
                self._report_failure(sampled, reason, failure, spent)
            case TrialStopped(reason=reason):
                self._failure_limit.trial_completed()
                facts = {
                    "stages": list(end.stages),
                    "epochs_reused": end.epochs_reused,
                    "stage_epochs_reused": list(end.stage_epochs_reused),
                    "epochs_computed": end.epochs_computed,
                    "seconds_computed": end.seconds_computed,
                    **({COSTS: list(end.chain_multiply_adds)} if end.chain_multiply_adds else {}),
                }
                self._study.record_pruned(sampled, _measured(end), reason, facts)
            case TrialComplete(facts=facts):
                self._failure_limit.trial_completed()
                self._study.record_complete(sampled, _measured(end), _known(facts))

    def _report_failure(
        self,
        sampled: SampledTrial,
        reason: str,
        failure: FailureClass,
        spent: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self._failure_limit.trial_failed(sampled.trial.number, failure, reason)
        # Before the report: a driver that dies in between must not leave the trial as finished.
        if self._failure_limit.exceeded:
            self._study.retry(self._failure_limit.exceeded.numbers)
        elif failure in ENVIRONMENT_FAILURES and sampled.index not in self._repeated:
            self._repeated.add(sampled.index)
            self._study.retry([sampled.trial.number])
        self._study.record_failure(sampled, reason, failure, spent)

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the study has its own storage."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: the study has its own storage."""

    def __getstate__(self) -> dict[str, Any]:
        # Ray pickles the searcher into its own snapshot, which is never read.
        return {"_metric": self._metric, "_mode": self._mode}


def _measured(end: TrialComplete | TrialStopped) -> Measurements:
    costs = {step: cost for (step, _), cost in zip(end.rungs, end.rung_multiply_adds, strict=False)}
    return Measurements(list(end.chain), dict(end.rungs), costs)


def _known(facts: TrialFacts) -> dict[str, Any]:
    """Return the facts that a trial has."""
    return {name: value for name, value in asdict(facts).items() if value not in ("", None, ())}
