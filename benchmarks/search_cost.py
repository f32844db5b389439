"""Cost of a trained search with autohier, with plain Ray Tune and OptunaSearch, and with Ray's ASHA.

All arms search the same space with the same sampler seed and number of trials, initial configs first, two
trials at a time, and train with the same core functions.

    plain     Ray Tune, its stock OptunaSearch; every trial trains its whole chain by itself
    asha      the same with Ray's stock ASHAScheduler, which compares trials by epochs from the first one on
    asha +    the same, but trials are first compared in pass 2, since all are alike before
    autohier  the sweep of `autohier search`, without the test result at its end

The highest validation accuracy of an arm is mostly luck, of which an arm that completes more trials has more;
`search_quality.py` compares what searches are worth.

    python benchmarks/search_cost.py --trials 64 --seeds 3 --data data
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from autohier.config.search.loading import load_space
from autohier.config.search.search_space import SearchSpace
from autohier.config.sweep import SweepPlan
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.kinds.base import StageKind
from autohier.data.store.paths import store_folder
from autohier.sweep.execution.ray_session.session import be_quiet, ray_session
from autohier.sweep.study.sampling.search_space import decode, distributions, encode

ARMS = ("plain", "asha", "asha +", "autohier")
_PARALLEL = 2
_FIRST_RUNG = 2
"""Epochs of pass 2 at the first rung of "asha +", as for autohier in the demo."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost and result of one arm."""

    epochs: int
    seconds: float
    best: float


def searcher_of(space: SearchSpace, seed: int) -> Any:
    """Return Ray's stock Optuna searcher over the same distributions, initial configs first."""
    from ray.tune.search.optuna import OptunaSearch

    initial = [encode(space, config.as_params()) for config in space.initial]
    return OptunaSearch(
        distributions(space), metric="accuracy", mode="max", points_to_evaluate=initial, seed=seed
    )


def scheduler_of(arm: str, space: SearchSpace) -> Any:
    """Return Ray's stock ASHA; None for the plain arm."""
    from ray.tune.schedulers import ASHAScheduler

    if arm == "plain":
        return None
    longest = space.pass_1.epochs + space.pass_2.epochs + space.search.max_passes * space.pruning.epochs
    grace = 1 if arm == "asha" else space.pass_1.epochs + _FIRST_RUNG
    return ASHAScheduler(max_t=longest + 1, grace_period=grace)


class TuneReporter(TrialCallback):
    """Reports every epoch to Ray Tune; from the end of pass 2 on the best of the passes so far."""

    def __init__(self) -> None:
        self.chain: list[float] = []

    def on_epoch_end(self, kind: StageKind, pass_index: int, metrics: Any, *, reused: bool) -> None:  # noqa: ARG002
        """See `TrialCallback`."""
        from ray import tune

        tune.report({"accuracy": max([*self.chain, metrics.accuracy])})

    def on_stage_end(self, result: Any) -> None:
        """See `TrialCallback`."""
        if not result.kind.is_flat:
            self.chain.append(result.accuracy)


def train_alone(tune_config: Mapping[str, Any], *, space: SearchSpace, clips: Path, seed: int) -> None:
    """Run a whole trial with the core's functions and a stage store that is deleted afterwards."""
    from ray import tune

    from autohier.core.stages.setup.trial_setup import open_trial
    from autohier.core.stages.store.stage_store import StageStore
    from autohier.core.trial import run_trial
    from autohier.data.store.reader import ClipStore

    encoded = {name: tune_config[name] for name in distributions(space)}
    with tempfile.TemporaryDirectory() as folder:
        trial = open_trial(
            space.config(decode(space, encoded), seed=seed),
            clips=ClipStore.open(clips),
            stages=StageStore(Path(folder)),
            callback=TuneReporter(),
            device="cpu",
        )
        tune.report({"accuracy": run_trial(trial).accuracy, "complete": 1})


