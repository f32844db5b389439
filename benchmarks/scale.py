"""Sweeps of the real driver on many accelerators: lent stage by stage, or held by trials.

The accelerators are cores that Ray believes in; a recognizer sleeps in place of computing, as long as its
clips are many, so that one machine can run many of them. Sampling, scheduling, leases, the broker, its
workers, data-parallel stages, checkpoints and records are the product's own. For every number of accelerators
the same sweep runs twice, with and without ``--scaling``.

*At work* is the time that the trained epochs take on one accelerator, by the time of all accelerators from
the first line of the sweep to its end; what processes need to start counts as idle.

    python benchmarks/scale.py --accelerators 1 4 8 --data data      # the demo's clips, small

Two processes for each accelerator take 0.4 GB each.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autohier.records.reader import Records, read_records

_CLIP_S, _NUM_CLIPS = "AUTOHIER_SLEEPER_CLIP_S", 288
"""Environment variable with the seconds of a clip, and the clips of an epoch of the demo."""
_OPTIONS = (
    *("--confirm", "none", "--cpus-per-trial", "1"),
    *("--set", "clips.num_frames=2", "--set", "clips.resize_px=16", "--set", "clips.crop_px=14"),
    *("--set", "clips.test_sets=1", "--set", "pass_1.epochs=6", "--set", "pass_2.epochs=4"),
    *("--set", "pruning.epochs=2", "--set", "optimisation.batch_size=36"),
    *("--set", "recognizer={name='sleeper'}", "--set", "optimisation.schedule=cosine"),
)
_SETTINGS = """
from typing import ClassVar

from autohier.config.trial.recognizers import RecognizerSettings
from autohier.extensions import Extension


class SleeperSettings(RecognizerSettings):
    reads: ClassVar[str] = "frames"
    name: str = "sleeper"


extension = Extension("autohier_sleeper_network:Sleeper", settings=SleeperSettings)
"""
_NETWORK = '''
import os
import time

from torch import nn

from autohier.models import PrunableFilters, Recognizer

CLIP_S = float(os.environ.get("AUTOHIER_SLEEPER_CLIP_S", 0))


class Sleeper(Recognizer):
    """Three linear stacks on the mean colour; a training clip takes CLIP_S seconds."""

    def __init__(self, *, in_channels=3):
        super().__init__()
        self.stack_channels = (8, 8, 8)
        read = (in_channels, *self.stack_channels)
        self.layers = nn.ModuleList(nn.Conv1d(a, b, 1) for a, b in zip(read, read[1:]))
        self.norms = nn.ModuleList(nn.BatchNorm1d(b) for b in self.stack_channels)

    def forward_stacks(self, batch):
        if self.training:
            time.sleep(CLIP_S * len(batch))
        features, x_NCT = [], batch.flatten(2).mean(dim=2, keepdim=True)
        for layer, norm in zip(self.layers, self.norms):
            x_NCT = norm(layer(x_NCT)).relu()
            features.append(x_NCT.mean(dim=2))
        return features

    def prunable_filters(self):
        pairs = zip(self.layers, self.norms)
        return [PrunableFilters(f"layers.{i}", *pair) for i, pair in enumerate(pairs)]
'''


@dataclass(frozen=True, slots=True)
class Run:
    """One sweep on some accelerators."""

    accelerators: int
    lent: bool
    wall_s: float
    trained_s: float
    """Time that its trained epochs take on one accelerator."""

    @property
    def at_work(self) -> float:
        """Share of the accelerators' time in which they trained, at the speed of one."""
        return self.trained_s / (self.accelerators * self.wall_s)


def write_sleeper(folder: Path) -> None:
    """Write the sleeping recognizer as an installed package has it."""
    (folder / "autohier_sleeper.py").write_text(_SETTINGS)
    (folder / "autohier_sleeper_network.py").write_text(_NETWORK)
    info = folder / "autohier_sleeper-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: autohier-sleeper\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[autohier.recognizers]\nsleeper = autohier_sleeper:extension\n")


@contextmanager
def cluster_of(number: int) -> Iterator[str]:
    """Start a Ray whose machine says that it has some number of cores; yield its address."""
    from autohier.sweep.execution.ray_session.session import be_quiet

    be_quiet()
    from ray.cluster_utils import Cluster

    options = {"num_cpus": number, "include_dashboard": False, "object_store_memory": 100 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={**options, "memory": number * (2 << 30)})
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


def run(accelerators: int, *, lent: bool, trials: int, data: Path, epoch_s: float) -> Run:
    """Run the sweep once, and measure it."""
    with tempfile.TemporaryDirectory() as folder, cluster_of(accelerators) as address:
        options = ("--scaling", "8:0.9") if lent else ()
        started = time.monotonic()
        subprocess.run(
            [
                *(sys.executable, "-m", "autohier", "search", "demo", "--name", "scale"),
                *(
                    "--trials",
                    str(trials),
                    "--data",
                    str(data),
                    "--ray-address",
                    address,
                    *_OPTIONS,
                    *options,
                ),
            ],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        wall_s = time.monotonic() - started
        num_epochs = trained_epochs(read_records(Path(folder) / "sweeps" / "scale" / "records"))
        return Run(accelerators, lent, wall_s, num_epochs * epoch_s)


def trained_epochs(records: Records) -> int:
    """Return the number of epochs that a sweep trained, with the shared pass 1 and the refit."""
    trials = sum(row.epochs_computed or 0 for row in records.trials)
    return trials + sum(row.epochs_computed for row in records.work)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print one line for each sweep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accelerators", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--epoch-seconds", type=float, default=4.0, help="of an epoch on one accelerator")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with the prepared demo")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as site:
        write_sleeper(Path(site))
        path = os.pathsep.join(filter(None, (site, os.environ.get("PYTHONPATH"))))
        os.environ |= {"PYTHONPATH": path, _CLIP_S: str(options.epoch_seconds / _NUM_CLIPS)}
        for accelerators in options.accelerators:
            pair = [
                run(
                    accelerators,
                    lent=lent,
                    trials=options.trials,
                    data=options.data.resolve(),
                    epoch_s=options.epoch_seconds,
                )
                for lent in (False, True)
            ]
            for each in pair:
                print(
                    f"{accelerators:3} accelerators, {'lent to stages' if each.lent else 'held by trials'}: "
                    f"{each.wall_s:6.0f} s, at work {each.at_work:4.0%}, {each.trained_s:.0f} s of training",
                    flush=True,
                )
            held, lent = pair
            print(f"{accelerators:3} accelerators: {held.wall_s / lent.wall_s:.2f} times as fast", flush=True)


if __name__ == "__main__":
    main()
