"""Time to sample and to record a trial as a sweep grows, compared with a plain Optuna study.

No trial runs: every config gets a synthetic accuracy at once. Both studies keep a journal, sample from the
same search space with the same sampler, and hold the same number of observations: for each one that autohier
derives from a chain, the plain study gets a random one. They run at the same time in two processes, so that
a busy machine slows both. `--clock processor` is not affected by other work, but leaves out waits for the
disk. With `--parallel 64`, 64 trials run at any time: a newly sampled one replaces the oldest.

    python benchmarks/asks.py
    python benchmarks/asks.py --trials 500 --parallel 64
    python benchmarks/asks.py --trials 500 --sampler random --clock processor
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
import optuna
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import create_trial

from autohier.config.search.loading import load_space
from autohier.config.sweep import SweepPlan
from autohier.config.trial.hyperparameters import Hyperparameters
from autohier.sweep.study.sampling.search_space import decode, distributions
from autohier.sweep.study.storages.storage import open_storage
from autohier.sweep.study.study import Measurements, SampledTrial, SweepStudy

ARMS = ("autohier", "plain")
CHECKPOINTS = (64, 250, 500, 1000, 2000)
"""Numbers of trials at which times and memory are reported."""
_WINDOW = 50
_CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
Clock = Callable[[], float]
Trial = Callable[[], tuple[float, float, int]]
"""Samples a trial and records the oldest one that runs; returns the seconds of both, and the number of
observations of the recorded trial."""
_SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed),
    "gp": lambda seed: GPSampler(seed=seed),
    "random": lambda seed: RandomSampler(seed=seed),
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Times of the last trials, and memory, after a number of trials."""

    trials: int
    observations: int
    sample_s: float
    record_s: float
    memory_bytes: int
    """Peak memory of the process."""


def synthetic_chain(params: Hyperparameters, random: np.random.Generator) -> list[float]:
    """Return accuracies of pass 2 and of every pruning pass: a smooth peak, and noise."""
    peak = -np.square(np.log(params.superclasses) - np.log([2, 6, 20])).sum() / 20
    slope = 0.01 - params.ratio / 10
    return [float(0.8 + peak + slope * k + random.normal(0, 0.01)) for k in range(params.passes + 1)]


def autohier_trial(plan: SweepPlan, folder: Path, clock: Clock, parallel: int) -> Trial:
    """Return a function that runs one trial of autohier's study, while ``parallel - 1`` others run."""
    study = SweepStudy(plan, open_storage(None, folder / "study.journal"))
    random = np.random.default_rng(plan.seed)

    running = deque[SampledTrial]()

    def sample() -> float:
        begun = clock()
        sampled = study.next_trial()
        sample_s = clock() - begun
        if sampled is None:
            raise ValueError("the plan has too few trials")
        running.append(sampled)
        return sample_s

    def run() -> tuple[float, float, int]:
        sample_s, sampled = sample(), running.popleft()
        chain = synthetic_chain(sampled.config.params, random)
        begun = clock()
        rungs = {study.rungs.pass_step(k): max(chain[: k + 1]) for k in range(len(chain))}
        facts = {"kept_pass": 0, "stages": ["0" * 64] * (len(chain) + 1)}
        study.record_complete(sampled, Measurements(chain, rungs), facts)
        return sample_s, clock() - begun, len(chain)

    for _ in range(parallel - 1):
        sample()
    return run


def plain_trial(plan: SweepPlan, folder: Path, clock: Clock, parallel: int) -> Trial:
    """Return the same function for a plain study; adding the other observations is not timed."""
    storage = JournalStorage(JournalFileBackend(str(folder / "plain.journal")))
    study = optuna.create_study(
        storage=storage, sampler=_SAMPLERS[plan.sampler](plan.seed), direction="maximize"
    )
    space, random = distributions(plan.space), np.random.default_rng(plan.seed)

    running = deque[optuna.Trial]()

    def sample() -> float:
        begun = clock()
        running.append(study.ask(space))
        return clock() - begun

    def run() -> tuple[float, float, int]:
        sample_s, trial = sample(), running.popleft()
        chain = synthetic_chain(decode(plan.space, trial.params), random)
        begun = clock()
        study.tell(trial, max(chain))
        record_s = clock() - begun
        for passes, accuracy in enumerate(chain[:-1]):
            encoded = {**trial.params, "passes": passes}
            study.add_trial(create_trial(value=accuracy, params=encoded, distributions=space))
        return sample_s, record_s, len(chain)

    for _ in range(parallel - 1):
        sample()
    return run


