"""Speed of inference without the pruned channels: a masked network compared with its compacted copies.

For every ratio the filters with the lowest norms are pruned, layerwise and in one pass. "masked" is the
network with zeros in their place, "compacted" its copy without them, "to 16" a copy whose widths are
multiples of 16. They classify the same clips in turns. Ratios are relative to the masked network's time and
multiply-adds. On the CPU, times are processor time on one thread, which other work affects little; `--clock
wall` is wall time.

    python benchmarks/compaction.py
    python benchmarks/compaction.py --recognizer inflated-resnet18 --width 0.25 --shape 3 8 112 112
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

import torch
from torch import Tensor, nn

from autohier.core.pruning import FilterMasks, choose_filters, compact, measure_cost
from autohier.core.training.devices import Device, open_device
from autohier.models import build_recognizer
from autohier.models.hierarchical import HierarchicalRecognizer

_NUM_CLASSES = 60


def prune(network: HierarchicalRecognizer, ratio: float) -> None:
    """Zero a share of the filters of every layer."""
    filters = network.recognizer.prunable_filters()
    alive = FilterMasks.all_alive(filters).alive
    FilterMasks(choose_filters(filters, alive, ratio=ratio, scope="layerwise")).apply(filters)


def classify(network: nn.Module, clips: Tensor, device: Device) -> None:
    """Classify one batch, and wait until the device has finished."""
    with torch.inference_mode(), device.autocast():
        network(clips)
    if clips.device.type != "cpu":
        torch.accelerator.synchronize(clips.device)


def time_in_turns(
    networks: Mapping[str, nn.Module], clips: Tensor, device: Device, rounds: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Return the median seconds per clip of each network, without the first round."""
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(rounds + 1):
        for name, network in networks.items():
            started = clock()
            classify(network, clips, device)
            seconds[name].append((clock() - started) / len(clips))
    return {name: median(each[1:]) for name, each in seconds.items()}


def measure(options: argparse.Namespace) -> list[str]:
    device = open_device(
        options.device,
        precision=options.precision,
        deterministic=False,
        compile_network=False,
        num_threads=options.threads,
    )
    on_cpu = device.torch_device.type == "cpu"
    by_processor = on_cpu and options.clock == "processor"
    shape: tuple[int, ...] = tuple(options.shape)
    rounds, num_clips = options.rounds or (3 if on_cpu else 20), options.batch or (1 if on_cpu else 32)
    clips = torch.randn((num_clips, *shape), generator=torch.Generator().manual_seed(0))
    clips = clips.to(device.torch_device)
    if clips.dim() == 5:
        clips = clips.to(memory_format=torch.channels_last_3d)
    title = (
        f"{options.recognizer} x {options.width:g} on {device.torch_device}, {num_clips} clips of "
        f"{' x '.join(map(str, shape))}, median of {rounds} rounds, {options.threads} threads, "
        f"{'processor' if by_processor else 'wall'} time"
    )
    lines = [title]
    clock = time.process_time if by_processor else time.perf_counter
    for ratio in options.ratios:
        network = build_recognizer(options.recognizer, num_classes=_NUM_CLASSES, width=options.width, seed=0)
        dense = measure_cost(network, shape).multiply_adds
        prune(network, ratio)
        arms = {
            "masked": network,
            "compacted": compact(network, shape),
            f"to {options.multiple}": compact(network, shape, multiple=options.multiple),
        }
        costs = [measure_cost(network, shape, multiple=each) for each in (1, options.multiple)]
        left = [cost.multiply_adds / dense for cost in costs]
        for each in arms.values():
            device.prepare(each.eval())
        lines.append(line(ratio, time_in_turns(arms, clips, device, rounds, clock), left))
    return lines


def line(ratio: float, seconds: Mapping[str, float], left: Sequence[float]) -> str:
    """Return the line of a ratio: the time of each network, and the multiply-adds of the compacted ones."""
    masked_s = seconds["masked"]
    arms = [
        f"{name} {1e3 * each:.2f} ms" + (f" ({each / masked_s:.2f})" if name != "masked" else "")
        for name, each in seconds.items()
    ]
    shares = " and ".join(f"{share:.2f}" for share in left)
    return f"ratio {ratio:.2f}: per clip {', '.join(arms)}; multiply-adds {shares} of the masked"


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recognizer", default="inflated-resnet50")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--shape", type=int, nargs="+", default=[3, 8, 112, 112], help="of one clip")
    parser.add_argument(
        "--ratios",
        type=float,
        nargs="+",
        default=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7],
        help="shares of pruned filters",
    )
    parser.add_argument(
        "--multiple", type=int, default=16, help="number that widths are rounded up to, in the last network"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, help="clips; 32, on the CPU 1")
    parser.add_argument("--rounds", type=int, help="timed rounds; 20, on the CPU 3")
    parser.add_argument("--precision", choices=("bf16", "float32"), default="bf16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=("processor", "wall"), default="processor")
    print("\n".join(measure(parser.parse_args(words))))


if __name__ == "__main__":
    main()
