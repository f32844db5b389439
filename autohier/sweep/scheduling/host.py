"""Building the trial scheduler of a sweep, with what the trials of earlier drivers reported."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from autohier.config.sweep_extensions import TRIAL_SCHEDULERS
from autohier.sweep.scheduling.base import TrialScheduler
from autohier.sweep.scheduling.front_keeper import FrontKeeper
from autohier.sweep.scheduling.rungs import RungReport, Rungs


def build_scheduler(name: str, rungs: Rungs) -> TrialScheduler:
    """Build a registered scheduler without any reports; it stops no trial on the front of a rung.

    Raises:
        InputError: if no package offers the name, or its builder cannot be imported.
    """
    scheduler = cast("TrialScheduler", TRIAL_SCHEDULERS.find(name).load()(rungs))
    return FrontKeeper(scheduler) if scheduler.stops_trials else scheduler


class SchedulerHost:
    """A scheduler that knows what earlier drivers' trials reported.

    Args:
        name: registered name of the scheduler.
        rungs: of the sweep.
        reports: recorded by earlier drivers, in the order in which their trials ended.
        file: keeps the reports to this driver, for a host that is started again; None keeps none.
    """

    def __init__(
        self, name: str, rungs: Rungs, reports: Iterable[RungReport] = (), file: Path | None = None
    ) -> None:
        self._scheduler = build_scheduler(name, rungs)
        self._file = file
        for report in (*reports, *_kept_reports(file)):
            self._scheduler.decide(report)

    def decide(self, report: RungReport) -> str | None:
        """Pass a report to the scheduler and return its answer."""
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(report)) + "\n")
        return self._scheduler.decide(report)


def _kept_reports(file: Path | None) -> Iterator[RungReport]:
    """Yield the reports in a file up to a line that a dying process did not finish."""
    if file is None or not file.is_file():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            return
        yield RungReport(**{name: _to_tuples(value) for name, value in values.items()})


def _to_tuples(value: Any) -> Any:  # noqa: ANN401  a value of JSON
    return tuple(map(_to_tuples, value)) if isinstance(value, list) else value