def run_trials(run: Trial, trials: int) -> list[Checkpoint]:
    """Run trials one after the other; return the checkpoints on the way."""
    samples_s: list[float] = []
    records_s: list[float] = []
    observations, checkpoints = 0, []
    for number in range(1, trials + 1):
        sample_s, record_s, num_new = run()
        samples_s.append(sample_s)
        records_s.append(record_s)
        observations += num_new
        if number in CHECKPOINTS or number == trials:
            last = slice(-_WINDOW, None)
            memory_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            checkpoints.append(
                Checkpoint(
                    number, observations, median(samples_s[last]), median(records_s[last]), memory_bytes
                )
            )
    return checkpoints


def report(autohier: Sequence[Checkpoint], plain: Sequence[Checkpoint]) -> list[str]:
    """Return one line for every checkpoint: milliseconds of both, and the memory added since the first."""
    lines = ["trials observations   sample    plain ratio   record    plain   memory    plain"]
    for own, theirs in zip(autohier, plain, strict=True):
        added_bytes = own.memory_bytes - autohier[0].memory_bytes
        plain_bytes = theirs.memory_bytes - plain[0].memory_bytes
        lines.append(
            f"{own.trials:6}{own.observations:13}"
            f"{1e3 * own.sample_s:6.1f} ms{1e3 * theirs.sample_s:6.1f} ms"
            f"{own.sample_s / theirs.sample_s:6.2f}"
            f"{1e3 * own.record_s:6.1f} ms{1e3 * theirs.record_s:6.1f} ms"
            f"{added_bytes / 2**20:5.0f} MiB{plain_bytes / 2**20:5.0f} MiB"
        )
    counts, ratio = [each.trials for each in autohier], autohier[-1].sample_s / autohier[0].sample_s
    return [
        *lines,
        f"from {counts[0]} to {counts[-1]} trials, the time to sample grew {ratio:.1f} times",
        f"in the end: {_rate_text(autohier[-1])}; plain {_rate_text(plain[-1])}",
    ]


def _rate_text(checkpoint: Checkpoint) -> str:
    trials_per_s = 1 / (checkpoint.sample_s + checkpoint.record_s)
    return f"{trials_per_s:.0f} trials/s sampled and recorded, {checkpoint.memory_bytes / 2**20:.0f} MiB"


def run_arm(arm: str, trials: int, parallel: int, sampler: str, clock: Clock) -> list[Checkpoint]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = SweepPlan.model_validate(
            {
                "name": "asks",
                "study_name": "asks",
                "space": load_space("ntu60"),
                "trials": trials + parallel - 1,
                "sampler": sampler,
                "data_folder": name,
                "stage_folder": name,
            }
        )
        open_study = plain_trial if arm == "plain" else autohier_trial
        return run_trials(open_study(plan, folder, clock, parallel), trials)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=CHECKPOINTS[-1])
    parser.add_argument("--parallel", type=int, default=1, help="trials that run at any time")
    parser.add_argument("--sampler", choices=_SAMPLERS, default="tpe")
    parser.add_argument("--clock", choices=_CLOCKS, default="wall")
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.arm:
        run = run_arm(options.arm, options.trials, options.parallel, options.sampler, _CLOCKS[options.clock])
        print(json.dumps([asdict(checkpoint) for checkpoint in run]))
        return
    command = [sys.executable, __file__, *sys.argv[1:]]
    arms = {
        arm: subprocess.Popen([*command, "--arm", arm], stdout=subprocess.PIPE, text=True) for arm in ARMS
    }
    outputs = {arm: process.communicate()[0] for arm, process in arms.items()}
    if any(process.returncode for process in arms.values()):
        sys.exit("a study failed")
    checkpoints = [[Checkpoint(**each) for each in json.loads(outputs[arm])] for arm in ARMS]
    measured = f"{options.clock} time, median of the last {_WINDOW} trials"
    print(f"{options.sampler}, {options.parallel} running, {measured}")
    print("\n".join(report(*checkpoints)))


if __name__ == "__main__":
    main()
