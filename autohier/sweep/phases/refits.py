"""Further refits of the winner on all training clips, with other seeds, for a mean test accuracy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from autohier.config.sweep import SweepPlan
from autohier.digest import derive_seed
from autohier.records.reader import Records
from autohier.records.recorders.work_recorder import WorkRecorder
from autohier.records.rows import evaluation_row
from autohier.records.writer import RecordWriter
from autohier.sweep.execution.display import Display
from autohier.sweep.execution.messages import EpochEnd, StageMessage
from autohier.sweep.execution.signals import StopRequest
from autohier.sweep.execution.trial_share import Share
from autohier.sweep.recovery.record_repair import test_row, test_values
from autohier.sweep.shown_tests import show_test_results
from autohier.sweep.study.study import SweepStudy
from autohier.text import plural

if TYPE_CHECKING:
    from autohier.sweep.execution.actors.context import SweepContext


def missing_refits(records: Records, plan: SweepPlan) -> list[int]:
    """Return the seeds of refits that the plan asks for and the records lack; none before the first refit."""
    winner = next(iter(records.ranked()), None)
    if winner is None or records.untested_winner() or plan.space.protocol.validation == "paper":
        return []
    done = {row.refit_seed for row in records.further_refits(winner)}
    seeds = [derive_seed(plan.seed, "refit", index) for index in range(1, plan.refits)]
    return [seed for seed in seeds if seed not in done]


def run_refits(
    records: Records,
    plan: SweepPlan,
    study: SweepStudy,
    context: SweepContext,
    share: Share,
    display: Display,
    stop: StopRequest,
) -> None:
    """Run the missing refits of the winner and record their test results.

    Args:
        records: ranked, of a sweep whose winner is tested.
        plan: of the sweep.
        study: of the sweep, which keeps the test results.
        context: of the actors.
        share: of the machines, for one refit.
        display: of the sweep.
        stop: ends the refits.
    """
    from autohier.sweep.execution.actors.stage_actor import refit_again  # noqa: PLC0415  imports Ray

    seeds = missing_refits(records, plan)
    winner = next(iter(records.ranked()), None)
    if not seeds or winner is None or winner.number is None:
        return
    name = f"further refits of {winner.trial}"
    display.print_line(f"{name}: {plural(len(seeds), 'seed')}")
    work = WorkRecorder(context.folder.records, name, accelerators=share.gpus)

    def show(message: StageMessage) -> None:
        if isinstance(message, EpochEnd) and message.in_refit:
            work.add_epoch(message.stage, message.accuracy, message.seconds, reused=message.reused)

    config = study.config(winner.number)
    results = refit_again(config, context, share, stop, seeds, show)
    work.end()
    now = datetime.now(UTC)
    rows = [
        evaluation_row(winner, stage, evaluation, now, refit_seed=seed)
        for seed, (stage, evaluation) in zip(seeds, results, strict=True)
    ]
    values = [*study.tests()[winner.trial], *test_values(rows)]
    study.record_tests(winner.trial, values)
    RecordWriter(context.folder.records).write_test_results(winner.trial, [test_row(each) for each in values])
    show_test_results(context.folder, winner.trial, len(config.params.superclasses) + 1)
