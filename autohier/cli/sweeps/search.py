"""``autohier search SPACE``: start a sweep, or one per protocol."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.echo import echo
from autohier.cli.options import (
    DEFAULT_DATA,
    DEFAULT_OUT,
    FAILURES_IN_A_ROW,
    FOLDERS,
    MAX_SEED,
    REFITS,
    SEARCH,
    BudgetEpochs,
    BudgetHours,
    ChooseOption,
    ClipsPerClass,
    ConfirmOption,
    CpusPerTrial,
    DataFolder,
    DecideOption,
    DropDuplicates,
    GpusPerTrial,
    LocalClips,
    MaxMultiplyAdds,
    Objectives,
    OutFolder,
    Overrides,
    Parallel,
    RayAddress,
    Sampler,
    ScalingOption,
    SchedulerName,
    SpaceName,
    StagesOption,
    StartOption,
    with_aims,
    with_protocol,
)
from autohier.cli.sweeps.dry_run import print_dry_run
from autohier.errors import InputError, InputFaults
from autohier.machine import ENDING_SIGNALS

if TYPE_CHECKING:
    from rich.console import Console

    from autohier.config.search.search_space import SearchSpace
    from autohier.sweep.api import SweepResult
    from autohier.sweep.plans.new_plan import SweepOptions
    from autohier.sweep.protocol_sweeps import ProtocolResults


def search(
    space: SpaceName,
    trials: Annotated[
        int | None,
        typer.Option(
            rich_help_panel=SEARCH,
            metavar="N",
            min=1,
            help="Number of trials; by default 32, or without limit if there is a budget.",
        ),
    ] = None,
    budget_epochs: BudgetEpochs = None,
    budget_hours: BudgetHours = None,
    name: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=FOLDERS,
            metavar="NAME",
            help="Name of the sweep; by default the space's with the time.",
        ),
    ] = None,
    protocols: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=SEARCH,
            metavar="NAMES",
            help="Protocols to search one after the other, e.g. view1,view3, or all, as sweeps "
            "NAME-PROTOCOL; with the same --name, the same command continues them.",
        ),
    ] = None,
    data: DataFolder = DEFAULT_DATA,
    out: OutFolder = DEFAULT_OUT,
    sampler: Sampler = "tpe",
    scheduler: SchedulerName = "successive-halving",
    objectives: Objectives = None,
    max_multiply_adds: MaxMultiplyAdds = None,
    choose: ChooseOption = "cautious",
    confirm: ConfirmOption = "auto",
    decide: DecideOption = "pooled",
    refits: Annotated[int, REFITS] = 1,
    callback: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=SEARCH,
            metavar="NAME",
            help="Installed callback that every trial calls; repeatable.",
        ),
    ] = None,
    warm_from: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=SEARCH,
            metavar="SWEEP",
            help="Earlier sweep on the same data whose results the sampler learns from; repeatable.",
        ),
    ] = None,
    parallel: Parallel = None,
    cpus_per_trial: CpusPerTrial = None,
    gpus_per_trial: GpusPerTrial = None,
    scaling: ScalingOption = None,
    failures_in_a_row: Annotated[int, FAILURES_IN_A_ROW] = 5,
    seed: Annotated[
        int,
        typer.Option(
            rich_help_panel=SEARCH,
            metavar="N",
            min=0,
            max=MAX_SEED,
            help="Seed of the search and of its trials.",
        ),
    ] = 0,
    storage: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=FOLDERS,
            metavar="URL",
            help="Optuna storage URL; by default a journal file. Give the password in "
            "$AUTOHIER_STORAGE_PASSWORD.",
        ),
    ] = None,
    stages: StagesOption = None,
    local_clips: LocalClips = None,
    ray_address: RayAddress = None,
    drop_duplicates: DropDuplicates = False,
    clips_per_class: ClipsPerClass = None,
    start: StartOption = None,
    resume_if_exists: Annotated[
        bool,
        typer.Option(
            "--resume-if-exists",
            rich_help_panel=FOLDERS,
            help="Continue the sweep of this --name if it has the same settings: one command for a job that "
            "is queued again. Waits while another driver runs it; exits with 0 if it is finished.",
        ),
    ] = False,
    overrides: Overrides = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            rich_help_panel=FOLDERS,
            help="Print the resolved space as TOML and what would run, without starting it.",
        ),
    ] = False,
) -> None:
    """Search a space for the best config."""
    from autohier.config.search.loading import load_space
    from autohier.config.sweep import default_trials
    from autohier.config.sweep_extensions import SAMPLERS, TRIAL_SCHEDULERS

    faults = InputFaults()
    with faults.collect():
        SAMPLERS.find(sampler)
    with faults.collect():
        TRIAL_SCHEDULERS.find(scheduler)

    def prepare(loaded: SearchSpace) -> None:
        if loaded.dataset == "demo":
            _prepare_demo(data)

    options: SweepOptions = {
        "sampler": sampler,
        "scheduler": scheduler,
        "choose": choose,
        "confirm": confirm,
        "decide": decide,
        "refits": refits,
        "budget_epochs": budget_epochs,
        "budget_hours": budget_hours,
        "callbacks": callback or (),
        "warm_from": warm_from or (),
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
    changes = with_aims(
        with_protocol(
            overrides, drop_duplicates=drop_duplicates, clips_per_class=clips_per_class, start=start
        ),
        objectives=objectives,
        max_multiply_adds=max_multiply_adds,
    )
    trials = trials or default_trials(budget_epochs, budget_hours)
    with faults.collect():
        loaded = load_space(space, changes)
    faults.check()
    if dry_run:
        if protocols is not None or resume_if_exists:
            raise InputError(
                "--dry-run shows one new sweep, without --protocols and --resume-if-exists",
                hint="show a single protocol with --set protocol.name=NAME",
            )
        print_dry_run(loaded, name=name, trials=trials, out=out, data=data, options=options)
        return
    request = _Request(space, trials, name, out, data, changes, prepare, options)
    if resume_if_exists and name is None:
        raise InputError("--resume-if-exists continues a sweep by its name", hint="add --name NAME")
    if protocols is None:
        _search_one(request, resume_if_exists=resume_if_exists)
    else:
        _search_protocols(request, protocols.split(","))


@dataclass(frozen=True, slots=True)
class _Request:
    """Arguments of a search that its forms share."""

    space: str
    trials: int
    name: str | None
    out: Path
    data: Path
    overrides: Sequence[str]
    prepare: Callable[[SearchSpace], None]
    options: SweepOptions


def _search_one(request: _Request, *, resume_if_exists: bool) -> None:
    from autohier.cli.sweeps.run_sweep import run_and_report

    def run(console: Console) -> SweepResult:
        from autohier.config.search.loading import load_space
        from autohier.sweep.api import start_sweep
        from autohier.sweep.continuation import start_or_resume

        space = load_space(request.space, request.overrides)
        if resume_if_exists and request.name is not None:
            search = partial(start_or_resume, space, name=request.name)
        else:
            search = partial(start_sweep, space, name=request.name)
        return search(
            trials=request.trials,
            out=request.out,
            data=request.data,
            prepare=request.prepare,
            console=console,
            **request.options,
        )

    run_and_report(run)


def _search_protocols(request: _Request, protocols: Sequence[str]) -> None:
    from autohier.cli.sweeps.run_protocols import run_and_report_protocols
    from autohier.config.search.loading import load_space
    from autohier.config.storage_url import without_password
    from autohier.sweep.paths import time_name

    name = request.name or time_name(load_space(request.space, request.overrides).name)

    def run(console: Console, report: Callable[[SweepResult], None]) -> ProtocolResults:
        from autohier.sweep.protocol_sweeps import search_protocols

        return search_protocols(
            request.space,
            protocols,
            name=name,
            trials=request.trials,
            out=request.out,
            data=request.data,
            overrides=request.overrides,
            prepare=request.prepare,
            console=console,
            report=report,
            **request.options,
        )

    typed = map(without_password, sys.argv[1:])
    command = ("autohier", *typed, *(() if request.name else ("--name", name)))
    run_and_report_protocols(run, command=command)


def _prepare_demo(data: Path) -> None:
    """Generate and prepare the demo unless it is prepared, so that a first search needs no data."""
    from autohier.cli.data.prepare import prepare
    from autohier.data.store.paths import MANIFEST, store_folder

    if not (store_folder(data, "demo", None) / MANIFEST).is_file():
        echo(f"demo is not prepared: generating and preparing it first, in {data.absolute()}")
        with _ended_by_signals():
            prepare("demo", data=data)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have `ENDING_SIGNALS` interrupt the block, which asks for no stop request, and exit with their code.

    Within the block that catches signals for a sweep, they would only make the request.
    """
    from autohier.sweep.execution.signals import keep_handler

    received: list[int] = []

    def interrupt(number: int, _: object) -> None:
        received.append(number)
        raise KeyboardInterrupt

    with ExitStack() as stack:
        for number in ENDING_SIGNALS:
            stack.enter_context(keep_handler(number))
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, interrupt)
        try:
            yield
        except typer.Exit as error:
            raise typer.Exit(128 + received[-1] if received else error.exit_code) from error
