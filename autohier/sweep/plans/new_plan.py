"""The plan of a new sweep: made from the caller's arguments, and checked before anything is computed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypedDict

from autohier.config.frozen import validate
from autohier.config.search.search_space import SearchSpace
from autohier.config.storage_url import HOW_TO_PASS, PASSWORD_SHOWS, check_no_other_secret, has_password
from autohier.config.sweep import SQLITE, ChoiceRule, DecisionRule, SweepPlan
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.core.recipes.check import check_recipe
from autohier.sweep.execution.callback_extensions import check_callbacks
from autohier.sweep.paths import find_sweep, stage_folder
from autohier.sweep.plans.check import check_plan
from autohier.sweep.plans.starts import check_networks, resolve_starts
from autohier.sweep.study.warm_start import results_of


class SweepOptions(TypedDict, total=False):
    """Options of `autohier.sweep.api.start_sweep` that say how a space is searched, and on which machines."""

    sampler: str
    scheduler: str
    choose: ChoiceRule
    confirm: str
    decide: DecisionRule
    refits: int
    budget_epochs: int | None
    budget_hours: float | None
    callbacks: Sequence[str]
    warm_from: Sequence[str | Path]
    parallel: int | None
    cpus_per_trial: float | None
    gpus_per_trial: float | None
    scaling: str | None
    failures_in_a_row: int
    seed: int
    storage: str | None
    stages: str | None
    local_clips: str | Path | None
    ray_address: str | None


def make_plan(
    space: SearchSpace, *, name: str, trials: int, out: Path, data: Path, options: SweepOptions
) -> SweepPlan:
    """Return the plan of a new sweep.

    Args:
        space: the loaded space.
        name: name of the sweep.
        trials: number of trials.
        out: folder of sweeps and of their stage store.
        data: folder of prepared datasets.
        options: the plan's defaults hold for those that are left out.

    Raises:
        InputError: if an argument is wrong, or recognizer.start names nothing.
    """
    check_no_other_secret(options.get("storage") or "")
    warm_from = (find_sweep(str(each), out).path.resolve() for each in options.get("warm_from", ()))
    values = {
        # Where stages are copied to is noted in their store, for all its readers.
        **{option: value for option, value in options.items() if option != "stages"},
        "storage": _absolute_storage(options.get("storage")),
        "local_clips": absolute_path(options.get("local_clips")),
        "name": name,
        # Unique, so that neither a shared database nor the journal of another sweep has a study of this name.
        "study_name": f"{name}-{uuid.uuid4().hex[:8]}",
        "space": resolve_starts(space, out),
        "trials": trials,
        "callbacks": tuple(options.get("callbacks", ())),
        "warm_from": tuple(map(str, warm_from)),
        "data_folder": str(data.resolve()),
        "stage_folder": str(stage_folder(out.resolve())),
    }
    return validate(SweepPlan, values, origin="search")


def absolute_path(path: str | Path | None) -> str | None:
    """Return a path that processes in other working folders understand."""
    return None if path is None else str(Path(path).absolute())


def _absolute_storage(url: str | None) -> str | None:
    """Return a storage URL with the absolute path of its file, as a sweep may be resumed from elsewhere."""
    if url is None or not url.startswith(SQLITE) or url == SQLITE:
        return url
    return SQLITE + str(Path(url.removeprefix(SQLITE)).resolve())


def check_new_plan(
    plan: SweepPlan,
    *,
    prepare: Callable[[SearchSpace], None] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> SweepPlan:
    """Check that a new sweep can run: its extensions, its clips and the sweeps that it starts from.

    Args:
        plan: from `make_plan`.
        prepare: called with the space once extensions, networks and their starting weights are checked; may
            prepare its dataset.
        say: see `check_plan`.

    Returns:
        The plan as `check_plan` returns it.

    Raises:
        InputError: if the plan does not fit the installed packages, the clips or the earlier sweeps.
        MissingDataError: if the dataset is not prepared.
    """
    check_callbacks(plan.callbacks)
    check_recipe(plan.space.config(FLAT_PARAMS, seed=plan.seed))
    check_networks(plan.space)
    if prepare is not None:
        prepare(plan.space)
    if plan.storage and has_password(plan.storage):
        say(f"WARNING: {PASSWORD_SHOWS}; {HOW_TO_PASS}")
    checked = check_plan(plan, say)
    for path in checked.warm_from:
        results_of(Path(path), checked.space, checked.clips_fingerprint)
    return checked
