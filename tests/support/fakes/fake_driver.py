"""A driver that records one trial with a test result instead of training, or ends as a test says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rich.console import Console

from autohier.config.sweep import SweepPlan
from autohier.core.training.metrics import Evaluation
from autohier.records.reader import read_records
from autohier.records.rows import evaluation_row
from autohier.records.trial_rows import complete_row
from autohier.records.writer import RecordWriter
from autohier.sweep.driver import SweepEnd
from autohier.sweep.paths import SweepFolder
from support.fakes.fake_outcomes import MINUTE, START, fake_confusion, fake_outcome, fake_row


@dataclass
class FakeDriver:
    """Stands for `autohier.sweep.api.drive`.

    Attributes:
        ends: by the name of a sweep, what ends its next drive instead of a complete trial.
        next_end: the same for the next drive of any sweep.
        driven: plans in the order in which they were driven.
    """

    ends: dict[str, Callable[[], SweepEnd]] = field(default_factory=dict)
    next_end: Callable[[], SweepEnd] | None = None
    driven: list[SweepPlan] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Names of the driven sweeps."""
        return [plan.name for plan in self.driven]

    def __call__(self, folder: SweepFolder, plan: SweepPlan, _: Console) -> SweepEnd:
        """Record a trial with 60 of 120 test clips correct, unless the sweep has one."""
        self.driven.append(plan)
        end, self.next_end = self.ends.pop(plan.name, self.next_end), None
        if end is not None:
            return end()
        if not read_records(folder.records).trials:
            outcome = fake_outcome(72, (90, 96))
            protocol = plan.space.protocol
            started = replace(fake_row(), protocol=protocol.name, validation=protocol.validation)
            row = complete_row(started, outcome, START + MINUTE)
            writer = RecordWriter(folder.records)
            writer.write_ended(row, outcome.stages)
            evaluation = Evaluation(1.0, (0.5,), fake_confusion(60))
            writer.write_test_results(row.trial, [evaluation_row(row, "prune 1", evaluation, START)])
        return SweepEnd(plan.trials, plan.trials)
