"""The driver of a sweep: shared pass 1, trials up to the sweep's number, confirmation, test evaluation.

The driver uses no GPU itself. It opens a Ray session, learns from it the share of the machines that one trial
holds, and hands over to Ray Tune, which starts each sampled trial on a machine with a free share (see
`autohier.sweep.execution.tuner`). Work outside the trials runs in an actor of its own with the same share of
GPUs (see `autohier.sweep.execution.actors.stage_actor`).

If the search space has variants, their pass 1 differs. Then none is trained before the trials: each trial
trains its own, and trials that need the same one at the same time train it once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from autohier.config.sweep import SweepPlan, finished_text
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.training.devices import ACCELERATOR
from autohier.errors import LostProcessError
from autohier.records.reader import Records
from autohier.records.recorders.work_recorder import WorkRecorder
from autohier.records.rows import evaluation_row
from autohier.records.schema import TrialRow
from autohier.records.tensorboard.hparams import write_experiment
from autohier.records.writer import RecordWriter
from autohier.sweep.choice.winner import read_chosen
from autohier.sweep.execution.display import BestTrial, Display
from autohier.sweep.execution.earlier_trials import earlier_trials
from autohier.sweep.execution.messages import EpochEnd, StageMessage
from autohier.sweep.execution.ray_session.security import authentication_warning, read_umask
from autohier.sweep.execution.ray_session.session import ray_session
from autohier.sweep.execution.signals import StopRequest, SweepInterruptedError, catch_signals
from autohier.sweep.execution.trial_share import Share
from autohier.sweep.locking.sweep_lock import hold_sweep
from autohier.sweep.log_file import logging_to
from autohier.sweep.paths import SweepFolder, clip_folder
from autohier.sweep.phases.confirmation import confirm, missing_runs, reconcile_confirmation
from autohier.sweep.phases.front import record_front
from autohier.sweep.phases.pass_1 import record_epoch, refit_ahead, run_pass_1
from autohier.sweep.phases.refits import missing_refits, run_refits
from autohier.sweep.plans.extensions import foreign_packages
from autohier.sweep.recovery.record_repair import repair_records, test_values
from autohier.sweep.recovery.stage_check import lost_stages_text
from autohier.sweep.scheduling.failure_limit import FailureLimit, FailureStreak
from autohier.sweep.shown_tests import show_test_results
from autohier.sweep.study.storages.ownership import claim_study
from autohier.sweep.study.storages.patient_storage import Patience, StorageLostError
from autohier.sweep.study.storages.storage import open_storage, storage_failures
from autohier.sweep.study.study import SweepStudy
from autohier.sweep.study.warm_start import results_of
from autohier.text import plural

if TYPE_CHECKING:
    from autohier.config.scaling import MeasuredScaling
    from autohier.sweep.execution.actors.context import SweepContext
    from autohier.sweep.execution.cluster.preflight import Admitted

_SHARED = "pass 1"
_SIGNAL_S = 2.0
"""Time in which a driver gets a signal that ended Ray's processes a moment before."""


@dataclass(frozen=True, slots=True)
class SweepEnd:
    """State of a sweep when its driver ends."""

    num_finished: int
    target: int
    halt: FailureStreak | None = None
    """The failures that reached the failure limit."""
    interrupted: bool = False
    """True if a signal or a `StopRequest` ended the driver."""

    @property
    def complete(self) -> bool:
        """Return True if every trial has ended and nothing was cut short."""
        return self.num_finished >= self.target and not self.interrupted


def drive(folder: SweepFolder, plan: SweepPlan, console: Console) -> SweepEnd:
    """Run a sweep, or the rest of it.

    In the main thread, SIGINT, SIGTERM and SIGHUP end it at the next safe point.

    Args:
        folder: folder of the sweep, in which the plan is written already.
        plan: plan as `check_plan` returned it.
        console: console that shows the progress.

    Raises:
        SweepBusyError: if another driver holds the sweep.
        InputError: if plan and machines do not fit together, the study's database does not answer, or a copy
            of the sweep has continued the study.
    """
    refits = plan.space.protocol.validation != "paper"
    display = Display(
        console,
        target=plan.trials,
        num_folds=plan.space.num_folds,
        refits=refits,
        has_budget=plan.has_budget,
    )
    shown = folder
    folder = SweepFolder(folder.path.resolve())  # processes of a cluster have other working directories
    failure_limit = FailureLimit(plan.failures_in_a_row)
    with (
        storage_failures(hint=f"run '{folder.resume_command}' when it does"),
        catch_signals() as stop,
        hold_sweep(folder.lock_file, on_lost=stop.make),
        logging_to(folder.log_file),
    ):
        patience = Patience(display.print_line, lambda: stop.is_made)
        study = SweepStudy(plan, open_storage(plan.storage, folder.journal_file, patience=patience))
        if plan.storage is not None:
            claim_study(study.storage, plan.study_name, folder.mark_file)
        num_before, interrupted = study.num_finished(), False
        stop.describe = lambda: interruption_text(shown, max(num_before, display.num_finished), plan.trials)
        try:
            _run_rest(folder, plan, study, display, failure_limit, stop)
        except SweepInterruptedError:
            interrupted = True
        except StorageLostError:
            if not stop.is_made:
                raise
            interrupted = True
        except LostProcessError:
            # In a job on a cluster, a signal to all processes may end Ray's before this one gets it.
            if not stop.comes_within(_SIGNAL_S):
                raise
            interrupted = True
        if stop.error is not None:
            raise stop.error
        return SweepEnd(study.num_finished(), study.target, failure_limit.exceeded, interrupted)


