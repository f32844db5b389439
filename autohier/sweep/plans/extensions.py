"""Extensions that a plan uses: their packages and versions, for provenance and for the check of machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autohier.config.sweep import SweepPlan
from autohier.config.sweep_extensions import SAMPLERS, TRIAL_SCHEDULERS
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.config.trial.recipes import RECIPES
from autohier.config.trial.recognizers import RECOGNIZERS
from autohier.config.trial.schedules import SCHEDULES
from autohier.core.recipes.chain import stage_kinds
from autohier.core.stages.kinds.registry import STAGE_KINDS
from autohier.data.datasets.registry import DATASETS
from autohier.errors import InputError
from autohier.extensions import Registry, Source
from autohier.sweep.execution.callback_extensions import CALLBACKS

_OWN = "autohier"


def extension_texts(plan: SweepPlan) -> dict[str, str]:
    """Return the package and version of every extension of a plan, e.g. {"sampler tpe": "autohier 1.0"}.

    A dataset of the user's own has no extension.

    Raises:
        InputError: if no installed package offers an extension.
    """
    sources = _sources(plan)
    if plan.space.dataset in DATASETS.names:
        sources[f"{DATASETS.noun} {plan.space.dataset}"] = DATASETS.source(plan.space.dataset)
    return {use: _text(source) for use, source in sources.items()}


def foreign_packages(plan: SweepPlan) -> dict[str, str]:
    """Return the versions of the packages, other than autohier, that a plan's driver and trials import."""
    return {source.package: source.version for source in _sources(plan).values() if source.package != _OWN}


def check_extensions(plan: SweepPlan, recorded: Mapping[str, str]) -> None:
    """Check that a sweep is resumed with the packages that it started with.

    autohier itself may be newer, and the dataset's package is not needed once the clips are prepared.

    Args:
        plan: plan of the sweep.
        recorded: `extension_texts` when the sweep started; empty for sweeps that did not record them.

    Raises:
        InputError: if another version of an extension's package is installed, or none.
    """
    for use, source in _sources(plan).items():
        expected = recorded.get(use, _text(source))
        if _text(source) != expected and source.package != _OWN:
            raise InputError(
                f"{use} must come from {expected}, with which the sweep started",
                got=_text(source),
                hint=f"install {expected}, or start a new sweep",
            )


def _sources(plan: SweepPlan) -> dict[str, Source]:
    return {f"{registry.noun} {name}": registry.source(name) for registry, name in _uses(plan)}


def _uses(plan: SweepPlan) -> Iterator[tuple[Registry, str]]:
    yield RECIPES, plan.space.recipe
    config = plan.space.config(FLAT_PARAMS, seed=plan.seed)
    yield from ((STAGE_KINDS, kind.name) for kind in stage_kinds(config, 1))
    for params in plan.space.flat_params_by_network().values():
        yield RECOGNIZERS, plan.space.config(params, seed=plan.seed).recognizer.name
    for params in plan.space.flat_params():
        yield SCHEDULES, plan.space.config(params, seed=plan.seed).optimisation.schedule
    yield from ((SCHEDULES, name) for name in plan.space.search.settings.get("optimisation.schedule", ()))
    yield SAMPLERS, plan.sampler
    yield TRIAL_SCHEDULERS, plan.scheduler
    yield from ((CALLBACKS, name) for name in plan.callbacks)


def _text(source: Source) -> str:
    return f"{source.package} {source.version}"