def train_plain(arm: str, space: SearchSpace, data: Path, trials: int, seed: int) -> Cost:
    from ray import tune

    clips = store_folder(data, space.dataset, space.clips.modality).resolve()
    started = time.time()
    with tempfile.TemporaryDirectory() as folder, ray_session(plan_of(space, trials, seed, data, data)):
        tuner = tune.Tuner(
            tune.with_resources(
                functools.partial(train_alone, space=space, clips=clips, seed=seed), {"cpu": 1}
            ),
            tune_config=tune.TuneConfig(
                metric="accuracy",
                mode="max",
                search_alg=searcher_of(space, seed),
                scheduler=scheduler_of(arm, space),
                num_samples=trials,
                max_concurrent_trials=_PARALLEL,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        results = tuner.fit()
        rows = [result.metrics or {} for result in results]
    complete = [row["accuracy"] for row in rows if row.get("complete")]
    # The last report of a complete trial is not an epoch.
    epochs = sum(row["training_iteration"] - (1 if row.get("complete") else 0) for row in rows)
    return Cost(epochs, time.time() - started, max(complete, default=0.0))


def train_autohier(space: SearchSpace, data: Path, trials: int, seed: int) -> Cost:
    from rich.console import Console

    from autohier.records.reader import read_records
    from autohier.sweep.driver import drive
    from autohier.sweep.paths import SweepFolder
    from autohier.sweep.plans.check import check_plan

    with tempfile.TemporaryDirectory() as name:
        folder = SweepFolder(Path(name) / "sweep")
        plan = check_plan(plan_of(space, trials, seed, data, Path(name) / "stages"))
        started = time.time()
        drive(folder, plan, Console(quiet=True))
        rows = read_records(folder.records).trials
    ended = max(row.finished_at.timestamp() for row in rows if row.finished_at)
    epochs = space.pass_1.epochs + sum(row.epochs_computed or 0 for row in rows)
    return Cost(epochs, ended - started, max(row.accuracy or 0.0 for row in rows))


def measure(arm: str, space: SearchSpace, trials: int, seed: int, *, data: Path) -> Cost:
    """Measure one arm with one seed."""
    if arm == "autohier":
        return train_autohier(space, data, trials, seed)
    return train_plain(arm, space, data, trials, seed)


def plan_of(space: SearchSpace, trials: int, seed: int, data: Path, stages: Path) -> SweepPlan:
    return SweepPlan(
        name="search-cost",
        study_name="search-cost",
        space=space,
        trials=trials,
        seed=seed,
        parallel=_PARALLEL,
        data_folder=str(data.resolve()),
        stage_folder=str(stages.resolve()),
        ray_address=None,
    )


def report(costs: Mapping[str, Sequence[Cost]]) -> list[str]:
    """Return a line for each arm over its seeds, with the ratio of its epochs to autohier's, if that ran."""
    lines = [f"{'arm':10}{'epochs':>16}{'seconds':>18}{'highest accuracy':>18}{'epochs, ratio':>18}"]
    ours = costs.get("autohier")
    for arm, seeds in costs.items():
        ratios = [theirs.epochs / own.epochs for theirs, own in zip(seeds, ours, strict=True)] if ours else []
        lines.append(
            f"{arm:10}{_spread([cost.epochs for cost in seeds], '.0f'):>16}"
            f"{_spread([cost.seconds for cost in seeds], '.0f'):>18}"
            f"{_spread([100 * cost.best for cost in seeds], '.2f'):>18}"
            f"{_spread(ratios, '.2f') if ratios else '':>18}"
        )
    return lines


def _spread(values: Sequence[float], number_format: str) -> str:
    deviation = stdev(values) if len(values) > 1 else 0.0
    return f"{format(mean(values), number_format)} ± {format(deviation, number_format)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--space", default="demo")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="group.key=value")
    parser.add_argument("--trials", type=int, nargs="+", default=[64])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with prepared datasets")
    options = parser.parse_args()
    be_quiet()
    space = load_space(options.space, options.overrides)
    if not (space.shares_pass_1 and space.num_folds == 1):
        sys.exit("arms that train count epochs of one pass 1 without folds: choose such a search space")
    for trials in options.trials:
        costs: dict[str, list[Cost]] = {arm: [] for arm in options.arms}
        for seed in range(options.seeds):
            for arm in options.arms:
                costs[arm].append(measure(arm, space, trials, seed, data=options.data))
                print(f"  {trials} trials, seed {seed}, {arm}: {costs[arm][-1]}", flush=True)
        print(f"{space.name}, {trials} trials, {options.seeds} seeds: mean ± deviation")
        print("\n".join(report(costs)))


if __name__ == "__main__":
    main()