def interruption_text(folder: SweepFolder, num_finished: int, target: int) -> str:
    """Return what an interrupted sweep has reached, and on the next line the command that continues it."""
    return (
        f"interrupted after {finished_text(num_finished, target)}; finished trials and stages are kept. "
        f"Continue with:\n  {folder.resume_command}"
    )


def _run_rest(
    folder: SweepFolder,
    plan: SweepPlan,
    study: SweepStudy,
    display: Display,
    failure_limit: FailureLimit,
    stop: StopRequest,
) -> None:
    num_lost = study.reconcile() + reconcile_confirmation(plan, study)
    for line in repair_records(folder, study, StageStore(Path(plan.stage_folder))):
        display.print_line(line)
    records = read_chosen(folder, plan)
    if lost := lost_stages_text(records, StageStore(Path(plan.stage_folder))):
        display.print_line(f"WARNING: {lost}")
    earlier = earlier_trials(records.trials, records.epochs, is_search=True)
    display.set_earlier(_best_trial(records), earlier)
    if num_lost:
        display.print_line(f"running {plural(num_lost, 'unfinished trial')} of an earlier driver again")
    if not study.num_sampled():
        for path in plan.warm_from:
            study.add_results(results_of(Path(path), plan.space, plan.clips_fingerprint))
    stop.check()
    is_searched = study.num_finished() >= study.target
    if is_searched:
        _note_target(folder, plan, study, display)
    is_tested = not (records.untested_winner() or missing_refits(records, plan))
    if not (is_searched and is_tested) or missing_runs(records, plan):
        if not plan.ray_address and (warning := authentication_warning()):
            display.print_line(f"WARNING: {warning}")
        with ray_session(plan) as share:
            stop.check()
            _run_on_ray(folder, plan, study, share, display, failure_limit, stop)


def _best_trial(records: Records) -> BestTrial | None:
    row = max(records.ranked(), key=lambda row: row.value or 0.0, default=None)
    if row is None:
        return None
    num_epochs = (row.epochs_computed or 0) + (row.epochs_reused or 0)
    return BestTrial(row.trial, row.value or 0.0, num_epochs)


def _run_on_ray(
    folder: SweepFolder,
    plan: SweepPlan,
    study: SweepStudy,
    share: Share,
    display: Display,
    failure_limit: FailureLimit,
    stop: StopRequest,
) -> None:
    # Imported here because these import Ray, which reads its environment when it is imported.
    from autohier.sweep.execution.accelerators.lending import lend_accelerators  # noqa: PLC0415
    from autohier.sweep.execution.cluster.local_clips import copy_clips  # noqa: PLC0415
    from autohier.sweep.execution.cluster.machine_check import installed_versions  # noqa: PLC0415
    from autohier.sweep.execution.cluster.preflight import preflight  # noqa: PLC0415

    versions = installed_versions(("autohier", "torch", *foreign_packages(plan)))
    with preflight(folder, plan, share, versions, display.print_line, stop) as admitted:
        write_experiment(folder.tensorboard, plan.space.ranges_with_initial())
        context = _make_context(folder, plan, study, admitted)
        copy_clips(context.clip_folder, plan.local_clips, admitted.admission, display.print_line, stop)
        if plan.scaling is not None:
            lent = lend_accelerators(plan.scaling, plan, context, admitted.share, display.print_line, stop)
            context, plan = lent.context, _note_scaling(folder, plan, lent.measured)
        _run_phases(folder, plan, study, context, admitted.share, display, failure_limit, stop)


