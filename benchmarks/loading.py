"""Speed of loading clips from a prepared store, compared with decoding their videos every time.

"stored" is what training reads: 8 of the stored frames through data.inputs.loader, on one thread. "videos"
decodes the same frames of the same clips with PyAV, in order up to the last one needed, crops them to the
same box and resizes them, so that batches have the same shape. The two alternate, and speeds are in processor
time, which other work does not affect; `--clock wall` is wall time. It also measures how long a training step
of the demo's recognizer waits for data, and the peak memory of preparing and of reading few and many clips.

    python benchmarks/loading.py
    python benchmarks/loading.py --videos ~/ntu/nturgb+d_rgb --clips 16 --memory-clips 100 50000
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from autohier.config.search.loading import load_space
from autohier.core.stages.builders import open_clip_input
from autohier.core.training.data_loader import DataLoader
from autohier.core.training.devices import open_device
from autohier.data.datasets.registry import open_dataset
from autohier.data.inputs.frames import FrameInput
from autohier.data.inputs.loader import ClipLoader
from autohier.data.inputs.named import ClipBatch, tensors_of
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.splits import Split
from autohier.data.store.reader import ClipStore
from autohier.data.transforms.boxes import Box
from autohier.data.transforms.crop import crop_and_resize
from autohier.data.transforms.sampling import segment_positions
from autohier.data.video.decoding import decode_frames
from autohier.models import build_recognizer

_CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
_AIM = 100
_MIB = 2**20
_MEMORY_SCRIPT = Path(__file__).with_name("loading_memory.py")


@dataclass(frozen=True, slots=True)
class Timing:
    """One round of loading in one way."""

    num_clips: int
    seconds: float
    clip_shape: tuple[int, ...]
    """[T, H, W, C] of the clips in its batches."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Duration of some training steps."""

    num_steps: int
    waited_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class Peak:
    """Peak memory of preparing and of reading a number of clips."""

    num_clips: int
    store_bytes: int
    prepare_bytes: int
    prepare_own_bytes: int
    """Without mapped files, whose pages the system can reclaim."""
    read_bytes: int
    read_own_bytes: int
    """Without mapped files."""


def videos_batch(
    store: ClipStore, source: Path, rows: NDArray[np.int64], num_frames: int, size_px: int
) -> NDArray[np.uint8]:
    """Decode clips from their videos: uint8 [B, T, H, W, C]."""
    clips = []
    for row in rows.tolist():
        kept = store.frame_indices(row)
        wanted = kept[segment_positions(len(kept), num_frames, 0.5)].tolist()
        distinct = sorted(set(wanted))
        box = Box(*store.box_px(row))
        video = source / f"{store.clips.clip_id[row]}_rgb.avi"
        frames = {
            index: np.asarray(crop_and_resize(frame_HWC, box, size_px))
            for index, frame_HWC in zip(distinct, decode_frames(video, distinct), strict=True)
        }
        clips.append(np.stack([frames[index] for index in wanted]))
    return np.stack(clips)


def time_batches(batches: Callable[[], Iterator[tuple[int, ...]]], clock: Callable[[], float]) -> Timing:
    """Return the timing of iterating over batches, given as shapes [B, T, H, W, C]."""
    started = clock()
    shapes = list(batches())
    return Timing(sum(shape[0] for shape in shapes), clock() - started, shapes[0][1:])


def speed_report(rounds: dict[str, list[Timing]]) -> list[str]:
    """Return one line for each way of loading, by the median of its rounds, and their ratio."""
    shapes = {timing.clip_shape for timings in rounds.values() for timing in timings}
    if len(shapes) != 1:
        raise ValueError(f"both ways must load clips of one shape, but got {sorted(shapes)}")
    speeds = {
        arm: median(timing.num_clips / timing.seconds for timing in timings)
        for arm, timings in rounds.items()
    }
    lines = [f"{arm:7}{speed:10.2f} clips/s of a core" for arm, speed in speeds.items()]
    ratio = speeds["stored"] / speeds["videos"]
    return [*lines, f"stored is {ratio:.1f} times as fast as videos (aim: {_AIM})"]


def compare_speeds(options: argparse.Namespace, folder: Path) -> list[str]:
    """Prepare some videos, and load them in both ways."""
    from loading_source import generate_source, link_source  # in this folder, which is on the path

    source = folder / "source"
    if options.videos:
        link_source(source, options.videos, options.clips)
    else:
        generate_source(source, options.clips, options.video_frames)
    summary = prepare_dataset(
        open_dataset("ntu60"),
        source,
        folder / "store",
        without_skeleton="whole-frame",
        num_workers=1,
        size_px=options.size,
    )
    store = ClipStore.open(folder / "store")
    rows = np.arange(len(store))
    often, batch_size = np.tile(rows, options.repeats), min(options.batch, len(rows))
    torch.set_num_threads(1)
    device = torch.device("cpu")
    clip_input = FrameInput(
        store, channels=3, num_frames=options.frames, resize_px=options.size, crop_px=options.size
    )
    stored = ClipLoader(clip_input, often, batch_size, device)

    def read_videos() -> Iterator[tuple[int, ...]]:
        for start in range(0, len(rows), batch_size):
            chosen = rows[start : start + batch_size]
            yield videos_batch(store, source, chosen, options.frames, options.size).shape

    arms: dict[str, Callable[[], Iterator[tuple[int, ...]]]] = {
        "stored": lambda: (
            tuple(clips.shape) for batch in stored.training_epoch(0) for clips in tensors_of(batch.clips)
        ),
        "videos": read_videos,
    }
    clock = _CLOCKS[options.clock]
    time_batches(arms["stored"], clock)
    rounds: dict[str, list[Timing]] = {arm: [] for arm in arms}
    for _ in range(options.rounds):
        for arm, batches in arms.items():
            rounds[arm].append(time_batches(batches, clock))
    width, height = store.video_size_px(0)
    title = (
        f"{len(store)} videos, the first {width} x {height} of {store.clips.num_frames[0]} frames: "
        f"{options.frames} frames of {options.size} px a clip, {options.clock} time; "
        f"prepared in {summary.elapsed_s:.0f} s"
    )
    return [title, *speed_report(rounds)]


