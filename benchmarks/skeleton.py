"""Training speed of ST-GCN++ in clips per second, compared with a straightforward implementation.

"autohier" is the recognizer as trials train it. "plain" is skeleton_plain.py with the same weights: one
einsum for every partition, one convolution for every branch, contiguous memory. Both must return the same
scores in training mode before they are timed. Their steps alternate, on all cores and in wall time; on a busy
machine `--threads 1 --clock processor` is fairer.

    python benchmarks/skeleton.py
    python benchmarks/skeleton.py --width 0.5 --frames 32 --layout kinect-v1-20 --persons 1
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from autohier.core.pruning import measure_cost
from autohier.core.training.devices import open_device
from autohier.data.skeleton import LAYOUTS
from autohier.models import build_recognizer

_NUM_CLASSES = 60
_TOLERANCE = 1e-4
"""Largest difference between scores, which are about 1."""
_CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def check_equal(networks: dict[str, nn.Module], clips_BMTVC: Tensor) -> str:
    """Return a line with the largest difference between the scores of two networks in training mode.

    Raises:
        ValueError: if they differ by more than rounding.
    """
    with torch.no_grad():
        one_BK, other_BK = (network.train()(clips_BMTVC)[-1] for network in networks.values())
    difference = float((one_BK - other_BK).abs().max())
    if not difference <= _TOLERANCE:
        raise ValueError(f"both networks must return the same scores, but they differ by {difference:.2g}")
    return f"scores differ by {difference:.1g} at most"


def report(seconds: dict[str, float], num_clips: int) -> list[str]:
    """Return one line for each network, and their ratio."""
    lines = [f"{name:9}{num_clips / step_s:10.2f} clips/s" for name, step_s in seconds.items()]
    return [*lines, f"autohier is {seconds['plain'] / seconds['autohier']:.2f} times as fast as plain"]


def measure(options: argparse.Namespace) -> list[str]:
    # In this folder, which is on the path when this file is run.
    from skeleton_plain import plain_copy
    from training_step import Stepper, time_steps

    device = open_device(
        "cpu",
        precision="float32",
        deterministic=False,
        compile_network=False,
        num_threads=options.threads,
    )
    clip_shape = (options.persons, options.frames, LAYOUTS[options.layout].num_joints, 3)
    clips_BMTVC = torch.randn((options.batch, *clip_shape), generator=torch.Generator().manual_seed(0))
    network = build_recognizer(
        "st-gcn++", num_classes=_NUM_CLASSES, layout=options.layout, width=options.width, seed=0
    )
    networks = {"plain": plain_copy(network), "autohier": device.prepare(network)}
    title = (
        f"st-gcn++ x {options.width:g}, {options.batch} clips of {' x '.join(map(str, clip_shape))}, "
        f"{measure_cost(network, clip_shape).multiply_adds / 1e9:.2f} G multiply-adds a clip, median of "
        f"{options.steps} steps, {options.threads} threads, {options.clock} time"
    )
    equal = check_equal(networks, clips_BMTVC)
    clock = _CLOCKS[options.clock]
    steppers = {name: Stepper(each, clips_BMTVC, clock=clock) for name, each in networks.items()}
    return [title, equal, *report(time_steps(steppers, options.steps, num_warm_up=1), options.batch)]


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--layout", choices=tuple(LAYOUTS), default="kinect-v2-25")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--persons", type=int, default=2)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16, help="clips per step")
    parser.add_argument("--steps", type=int, default=5, help="timed steps")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=tuple(_CLOCKS), default="wall")
    print("\n".join(measure(parser.parse_args(words))))


if __name__ == "__main__":
    main()
