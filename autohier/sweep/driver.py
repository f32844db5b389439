"""The driver of a sweep: pass 1 for all, then trials until the study has its number, then the test split.

Where settings have several passes 1, as variants do, none is for all: trials train their own side by side,
and those that need the same one at the same time train it once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from optuna.exceptions import StorageInternalError
from rich.console import Console

from autohier.core.stages.folds import FoldedResult
from autohier.core.stages.given import require_drawable
from autohier.core.stages.opening import OpenTrial, open_trial
from autohier.core.stages.reporter import Reporters
from autohier.core.stages.store import StageStore
from autohier.core.trial import find_flat
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError, told_of
from autohier.records.hparams import write_experiment
from autohier.records.reader import Records, read_records
from autohier.records.rows import reading_row
from autohier.records.schema import TrialRow
from autohier.records.writer import RecordWriter
from autohier.settings.choice import FLAT_CHOICE, Choice
from autohier.settings.sweep import SweepPlan
from autohier.sweep.breaker import Breaker, Halt
from autohier.sweep.cluster import Share, ray_session
from autohier.sweep.display import Display
from autohier.sweep.folder import SweepFolder, check_same_clips, clip_folder
from autohier.sweep.lock import hold_sweep
from autohier.sweep.logs import logging_to
from autohier.sweep.signals import sigterm_interrupts
from autohier.sweep.storage import open_storage
from autohier.sweep.study import SweepStudy
from autohier.sweep.warming import results_of

_SHARED = "pass 1"


@dataclass(frozen=True, slots=True)
class SweepEnd:
    """Where a sweep stands when its driver ends."""

    finished: int
    target: int
    halt: Halt | None = None
    """Why it stopped by itself."""

    @property
    def complete(self) -> bool:
        """Whether every setting was tried."""
        return self.finished >= self.target


def check_plan(plan: SweepPlan) -> SweepPlan:
    """Check that a plan and its clips fit together, before anything is paid.

    Returns:
        The plan, which now names the clips it was checked with.

    Raises:
        MissingDataError: where the dataset is not prepared.
        InputError: where space and clips do not fit together.
    """
    for network, flat in plan.space.networks().items():
        with told_of(network):
            trial = _open_flat(plan, flat)
            trial.check_network(plan.space.search.levels)
    clips = trial.context.clips
    require_drawable(plan.space, clips.manifest.levels)
    check_same_clips(clips, plan.clips_fingerprint)
    Path(plan.stage_folder).mkdir(parents=True, exist_ok=True)
    return plan.model_copy(update={"clips_fingerprint": clips.fingerprint})


def drive(folder: SweepFolder, plan: SweepPlan, console: Console) -> SweepEnd:
    """Run a sweep, or what is left of it.

    Args:
        folder: of the sweep; its plan is written already.
        plan: what to run, as check_plan gave it back.
        console: where progress is shown.

    Raises:
        SweepBusyError: where another driver holds the sweep.
        InputError: where plan and machines do not fit together, or the study's database does not answer.
    """
    try:
        return _drive(folder, plan, console)
    except StorageInternalError as error:
        raise InputError(
            "the study's storage must answer", got=error, remedy=f"resume {folder.path} when it does"
        ) from error


def _drive(folder: SweepFolder, plan: SweepPlan, console: Console) -> SweepEnd:
    display = Display(console, target=plan.trials)
    folder = SweepFolder(folder.path.resolve())  # a cluster's processes work in folders of their own
    with sigterm_interrupts(), hold_sweep(folder.lock_file), logging_to(folder.log_file):
        study = SweepStudy(plan, open_storage(plan.storage, folder.journal_file))
        breaker = Breaker(plan.failures_in_a_row)
        lost = study.reconcile()
        if lost:
            display.say(f"taking up {lost} settings that an earlier driver left unfinished")
        if not study.num_asks():
            for path in plan.warm_from:
                study.warm(results_of(Path(path), plan.space, plan.clips_fingerprint))
        if study.num_finished() < plan.trials or _unread_winner(read_records(folder.records)):
            with ray_session(plan) as share:
                write_experiment(folder.tensorboard, plan.space.search)
                _run(folder, plan, study, share, display, breaker)
        return SweepEnd(study.num_finished(), plan.trials, breaker.halt)


def _run(
    folder: SweepFolder,
    plan: SweepPlan,
    study: SweepStudy,
    share: Share,
    display: Display,
    breaker: Breaker,
) -> None:
    # Imported here because these import Ray, which reads its environment when it is imported.
    from autohier.sweep.actor import TrialJob  # noqa: PLC0415
    from autohier.sweep.stage_actor import Event, run_beside, train_folds_beside  # noqa: PLC0415
    from autohier.sweep.tuning import run_trials, start_halving  # noqa: PLC0415

    device = "auto" if share.gpus else "cpu"
    job = TrialJob(
        folder=folder,
        clip_folder=clip_folder(plan),
        stage_folder=Path(plan.stage_folder),
        device=device,
        num_threads=share.num_threads,
        ladder=study.ladder,
        seed=plan.seed,
        accelerators=share.gpus,
    )

    def show(name: str, event: Event) -> None:
        match event:
            case (stage, holder):
                display.stage_waits(name, stage, holder)
            case (stage, epoch, accuracy, reused):
                display.epoch_finished(name, stage, epoch, accuracy, reused=reused)

    if study.num_finished() < plan.trials:
        with display.running(study.num_finished()):
            if plan.space.shares_pass_1:
                display.trial_started(_SHARED, None)
                flat = _open_flat(plan, FLAT_CHOICE)
                # A process of its own takes seconds to start. One with a GPU may also find what this cannot.
                pass_1 = None if share.gpus else find_flat(flat)
                if pass_1 is None and flat.fold_bases:
                    num_folds, told = len(flat.fold_bases), partial(show, _SHARED)
                    folds = train_folds_beside(flat.setting, job, share, num_folds, told)
                    pass_1 = FoldedResult.of(folds)
                elif pass_1 is None:
                    pass_1 = run_beside("pass_1", flat.setting, job, share.alone(), partial(show, _SHARED))
                display.shared_finished(_SHARED, pass_1.accuracy, reused=pass_1.reused)
            halving = start_halving(study) if plan.stopping == "halving" else None
            run_trials(folder, study, replace(job, halving=halving), share, display, breaker)
    winner = _unread_winner(read_records(folder.records))
    if winner is None or winner.number is None or study.num_finished() < plan.trials:
        return
    display.say(f"reading the test split for {winner.trial}: {plan.space.protocol.tested}")
    with display.running(study.num_finished()):
        setting = study.setting(winner.number)
        display.trial_started(winner.trial, setting.choice)
        readings = run_beside("tests", setting, job, share.alone(), partial(show, winner.trial))
    now = datetime.now(UTC)
    rows = [reading_row(winner, stage, evaluation, now) for stage, evaluation in readings]
    RecordWriter(folder.records).test_read(winner.trial, rows)


def _open_flat(plan: SweepPlan, flat: Choice) -> OpenTrial:
    return open_trial(
        plan.space.setting(flat, seed=plan.seed),
        clips=ClipStore.open(clip_folder(plan)),
        stages=StageStore(Path(plan.stage_folder)),
        reporter=Reporters(),
        device="cpu",
    )


def _unread_winner(records: Records) -> TrialRow | None:
    """The best complete trial, where the sweep has not read its test accuracy yet.

    Whoever asks for a trial's accuracy (see sweep.evaluating) reads no pass 1.
    """
    ranked = records.ranked()
    read = ranked and any(row.stage.startswith("pass 1") for row in records.tests_of(ranked[0].trial))
    return ranked[0] if ranked and not read else None