def time_waiting(
    batches: Iterator[tuple[ClipBatch, Tensor]],
    step: Callable[[ClipBatch, Tensor], None],
    clock: Callable[[], float] = time.perf_counter,
) -> Waiting:
    """Take a step on every batch, and measure the time spent waiting for batches."""
    num_steps, waited_s, started = 0, 0.0, clock()
    while True:
        requested = clock()
        batch = next(batches, None)
        waited_s += clock() - requested
        if batch is None:
            return Waiting(num_steps, waited_s, clock() - started)
        step(*batch)
        num_steps += 1


def waiting_report(waiting: Waiting) -> str:
    return (
        f"a training step waits {waiting.waited_s / waiting.total_s:.2%} of its time for data "
        f"({waiting.num_steps} steps of {1e3 * waiting.total_s / waiting.num_steps:.0f} ms)"
    )


def measure_waiting(folder: Path, epochs: int, num_threads: int) -> list[str]:
    """Train the demo's recognizer on a store of small clips for some epochs, after a warm-up epoch."""
    space = load_space("demo")
    device = open_device(
        "cpu", precision="bf16", deterministic=False, compile_network=False, num_threads=num_threads
    )
    store = ClipStore.open(folder)
    none = np.empty(0, dtype=np.int64)
    data_loader = DataLoader(
        open_clip_input(space.clips, store, store.manifest),
        Split(np.arange(len(store)), none, none),
        test_sets=1,
        batch_size=space.optimisation.batch_size,
        device=device.torch_device,
        num_threads=num_threads,
    )
    recognizer = build_recognizer(
        space.recognizer.name, num_classes=space.num_classes, seed=0, **space.recognizer.options()
    )
    network = device.prepare(recognizer).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)

    def step(clips_B: ClipBatch, labels_B: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        with device.autocast():
            scores_BK = network(clips_B)[-1]
        F.cross_entropy(scores_BK.float(), labels_B).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    time_waiting(data_loader.training_epoch(0), step)
    measured = [time_waiting(data_loader.training_epoch(1 + epoch), step) for epoch in range(epochs)]
    total = Waiting(
        sum(each.num_steps for each in measured),
        sum(each.waited_s for each in measured),
        sum(each.total_s for each in measured),
    )
    width = space.recognizer.options()["width"]
    return [
        f"{space.recognizer.name} x {width}, {num_threads} threads, the demo's clips:",
        waiting_report(total),
    ]


def memory_report(peaks: list[Peak]) -> list[str]:
    """Return one line for each number of clips, and the difference between the last and the first."""
    lines = [
        f"{peak.num_clips:8,} clips, {peak.store_bytes / _MIB:6.1f} MiB stored: preparing held "
        f"{peak.prepare_bytes / _MIB:.0f} MiB ({peak.prepare_own_bytes / _MIB:.0f} not mapped), reading "
        f"{peak.read_bytes / _MIB:.0f} MiB ({peak.read_own_bytes / _MIB:.0f} not mapped)"
        for peak in peaks
    ]
    few, many = peaks[0], peaks[-1]
    added = (many.prepare_own_bytes - few.prepare_own_bytes, many.read_own_bytes - few.read_own_bytes)
    times = f"{many.num_clips / few.num_clips:.0f} times the clips"
    prepared, read = (f"{each / _MIB:.0f} MiB" for each in added)
    return [*lines, f"{times}: preparing adds {prepared}, reading {read} that are not mapped"]


def measure_memory(folder: Path, num_clips: int) -> Peak:
    """Prepare synthetic clips in one process, and read them in another."""

    def run(work: str) -> list[int]:
        command = [sys.executable, str(_MEMORY_SCRIPT), work, str(folder), "--clips", str(num_clips)]
        printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        return [int(word) for word in printed.split()]

    peaks = (*run("prepare"), *run("read"))
    store_bytes = sum(entry.num_bytes for entry in ClipStore.open(folder).manifest.shards)
    return Peak(num_clips, store_bytes, *peaks)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--videos", type=Path, help="folder of videos; default: generated")
    parser.add_argument("--clips", type=int, default=6, help="number of videos to load")
    parser.add_argument("--video-frames", type=int, default=100, help="frames of a generated video")
    parser.add_argument("--frames", type=int, default=8, help="frames of a loaded clip")
    parser.add_argument("--size", type=int, default=256, help="height and width in pixels, stored and loaded")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=20, help="epochs of stored clips per round")
    parser.add_argument("--clock", choices=_CLOCKS, default="processor")
    parser.add_argument("--epochs", type=int, default=2, help="epochs to measure waiting in")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--memory-clips", type=int, nargs="+", default=[100, 5000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("\n".join(compare_speeds(options, folder / "videos")), flush=True)
        peaks = [measure_memory(folder / str(clips), clips) for clips in options.memory_clips]
        waited = measure_waiting(folder / str(options.memory_clips[0]), options.epochs, options.threads)
        print("\n".join([*waited, *memory_report(peaks)]))


if __name__ == "__main__":
    main()
