"""Generator of the demo dataset: performances recorded by three cameras, as files in NTU's layout."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from autohier.data.datasets.demo.cameras import NUM_CAMERAS, make_camera, to_camera
from autohier.data.datasets.demo.drawing import draw_frames, draw_room
from autohier.data.datasets.demo.filming import FRAME_RATE, measure_bodies, skeleton_text
from autohier.data.datasets.demo.performances import perform
from autohier.data.datasets.demo.tree import CLASS_NAMES
from autohier.data.video.encoding import encode_video
from autohier.digest import derive_seed
from autohier.errors import InputError
from autohier.files import write_atomically
from autohier.machine import usable_cores

_CAMERAS = range(1, NUM_CAMERAS + 1)
_SUBJECTS_PER_SETUP = 2
_MAX_COUNT = 999  # NTU's names have three digits per number


@dataclass(frozen=True, slots=True)
class _Take:
    """One performance to record: subject, replication and class."""

    subject: int
    replication: int
    label: int

    def clip_id(self, camera: int) -> str:
        return (
            f"S{self.setup:03d}C{camera:03d}P{self.subject:03d}R{self.replication:03d}A{self.label + 1:03d}"
        )

    @property
    def setup(self) -> int:
        return (self.subject + _SUBJECTS_PER_SETUP - 1) // _SUBJECTS_PER_SETUP


def generate_demo(
    folder: Path,
    *,
    num_workers: int | None = None,
    seed: int = 0,
    num_subjects: int = 10,
    num_replications: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the demo: 12 classes x subjects x 3 cameras x replications, 720 clips by default.

    Each clip is ``SsssCcccPpppRrrrAaaa_rgb.avi`` (H.264, 320x180, 30 fps, 28 to 48 frames) and
    ``SsssCcccPpppRrrrAaaa.skeleton``, whose RGB pixels refer to 1920x1080 as in NTU RGB+D. The content
    depends only on the seed. Clips whose two files exist are kept, even if they were generated with another
    seed: use one folder per seed.

    Args:
        folder: folder of all files; created if it is missing.
        num_workers: number of processes; None for one per usable core, 1 for the calling process only.
        seed: seed of everything random.
        num_subjects: number of subjects, two per setup.
        num_replications: number of times that each subject performs each class.
        progress: called with the number of finished clips and of all clips, in the calling thread.

    Raises:
        InputError: if a count is below 1 or does not fit an NTU name.
        OSError: if the folder cannot be written.
    """
    for name, count in (("num_subjects", num_subjects), ("num_replications", num_replications)):
        if not 1 <= count <= _MAX_COUNT:
            raise InputError(f"{name} must lie in 1..{_MAX_COUNT}", got=count)
    if num_workers is not None and num_workers < 1:
        raise InputError("num_workers must be at least 1", got=num_workers)
    folder.mkdir(parents=True, exist_ok=True)
    takes = [
        _Take(subject, replication, label)
        for subject in range(1, num_subjects + 1)
        for replication in range(1, num_replications + 1)
        for label in range(len(CLASS_NAMES))
    ]
    missing = [take for take in takes if any(not _is_recorded(folder, take, camera) for camera in _CAMERAS)]
    total, done = len(takes) * NUM_CAMERAS, (len(takes) - len(missing)) * NUM_CAMERAS
    report = progress or (lambda _done, _total: None)
    report(done, total)
    num_workers = min(num_workers or usable_cores(), max(1, len(missing)))
    if num_workers == 1:
        for take in missing:
            _record_take(folder, seed, take)
            done += NUM_CAMERAS
            report(done, total)
        return
    # Spawned, not forked: a fork would inherit locks that threads of the caller hold.
    with ProcessPoolExecutor(num_workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_record_take, folder, seed, take) for take in missing]
        try:
            for future in as_completed(futures):
                future.result()
                done += NUM_CAMERAS
                report(done, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _files(folder: Path, take: _Take, camera: int) -> tuple[Path, Path]:
    name = take.clip_id(camera)
    return folder / f"{name}_rgb.avi", folder / f"{name}.skeleton"


def _is_recorded(folder: Path, take: _Take, camera: int) -> bool:
    return all(file.exists() for file in _files(folder, take, camera))


def _record_take(folder: Path, seed: int, take: _Take) -> None:
    """Write the missing clips of one performance; all cameras record the same motion."""
    performance = perform(seed, subject=take.subject, replication=take.replication, label=take.label)
    for camera in _CAMERAS:
        if _is_recorded(folder, take, camera):
            continue
        rng = np.random.default_rng(derive_seed(seed, "film", take.clip_id(camera)))
        view = make_camera(seed, setup=take.setup, camera=camera)
        positions_NTV3 = to_camera(view, performance.positions_NTV3)
        room = draw_room(seed, take.setup, camera)
        video, skeleton = _files(folder, take, camera)
        write_atomically(
            video, encode_video(draw_frames(room, performance.persons, positions_NTV3), frame_rate=FRAME_RATE)
        )
        measured_NTV3, states_NTV = measure_bodies(positions_NTV3, rng)
        write_atomically(skeleton, skeleton_text(measured_NTV3, states_NTV, rng).encode("ascii"))
