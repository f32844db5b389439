"""Studies of sweeps that never run: trials with synthetic values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autohier.config.search.loading import load_space
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.study.storages.storage import open_storage
from autohier.sweep.study.study import Measurements, SampledTrial, SweepStudy
from support.sweep_runs.plans import make_plan


def open_study(folder: Path, **changes: Any) -> SweepStudy:
    """Open the study of a sweep in a folder, with changes of `make_plan`."""
    plan = make_plan(folder, **changes)
    return SweepStudy(plan, open_storage(plan.storage, folder / "sweep" / "study.journal"))


def complete(
    study: SweepStudy, sampled: SampledTrial, chain: Sequence[float], facts: dict[str, Any] | None = None
) -> None:
    """Record a complete trial with all rungs of its chain."""
    steps = {study.rungs.pass_step(k): max(chain[: k + 1]) for k in range(len(chain))}
    study.record_complete(sampled, Measurements(chain, steps), facts or {})


def run_trials(study: SweepStudy, number: int) -> dict[str, Hyperparameters]:
    """Run trials one after the other; return their hyperparameters by name."""
    params: dict[str, Hyperparameters] = {}
    for _ in range(number):
        sampled = study.next_trial()
        if sampled is None:
            break
        hyperparameters = sampled.config.params
        params[sampled.name] = hyperparameters
        complete(study, sampled, [0.1, hyperparameters.ratio + hyperparameters.weight_ratio / 10])
    return params


def one_config_space(**search: Any) -> SearchSpace:
    """Return a search space of one config, so that samples must repeat."""
    ranges = {
        "levels": 1,
        "counts": "divisors",
        "weight_ratios": [0.5],
        "scopes": ["layerwise"],
        "ratios": [0.1],
        "max_passes": 0,
        **search,
    }
    space = load_space("demo").model_dump() | {"num_classes": 4, "initial": [], "search": ranges}
    return type(load_space("demo"))(**space)
