"""Start and resume sweeps from Python: scripts, notebooks and the command line call these functions.

>>> result = start_sweep("demo", trials=8)  # doctest: +SKIP
>>> result.best.accuracy, result.best_config  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from autohier.config.frozen import validate
from autohier.config.search.loading import load_space
from autohier.config.search.search_space import SearchSpace
from autohier.config.search.searched_weights import located_values
from autohier.config.sweep import UNLIMITED_TRIALS, ChoiceRule, DecisionRule, SweepPlan
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.config.trial.trial_config import TrialConfig
from autohier.config.trial.weights_files import require_weights
from autohier.console import open_console
from autohier.core.recipes.check import check_recipe
from autohier.core.stages.store.remote_stages import find_remote, set_remote
from autohier.core.stages.store.stage_store import StageStore
from autohier.errors import InputError, RepeatedFailureError
from autohier.records.reader import params_of
from autohier.records.schema import EvaluationRow, TrialRow
from autohier.sweep.choice.winner import read_chosen
from autohier.sweep.driver import SweepEnd, drive
from autohier.sweep.execution.callback_extensions import check_callbacks
from autohier.sweep.execution.signals import catch_signals
from autohier.sweep.locking.sweep_lock import hold_sweep
from autohier.sweep.paths import (
    SweepFolder,
    clip_folder,
    find_sweep,
    free_folder,
    override_places,
    require_places,
    time_name,
)
from autohier.sweep.plans.check import check_plan
from autohier.sweep.plans.extensions import check_extensions, extension_texts
from autohier.sweep.plans.new_plan import SweepOptions, absolute_path, check_new_plan, make_plan
from autohier.sweep.provenance import provenance
from autohier.sweep.relocation import GivenFolders

DEFAULT_DATA = Path("data")
DEFAULT_OUT = Path("sweeps")


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Result of a sweep, finished or not."""

    name: str
    folder: Path
    trials: tuple[TrialRow, ...]
    """Every recorded trial, by name."""
    best: TrialRow | None
    """The complete trial that is ranked first; None if no trial is complete."""
    best_config: TrialConfig | None
    test_results: tuple[EvaluationRow, ...]
    """Results of the best trial on the test split; empty while the sweep is incomplete."""
    num_finished: int
    """Number of trials that ended, complete, stopped or failed."""
    target: int
    """Number of trials that the sweep runs."""
    complete: bool
    """True if every trial has ended."""
    num_shared_test_clips: int
    """Number of test clips with the content of a clip that trains, which makes test accuracies optimistic."""
    num_left_out_clips: int
    """Number of training clips that are left out, as they have the content of a test clip."""
    interrupted: bool
    """True if a signal ended the run; `resume_sweep` continues it."""


