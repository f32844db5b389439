"""Seconds per trial that are not training: 32 empty trials of autohier and of plain Ray Tune.

"cached" is autohier as a sweep runs it (study in its journal, searcher, display, records, TensorBoard) with
every stage of every trial in the store: a trial reads its stages and reports them. "idle" is the same with a
trial body that returns at once. "plain" is a function that imports torch and reports once, with Optuna's TPE,
on reused actors. Each runs in a process and a Ray of its own, with the same options and number of cores, and
their rounds alternate; the clock starts with Ray Tune. The stages in the store are synthetic, in the demo's
search space with fewer values.

    python benchmarks/overhead.py
    python benchmarks/overhead.py --trials 64 --rounds 1 --parallel 16
"""

from __future__ import annotations

import argparse
import logging
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import StringIO
from itertools import combinations, product
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
from rich.console import Console

from autohier.config.search.loading import load_space
from autohier.config.sweep import SweepPlan
from autohier.config.trial.hyperparameters import FLAT_PARAMS, Hyperparameters
from autohier.core.stages.callbacks import CallbackList
from autohier.core.stages.setup.trial_setup import open_trial
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.training.data_loader import DataLoader
from autohier.core.training.losses import HierarchicalLoss
from autohier.core.training.metrics import EpochMetrics, Evaluation
from autohier.core.trial import TrialOutcome, run_trial
from autohier.data.store.paths import MANIFEST, store_folder
from autohier.data.store.reader import ClipStore
from autohier.records.schema import TrialRow
from autohier.sweep.execution.ray_session.private_state import use_prestarted_workers
from autohier.sweep.execution.ray_session.session import be_quiet
from autohier.sweep.execution.signals import StopRequest
from autohier.sweep.execution.trial_share import Share
from autohier.sweep.paths import SweepFolder

_SPACE = ("search.weight_ratios=[0.5]", "search.max_seeds=1", "initial=[]")
"""Leaves so few chains that the store can hold all of them."""
_ACCURACY = 0.5
"""Accuracy of every epoch."""
_MARK = "seconds: "


def plan_of(folder: Path, data: Path, trials: int, parallel: int) -> SweepPlan:
    return SweepPlan(
        name="overhead",
        study_name="overhead",
        space=load_space("demo", _SPACE),
        trials=trials,
        parallel=parallel,
        scheduler="none",  # its process is called at every rung; others would stop trials with equal values
        data_folder=str(data.resolve()),
        stage_folder=str(folder / "stages"),
    )


def run_synthetic(plan: SweepPlan, params: Hyperparameters) -> TrialOutcome:
    """Run a trial whose training returns synthetic measurements at once; its stages are stored."""
    trial = open_trial(
        plan.space.config(params, seed=plan.seed),
        clips=ClipStore.open(store_folder(Path(plan.data_folder), plan.space.dataset, None)),
        stages=StageStore(Path(plan.stage_folder)),
        callback=CallbackList(),
        device="cpu",
    )
    random = np.random.default_rng(plan.seed)

    def no_training(
        _: object, data_loader: DataLoader, loss: HierarchicalLoss, *, epochs: int, **__: object
    ) -> Iterator[EpochMetrics]:
        numbers = (_ACCURACY,) * len(loss.weights_L)
        for epoch in range(epochs):
            yield EpochMetrics(
                epoch=epoch,
                learning_rate=1e-3,
                loss=1.0,
                stack_losses=numbers,
                validation_loss=1.0,
                stack_accuracies=numbers,
                seconds=1.0,
                num_clips=data_loader.num_clips("train"),
            )

    def no_evaluation(*arguments: Any, **_: object) -> Evaluation:
        num_classes = plan.space.num_classes
        right_KK = 8 * np.eye(num_classes, dtype=np.int64)
        confusion_KK = right_KK + random.integers(0, 4, (num_classes, num_classes))
        accuracy = float(confusion_KK.trace() / confusion_KK.sum())
        numbers = (accuracy,) * len(arguments[-1].weights_L)
        return Evaluation(loss=1.0, stack_accuracies=numbers, confusion_KK=confusion_KK)

    with (
        mock.patch("autohier.core.stages.training.train_epochs", no_training),
        mock.patch("autohier.core.stages.training.evaluate", no_evaluation),
    ):
        return run_trial(trial)


def fill_store(plan: SweepPlan) -> TrialOutcome:
    """Store every stage that a trial of the plan can need; return the outcome of the last trial."""
    run_synthetic(plan, FLAT_PARAMS)
    search = plan.space.search
    counts = combinations(plan.space.allowed_counts, search.levels)
    return [
        run_synthetic(
            plan,
            Hyperparameters(
                superclasses=one, weight_ratio=rho, scope=scope, ratio=ratio, passes=search.max_passes
            ),
        )
        for one, rho, scope, ratio in product(counts, search.weight_ratios, search.scopes, search.ratios)
    ][-1]


