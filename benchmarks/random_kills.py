"""Whether anything is lost where processes die at random moments: a long run, told in counts.

One sweep is run undisturbed. The same sweep is then run again and again, each time in a folder of its own,
while its processes are killed at random moments: the driver (SIGKILL, SIGTERM or SIGINT) or the process that
trains (SIGKILL). Where the driver ended, the sweep is resumed. The run ends with an error where the final
records differ in anything but times and in who trained what.

    python benchmarks/random_kills.py --kills 20 --data data      # the demo's clips, small
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

_OPTIONS = (
    *("--parallel", "1", "--trials", "4"),
    *("--set", "clips.num_frames=2", "--set", "clips.resize_px=16", "--set", "clips.crop_px=14"),
    *("--set", "clips.test_sets=1", "--set", "pass_1.epochs=3", "--set", "pass_2.epochs=4"),
    *("--set", "pruning.epochs=2", "--set", "protocol.validation=paper"),
)
_COMMAND = "import signal; signal.signal(2, signal.default_int_handler); "
_COMMAND += "from autohier.cli.main import main; main()"
"""A shell that starts commands in the background has them ignore SIGINT."""
_UNTIMED = {
    "trials": (
        *("number", "started_at", "finished_at", "seconds_computed", "seconds_spared"),
        *("epochs_computed", "epochs_spared"),
    ),
    "stages": ("seconds", "reused"),
    "epochs": ("seconds",),
    "tests": ("read_at",),
}
_LONGEST_S = 1800


def start(folder: Path, data: Path) -> subprocess.Popen[bytes]:
    """Start the sweep of a folder, or take it up."""
    if (folder / "sweeps" / "killed" / "sweep.json").is_file():
        arguments: tuple[str, ...] = ("resume", "killed")
    else:
        arguments = ("search", "demo", "--name", "killed", "--data", str(data), *_OPTIONS)
    return subprocess.Popen(
        [sys.executable, "-c", _COMMAND, *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "errors.txt").open("ab"),
    )


def finish(folder: Path, data: Path) -> float:
    """Run a sweep to its end; seconds it took."""
    started = time.monotonic()
    if start(folder, data).wait(_LONGEST_S):
        sys.exit("a sweep must end well: " + (folder / "errors.txt").read_text())
    return time.monotonic() - started


def workers(folder: Path) -> list[int]:
    """Processes that train for a sweep: Ray's workers that stand in its folder, as their driver does."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    titles = ("ray::ImplicitFunc", "ray::StageActor")
    found = [int(line.split()[0]) for line in listed.splitlines() if any(title in line for title in titles)]
    return [pid for pid in found if _works_in(pid, folder)]


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").resolve().is_relative_to(folder.resolve())
    except OSError:
        return False


def disturb(folder: Path, data: Path, chance: random.Random, longest_s: float) -> list[str]:
    """Run a sweep to its end through kills, each within so many seconds of the last; what was killed."""
    killed: list[str] = []
    while True:
        driver = start(folder, data)
        while driver.poll() is None:
            try:
                driver.wait(chance.uniform(0.2, longest_s))
            except subprocess.TimeoutExpired:
                killed += _kill_one(driver, folder, chance)
        if driver.returncode == 0:
            return killed


def _kill_one(driver: subprocess.Popen[bytes], folder: Path, chance: random.Random) -> list[str]:
    victim = chance.choice(("SIGKILL", "SIGTERM", "SIGINT", "worker"))
    if victim == "worker":
        training = workers(folder)
        if training:
            subprocess.run(["kill", "-9", str(training[0])], check=False)
        return ["worker"] if training else []
    driver.send_signal(getattr(signal, victim))
    driver.wait(_LONGEST_S)
    return [f"driver by {victim}"]


def differences(undisturbed: Path, folder: Path) -> list[str]:
    """Kinds of records in which two sweeps differ in more than times and who trained what."""
    return [kind for kind in _UNTIMED if not _rows(undisturbed, kind).equals(_rows(folder, kind))]


def _rows(folder: Path, kind: str) -> pd.DataFrame:
    rows = pd.read_parquet(folder / "sweeps" / "killed" / "records" / kind)
    return rows.drop(columns=list(_UNTIMED[kind])).reset_index(drop=True)


def report(killed: Sequence[str], num_sweeps: int, different: Sequence[str]) -> list[str]:
    """What was killed, and whether it made a difference."""
    kinds = ", ".join(f"{number} x {what}" for what, number in sorted(Counter(killed).items()))
    verdict = f"records differ: {', '.join(different)}" if different else "no record differs"
    return [f"{len(killed)} kills in {num_sweeps} sweeps ({kinds}): {verdict}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20, help="at least; the sweep under way is finished")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=Path("data"), help="where the demo is prepared")
    options = parser.parse_args()
    data, chance = options.data.resolve(), random.Random(options.seed)  # noqa: S311  kills, not secrets
    with tempfile.TemporaryDirectory() as name:
        folders = Path(name)
        undisturbed = folders / "undisturbed"
        undisturbed.mkdir()
        longest_s = finish(undisturbed, data)
        print(f"undisturbed: {longest_s:.0f} s", flush=True)
        killed: list[str] = []
        different: list[str] = []
        num_sweeps = 0
        while len(killed) < options.kills:
            folder = folders / f"killed-{num_sweeps}"
            folder.mkdir()
            started = time.monotonic()
            killed += disturb(folder, data, chance, longest_s / 2)
            num_sweeps += 1
            different += differences(undisturbed, folder)
            print(f"sweep {num_sweeps}: {len(killed)} kills, {time.monotonic() - started:.0f} s", flush=True)
        print("\n".join(report(killed, num_sweeps, different)))
        sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
