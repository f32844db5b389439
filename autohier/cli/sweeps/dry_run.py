"""``autohier search --dry-run``: print what a search would run, without starting it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from autohier.cli.echo import echo
from autohier.errors import MissingDataError
from autohier.text import plural, shown

if TYPE_CHECKING:
    from autohier.config.search.search_space import SearchSpace
    from autohier.config.sweep import SweepPlan
    from autohier.sweep.plans.new_plan import SweepOptions

_SHOWN_INITIAL = 5
_FIXED = frozenset({"name", "study_name", "space", "data_folder", "stage_folder", "clips_fingerprint"})
"""Settings of a plan that the summary shows otherwise, or not."""


def print_dry_run(
    space: SearchSpace, *, name: str | None, trials: int, out: Path, data: Path, options: SweepOptions
) -> None:
    """Print the resolved space as TOML, under comments that say what would run.

    Nothing is written or started, and the name of the sweep stays free.

    Args:
        space: the loaded space.
        name: name of the sweep; None shows the default one.
        trials: number of trials.
        out: folder of the sweeps.
        data: folder of the prepared datasets.
        options: see `autohier.sweep.api.start_sweep`.

    Raises:
        InputError: if the search would refuse to start, except for clips that are not prepared.
    """
    from autohier.config.search.toml_text import space_text
    from autohier.sweep.paths import free_folder, time_name
    from autohier.sweep.plans.new_plan import check_new_plan, make_plan

    name = name or time_name(space.name)
    plan = make_plan(space, name=name, trials=trials, out=out, data=data, options=options)
    folder = free_folder(plan.name, out)
    notes: list[str] = []
    try:
        plan = check_new_plan(plan, say=notes.append)
    except MissingDataError as error:
        notes.append(f"not checked against its clips: {error}")
    lines = [
        "dry run: nothing was started; search this file to run it",
        f"sweep {plan.name} in {folder.path}: {plan.limits_text}, clips in {data}",
        *_option_lines(plan),
        *_trial_lines(plan),
        *notes,
    ]
    for line in lines:
        echo(f"# {' '.join(shown(line).split())}")
    echo()
    echo(space_text(plan.space).rstrip("\n"))


def _option_lines(plan: SweepPlan) -> Iterator[str]:
    """Yield the options of the search that are set."""
    for name, value in plan.model_dump(mode="json").items():
        if name not in _FIXED and value not in (None, [], 0):
            from autohier.config.storage_url import without_password

            yield f"{name}: {without_password(value) if name == 'storage' else value}"


def _trial_lines(plan: SweepPlan) -> Iterator[str]:
    """Yield the epochs of a trial, and the configs that are tried first."""
    from autohier.config.trial.hyperparameters import FLAT_PARAMS
    from autohier.core.recipes.chain import stage_kinds

    space = plan.space
    if space.search.second_objective is not None:
        yield f"objectives: {space.search.objective} and {space.search.second_objective}"
    num_passes = space.search.max_passes
    config = space.config(FLAT_PARAMS.model_copy(update={"passes": num_passes}), seed=plan.seed)
    folds = f" on each of {space.num_folds} folds" if space.num_folds > 1 else ""
    kinds = stage_kinds(config, num_passes)
    stages = [f"{kind.label(0)} {kind.epochs(config)}" for kind in kinds if not kind.is_pruning]
    pruning = [kind.epochs(config) for kind in kinds if kind.is_pruning]
    stages += [f"{plural(len(pruning), 'pruning pass', 'pruning passes')} of {pruning[0]}"] if pruning else []
    shared = f"; {kinds[0].label(0)} is shared by all trials" if space.shares_pass_1 else ""
    yield f"epochs of a trial at most{folds}: {', '.join(stages)}{shared}"
    for each in space.initial[:_SHOWN_INITIAL]:
        yield f"initial config: {each.as_params().settings_text} ({each.source})"
    if len(space.initial) > _SHOWN_INITIAL:
        yield f"and {plural(len(space.initial) - _SHOWN_INITIAL, 'further initial config')}"
    num_sampled = plan.trials - len(space.initial)
    if num_sampled > 0:
        yield f"then configs that the sampler {plan.sampler} chooses"
