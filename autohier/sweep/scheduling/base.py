"""The protocol of trial schedulers.

A package adds a scheduler by an entry point in the group ``autohier.trial_schedulers`` (see
`autohier.extensions`); its builder takes the `Rungs` of the sweep and returns a `TrialScheduler`.
"""

from __future__ import annotations

from typing import Protocol

from autohier.sweep.scheduling.rungs import RungReport


class TrialScheduler(Protocol):
    """Decides at every rung whether a trial continues.

    Who calls what and when:
        The driver builds one scheduler for a sweep, in a process of its own, and owns it. Every trial calls
        `decide` at each rung that it reaches, in ascending steps, and waits for the answer. Calls arrive one
        at a time; those of trials that run at the same time interleave. Repeats of a config with another seed
        do not call it.

    What a scheduler may rely on, and what it must do:
        - A trial whose process died runs again and reports its rungs again. A trial that was allowed to
          continue at a rung must be allowed again.
        - The answer is ignored if stopping saves nothing: after the last pass, or in a reused stage; and for
          the first initial config. So a trial may report after an answer to stop.
        - A value that is at least as high as all earlier ones at its rung must continue, or the best trial
          could be lost.
        - If the search minimizes multiply-adds, too, a report after a pruning pass has that pass's own value,
          and its cost. A trial on the Pareto front of its rung then continues even if the answer is to stop;
          see `autohier.sweep.scheduling.front_keeper`.
        - Answers follow from the reports alone: no clock, no file, no unseeded random numbers.
        - State survives the driver. A new driver builds a new scheduler and passes it, in order, the reports
          that the study recorded; see `SchedulerHost`. Nothing else is restored.

    Example:
        A scheduler that stops a trial below 50% at the first rung::

            class Threshold:
                stops_trials = True

                def decide(self, report):
                    if report.step == 0 and report.value < 0.5:
                        return f"{report.value:.2%} is below 50% at rung 1"
                    return None
    """

    @property
    def stops_trials(self) -> bool:
        """False if `decide` always returns None; a sweep then has no rungs within pass 2."""

    def decide(self, report: RungReport) -> str | None:
        """Record a report; return why its trial stops, in one line, or None if it continues."""
