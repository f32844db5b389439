"""Records of sweeps whose processes are killed at random moments, compared with an undisturbed sweep.

One sweep runs undisturbed. The same sweep then runs several times, each time in a folder of its own, while
its processes are killed at random moments: the driver (SIGKILL, SIGTERM or SIGINT) or the process that trains
(SIGKILL). If the driver ended, the sweep is resumed. The benchmark exits with 1 if final records differ in
anything except times and the trial that trained a shared stage.

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
"""Restores SIGINT, which a shell makes its background commands ignore."""
_UNTIMED = {
    "trials": (
        *("number", "started_at", "finished_at", "seconds_computed", "seconds_reused"),
        *("epochs_computed", "epochs_reused"),
    ),
    "stages": ("seconds", "reused"),
    "epochs": ("seconds",),
    "tests": ("evaluated_at",),
}
_TIMEOUT_S = 1800


def start(folder: Path, data: Path) -> subprocess.Popen[bytes]:
    """Start the sweep of a folder, or resume it."""
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
    """Run a sweep to its end; return the seconds it took."""
    started = time.monotonic()
    if start(folder, data).wait(_TIMEOUT_S):
        sys.exit("a sweep failed: " + (folder / "errors.txt").read_text())
    return time.monotonic() - started


def workers(folder: Path) -> list[int]:
    """Return the processes that train for a sweep: Ray workers whose working directory is its folder."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    titles = ("ray::ImplicitFunc", "ray::StageActor")
    pids = [int(line.split()[0]) for line in listed.splitlines() if any(title in line for title in titles)]
    return [pid for pid in pids if _works_in(pid, folder)]


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").resolve().is_relative_to(folder.resolve())
    except OSError:
        return False


def disturb(folder: Path, data: Path, random_: random.Random, max_wait_s: float) -> list[str]:
    """Kill processes of a sweep, at most `max_wait_s` apart, until it ends; return the killed ones."""
    killed: list[str] = []
    while True:
        driver = start(folder, data)
        while driver.poll() is None:
            try:
                driver.wait(random_.uniform(0.2, max_wait_s))
            except subprocess.TimeoutExpired:
                killed += _kill_one(driver, folder, random_)
        if driver.returncode == 0:
            return killed


def _kill_one(driver: subprocess.Popen[bytes], folder: Path, random_: random.Random) -> list[str]:
    victim = random_.choice(("SIGKILL", "SIGTERM", "SIGINT", "worker"))
    if victim == "worker":
        training = workers(folder)
        if training:
            subprocess.run(["kill", "-9", str(training[0])], check=False)
        return ["worker"] if training else []
    driver.send_signal(getattr(signal, victim))
    driver.wait(_TIMEOUT_S)
    return [f"driver by {victim}"]


def differences(undisturbed: Path, folder: Path) -> list[str]:
    """Return the kinds of records in which two sweeps differ, without the columns in `_UNTIMED`."""
    return [kind for kind in _UNTIMED if not _rows(undisturbed, kind).equals(_rows(folder, kind))]


def _rows(folder: Path, kind: str) -> pd.DataFrame:
    rows = pd.read_parquet(folder / "sweeps" / "killed" / "records" / kind)
    return rows.drop(columns=list(_UNTIMED[kind])).reset_index(drop=True)


def report(killed: Sequence[str], num_sweeps: int, different: Sequence[str]) -> list[str]:
    """Return a line with the numbers of kills and the kinds of records that differ."""
    kinds = ", ".join(f"{number} x {what}" for what, number in sorted(Counter(killed).items()))
    verdict = f"records differ: {', '.join(different)}" if different else "no record differs"
    return [f"{len(killed)} kills in {num_sweeps} sweeps ({kinds}): {verdict}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--kills", type=int, default=20, help="minimum number of kills; the last sweep is finished"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with the prepared demo")
    options = parser.parse_args()
    data, random_ = options.data.resolve(), random.Random(options.seed)  # noqa: S311  kills, not secrets
    with tempfile.TemporaryDirectory() as name:
        folders = Path(name)
        undisturbed = folders / "undisturbed"
        undisturbed.mkdir()
        undisturbed_s = finish(undisturbed, data)
        print(f"undisturbed: {undisturbed_s:.0f} s", flush=True)
        killed: list[str] = []
        different: list[str] = []
        num_sweeps = 0
        while len(killed) < options.kills:
            folder = folders / f"killed-{num_sweeps}"
            folder.mkdir()
            started = time.monotonic()
            killed += disturb(folder, data, random_, undisturbed_s / 2)
            num_sweeps += 1
            different += differences(undisturbed, folder)
            print(f"sweep {num_sweeps}: {len(killed)} kills, {time.monotonic() - started:.0f} s", flush=True)
        print("\n".join(report(killed, num_sweeps, different)))
        sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
