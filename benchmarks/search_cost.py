"""What a search costs: autohier beside plain Ray Tune with OptunaSearch, and beside Ray's ASHA, in one run.

All arms search the same space with the same sampler seed and number of trials, known settings first, two
trials at a time, and train with the same core functions.

    plain     Ray Tune, its stock OptunaSearch; every trial trains its whole chain by itself
    asha      the same with Ray's stock ASHAScheduler, which judges trials by their epochs from the first one
    asha +    the same, judged for the first time in pass 2, since all trials are alike before
    autohier  the sweep of `autohier search`, without the reading of the test split at its end

`--simulate` replaces training by a stand-in (a table of costs and values with the noise of a validation
split) and keeps all else: the searchers, Ray's scheduler, the study, the rungs, the shared stages.

    python benchmarks/search_cost.py --simulate --trials 64 512
    python benchmarks/search_cost.py --trials 64 --seeds 3 --data data
"""

from __future__ import annotations

import argparse
import functools
import heapq
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from autohier.core.pruning import StopRule
from autohier.data.store.paths import store_folder
from autohier.settings.choice import Choice
from autohier.settings.loading import load_space
from autohier.settings.space import Space
from autohier.settings.sweep import SweepPlan
from autohier.sweep.cluster import be_quiet, ray_session
from autohier.sweep.coding import decode, distributions, encode
from autohier.sweep.simulation import EpochCosts, simulate
from autohier.sweep.standin import StandIn

ARMS = ("plain", "asha", "asha +", "autohier")
_PARALLEL = 2
_VALIDATION_CLIPS, _PASS_1 = 72, 0.75
"""Of the stand-in: validation clips of the demo, and about what its pass 1 reaches."""
_FIRST_JUDGED = 2
"""Epochs of pass 2 after which "asha +" judges for the first time, as autohier does in the demo."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one arm came to."""

    epochs: int
    seconds: float
    best: float


def searcher_of(space: Space, seed: int) -> Any:
    """Ray's stock Optuna searcher over the same distributions, the known settings first."""
    from ray.tune.search.optuna import OptunaSearch

    known = [encode(space, known.as_choice()) for known in space.known]
    return OptunaSearch(
        distributions(space), metric="accuracy", mode="max", points_to_evaluate=known, seed=seed
    )


def scheduler_of(arm: str, space: Space) -> Any:
    """Ray's stock ASHA; None in the plain arm."""
    from ray.tune.schedulers import ASHAScheduler

    if arm == "plain":
        return None
    longest = space.pass_1.epochs + space.pass_2.epochs + space.search.max_passes * space.pruning.epochs
    grace = 1 if arm == "asha" else space.pass_1.epochs + _FIRST_JUDGED
    return ASHAScheduler(max_t=longest + 1, grace_period=grace)


# --- simulated ---------------------------------------------------------------------------------------------


class _Trial:
    """As much of a Ray trial as a scheduler looks at."""

    def __init__(self, name: str) -> None:
        self.trial_id = name


def simulate_plain(arm: str, space: Space, stand_in: StandIn, trials: int, seed: int) -> Cost:
    """Ray's own searcher and scheduler on a counted clock of one second an epoch."""
    searcher, scheduler = searcher_of(space, seed), scheduler_of(arm, space)
    if scheduler:
        scheduler.set_search_properties("accuracy", "max")
    agenda: list[tuple[float, int, Iterator[dict[str, float]], _Trial, dict[str, float]]] = []
    epochs, best, begun = 0, 0.0, 0

    def begin(now: float) -> None:
        nonlocal begun
        if begun < trials:
            trial = _Trial(f"t{begun}")
            choice = decode(space, searcher.suggest(trial.trial_id))
            if scheduler:
                scheduler.on_trial_add(None, trial)
            heapq.heappush(agenda, (now, begun, stand_in_epochs(space, stand_in, choice, seed), trial, {}))
            begun += 1

    for _ in range(_PARALLEL):
        begin(0.0)
    now = 0.0
    while agenda:
        now, number, curve, trial, last = heapq.heappop(agenda)
        result = next(curve, None)
        verdict = "STOP"
        if result is not None:
            epochs, last = epochs + 1, result
            searcher.on_trial_result(trial.trial_id, dict(result))
            verdict = scheduler.on_trial_result(None, trial, result) if scheduler else "CONTINUE"
        if verdict == "STOP":
            best = max(best, last["accuracy"] if result is None else 0.0)
            searcher.on_trial_complete(trial.trial_id, dict(last))
            begin(now)
        else:
            heapq.heappush(agenda, (now + 1.0, number, curve, trial, last))
    return Cost(epochs, now, best)


def stand_in_epochs(space: Space, stand_in: StandIn, choice: Choice, seed: int) -> Iterator[dict[str, float]]:
    """What a whole chain reports, epoch by epoch; the best of its passes so far from the end of pass 2 on."""
    iteration, rule = 0, StopRule(ties=space.pruning.ties)
    chain: list[float] = []
    stages: list[tuple[int | None, int]] = [(None, space.pass_1.epochs), (0, space.pass_2.epochs)]
    stages += [(k, space.pruning.epochs) for k in range(1, choice.passes + 1)]
    for pass_index, epochs in stages:
        if pass_index and rule.should_stop(chain):
            return
        value = stand_in.value(choice, seed, pass_index)
        for epoch in range(epochs):
            iteration += 1
            if epoch == epochs - 1 and pass_index is not None:
                chain.append(value)
            accuracy = max([stand_in.after_epoch(value, epoch, epochs), *chain])
            yield {"accuracy": accuracy, "training_iteration": iteration}


