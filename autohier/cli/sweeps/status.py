"""``autohier status SWEEP...``: print the state and the results of one sweep, or the mean of several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autohier.cli.formats import CsvOutput, JsonOutput, is_for_programs, print_rows
from autohier.cli.options import DEFAULT_OUT, GivenData, OutFolder
from autohier.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from autohier.config.sweep import SweepPlan
    from autohier.data.store.manifest import Manifest
    from autohier.sweep.paths import SweepFolder


def status(
    sweeps: Annotated[
        list[str],
        typer.Argument(
            metavar="SWEEP...", help="Name or folder of a sweep; of several, test results are averaged."
        ),
    ],
    data: GivenData = None,
    out: OutFolder = DEFAULT_OUT,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Maximum number of leaderboard rows; all by default."),
    ] = None,
    front: Annotated[
        bool,
        typer.Option("--front", help="Print the Pareto front of accuracy and multiply-adds instead."),
    ] = False,
    as_json: JsonOutput = False,
    as_csv: CsvOutput = False,
) -> None:
    """Print a sweep's state, leaderboard, best config and test results.

    Of a running sweep, also what each trial does now and the time left. For several sweeps, each under
    another protocol of one dataset, print test accuracies and their mean.
    """
    from autohier.cli.sweeps.run_protocols import print_mean
    from autohier.cli.sweeps.run_sweep import open_console
    from autohier.sweep.paths import find_sweep

    folders = [find_sweep(sweep, out) for sweep in sweeps]
    if is_for_programs(as_json=as_json, as_csv=as_csv):
        _print_for_programs(folders, limit, front=front, as_json=as_json)
        return
    if front:
        for folder in folders:
            _print_front(folder, open_console())
        return
    if len(folders) == 1:
        _print_sweep(folders[0], open_console(), limit, data)
    else:
        print_mean(folders, open_console())


def _print_for_programs(
    folders: Sequence[SweepFolder], limit: int | None, *, front: bool, as_json: bool
) -> None:
    from autohier.cli.sweeps.run_protocols import read_winners
    from autohier.cli.sweeps.run_sweep import open_console, read_whole_records
    from autohier.reports.protocols import ProtocolResult, protocol_results
    from autohier.reports.sweeps.standings import TrialStanding
    from autohier.reports.sweeps.status import status_parts
    from autohier.reports.trials.front import FrontNetwork, front_networks

    console = open_console(for_programs=True)
    if len(folders) > 1 and not front:
        results = protocol_results(read_winners(folders, console))
        print_rows({"protocols": results}, ProtocolResult, results, as_json=as_json)
        return
    (folder,) = _only(folders)
    plan, provenance = folder.read_plan()
    records = read_whole_records(folder, plan, console)
    if front:
        networks = front_networks(records)
        print_rows({"front": networks}, FrontNetwork, networks, as_json=as_json)
        return
    parts = status_parts(folder, plan, provenance, records)
    trials = parts["trials"][:limit]
    print_rows({**parts, "trials": trials}, TrialStanding, trials, as_json=as_json)


def _only(folders: Sequence[SweepFolder]) -> Sequence[SweepFolder]:
    if len(folders) > 1:
        raise InputError("--front with --json or --csv prints one sweep", got=f"{len(folders)} sweeps")
    return folders


def _print_front(folder: SweepFolder, console: Console) -> None:
    from autohier.cli.sweeps.run_sweep import read_whole_records
    from autohier.reports.trials.front import front_report

    plan, _ = folder.read_plan()
    console.print(f"sweep {plan.name} of {plan.space.name}")
    console.print(front_report(read_whole_records(folder, plan, console)))


def _print_sweep(folder: SweepFolder, console: Console, limit: int | None, data: Path | None) -> None:
    from autohier.cli.sweeps.run_sweep import extend_line, read_whole_records, view_line
    from autohier.config.trial.hyperparameters import FLAT_PARAMS
    from autohier.core.recipes.chain import pass_1_epochs
    from autohier.data.store.persons import earlier_persons_text
    from autohier.data.superclasses import assignments_by_count
    from autohier.reports.sweeps.progress import (
        duplicates_text,
        is_finished,
        progress_text,
        retry_text,
        waiting_lines,
        work_lines,
    )
    from autohier.reports.sweeps.report import sweep_report
    from autohier.reports.sweeps.status import now_lines
    from autohier.reports.trials.agreement import agreement_text
    from autohier.sweep.locking.sweep_lock import driver_of
    from autohier.sweep.paths import clip_folder, override_places
    from autohier.sweep.phases.confirmation import missing_runs
    from autohier.sweep.phases.refits import missing_refits
    from autohier.sweep.relocation import GivenFolders
    from autohier.text import time_text

    plan, provenance = folder.read_plan()
    plan = override_places(plan, GivenFolders(data))
    records = read_whole_records(folder, plan, console)
    driver = driver_of(folder.lock_file)
    is_left = missing_runs(records, plan) or missing_refits(records, plan)
    finished = is_finished(records, target=plan.trials) and not is_left
    console.print(
        f"sweep {plan.name} of {plan.space.name}, started {time_text(provenance.created_at)}, "
        + _driver_text(folder, driver, is_finished=finished),
        soft_wrap=True,
    )
    console.print(progress_text(records, target=plan.trials, is_driven=driver is not None))
    epochs = plan.space.num_folds * pass_1_epochs(plan.space.config(FLAT_PARAMS, seed=plan.seed))
    for line in [*waiting_lines(records), *work_lines(records, pass_1_epochs=epochs)]:
        console.print(line)
    if driver is not None:
        for part in now_lines(folder, plan, records):
            console.print(part, soft_wrap=isinstance(part, str))
    console.print(sweep_report(records, limit=limit, is_driven=driver is not None))
    if duplicates := duplicates_text(plan.num_shared_test_clips, plan.num_left_out_clips):
        console.print(duplicates, soft_wrap=True)
    store = _clip_manifest(plan)
    if store and (warning := earlier_persons_text(clip_folder(plan), store)):
        console.print(f"WARNING: {warning}", soft_wrap=True)
    levels = assignments_by_count(store.levels) if store and plan.space.hierarchy != "given" else {}
    if levels:
        console.print(agreement_text(records, levels))
    if records.trials:
        console.print(view_line(folder), soft_wrap=True)
    if driver is None:
        if retry := retry_text(records, folder.resume_command):
            console.print(retry, soft_wrap=True)
        console.print(
            extend_line(folder, plan) if finished else f"continue: {folder.resume_command}",
            soft_wrap=True,
        )


def _driver_text(folder: SweepFolder, driver: str | None, *, is_finished: bool) -> str:
    from autohier.sweep.locking.sweep_lock import dead_driver

    if driver:
        return f"driven by {driver}"
    dead = None if is_finished else dead_driver(folder.lock_file)
    return f"not running: its driver, {dead}, died; what it finished is kept" if dead else "not running"


def _clip_manifest(plan: SweepPlan) -> Manifest | None:
    """Return the description of the sweep's clips; None if they are missing or damaged."""
    from autohier.data.store.manifest import Manifest, load_record
    from autohier.data.store.paths import MANIFEST
    from autohier.sweep.paths import clip_folder

    return load_record(Manifest, clip_folder(plan) / MANIFEST)