def time_autohier(plan: SweepPlan, path: Path, idle: TrialOutcome | None) -> float:
    """Return the seconds of the trials of a sweep; each returns `idle` at once, or runs if that is None."""
    from autohier.records.reader import read_records
    from autohier.records.tensorboard.hparams import write_experiment
    from autohier.sweep.execution import tuner
    from autohier.sweep.execution.actors import trainable
    from autohier.sweep.execution.actors.context import SweepContext
    from autohier.sweep.execution.display import Display
    from autohier.sweep.scheduling.early_stopping import EarlyStopping
    from autohier.sweep.scheduling.failure_limit import FailureLimit
    from autohier.sweep.study.storages.storage import open_storage
    from autohier.sweep.study.study import SweepStudy
    from autohier.sweep.study.trial_index import TrialIndex

    folder = SweepFolder(path)
    study = SweepStudy(plan, open_storage(None, folder.journal_file))
    write_experiment(folder.tensorboard, plan.space.search)
    use_prestarted_workers()
    context = SweepContext(
        folder=folder,
        clip_folder=store_folder(Path(plan.data_folder), plan.space.dataset, None),
        stage_folder=Path(plan.stage_folder),
        device="cpu",
        num_threads=1,
        rungs=study.rungs,
        seed=plan.seed,
        scheduler=tuner.start_scheduler(study),
    )
    display = Display(Console(file=StringIO(), width=160), target=plan.trials)
    share = Share(1, 0, plan.parallel or 1, plan.parallel or 1)

    outcome = pickle.dumps(idle)  # an actor must not import its modules before its first trial

    def idle_trial(tune_config: dict[str, Any], *, context: Any) -> None:
        def do_nothing(*arguments: Any) -> TrialOutcome:
            stopping = next(each for each in arguments[-1] if isinstance(each, EarlyStopping))
            stopping.after_pass(0, _ACCURACY)  # a trial needs a chain
            done: TrialOutcome = pickle.loads(outcome)  # noqa: S301  made above
            return done

        vars(trainable.actor_module())["_run"] = do_nothing
        trainable.run_in_actor(tune_config, context=context)

    run = trainable.run_in_actor if idle is None else idle_trial
    with (
        mock.patch.object(tuner, "run_in_actor", run),
        mock.patch.object(TrialIndex, "num_seeds", return_value=0),  # a repeated config keeps its seed
    ):
        started = time.perf_counter()
        with display.running(0):
            tuner.run_trials(
                folder,
                study,
                context,
                share,
                display,
                FailureLimit(1),
                StopRequest(),
            )
        taken_s = time.perf_counter() - started
    rows = read_records(folder.records).trials
    others = [(row.trial, row.state, row.epochs_computed) for row in rows if not is_reused(row)]
    if len(rows) != plan.trials or others:
        sys.exit(
            f"all {plan.trials} trials must reuse their stages, but of {len(rows)} these did not: {others}"
        )
    return taken_s


def is_reused(row: TrialRow) -> bool:
    return row.state == "COMPLETE" and row.epochs_computed == 0


def time_plain(plan: SweepPlan, path: Path) -> float:
    """Return the seconds of the same number of trials in plain Ray Tune, with Optuna's TPE."""
    from optuna.samplers import TPESampler
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    from autohier.sweep.study.sampling.search_space import distributions

    def no_work(tune_config: dict[str, Any]) -> None:
        import torch  # noqa: F401  as any trial would

        tune.report({"accuracy": tune_config["fanout_1"]})

    tuner = tune.Tuner(
        tune.with_resources(no_work, {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(
                space=distributions(plan.space), metric="accuracy", mode="max", sampler=TPESampler(seed=0)
            ),
            num_samples=plan.trials,
            max_concurrent_trials=plan.parallel,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(name="plain", storage_path=str(path), verbose=0),
    )
    started = time.perf_counter()
    results = tuner.fit()
    taken_s = time.perf_counter() - started
    if len(results) != plan.trials or results.errors:
        sys.exit(f"{len(results)} of {plan.trials} trials, {len(results.errors)} of them failed")
    return taken_s


def time_arm(arm: str, plan: SweepPlan) -> float:
    """Return the seconds of one arm, measured in this process."""
    be_quiet()
    import optuna
    import ray

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    idle = run_synthetic(plan, FLAT_PARAMS) if arm == "idle" else None
    ray.init(
        address="local",
        num_cpus=plan.parallel,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    try:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name)
            return time_plain(plan, path) if arm == "plain" else time_autohier(plan, path, idle)
    finally:
        ray.shutdown()


ARMS = ("plain", "cached", "idle")


def take_turns(time_one: Callable[[str], float], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every arm, timed in turns so that a busy machine slows all of them."""
    taken: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for _ in range(rounds):
        for arm in ARMS:
            taken[arm].append(time_one(arm))
    return taken


def report(seconds: Mapping[str, Sequence[float]], trials: int) -> list[str]:
    """Return one line for each arm, with its ratio to plain Ray Tune."""
    per_trial = {arm: [taken_s / trials for taken_s in each] for arm, each in seconds.items()}
    plain_s = median(per_trial["plain"])
    lines = []
    for arm, each in per_trial.items():
        every = ", ".join(f"{taken_s:.3f}" for taken_s in each)
        ratio = "" if arm == "plain" else f", {median(each) / plain_s:.2f} times plain Ray Tune"
        lines.append(f"{arm:6}{median(each):7.3f} s/trial (rounds: {every}){ratio}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parallel", type=int, default=2, help="trials at a time")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with the prepared demo")
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.arm:
        plan = plan_of(options.folder, options.data, options.trials, options.parallel)
        print(f"{_MARK}{time_arm(options.arm, plan)}")
        return
    if not (store_folder(options.data, "demo", None) / MANIFEST).is_file():
        sys.exit(f"prepare the demo first: autohier prepare demo --data {options.data}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill_store(plan_of(folder, options.data, options.trials, options.parallel))

        def time_one(arm: str) -> float:
            command = [sys.executable, __file__, "--arm", arm, "--folder", folder, "--data", options.data]
            command += ["--trials", str(options.trials), "--parallel", str(options.parallel)]
            printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            return float(printed.rpartition(_MARK)[2])

        print(
            f"{options.trials} trials, {options.parallel} at a time, median of {options.rounds} rounds",
            flush=True,
        )
        print("\n".join(report(take_turns(time_one, options.rounds), options.trials)))


if __name__ == "__main__":
    main()