def simulate_arm(arm: str, space: Space, stand_in: StandIn, trials: int, seed: int) -> Cost:
    if arm != "autohier":
        return simulate_plain(arm, space, stand_in, trials, seed)
    plan = plan_of(space, trials, seed, Path("unused"), Path("unused"))
    expected = simulate(plan, stand_in, EpochCosts(1.0, 1.0, 1.0), parallel=_PARALLEL)
    return Cost(expected.epochs, expected.wall_s, expected.best)


# --- trained -----------------------------------------------------------------------------------------------


class TuneReporter:
    """Reports every epoch to Ray Tune; from the end of pass 2 on the best of the passes so far."""

    def __init__(self) -> None:
        self.chain: list[float] = []

    def stage_waits(self, kind: str, pass_index: int, holder: str) -> None:
        """See Reporter."""

    def stage_started(self, kind: str, pass_index: int, *, reused: bool) -> None:
        """See Reporter."""

    def epoch_finished(self, kind: str, pass_index: int, metrics: Any, *, reused: bool) -> None:  # noqa: ARG002
        """See Reporter."""
        from ray import tune

        tune.report({"accuracy": max([*self.chain, metrics.accuracy])})

    def stage_finished(self, result: Any) -> None:
        """See Reporter."""
        if result.kind != "pass-1":
            self.chain.append(result.accuracy)


def train_alone(config: Mapping[str, Any], *, space: Space, clips: Path, seed: int) -> None:
    """One whole trial with the core's own functions and a stage store that dies with it."""
    from ray import tune

    from autohier.core.stages.opening import open_trial
    from autohier.core.stages.store import StageStore
    from autohier.core.trial import run_trial
    from autohier.data.store.reader import ClipStore

    params = {name: config[name] for name in distributions(space)}
    with tempfile.TemporaryDirectory() as folder:
        trial = open_trial(
            space.setting(decode(space, params), seed=seed),
            clips=ClipStore.open(clips),
            stages=StageStore(Path(folder)),
            reporter=TuneReporter(),
            device="cpu",
        )
        tune.report({"accuracy": run_trial(trial).accuracy, "complete": 1})


def train_plain(arm: str, space: Space, data: Path, trials: int, seed: int) -> Cost:
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
    whole = [row["accuracy"] for row in rows if row.get("complete")]
    # The report of a trial's end is no epoch.
    epochs = sum(row["training_iteration"] - (1 if row.get("complete") else 0) for row in rows)
    return Cost(epochs, time.time() - started, max(whole, default=0.0))


def train_autohier(space: Space, data: Path, trials: int, seed: int) -> Cost:
    from rich.console import Console

    from autohier.records.reader import read_records
    from autohier.sweep.driver import check_plan, drive
    from autohier.sweep.folder import SweepFolder

    with tempfile.TemporaryDirectory() as name:
        folder = SweepFolder(Path(name) / "sweep")
        plan = check_plan(plan_of(space, trials, seed, data, Path(name) / "stages"))
        started = time.time()
        drive(folder, plan, Console(quiet=True))
        rows = read_records(folder.records).trials
    ended = max(row.finished_at.timestamp() for row in rows if row.finished_at)
    epochs = space.pass_1.epochs + sum(row.epochs_computed or 0 for row in rows)
    return Cost(epochs, ended - started, max(row.accuracy or 0.0 for row in rows))


# --- both --------------------------------------------------------------------------------------------------


def measure(arm: str, space: Space, trials: int, seed: int, *, data: Path | None) -> Cost:
    """One arm with one seed; simulated where there are no data."""
    if data is None:
        reference = tuple(space.known[0].superclasses)
        return simulate_arm(arm, space, StandIn(reference, _VALIDATION_CLIPS, _PASS_1), trials, seed)
    if arm == "autohier":
        return train_autohier(space, data, trials, seed)
    return train_plain(arm, space, data, trials, seed)


def plan_of(space: Space, trials: int, seed: int, data: Path, stages: Path) -> SweepPlan:
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
    """A line for each arm, over its seeds, and how many times dearer than autohier it is, where that ran."""
    lines = [f"{'arm':10}{'epochs':>16}{'seconds':>18}{'best accuracy':>18}{'epochs, ratio':>18}"]
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


def _spread(values: Sequence[float], form: str) -> str:
    deviation = stdev(values) if len(values) > 1 else 0.0
    return f"{format(mean(values), form)} ± {format(deviation, form)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--space", default="demo")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="group.key=value")
    parser.add_argument("--trials", type=int, nargs="+", default=[64])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--data", type=Path, default=Path("data"), help="where prepared datasets lie")
    options = parser.parse_args()
    be_quiet()
    data = None if options.simulate else options.data
    space = load_space(options.space, options.overrides)
    if data is not None and not (space.shares_pass_1 and space.num_folds == 1):
        sys.exit("the arms that train count epochs of one pass 1 without folds: choose such a space")
    for trials in options.trials:
        costs: dict[str, list[Cost]] = {arm: [] for arm in options.arms}
        for seed in range(options.seeds):
            for arm in options.arms:
                costs[arm].append(measure(arm, space, trials, seed, data=data))
                print(f"  {trials} trials, seed {seed}, {arm}: {costs[arm][-1]}", flush=True)
        kind = "simulated" if options.simulate else "trained"
        print(f"{space.name}, {trials} trials, {kind}, {options.seeds} seeds: mean ± deviation")
        print("\n".join(report(costs)))


if __name__ == "__main__":
    main()
