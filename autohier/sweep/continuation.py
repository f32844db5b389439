"""One command for a sweep that may exist: it starts, continues where it stopped, or is finished already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Unpack, cast

from rich.console import Console

from autohier.config.search.search_space import SearchSpace
from autohier.config.search.searched_weights import with_weights_of
from autohier.config.storage_url import without_password
from autohier.config.sweep import SweepPlan
from autohier.config.trial.weights_files import convert_weights
from autohier.console import open_console
from autohier.core.stages.store.remote_stages import set_remote
from autohier.errors import InputError, Whole, one_line
from autohier.records.reader import read_records
from autohier.sweep.api import DEFAULT_DATA, DEFAULT_OUT, SweepResult, result_of, resume_sweep, start_sweep
from autohier.sweep.driver import SweepEnd
from autohier.sweep.execution.signals import StopRequest, catch_signals
from autohier.sweep.locking.sweep_lock import driver_of, hold_sweep
from autohier.sweep.paths import SweepFolder
from autohier.sweep.plans.new_plan import SweepOptions, check_new_plan, make_plan

_FIXED_OPTIONS: Final = (
    *("seed", "sampler", "scheduler", "choose", "decide"),
    *("callbacks", "warm_from", "storage"),
)
"""Options that an existing sweep keeps."""
_CHANGEABLE: Final = ("confirm", "refits", "budget_epochs", "budget_hours")
"""Options that a sweep takes over when it continues, unless they are left at their default."""
_POLL_S: Final = 2.0


def start_or_resume(
    space: SearchSpace,
    *,
    name: str,
    trials: int,
    out: str | Path = DEFAULT_OUT,
    data: str | Path = DEFAULT_DATA,
    prepare: Callable[[SearchSpace], None] | None = None,
    console: Console | None = None,
    **options: Unpack[SweepOptions],
) -> SweepResult:
    """Start a sweep, or continue the one of this name if it has the same settings.

    A finished sweep returns its result. A sweep that another driver runs is waited for. So a job that is
    queued again, or handed in twice, can always run the same command.

    Args:
        space: the loaded search space.
        name: name of the sweep.
        trials: total number of trials; more than before extends the sweep.
        out: see `start_sweep`, as for the following arguments.
        data: folder of prepared datasets.
        prepare: may prepare the dataset.
        console: console that shows the progress.
        **options: further arguments of `start_sweep`. Those of the machines, and of confirmation, refits and
            budget, may change when a sweep continues.

    Raises:
        InputError: if the sweep exists with other settings, which are named; see `start_sweep`.
        MissingDataError, RepeatedFailureError: see `start_sweep`.
    """
    out, data = Path(out), Path(data)
    console = console or open_console()
    with catch_signals() as stop:
        plan = make_plan(space, name=name, trials=trials, out=out, data=data, options=options)
        folder = SweepFolder(out / name)
        if folder.plan_file.exists():
            stored, _ = folder.read_plan()
            require_same(stored, check_new_plan(plan, prepare=prepare))
            if not wait_for_driver(folder, console, stop):
                ended = read_records(folder.records).num_ended
                return result_of(folder, stored, SweepEnd(ended, trials, interrupted=True))
            return run(plan, out, data, options, console)
        return start_sweep(
            space, name=name, trials=trials, out=out, data=data, prepare=prepare, console=console, **options
        )


def require_same(stored: SweepPlan, asked: SweepPlan) -> None:
    """Check that an existing sweep searches what is asked for; weights of equal content are the same.

    Raises:
        InputError: if it does not; the message lists the settings that differ.
    """
    before, after = _searched(stored), _searched(asked)
    # By network, whose name may hold the path, in the order of the space.
    weights = [list(plan.weights_sha256.values()) for plan in (stored, asked)]
    if weights[0] == weights[1] != []:
        before, after = _without_paths(before), _without_paths(after)
    found = dict(_differences(before, after))
    if asked.trials < stored.trials:
        found["trials"] = (stored.trials, asked.trials)
    if found:
        texts = (one_line(f"{key}={new} instead of {old}") for key, (old, new) in found.items())
        raise InputError(
            f"sweep {asked.name} exists, so it can only continue as it started",
            got=Whole(", ".join(texts)),
            hint="repeat its settings, or choose another --name",
        )


def wait_for_driver(folder: SweepFolder, console: Console, stop: StopRequest) -> bool:
    """Wait until no driver runs a sweep, and say which one does; return False if a signal comes first."""
    said = None
    while (driver := driver_of(folder.lock_file)) is not None:
        if driver != said:
            console.print(f"{folder.path.name} is run by {driver}; waiting until it ends", soft_wrap=True)
            said = driver
        if stop.comes_within(_POLL_S):
            return False
    return True


def run(plan: SweepPlan, out: Path, data: Path, options: SweepOptions, console: Console) -> SweepResult:
    """Start a sweep; or resume it, which runs nothing if it is finished."""
    if not SweepFolder(out / plan.name).plan_file.exists():
        return start_sweep(
            plan.space, trials=plan.trials, name=plan.name, out=out, data=data, console=console, **options
        )
    _adopt_weights(SweepFolder(out / plan.name), plan.space)
    if (stages := options.get("stages")) is not None:
        set_remote(Path(plan.stage_folder), stages)
    return resume_sweep(
        out / plan.name,
        trials=plan.trials,
        out=out,
        data=data,
        parallel=plan.parallel,
        cpus_per_trial=plan.cpus_per_trial,
        gpus_per_trial=plan.gpus_per_trial,
        scaling=plan.scaling,
        failures_in_a_row=options.get("failures_in_a_row"),
        local_clips=plan.local_clips,
        ray_address=plan.ray_address,
        console=console,
        **_changed(plan),
    )


def _adopt_weights(folder: SweepFolder, asked: SearchSpace) -> None:
    """Note where the weights of a sweep lie now, if those that it started with are missing."""
    stored, origin = folder.read_plan()
    present = with_weights_of(stored.space, asked)
    if present != stored.space:
        with hold_sweep(folder.lock_file):
            folder.write_plan(stored.model_copy(update={"space": present}), origin)


def _changed(plan: SweepPlan) -> dict[str, Any]:
    """Return the changeable options of a plan that are not at their default."""
    values = {name: getattr(plan, name) for name in _CHANGEABLE}
    return {name: value for name, value in values.items() if value != SweepPlan.model_fields[name].default}


def _searched(plan: SweepPlan) -> dict[str, object]:
    options = {name: getattr(plan, name) for name in _FIXED_OPTIONS}
    if plan.storage is not None:  # stored without its password
        options["storage"] = without_password(plan.storage)
    clips = {"fingerprint of the clips": plan.clips_fingerprint}
    left_out = {"name", "description", "moved_weights"}
    return plan.space.model_dump(mode="json", exclude=left_out) | options | clips


def _without_paths(values: dict[str, object]) -> dict[str, object]:
    return cast("dict[str, object]", convert_weights(values, lambda _: "of equal content"))


def _differences(
    old: Mapping[str, object], new: Mapping[str, object], prefix: str = ""
) -> Iterator[tuple[str, tuple[object, object]]]:
    """Yield the dotted keys under which two tables differ, with both values."""
    for key in dict.fromkeys((*old, *new)):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _differences(before, after, f"{prefix}{key}.")
        elif before != after:
            yield f"{prefix}{key}", (before, after)