def _note_scaling(folder: SweepFolder, plan: SweepPlan, measured: MeasuredScaling | None) -> SweepPlan:
    """Note in ``sweep.json`` what was measured, for later drivers."""
    if measured is None or measured == plan.measured_scaling:
        return plan
    changed = plan.model_copy(update={"measured_scaling": measured})
    _, origin = folder.read_plan()
    folder.write_plan(changed, origin)
    return changed


def _make_context(
    folder: SweepFolder, plan: SweepPlan, study: SweepStudy, admitted: Admitted
) -> SweepContext:
    from autohier.sweep.execution.actors.context import SweepContext  # noqa: PLC0415

    share = admitted.share
    return SweepContext(
        folder=folder,
        clip_folder=clip_folder(plan),
        stage_folder=Path(plan.stage_folder),
        device=ACCELERATOR if share.gpus else "cpu",
        num_threads=share.num_threads,
        rungs=study.rungs,
        seed=plan.seed,
        accelerators=share.gpus,
        callbacks=plan.callbacks,
        umask=None if plan.ray_address else read_umask(),
        admission=admitted.admission,
        local_clips=plan.local_clips,
    )


def _run_phases(
    folder: SweepFolder,
    plan: SweepPlan,
    study: SweepStudy,
    context: SweepContext,
    share: Share,
    display: Display,
    failure_limit: FailureLimit,
    stop: StopRequest,
) -> None:
    from autohier.sweep.execution.tuner import run_trials, start_scheduler  # noqa: PLC0415  imports Ray

    is_searching = study.num_finished() < study.target
    if is_searching:
        with refit_ahead(plan, context, share, stop), display.running(study.num_finished()):
            if plan.space.shares_pass_1:
                run_pass_1(plan, context, share, display, stop)
            scheduler = start_scheduler(study, folder.scheduler_file) if study.stops_trials else None
            run_trials(
                folder, study, replace(context, scheduler=scheduler), share, display, failure_limit, stop
            )
    for line in repair_records(folder, study, StageStore(Path(plan.stage_folder))):
        display.print_line(line)
    if study.num_finished() < study.target or failure_limit.exceeded:
        return
    if is_searching:
        _note_target(folder, plan, study, display)
        record_front(folder, plan)
    confirm(folder, plan, study, context, share, display, failure_limit, stop)
    winner = read_chosen(folder, plan).untested_winner()
    if failure_limit.exceeded:
        return
    if winner is not None:
        _test_winner(winner, plan, study, context, share, display, stop)
    run_refits(read_chosen(folder, plan), plan, study, context, share, display, stop)


def _note_target(folder: SweepFolder, plan: SweepPlan, study: SweepStudy, display: Display) -> None:
    """Note in ``sweep.json`` the number of trials after which the budget has ended the search; say so."""
    if study.target < plan.trials:
        display.print_line(f"the budget of the search is used up after {plural(study.target, 'trial')}")
        _, origin = folder.read_plan()
        folder.write_plan(plan.model_copy(update={"trials": study.target}), origin)


def _test_winner(
    winner: TrialRow,
    plan: SweepPlan,
    study: SweepStudy,
    context: SweepContext,
    share: Share,
    display: Display,
    stop: StopRequest,
) -> None:
    """Evaluate the best trial on the test split and record the results."""
    from autohier.sweep.execution.actors.stage_actor import run_in_stage_actor  # noqa: PLC0415

    if winner.number is None:
        return
    display.print_line(f"evaluating {winner.trial} on the test split: {plan.space.protocol.tested}")
    refit = f"refit of {winner.trial}"
    work = WorkRecorder(context.folder.records, refit, accelerators=share.gpus)

    def show(message: StageMessage) -> None:
        is_refit = isinstance(message, EpochEnd) and message.in_refit
        display.show(refit if is_refit else winner.trial, message)
        if is_refit:  # other epochs repeat the trial, whose records have them
            record_epoch(work, message)

    with display.running(study.num_finished()):
        config = study.config(winner.number)
        display.show_refit(refit, config.params)
        test_results = run_in_stage_actor("tests", config, context, share.alone(), stop, show)
    if plan.space.protocol.validation != "paper":
        work.end()
    now = datetime.now(UTC)
    rows = [evaluation_row(winner, stage, evaluation, now) for stage, evaluation in test_results]
    # The study first: lost records are restored from it, without a second look at the test split.
    study.record_tests(winner.trial, test_values(rows))
    RecordWriter(context.folder.records).write_test_results(winner.trial, rows)
    show_test_results(context.folder, winner.trial, len(config.params.superclasses) + 1)
