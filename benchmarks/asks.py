"""What an ask and a tell cost the driver as a sweep grows: autohier's study beside a plain Optuna study.

No trial runs: every setting is given a made-up accuracy at once. Both studies keep a journal, draw from the
same space with the same sampler, and hold the same number of observations: for each that autohier derives
from a chain the plain one is told of a random one. They run at the same time, in a process each, so that a
busy machine slows both alike; in processor time it does not even that, but waits for the disk are left out.

    python benchmarks/asks.py
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

from autohier.settings.choice import Choice
from autohier.settings.loading import load_space
from autohier.settings.sweep import SweepPlan
from autohier.sweep.coding import decode, distributions
from autohier.sweep.storage import open_storage
from autohier.sweep.study import Measured, SweepStudy

ARMS = ("autohier", "plain")
STATIONS = (64, 250, 500, 1000, 2000)
"""Numbers of trials at which it is told how things stand."""
_WINDOW = 50
_CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
Clock = Callable[[], float]
Trial = Callable[[], tuple[float, float, int]]
"""Runs one: seconds of its ask and of its tell, and observations told."""
_SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed),
    "gp": lambda seed: GPSampler(seed=seed),
    "random": lambda seed: RandomSampler(seed=seed),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What the last trials cost up to some number of them."""

    trials: int
    observations: int
    ask_s: float
    tell_s: float
    memory_bytes: int
    """The process's own, at its most."""


def made_up_chain(choice: Choice, draw: np.random.Generator) -> list[float]:
    """Accuracies of pass 2 and of every pruning pass: a smooth peak, and noise."""
    peak = -np.square(np.log(choice.superclasses) - np.log([2, 6, 20])).sum() / 20
    slope = 0.01 - choice.ratio / 10
    return [float(0.8 + peak + slope * k + draw.normal(0, 0.01)) for k in range(choice.passes + 1)]


def autohier_trial(plan: SweepPlan, folder: Path, clock: Clock) -> Trial:
    """Trials of autohier's study."""
    study = SweepStudy(plan, open_storage(None, folder / "study.journal"))
    draw = np.random.default_rng(plan.seed)

    def run() -> tuple[float, float, int]:
        begun = clock()
        asked = study.ask()
        ask_s = clock() - begun
        if asked is None:
            raise ValueError("the plan must have as many trials as are run")
        chain = made_up_chain(asked.setting.choice, draw)
        begun = clock()
        rungs = {study.ladder.pass_step(k): max(chain[: k + 1]) for k in range(len(chain))}
        facts = {"kept_pass": 0, "stages": ["0" * 64] * (len(chain) + 1)}
        study.tell_complete(asked, Measured(chain, rungs), facts)
        return ask_s, clock() - begun, len(chain)

    return run


def plain_trial(plan: SweepPlan, folder: Path, clock: Clock) -> Trial:
    """Trials of a plain study; what makes its observations as many is not timed."""
    storage = JournalStorage(JournalFileBackend(str(folder / "plain.journal")))
    study = optuna.create_study(
        storage=storage, sampler=_SAMPLERS[plan.sampler](plan.seed), direction="maximize"
    )
    space, draw = distributions(plan.space), np.random.default_rng(plan.seed)

    def run() -> tuple[float, float, int]:
        begun = clock()
        trial = study.ask(space)
        ask_s = clock() - begun
        chain = made_up_chain(decode(plan.space, trial.params), draw)
        begun = clock()
        study.tell(trial, max(chain))
        tell_s = clock() - begun
        for passes, accuracy in enumerate(chain[:-1]):
            params = {**trial.params, "passes": passes}
            study.add_trial(create_trial(value=accuracy, params=params, distributions=space))
        return ask_s, tell_s, len(chain)

    return run


def run_trials(run: Trial, trials: int) -> list[Standing]:
    """Run trials one after the other and tell how things stand on the way."""
    asks_s: list[float] = []
    tells_s: list[float] = []
    observations, standings = 0, []
    for number in range(1, trials + 1):
        ask_s, tell_s, num_told = run()
        asks_s.append(ask_s)
        tells_s.append(tell_s)
        observations += num_told
        if number in STATIONS or number == trials:
            last = slice(-_WINDOW, None)
            memory_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            standings.append(
                Standing(number, observations, median(asks_s[last]), median(tells_s[last]), memory_bytes)
            )
    return standings


def report(autohier: Sequence[Standing], plain: Sequence[Standing]) -> list[str]:
    """One line for every standing: milliseconds of both, and the memory that was added since the first."""
    lines = ["trials observations      ask    plain ratio     tell    plain   memory    plain"]
    for ours, theirs in zip(autohier, plain, strict=True):
        added_bytes = ours.memory_bytes - autohier[0].memory_bytes
        plain_bytes = theirs.memory_bytes - plain[0].memory_bytes
        lines.append(
            f"{ours.trials:6}{ours.observations:13}{1e3 * ours.ask_s:6.1f} ms{1e3 * theirs.ask_s:6.1f} ms"
            f"{ours.ask_s / theirs.ask_s:6.2f}{1e3 * ours.tell_s:6.1f} ms{1e3 * theirs.tell_s:6.1f} ms"
            f"{added_bytes / 2**20:5.0f} MiB{plain_bytes / 2**20:5.0f} MiB"
        )
    ratio = autohier[-1].ask_s / autohier[0].ask_s
    return [
        *lines,
        f"from {autohier[0].trials} to {autohier[-1].trials} trials an ask grew {ratio:.1f} times",
    ]


def run_arm(arm: str, trials: int, sampler: str, clock: Clock) -> list[Standing]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = SweepPlan.model_validate(
            {
                "name": "asks",
                "study_name": "asks",
                "space": load_space("ntu60"),
                "trials": trials,
                "sampler": sampler,
                "data_folder": name,
                "stage_folder": name,
            }
        )
        open_study = plain_trial if arm == "plain" else autohier_trial
        return run_trials(open_study(plan, folder, clock), trials)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=STATIONS[-1])
    parser.add_argument("--sampler", choices=_SAMPLERS, default="tpe")
    parser.add_argument("--clock", choices=_CLOCKS, default="wall")
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.arm:
        run = run_arm(options.arm, options.trials, options.sampler, _CLOCKS[options.clock])
        print(json.dumps([asdict(standing) for standing in run]))
        return
    command = [sys.executable, __file__, *sys.argv[1:]]
    arms = {
        arm: subprocess.Popen([*command, "--arm", arm], stdout=subprocess.PIPE, text=True) for arm in ARMS
    }
    told = {arm: process.communicate()[0] for arm, process in arms.items()}
    if any(process.returncode for process in arms.values()):
        sys.exit("a study failed")
    standings = [[Standing(**each) for each in json.loads(told[arm])] for arm in ARMS]
    print(f"{options.sampler}, {options.clock} time, median of the last {_WINDOW} asks and tells")
    print("\n".join(report(*standings)))


if __name__ == "__main__":
    main()
