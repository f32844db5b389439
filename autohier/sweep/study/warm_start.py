"""Warm start: results of an earlier sweep, as observations for a new one."""

from __future__ import annotations

from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from autohier.config.frozen import FrozenModel
from autohier.config.search.search_space import SearchSpace
from autohier.config.sweep import SweepPlan
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.core.pruning import StopRule
from autohier.errors import InputError
from autohier.faults import shown_value
from autohier.sweep.paths import SweepFolder
from autohier.sweep.study.attributes import CHAIN, CODE, COSTS, WARM_FROM, check_study_format
from autohier.sweep.study.derived_trials import worth_of
from autohier.sweep.study.parameters import parameter_distributions, parameters, params_of
from autohier.sweep.study.sampling.search_space import encode
from autohier.sweep.study.storages.storage import open_storage
from autohier.sweep.study.trial_index import MEASURED

_TRAINED = sorted(
    SearchSpace.model_fields.keys() - {"name", "description", "assumes_2d_weights", "search", "initial"}
)
"""Fields of a search space that change the accuracy of a config."""


def results_of(path: Path, space: SearchSpace, clips_fingerprint: str | None = None) -> list[FrozenTrial]:
    """Return what the chains of a sweep have measured, as trials for a new search space.

    Each is as long as the new search space allows. Leaves out configs that it does not contain, and configs
    that it would train otherwise, as their variant or training settings differ. A search that minimizes
    multiply-adds, too, learns nothing from sweeps that did not record them.

    Args:
        path: folder of the earlier sweep.
        space: of the new sweep.
        clips_fingerprint: of the new sweep's clips, if known.

    Raises:
        InputError: if there is no such sweep, or its accuracies are not comparable with the new ones.
    """
    folder = SweepFolder(path.resolve())
    plan = check_comparable(folder, space)
    origin = f"{plan.study_name} {folder.read_plan()[1].created_at}"  # not its path, which may change
    if (
        None not in (clips_fingerprint, plan.clips_fingerprint)
        and clips_fingerprint != plan.clips_fingerprint
    ):
        raise InputError(
            "--warm-from must name a sweep of the same prepared clips, since accuracies are not comparable "
            "otherwise",
            got=f"{folder.path}, which used other clips",
            hint="leave it out",
        )
    storage = open_storage(plan.storage, folder.journal_file, repair=False)
    try:
        study = optuna.load_study(study_name=plan.study_name, storage=storage)
    except KeyError as error:
        raise InputError(
            "--warm-from must name a sweep that has begun",
            got=path,
            hint="resume it first, or leave it out",
        ) from error
    check_study_format(storage, storage.get_study_id_from_name(plan.study_name))
    results = []
    for trial in study.get_trials(deepcopy=False, states=MEASURED):
        longest = _longest(trial, plan.space, space)
        if longest is not None:
            params, chain = longest
            costs = list(trial.user_attrs.get(COSTS, ()))[: len(chain)]
            worth = worth_of(chain, costs, space.search.max_multiply_adds)
            if space.search.second_objective is not None and worth.multiply_adds is None:
                continue
            result = create_trial(
                values=worth.values(space.search),
                constraints=worth.constraints,
                params=parameters(space, params),
                distributions=parameter_distributions(space, params),
                user_attrs={
                    WARM_FROM: f"{origin} {trial.number}",
                    CHAIN: chain,
                    COSTS: costs,
                    CODE: encode(space, params),
                },
            )
            results.append(result)
    return results


def _longest(
    trial: FrozenTrial, earlier: SearchSpace, space: SearchSpace
) -> tuple[Hyperparameters, list[float]] | None:
    """Return the longest config that a trial's chain has measured and a new space contains, with its chain.

    A stopped trial has measured the shorter configs whose passes it trained, and not its own.
    """
    params, chain = params_of(earlier, trial), list(trial.user_attrs[CHAIN])
    is_whole = trial.state is TrialState.COMPLETE
    if earlier.search.second_objective != space.search.second_objective and params.ratio:
        chain, is_whole = _ended_again(chain, params, earlier, space)
    most = params.passes if is_whole else min(params.passes, len(chain)) - 1
    for passes in range(min(most, space.search.max_passes), -1, -1):
        shorter = params.model_copy(update={"passes": passes})
        if not space.find_fault(shorter) and _trained(earlier, shorter) == _trained(space, shorter):
            return shorter, chain[: passes + 1]
    return None


def _ended_again(
    chain: list[float], params: Hyperparameters, earlier: SearchSpace, space: SearchSpace
) -> tuple[list[float], bool]:
    """Return a chain up to its end in a search with another number of objectives, and if it reaches it.

    The stop rule ends a chain only if accuracy is the only objective; see `autohier.core.recipes.chain`.
    """
    has_all_passes = len(chain) > params.passes
    if space.search.second_objective is not None:
        return chain, has_all_passes
    rule = StopRule(ties=earlier.pruning.ties)
    for length in range(1, len(chain) + 1):
        if rule.should_stop(chain[:length]):
            return chain[:length], True
    return chain, has_all_passes


def check_comparable(folder: SweepFolder, space: SearchSpace) -> SweepPlan:
    """Return the plan of an earlier sweep.

    Raises:
        InputError: if there is no such sweep, or its accuracies are not comparable with those of a search
        space.
    """
    plan, _ = folder.read_plan()
    if plan.space.search.objective != space.search.objective:
        raise InputError(
            "--warm-from must name a sweep of the same search.objective",
            got=f"{plan.space.search.objective} in {folder.path}, not {space.search.objective}",
            hint="leave it out: matching stages in the store are reused anyway",
        )
    for name in _TRAINED:
        earlier, new = getattr(plan.space, name), getattr(space, name)
        if earlier != new:
            raise InputError(
                f"--warm-from must name a sweep of the same {name}, since accuracies are not comparable "
                "otherwise",
                got=f"{_difference_text(name, earlier, new)} in {folder.path}",
                hint="leave it out: matching stages in the store are reused anyway",
            )
    return plan


def _difference_text(name: str, earlier: object, new: object) -> str:
    """Return the settings of a group that differ, e.g. "pass_1.epochs 20, not 24"."""
    if not isinstance(earlier, FrozenModel) or not isinstance(new, FrozenModel):
        return f"{name} {shown_value(earlier)}, not {shown_value(new)}"
    before, after = earlier.model_dump(), new.model_dump()
    return "; ".join(
        f"{name}.{field} {shown_value(before.get(field))}, not {shown_value(after.get(field))}"
        for field in before | after
        if before.get(field) != after.get(field)
    )


def _trained(space: SearchSpace, params: Hyperparameters) -> list[object]:
    applied = space.apply(params)
    return [getattr(applied, name) for name in _TRAINED]
