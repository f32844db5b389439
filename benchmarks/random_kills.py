"""Records of sweeps whose processes are killed at random moments, compared with an undisturbed sweep.

One sweep runs undisturbed. The same sweep then runs several times, each time in a folder of its own, while
its processes are killed at random moments: the driver (SIGKILL, SIGTERM or SIGINT) or the process that trains
(SIGKILL). If the driver ended, the sweep is resumed. The benchmark exits with 1 if final records differ in
anything except times and the trial that trained a shared stage.

With --cluster, the sweep runs on a Ray of virtual machines, whose head runs no trial (root; Linux). A machine
loses its power or its network, or gets a notice, and another one joins; or the driver is killed as above.

    python benchmarks/random_kills.py --kills 20 --data data      # the demo's clips, small
    sudo python benchmarks/random_kills.py --kills 20 --data data --cluster
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from random_kills_local import TIMEOUT_S, OpenSite, Site, open_local

_UNTIMED = {
    "trials": (
        *("number", "started_at", "finished_at", "seconds_computed", "seconds_reused"),
        *("epochs_computed", "epochs_reused"),
    ),
    "stages": ("seconds", "reused"),
    "epochs": ("seconds", "waited_s"),
    "tests": ("evaluated_at",),
}


def finish(site: Site, folder: Path) -> float:
    """Run a sweep to its end; return the seconds it took."""
    started = time.monotonic()
    if site.start().wait(TIMEOUT_S):
        sys.exit("a sweep failed: " + (folder / "errors.txt").read_text())
    return time.monotonic() - started


def disturb(site: Site, random_: random.Random, max_wait_s: float) -> list[str]:
    """Kill parts of a sweep, at most `max_wait_s` apart, until it ends; return what was killed."""
    killed: list[str] = []
    while True:
        driver = site.start()
        while driver.poll() is None:
            try:
                driver.wait(random_.uniform(0.2, max_wait_s))
            except subprocess.TimeoutExpired:
                killed += site.kill_one(driver, random_)
        if driver.returncode == 0:
            return killed


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
    parser.add_argument("--cluster", action="store_true", help="kill virtual machines; needs root")
    options = parser.parse_args()
    data, random_ = options.data.resolve(), random.Random(options.seed)  # noqa: S311  kills, not secrets
    open_site: OpenSite = open_local
    if options.cluster:
        from random_kills_cluster import open_machines

        open_site = open_machines
    with tempfile.TemporaryDirectory() as name:
        undisturbed = Path(name) / "undisturbed"
        undisturbed.mkdir()
        with open_site(undisturbed, data) as site:
            undisturbed_s = finish(site, undisturbed)
        print(f"undisturbed: {undisturbed_s:.0f} s", flush=True)
        killed: list[str] = []
        different: list[str] = []
        num_sweeps = 0
        while len(killed) < options.kills:
            folder = Path(name) / f"killed-{num_sweeps}"
            folder.mkdir()
            started = time.monotonic()
            with open_site(folder, data) as site:
                killed += disturb(site, random_, undisturbed_s / 2)
            num_sweeps += 1
            different += differences(undisturbed, folder)
            print(f"sweep {num_sweeps}: {len(killed)} kills, {time.monotonic() - started:.0f} s", flush=True)
        print("\n".join(report(killed, num_sweeps, different)))
        sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
