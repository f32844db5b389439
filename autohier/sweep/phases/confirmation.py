"""The confirmation phase: the search's best trials with fresh seeds, then the controls of the one that wins.

Its runs are trials like those of the search: on all machines, with shared stages, resumable. No scheduler
stops them. Their study is `autohier.sweep.study.confirmation_study`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from autohier.config.sweep import SweepPlan
from autohier.core.stages.store.stage_store import StageStore
from autohier.records.reader import Records, params_of
from autohier.sweep.choice.confirmation import CONTROL, FLAT, NOMINEE, Run, confirmations
from autohier.sweep.choice.winner import read_chosen, wanted_runs
from autohier.sweep.execution.display import Display
from autohier.sweep.execution.earlier_trials import earlier_trials
from autohier.sweep.execution.signals import StopRequest
from autohier.sweep.execution.trial_share import Share
from autohier.sweep.paths import SweepFolder
from autohier.sweep.recovery.record_repair import repair_records
from autohier.sweep.scheduling.failure_limit import FailureLimit
from autohier.sweep.study.confirmation_study import ConfirmationStudy
from autohier.sweep.study.study import SweepStudy
from autohier.text import plural

if TYPE_CHECKING:
    from autohier.sweep.execution.actors.context import SweepContext


def missing_runs(records: Records, plan: SweepPlan) -> list[Run]:
    """Return the runs of a confirmation that have not ended, as far as they are known now.

    Args:
        records: from `read_chosen`, of a sweep whose search has ended.
        plan: of the sweep.
    """
    ended = {
        (params_of(row).effect, row.seed)
        for row in confirmations(records)
        if row.state in {"COMPLETE", "PRUNED", "FAIL"}
    }
    return [run for run in wanted_runs(records, plan) if (run.params.effect, run.seed) not in ended]


def reconcile_confirmation(plan: SweepPlan, study: SweepStudy) -> int:
    """Let the runs that an earlier driver lost run again; return how many. See `SweepStudy.reconcile`."""
    own = ConfirmationStudy.find(plan, study.storage)
    return own.reconcile() if own else 0


def confirm(
    folder: SweepFolder,
    plan: SweepPlan,
    study: SweepStudy,
    context: SweepContext,
    share: Share,
    display: Display,
    failure_limit: FailureLimit,
    stop: StopRequest,
) -> None:
    """Run what is missing of a sweep's confirmation, until no run is wanted or the failure limit is reached.

    Raises:
        InputError, SweepInterruptedError: see `autohier.sweep.execution.tuner.run_trials`.
    """
    from autohier.sweep.execution.tuner import run_trials  # noqa: PLC0415  imports Ray

    while runs := missing_runs(records := read_chosen(folder, plan), plan):
        own = ConfirmationStudy(plan, study.storage)
        own.add(runs)
        display.print_line(describe(runs))
        earlier = earlier_trials(records.trials, records.epochs, is_search=False)
        shown = display.confirming(len(own.runs), earlier)
        with shown.running(own.num_finished()):
            run_trials(folder, own, replace(context, scheduler=None), share, shown, failure_limit, stop)
        for line in repair_records(folder, study, StageStore(Path(plan.stage_folder))):
            display.print_line(line)
        if failure_limit.exceeded:
            return


def describe(runs: list[Run]) -> str:
    """Return what the runs of a confirmation are, in one line."""
    seeds = plural(len({run.seed for run in runs}), "fresh seed")
    names = {role: list(dict.fromkeys(run.confirms for run in runs if run.role == role)) for role in _TEXTS}
    parts = [text.format(", ".join(names[role])) for role, text in _TEXTS.items() if names[role]]
    return f"confirmation with {seeds}: {'; '.join(parts)}"


_TEXTS = {
    NOMINEE: "{}",
    CONTROL: "{} with nothing pruned",
    FLAT: "as long a training without superclasses",
}
