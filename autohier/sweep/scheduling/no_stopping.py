"""The scheduler ``none``: every trial runs to its end."""

from __future__ import annotations

from autohier.sweep.scheduling.rungs import RungReport, Rungs


class NoStopping:
    """Lets every trial continue. Implements `TrialScheduler`."""

    stops_trials = False

    def __init__(self, rungs: Rungs) -> None:
        """Take the rungs as every builder does; they are not used."""

    def decide(self, report: RungReport) -> str | None:  # noqa: ARG002
        """Return None."""
        return None