def start_sweep(
    space: str | Path | SearchSpace,
    *,
    trials: int,
    name: str | None = None,
    out: str | Path = DEFAULT_OUT,
    data: str | Path = DEFAULT_DATA,
    overrides: Sequence[str] = (),
    sampler: str = "tpe",
    scheduler: str = "successive-halving",
    choose: ChoiceRule = "cautious",
    confirm: str = "auto",
    decide: DecisionRule = "pooled",
    refits: int = 1,
    budget_epochs: int | None = None,
    budget_hours: float | None = None,
    callbacks: Sequence[str] = (),
    warm_from: Sequence[str | Path] = (),
    parallel: int | None = None,
    cpus_per_trial: float | None = None,
    gpus_per_trial: float | None = None,
    scaling: str | None = None,
    failures_in_a_row: int = 5,
    seed: int = 0,
    storage: str | None = None,
    stages: str | None = None,
    local_clips: str | Path | None = None,
    ray_address: str | None = None,
    prepare: Callable[[SearchSpace], None] | None = None,
    console: Console | None = None,
) -> SweepResult:
    """Search a space for the best config.

    In the main thread, SIGINT, SIGTERM and SIGHUP end the sweep cleanly; a second one raises
    KeyboardInterrupt.

    Args:
        space: name of a shipped search space, a TOML file, or the loaded space.
        trials: number of trials.
        name: name of the sweep; by default the space's with the time.
        out: folder of sweeps and of their stage store.
        data: folder of prepared datasets.
        overrides: changes of the space, e.g. ``["pass_1.epochs=5"]``; only for a space given by name or file.
        sampler: sampler of hyperparameters.
        scheduler: trial scheduler, or "none".
        choose: what ranks the trials: "model" (estimates of a noise model), "cautious" (the same, but the
            first initial config wins unless another is better with 70% probability) or "highest" (measured
            values).
        confirm: how the best trials are confirmed with fresh seeds: "auto", "none", or e.g. "4x2" for the
            best four with two seeds each.
        decide: what decides among confirmed trials: fresh seeds "pooled" with the search, or "fresh" alone.
        refits: number of refits of the winner, whose mean test accuracy is the result.
        budget_epochs: epochs that the search and its confirmation may train; the search ends when its share
            is used up, even before it has all its trials.
        budget_hours: hours of training, summed over trials, that the search and its confirmation may take.
        callbacks: names of installed callbacks from `autohier.callbacks`; every trial calls them.
        warm_from: earlier sweeps on the same data, by name or folder, whose results the sampler learns from.
        parallel: trials in parallel; by default up to the machines' capacity.
        cpus_per_trial: cores of a trial; by default 1, or its GPUs' part of the machine's cores.
        gpus_per_trial: GPUs of a trial, e.g. 0.5; by default 1 if a machine has GPUs.
        scaling: "8:0.8" lends accelerators stage by stage, up to 8 to one stage, which 8 train 6.4 times as
            fast; "measure" measures this first; by default a trial holds its accelerators for as long as it
            runs.
        failures_in_a_row: consecutive failures of one class that stop the sweep.
        seed: seed of the search and of its trials.
        storage: Optuna storage URL; by default a journal file in the sweep's folder. Its password is best
            left to the environment; see `autohier.config.storage_url`.
        stages: URL in object storage, e.g. "s3://bucket/stages", to which finished stages are copied, and
            from which missing ones are read; the stage store in ``out`` keeps it for later sweeps.
        local_clips: folder on every machine's own disk, to which the clips are copied once; by default that
            of ``$AUTOHIER_LOCAL_CLIPS``, or none.
        ray_address: address of a running Ray cluster; by default Ray starts on this machine.
        prepare: called with the loaded space when all other arguments are checked; may prepare its dataset.
        console: console that shows the progress; by default standard output, or the notebook's cell.

    Raises:
        InputError: if an argument is wrong, or does not fit the data or the machines.
        MissingDataError: if the dataset is not prepared.
        RepeatedFailureError: if the failure limit is reached.
    """
    out, data = Path(out), Path(data)
    if overrides and isinstance(space, SearchSpace):
        raise InputError(
            "overrides change a space that is given by name or file", hint="load the space with them"
        )
    with catch_signals():
        loaded = space if isinstance(space, SearchSpace) else load_space(str(space), overrides)
        options: SweepOptions = {
            "sampler": sampler,
            "scheduler": scheduler,
            "choose": choose,
            "confirm": confirm,
            "decide": decide,
            "refits": refits,
            "budget_epochs": budget_epochs,
            "budget_hours": budget_hours,
            "callbacks": callbacks,
            "warm_from": warm_from,
            "parallel": parallel,
            "cpus_per_trial": cpus_per_trial,
            "gpus_per_trial": gpus_per_trial,
            "scaling": scaling,
            "failures_in_a_row": failures_in_a_row,
            "seed": seed,
            "storage": storage,
            "stages": stages,
            "local_clips": local_clips,
            "ray_address": ray_address,
        }
        name = name or time_name(loaded.name)
        plan = make_plan(loaded, name=name, trials=trials, out=out, data=data, options=options)
        folder = free_folder(plan.name, out)
        console = console or open_console()
        plan = check_new_plan(plan, prepare=prepare, say=console.print)
        if stages is not None:
            set_remote(Path(plan.stage_folder), stages)
        folder.write_plan(plan, provenance(plan, extension_texts(plan)))
        try:
            return _run(folder, plan, console)
        except (InputError, OSError):
            folder.discard_unstarted()
            raise


