"""Trained searches on a small demo: the winners' refits on about 2,000 clips of subjects that no search saw.

The arms, the choice and the counting of epochs are those of `search_quality.py`, but every measured accuracy
is that of a network that is trained. A stage is trained once for all arms of a seed, since it would have the
same bits again; plain's epochs are counted as if every trial trained its own.

The demo is made small, so that a search takes minutes on one core: skeletons instead of frames, a narrow
temporal convolution, and about a quarter of the epochs. It validates on 72 clips, as the demo does.

    python benchmarks/search_trained.py --trials 64 --seeds 24 --folder trained
    python benchmarks/search_quality_table.py --trials 64

Results are added to `search_quality.json` as the regime "trained", after each arm, and the same command
continues.
"True" is the accuracy of the winner's refit on the fresh clips. Nothing is confirmed.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from search_quality import FIRST_HELD_OUT, RESULTS, Task, read_results, write_results
from search_quality_arms import ARMS, plan_of
from search_quality_choice import Network, Rule, choose_network, first_network, refit_epochs

from autohier.config.search.loading import load_space
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.core.recipes.base import run_recipe
from autohier.core.recipes.chain import after_passes, chain_of, open_recipe
from autohier.core.stages.callbacks import TrialCallback
from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup, open_trial
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.trial import StoreRunner, evaluate_stage_on_test, refit
from autohier.data.datasets.base import Origin
from autohier.data.datasets.demo.cameras import NUM_CAMERAS, make_camera, to_camera
from autohier.data.datasets.demo.filming import measure_bodies, skeleton_text
from autohier.data.datasets.demo.performances import perform
from autohier.data.datasets.demo.reader import build_demo
from autohier.data.datasets.demo.tree import CLASS_NAMES
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.protocols import PROTOCOLS
from autohier.data.store.paths import store_folder
from autohier.data.store.reader import ClipStore
from autohier.digest import derive_seed
from autohier.sweep.planning.simulation.results import EpochCosts
from autohier.sweep.planning.simulation.simulator import simulate

REGIME = "trained"
_RULES: tuple[Rule, ...] = ("highest", "model", "cautious")
_TRAINING, _FIRST_FRESH, _NUM_FRESH = (1, 3, 5, 7, 9), 11, 56
"""Subjects of the demo that train, and fresh ones: 12 classes and 3 cameras make 2,016 clips of these."""
_NUM_VALIDATION = 72
"""Validation clips: those of one training subject."""
_PARALLEL = 2
SPACE = Path(__file__).with_suffix(".toml")


def prepare(folder: Path, num_fresh: int = _NUM_FRESH) -> ClipStore:
    """Generate and prepare the clips, unless the folder has them: two repetitions of training subjects."""
    store = store_folder(folder / "data", "demo", "skeleton")
    fresh = tuple(range(_FIRST_FRESH, _FIRST_FRESH + num_fresh))
    if not (store / "manifest.json").is_file():
        source = folder / "source"
        source.mkdir(parents=True, exist_ok=True)
        for subject, replications in [*((one, 2) for one in _TRAINING), *((one, 1) for one in fresh)]:
            for replication in range(1, replications + 1):
                for label in range(len(CLASS_NAMES)):
                    _film(source, subject, replication, label)
        rule = replace(PROTOCOLS["demo"][0], test=fresh)
        reader = replace(build_demo(Origin(modality="skeleton")), modality="skeleton", protocols=(rule,))
        prepare_dataset(reader, source, store, num_workers=1)
    return ClipStore.open(store)


def _film(source: Path, subject: int, replication: int, label: int) -> None:
    """Write the skeletons of a performance, as `generate_demo` does next to its videos."""
    performance = perform(0, subject=subject, replication=replication, label=label)
    setup = (subject + 1) // 2
    for camera in range(1, NUM_CAMERAS + 1):
        name = f"S{setup:03d}C{camera:03d}P{subject:03d}R{replication:03d}A{label + 1:03d}"
        random = np.random.default_rng(derive_seed(0, "film", name))
        view = make_camera(0, setup=setup, camera=camera)
        positions, states = measure_bodies(to_camera(view, performance.positions_NTV3), random)
        text = skeleton_text(positions, states, random)
        (source / f"{name}.skeleton").write_text(text, encoding="ascii", newline="")


class Trainings:
    """Accuracies of networks that are trained when they are asked for. Implements `Surrogate`.

    Args:
        space: the search space.
        clips: the prepared dataset.
        folder: the stage store.
    """

    def __init__(self, space: SearchSpace, clips: ClipStore, folder: Path) -> None:
        self._space, self._clips, self._store = space, clips, StageStore(folder)
        self._stages: dict[tuple[object, ...], StageResult] = {}

    def value(self, params: Hyperparameters, seed: int, pass_index: int | None) -> float:
        """See `Surrogate`."""
        return self._stage(params, seed, pass_index).accuracy

    def after_epoch(
        self, params: Hyperparameters, seed: int, pass_index: int | None, epoch: int, num_epochs: int
    ) -> float:
        """See `Surrogate`."""
        stage = self._stage(params, seed, pass_index)
        return stage.epochs[epoch].accuracy if epoch + 1 < num_epochs else stage.accuracy

    def refit(self, params: Hyperparameters, seed: int, pass_index: int) -> float:
        """Return the accuracy on the fresh clips after training on all other clips."""
        kept = self._stage(params, seed, pass_index)
        everything = self._open(params, seed).with_all_training_clips()
        stages = refit(everything, kept)
        return evaluate_stage_on_test(everything, stages[-1]).accuracy

    def _stage(self, params: Hyperparameters, seed: int, pass_index: int | None) -> StageResult:
        key = self._key(params, seed, pass_index)
        if key not in self._stages:
            trial = self._open(params, seed)
            recipe = open_recipe(trial.config, after_passes(pass_index or 0))
            stages = run_recipe(recipe, StoreRunner(trial))
            self._stages[self._key(params, seed, None)] = stages[0]
            for number, stage in enumerate(chain_of(stages)):
                self._stages[self._key(params, seed, number)] = stage
        return self._stages[key]

    def _open(self, params: Hyperparameters, seed: int) -> TrialSetup:
        config = self._space.config(params, seed=seed)
        return open_trial(
            config, clips=self._clips, stages=self._store, callback=TrialCallback(), device="cpu"
        )

    def _key(self, params: Hyperparameters, seed: int, pass_index: int | None) -> tuple[object, ...]:
        if pass_index is None:
            return (seed, params.flat)
        return (seed, pass_index, *(params.chain if pass_index else params.prefix))


def run(space: SearchSpace, trainings: Trainings, task: Task) -> dict[str, Any]:
    """Search with one arm, and refit what each rule delivers."""
    arm = ARMS[task.arm]
    sweep = simulate(
        plan_of(space, task.trials, task.world),
        trainings,
        EpochCosts(1.0, 1.0, 1.0),
        parallel=_PARALLEL,
        searcher=arm.build(space, task.trials, task.world),
        share_stages=arm.share_stages,
    )

    def true(network: Network) -> float:
        return trainings.refit(network.params, task.world, network.pass_index)

    delivered = {}
    for rule in _RULES:
        network = choose_network(rule, sweep.trials, space, _NUM_VALIDATION)[0]
        delivered[rule] = {
            "true": true(network),
            "observed": network.observed,
            "confirmation_epochs": 0,
            "refit_epochs": refit_epochs(space, network),
        }
    return {
        "regime": REGIME,
        "arm": task.arm,
        "trials": task.trials,
        "world": task.world,
        "search_epochs": sweep.epochs,
        "uncached_epochs": sum(trial.own_epochs for trial in sweep.trials),
        "num_stopped": sweep.num_stopped,
        "first": true(first_network(sweep.trials, space)),
        "delivered": delivered,
        "curves": {},
    }


def main() -> None:
    """Run the searches whose results are missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--arms", nargs="+", default=["plain", "ours-halving", "ours-none"])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--fresh", type=int, default=_NUM_FRESH, help="number of fresh subjects")
    parser.add_argument("--folder", type=Path, default=Path("trained"), help="folder of clips and stages")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    clips, space = prepare(options.folder, options.fresh), load_space(str(SPACE))
    trainings = Trainings(space, clips, options.folder / "stages")
    for seed in range(options.seeds):
        for arm in options.arms:
            task = Task(REGIME, arm, FIRST_HELD_OUT + seed, options.trials)
            results = read_results(options.results)
            if task.key in results:
                continue
            started = time.process_time()
            row = run(space, trainings, task)
            write_results(options.results, [*results.values(), row])
            seconds = time.process_time() - started
            found = {rule: round(100 * one["true"], 2) for rule, one in row["delivered"].items()}
            print(f"seed {seed}, {arm}: {row['search_epochs']} epochs, {found}, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
