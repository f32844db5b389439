"""Training speed of SlowOnly and SlowFast in clips per second, compared with pytorchvideo's.

"autohier" is the recognizer as trials train it on a CPU, "pytorchvideo" the same architecture from the
package of this name. Both read the same batch, in alternating steps on all cores and in wall time; on a busy
machine `--threads 1 --clock processor` is fairer. The numbers of parameters must be equal, but for those of
the heads, and of the norms of lateral connections, which autohier does not have.

    pip install --no-deps pytorchvideo fvcore iopath yacs portalocker termcolor tabulate parameterized
    python benchmarks/video_step.py
    python benchmarks/video_step.py --network slowfast --frames 32 --size 112
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from autohier.core.pruning import measure_cost
from autohier.core.training.devices import open_device
from autohier.models import build_recognizer

_NUM_CLASSES = 60
_CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
_STRIDE_PX = 32
"""Pixels of a clip for each place of the last stack."""
_SLOW_STRIDE = 4
_TOLERANCE = 1e-4
"""Share of the parameters by which the networks may differ."""
_RECOGNIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "slowonly": ("slowonly-resnet50", {}),
    "slowfast": ("slowfast-resnet50", {"slow_stride": _SLOW_STRIDE, "lateral_kernel": 7}),
}


class Scored(nn.Module):
    """A network of pytorchvideo with the inputs and outputs of a recognizer."""

    def __init__(self, network: nn.Module, slow_stride: int) -> None:
        super().__init__()
        self.network, self.slow_stride = network, slow_stride

    def forward(self, clips_BCTHW: Tensor) -> list[Tensor]:
        """Return scores_BK, in a list."""
        slow = clips_BCTHW[:, :, :: self.slow_stride]
        return [self.network([slow, clips_BCTHW] if self.slow_stride > 1 else clips_BCTHW)]


def plain_network(name: str, num_frames: int, size_px: int) -> nn.Module:
    """Build a network of pytorchvideo.

    It imports torchvision for the heads of detectors, which these networks do not have; builds of torchvision
    for another build of torch cannot be imported.
    """
    stub: Any = ModuleType("torchvision.ops")
    stub.RoIAlign = nn.Identity
    sys.modules.setdefault("torchvision", ModuleType("torchvision"))
    sys.modules.setdefault("torchvision.ops", stub)
    try:
        from pytorchvideo.models.resnet import create_resnet
        from pytorchvideo.models.slowfast import create_slowfast
    except ImportError as error:
        sys.exit(f"pytorchvideo must be installed, see the first lines of this file: {error}")
    place = size_px // _STRIDE_PX
    common: dict[str, Any] = {"model_num_class": _NUM_CLASSES, "dropout_rate": 0.0}
    if name == "slowonly":
        network: nn.Module = create_resnet(
            **common,
            stem_conv_kernel_size=(1, 7, 7),
            head_pool_kernel_size=(num_frames, place, place),
        )
        return Scored(network, 1)
    pools = ((num_frames // _SLOW_STRIDE, place, place), (num_frames, place, place))
    return Scored(create_slowfast(**common, head_pool_kernel_sizes=pools), _SLOW_STRIDE)


def check_equal(networks: dict[str, nn.Module]) -> str:
    """Return a line with the number of parameters in convolutions and norms.

    Raises:
        ValueError: if it differs by more than the norms of lateral connections, which autohier does not have.
    """
    numbers = {
        name: sum(each.numel() for each in network.parameters() if _NUM_CLASSES not in each.shape[:1])
        for name, network in networks.items()
    }
    least, most = min(numbers.values()), max(numbers.values())
    if most - least > _TOLERANCE * most:
        raise ValueError(f"both networks must have the same parameters, but they have {numbers}")
    return f"{most:,} parameters each, without the heads ({most - least:,} differ)"


def report(seconds: dict[str, float], num_clips: int) -> list[str]:
    """Return one line for each network, and their ratio."""
    lines = [
        f"{name:13}{1e3 * step_s:10.0f} ms a step{num_clips / step_s:10.2f} clips/s"
        for name, step_s in seconds.items()
    ]
    ratio = seconds["pytorchvideo"] / seconds["autohier"]
    return [*lines, f"autohier is {ratio:.2f} times as fast as pytorchvideo"]


def measure(options: argparse.Namespace) -> list[str]:
    from training_step import Stepper, time_steps  # in this folder, which is on the path

    device = open_device(
        "cpu",
        precision="float32",
        deterministic=False,
        compile_network=False,
        num_threads=options.threads,
    )
    shape = (3, options.frames, options.size, options.size)
    clips_BCTHW = torch.randn((options.batch, *shape), generator=torch.Generator().manual_seed(0))
    name, settings = _RECOGNIZERS[options.network]
    network = build_recognizer(name, num_classes=_NUM_CLASSES, seed=0, **settings)
    multiply_adds = measure_cost(network, shape).multiply_adds
    networks = {
        "pytorchvideo": plain_network(options.network, options.frames, options.size),
        "autohier": device.prepare(network),
    }
    title = (
        f"{options.network}, {options.batch} clips of {' x '.join(map(str, shape))}, "
        f"{multiply_adds / 1e9:.2f} G multiply-adds a clip, median of {options.steps} steps, "
        f"{options.threads} threads, {options.clock} time"
    )
    equal = check_equal(networks)
    clock = _CLOCKS[options.clock]
    steppers = {each: Stepper(own, clips_BCTHW, clock=clock) for each, own in networks.items()}
    return [title, equal, *report(time_steps(steppers, options.steps, num_warm_up=1), options.batch)]


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--network", choices=tuple(_RECOGNIZERS), default="slowonly")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--size", type=int, default=224, help="height and width in pixels")
    parser.add_argument("--batch", type=int, default=2, help="clips per step")
    parser.add_argument("--steps", type=int, default=5, help="timed steps")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=tuple(_CLOCKS), default="wall")
    print("\n".join(measure(parser.parse_args(words))))


if __name__ == "__main__":
    main()