def resume_sweep(
    sweep: str | Path,
    *,
    trials: int | None = None,
    out: str | Path | None = None,
    data: str | Path | None = None,
    pretrained: str | Path | None = None,
    parallel: int | None = None,
    cpus_per_trial: float | None = None,
    gpus_per_trial: float | None = None,
    scaling: str | None = None,
    failures_in_a_row: int | None = None,
    local_clips: str | Path | None = None,
    ray_address: str | None = None,
    confirm: str | None = None,
    refits: int | None = None,
    budget_epochs: int | None = None,
    budget_hours: float | None = None,
    console: Console | None = None,
) -> SweepResult:
    """Continue an interrupted sweep, or extend a finished one.

    Args:
        sweep: name or folder of the sweep.
        trials: new total number of trials; by default the sweep's.
        out: folder of sweeps, "sweeps" by default. If the sweep is given by its path, the stage store in
            this folder takes the place of the one next to the sweep.
        data: folder of prepared datasets; by default the one that the sweep used.
        pretrained: file of the 2D weights, or its folder, if it has moved.
        parallel: trials in parallel; this and the following arguments replace the sweep's if given.
        cpus_per_trial: cores of a trial.
        gpus_per_trial: GPUs of a trial.
        scaling: see `start_sweep`.
        failures_in_a_row: consecutive failures of one class that stop the sweep.
        local_clips: see `start_sweep`.
        ray_address: address of a running Ray cluster.
        confirm: how the best trials are confirmed; see `start_sweep`.
        refits: number of refits of the winner.
        budget_epochs: new budget in epochs; the number of trials is then unlimited, unless ``trials`` is
            given.
        budget_hours: new budget in hours of training, with the same effect on ``trials``.
        console: see `start_sweep`.

    Raises:
        InputError, MissingDataError, RepeatedFailureError: see `start_sweep`.
        SweepBusyError: if another driver holds the sweep.
    """
    changes = {
        "trials": trials,
        "parallel": parallel,
        "cpus_per_trial": cpus_per_trial,
        "gpus_per_trial": gpus_per_trial,
        "scaling": scaling,
        "failures_in_a_row": failures_in_a_row,
        "local_clips": absolute_path(local_clips),
        "ray_address": ray_address,
        "confirm": confirm,
        "refits": refits,
        "budget_epochs": budget_epochs,
        "budget_hours": budget_hours,
    }
    with catch_signals():
        folder = find_sweep(str(sweep), Path(out or DEFAULT_OUT))
        plan, origin = folder.read_plan()
        plan = override_places(plan, _given_folders(folder, out, data, pretrained))
        require_places(plan.name, stages=Path(plan.stage_folder), clips=clip_folder(plan))
        require_weights(plan.name, located_values(plan.space))
        if trials is not None and trials < plan.trials:
            raise InputError(
                f"--trials is the new total and cannot be below the old one, {plan.trials}",
                got=trials,
                hint="leave it out to finish the sweep",
            )
        check_callbacks(plan.callbacks)
        check_recipe(plan.space.config(FLAT_PARAMS, seed=plan.seed))
        check_extensions(plan, origin.extensions)
        given = {name: value for name, value in changes.items() if value is not None}
        if trials is None and (budget_epochs or budget_hours):
            given["trials"] = max(plan.trials, UNLIMITED_TRIALS)
        changed = check_plan(validate(SweepPlan, plan.model_dump() | given, origin="resume"))
        with hold_sweep(folder.lock_file):
            folder.write_plan(changed, origin)
        return _run(folder, changed, console)


def _given_folders(
    folder: SweepFolder, out: str | Path | None, data: str | Path | None, pretrained: str | Path | None
) -> GivenFolders:
    """Return the folders that the user names; the one of a sweep that is found in it is no other."""
    is_found_in_it = out is not None and folder.path.parent == Path(out)
    return GivenFolders(
        Path(data) if data else None,
        Path(out) if out and not is_found_in_it else None,
        Path(pretrained) if pretrained else None,
    )


def _run(folder: SweepFolder, plan: SweepPlan, console: Console | None) -> SweepResult:
    Path(plan.stage_folder).mkdir(parents=True, exist_ok=True)
    console = console or open_console()
    console.print(f"sweep {plan.name}: {plan.limits_text} of {plan.space.name}, in {folder.path}")
    _say_remote(Path(plan.stage_folder), console)
    end = drive(folder, plan, console)
    if end.halt is not None:
        raise RepeatedFailureError(
            "consecutive trials must not fail in the same way",
            got=f"{len(end.halt.numbers)} failures ({end.halt.failure}), the last with '{end.halt.reason}'",
            hint="fix the cause, or allow more with --failures-in-a-row; "
            f"'{folder.resume_command}' runs these trials again",
        )
    return result_of(folder, plan, end)


def _say_remote(stage_folder: Path, console: Console) -> None:
    """Copy the stages that object storage lacks, and say where they are copied to."""
    if (remote := find_remote(stage_folder)) is None:
        return
    try:
        num_copied, num_left = StageStore(stage_folder).upload_missing()
    except OSError as error:
        raise InputError(
            "the object storage of the stages must be reachable",
            got=f"{remote.url}: {error}",
            hint="check its credentials in the environment; 'autohier store remote --none' does without it",
        ) from error
    left = f", {num_left} could not be copied" if num_left else ""
    console.print(f"stages: copied to {remote.url} ({num_copied} now{left})", soft_wrap=True)


def result_of(folder: SweepFolder, plan: SweepPlan, end: SweepEnd) -> SweepResult:
    """Return what a sweep has recorded when its driver ends."""
    records = read_chosen(folder, plan)
    best = next(iter(records.ranked()), None)
    return SweepResult(
        name=plan.name,
        folder=folder.path,
        trials=tuple(sorted(records.trials, key=lambda row: row.trial)),
        best=best,
        best_config=plan.space.config(params_of(best), seed=best.seed) if best else None,
        test_results=records.tests_of(best.trial) if best else (),
        num_finished=end.num_finished,
        target=end.target,
        complete=end.complete,
        num_shared_test_clips=plan.num_shared_test_clips,
        num_left_out_clips=plan.num_left_out_clips,
        interrupted=end.interrupted,
    )
