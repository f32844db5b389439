"""Speed of a training step, compared with a plain step of the same network.

"autohier" is the step as trials run it: channels_last_3d memory, bfloat16 autocast on accelerators, compiled
with `--compile`. "plain" is the same network with the same weights in contiguous float32, eager. Their steps
alternate in one run. Operations are counted as 2 per multiply-add and 3 passes (forward, and backward to
activations and to weights), independent of how the device computes them.

    python benchmarks/training_step.py
    python benchmarks/training_step.py --recognizer inflated-resnet18 --width 0.25 --size 64 --batch 16
    python benchmarks/training_step.py --recognizer slowonly-resnet50
    python benchmarks/training_step.py --recognizer slowfast-resnet50 --frames 32
    python benchmarks/training_step.py --recognizer i3d --frames 64
    python benchmarks/training_step.py --recognizer part-attention-i3d --frames 64 --pose-frames 20 --batch 8
    python benchmarks/training_step.py --recognizer rgbpose-conv3d --batch 24
    python benchmarks/training_step.py --recognizer two-stream --pose-frames 100 --batch 16
    python benchmarks/training_step.py --recognizer three-pathway --frames 32
    python benchmarks/training_step.py --recognizer three-pathway --frames 32 --freeze event set element
    python benchmarks/training_step.py --recognizer ctr-gcn --frames 100 --batch 16
    python benchmarks/training_step.py --recognizer aagcn --frames 100 --batch 16
    python benchmarks/training_step.py --recognizer ms-g3d --frames 100 --batch 16
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from autohier.config.trial.clips import PART_NAMES
from autohier.config.trial.recognizers import find_recognizer_settings
from autohier.core.pruning.cost import measure_cost
from autohier.core.training.devices import open_device, peak_flops
from autohier.data.inputs.named import ClipBatch, map_clips, new_clips, tensors_of
from autohier.data.inputs.shapes import ClipShape, shapes_of
from autohier.data.skeleton import LAYOUTS
from autohier.models import build_recognizer

_NUM_CLASSES = 60
_OPERATIONS_PER_MULTIPLY_ADD = 2 * 3


class Stepper:
    """A network and its optimizer, trained on one batch repeatedly."""

    def __init__(
        self,
        network: nn.Module,
        clips: ClipBatch,
        autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.network = network.train()
        trained = []
        for module in network.modules():
            own = [*module.parameters(recurse=False)]
            if own and not any(parameter.requires_grad for parameter in own):
                module.eval()
            trained += [parameter for parameter in own if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=1e-4)
        self.clips = clips
        first = tensors_of(clips)[0]
        self.device = first.device
        self.labels_B = torch.arange(len(first), device=first.device) % _NUM_CLASSES
        self.autocast = autocast
        self.clock = clock

    def seconds(self) -> float:
        """Return the time of one step, including the wait for the device."""
        synchronise(self.device)
        started = self.clock()
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast():
            scores = self.network(self.clips)[-1]
        # Of several pathways, each has scores of its own.
        of_pathways = scores.unbind(dim=2) if scores.ndim > 2 else (scores,)
        losses = [F.cross_entropy(scores_BK.float(), self.labels_B) for scores_BK in of_pathways]
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        synchronise(self.device)
        return self.clock() - started


def synchronise(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def time_steps(steppers: dict[str, Stepper], num_steps: int, num_warm_up: int) -> dict[str, float]:
    """Return the median seconds of a step of each, timed in turns so that a busy machine slows all."""
    for stepper in steppers.values():
        for _ in range(num_warm_up):
            stepper.seconds()
    rounds = [{name: stepper.seconds() for name, stepper in steppers.items()} for _ in range(num_steps)]
    return {name: median(each[name] for each in rounds) for name in steppers}


def report(seconds: dict[str, float], num_clips: int, multiply_adds: int, peak: float | None) -> list[str]:
    """Return one line for each kind of step, and their ratio."""
    lines = []
    for name, step_s in seconds.items():
        flops = _OPERATIONS_PER_MULTIPLY_ADD * multiply_adds * num_clips / step_s
        share = f"{flops / peak:.1%} of the device's {peak / 1e12:.3g}" if peak else "unknown peak"
        lines.append(
            f"{name:9}{num_clips / step_s:10.1f} clips/s {1e3 * step_s / num_clips:10.3f} ms/clip"
            f"{flops / 1e12:10.3f} TFLOP/s, {share}"
        )
    return [*lines, f"autohier is {seconds['plain'] / seconds['autohier']:.2f} times as fast as plain"]


def measure(options: argparse.Namespace) -> list[str]:
    device = open_device(
        options.device,
        precision=options.precision,
        deterministic=False,
        compile_network=options.compile,
        num_threads=options.threads,
    )
    on_cpu = device.torch_device.type == "cpu"
    num_clips = options.batch or (1 if on_cpu else 32)
    num_steps = options.steps or (2 if on_cpu else 20)
    clip_shape, of_data = _clips_of(options)
    noise = partial(torch.randn, generator=torch.Generator().manual_seed(0))
    clips = map_clips(lambda tensor: tensor.to(device.torch_device), new_clips(noise, clip_shape, num_clips))

    def build() -> nn.Module:
        network = build_recognizer(
            options.recognizer, num_classes=_NUM_CLASSES, width=options.width, seed=0, **of_data
        )
        for name in options.freeze:
            network.recognizer.get_submodule(name).requires_grad_(False)
        return network

    multiply_adds = measure_cost(build(), clip_shape).multiply_adds
    steppers = {
        "autohier": Stepper(
            device.prepare(build()),
            map_clips(lambda tensor: tensor.to(memory_format=torch.channels_last_3d), clips),
            device.autocast,
        ),
        "plain": Stepper(build().to(device.torch_device), clips),
    }
    title = (
        f"{options.recognizer} x {options.width:g} on {device.torch_device}, {num_clips} clips of "
        f"{_shape_text(clip_shape)}, {multiply_adds / 1e9:.2f} G multiply-adds "
        f"a clip, median of {num_steps} steps"
    )
    seconds = time_steps(steppers, num_steps, num_warm_up=1 if on_cpu else 5)
    return [title, *report(seconds, num_clips, multiply_adds, peak_flops(device.torch_device))]


def _shape_text(clip_shape: ClipShape) -> str:
    """Return the extents of a clip, without channels or persons."""
    return " and ".join(" x ".join(map(str, shape[1:])) for shape in shapes_of(clip_shape))


def _clips_of(options: argparse.Namespace) -> tuple[ClipShape, dict[str, Any]]:
    """Return the shape of one clip that the recognizer reads, and the options that follow from such clips."""
    settings = find_recognizer_settings(options.recognizer)
    frames = (3, options.frames, options.size, options.size)
    num_joints, num_poses = LAYOUTS[options.layout].num_joints, options.pose_frames or 4 * options.frames
    if settings.reads == "frames+skeletons":
        skeletons = (options.persons, num_poses, num_joints, 3)
        return {"frames": frames, "skeletons": skeletons}, {"layout": options.layout}
    if settings.reads == "parts+skeletons":
        skeletons = (options.persons, num_poses, num_joints, 3)
        shapes = {**dict.fromkeys(PART_NAMES, frames), "skeletons": skeletons}
        return shapes, {"layout": options.layout, "num_persons": options.persons}
    if settings.reads == "frames+heatmaps":
        num_maps, map_px = num_joints, options.size // 4
        maps = (num_maps, num_poses, map_px, map_px)
        return {"frames": frames, "heatmaps": maps}, {"num_maps": num_maps}
    if settings.reads != "skeletons":
        return frames, {}
    persons = {"num_persons": options.persons} if settings.takes_persons else {}
    shape = (options.persons, options.frames, num_joints, 3)
    return shape, {"layout": options.layout, **persons}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recognizer", default="inflated-resnet50")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--size", type=int, default=224, help="height and width in pixels")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--pose-frames", type=int, help="frames of poses next to frames; default 4 times")
    parser.add_argument("--layout", choices=LAYOUTS, default="kinect-v2-25", help="joints of skeletons")
    parser.add_argument("--persons", type=int, default=2, help="persons in a clip of skeletons")
    parser.add_argument("--freeze", nargs="*", default=(), metavar="MODULE", help="parts that do not train")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, help="clips per step; default 32, on the CPU 1")
    parser.add_argument("--steps", type=int, help="timed steps; default 20, on the CPU 2")
    parser.add_argument("--precision", choices=("bf16", "float32"), default="bf16")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    print("\n".join(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
