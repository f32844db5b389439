"""Peak memory of preparing a dataset, or of reading a store; loading.py runs this in separate processes.

Prints the peak of all memory, and the peak without mapped files, sampled every 5 ms. Frames are synthetic,
so that thousands of clips take seconds; preparation runs in this one process.

    python benchmarks/loading_memory.py prepare STORE --clips 100
    python benchmarks/loading_memory.py read STORE
"""

from __future__ import annotations

import argparse
import re
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autohier.data.datasets.base import ClipSource, DatasetWarning
from autohier.data.datasets.demo.tree import CLASS_NAMES
from autohier.data.joint_layout import JointLayout
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.protocols import PROTOCOLS, Protocol
from autohier.data.skeleton import KINECT_V2_25, Skeleton
from autohier.data.superclasses import GivenSuperclasses

NUM_FRAMES, SIDE_PX = 8, 64
_BATCH, _RESIZE_PX = 16, 64
_SUBJECTS = 10
_SPOTS = 8
_EVERY_S = 0.005
_BYTES_PER_KIB = 1024


@dataclass(frozen=True, slots=True)
class SyntheticReader:
    """Generates small clips of colored spots. Implements `data.datasets.base.DatasetReader`."""

    num_clips: int
    name: str = "demo"
    modality: str = "rgb"
    class_names: tuple[str, ...] = CLASS_NAMES
    joint_layout: JointLayout = KINECT_V2_25
    channels: int = 3
    sided: bool = False
    protocols: tuple[Protocol, ...] = PROTOCOLS["demo"]
    levels: tuple[GivenSuperclasses, ...] = ()
    warnings: tuple[DatasetWarning, ...] = ()

    def find_clips(self, source: Path) -> list[ClipSource]:  # noqa: ARG002
        """See `DatasetReader.find_clips`; the clips are generated."""
        return [
            ClipSource(
                clip_id=f"{number:06d}",
                label=number % len(self.class_names),
                subject=number % _SUBJECTS + 1,
                camera=1,
                setup=1,
                replication=1,
                video_path=None,
                skeleton_path=None,
            )
            for number in range(self.num_clips)
        ]

    def read_skeleton(self, clip: ClipSource) -> Skeleton:
        """See `DatasetReader.read_skeleton`."""
        random = np.random.default_rng(int(clip.clip_id))
        shape_MTV = (1, NUM_FRAMES, KINECT_V2_25.num_joints)
        return Skeleton(
            joints_MTV3_m=random.normal(0, 1, (*shape_MTV, 3)).astype(np.float32),
            pixels_MTV2=random.uniform(0, SIDE_PX, (*shape_MTV, 2)).astype(np.float32),
            image_width_px=SIDE_PX,
            image_height_px=SIDE_PX,
            layout=KINECT_V2_25.name,
        )

    def count_frames(self, clip: ClipSource) -> int:  # noqa: ARG002
        """See `DatasetReader.count_frames`."""
        return NUM_FRAMES

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """See `DatasetReader.read_frames`."""
        random = np.random.default_rng(int(clip.clip_id))
        for _ in indices:
            spots = Image.fromarray(random.integers(0, 256, (_SPOTS, _SPOTS, 3), dtype=np.uint8))
            yield np.asarray(spots.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR))


def status_bytes(status: str, field: str) -> int | None:
    """Return a field of /proc/self/status, e.g. VmHWM, in bytes; None if it is missing."""
    match = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(match[1]) * _BYTES_PER_KIB if match else None


def own_status() -> str:
    """Return /proc/self/status; empty on other systems than Linux."""
    path = Path("/proc/self/status")
    return path.read_text() if path.is_file() else ""


def peak_bytes() -> int:
    """Return the peak memory of this process, including mapped files."""
    # getrusage reports at least the memory of the parent when it started this process.
    peak = status_bytes(own_status(), "VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_PER_KIB if peak is None else peak


@contextmanager
def own_peak() -> Iterator[list[int]]:
    """Yield a list whose last number is the peak memory of the block so far, without mapped files."""
    peak, ended = [0], Event()

    def watch() -> None:
        while not ended.wait(_EVERY_S):
            peak.append(max(peak.pop(), status_bytes(own_status(), "RssAnon") or 0))

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def prepare(folder: Path, num_clips: int) -> None:
    """Prepare a store."""
    prepare_dataset(
        SyntheticReader(num_clips),
        folder,
        folder,
        size_px=SIDE_PX,
        max_frames=NUM_FRAMES,
        crop=False,
        num_workers=1,
    )


def read(folder: Path) -> None:
    """Read a training epoch of all clips."""
    import torch

    from autohier.data.inputs.frames import FrameInput
    from autohier.data.inputs.loader import ClipLoader
    from autohier.data.store.reader import ClipStore

    store = ClipStore.open(folder)
    rows = np.arange(len(store))
    clip_input = FrameInput(
        store, channels=3, num_frames=NUM_FRAMES, resize_px=_RESIZE_PX, crop_px=_RESIZE_PX
    )
    batches = ClipLoader(clip_input, rows, _BATCH, torch.device("cpu"))
    for _ in batches.training_epoch(0):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", choices=("prepare", "read"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=100)
    options = parser.parse_args()
    with own_peak() as own:
        if options.work == "prepare":
            prepare(options.folder, options.clips)
        else:
            read(options.folder)
    print(peak_bytes(), own[-1])


if __name__ == "__main__":
    main()
