"""Writing the demo dataset: every performance, filmed by three cameras, as files laid out like NTU's."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from autohier.data.datasets.demo.cameras import NUM_CAMERAS, make_camera, to_camera
from autohier.data.datasets.demo.drawing import draw_frames, draw_room
from autohier.data.datasets.demo.filming import encode_video, measure_bodies, skeleton_text
from autohier.data.datasets.demo.performances import perform
from autohier.data.datasets.demo.tree import CLASS_NAMES
from autohier.digest import derive_seed
from autohier.errors import InputError
from autohier.files import write_atomically

_CAMERAS = range(1, NUM_CAMERAS + 1)
_SUBJECTS_PER_SETUP = 2
_MOST = 999  # NTU's names give every number three digits


@dataclass(frozen=True, slots=True)
class _Take:
    """One performance to film: who, which time, what."""

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
    """Write the demo: 12 classes x subjects x 3 cameras x replications, 720 clips unless told otherwise.

    Each clip is ``SsssCcccPpppRrrrAaaa_rgb.avi`` (H.264, 320x180, 30 fps, 28 to 48 frames) and
    ``SsssCcccPpppRrrrAaaa.skeleton``, whose colour pixels refer to 1920x1080 as in NTU RGB+D. What is
    written depends on the seed alone. Clips whose two files exist are left as they are, whatever seed they
    came from: give every seed its own folder.

    Args:
        folder: where the files go, side by side; made where it is missing.
        num_workers: processes; None for one per usable core, 1 for none beside this one.
        seed: everything random comes from it.
        num_subjects: performers, two to a setup.
        num_replications: how often each subject performs each class.
        progress: called with the clips done and the clips in all, from the calling thread.

    Raises:
        InputError: where a count is below 1 or does not fit an NTU name.
        OSError: where the folder cannot be written.
    """
    for name, count in (("num_subjects", num_subjects), ("num_replications", num_replications)):
        if not 1 <= count <= _MOST:
            raise InputError(f"{name} must lie in 1..{_MOST}", got=count)
    if num_workers is not None and num_workers < 1:
        raise InputError("num_workers must be at least 1", got=num_workers)
    folder.mkdir(parents=True, exist_ok=True)
    takes = [
        _Take(subject, replication, label)
        for subject in range(1, num_subjects + 1)
        for replication in range(1, num_replications + 1)
        for label in range(len(CLASS_NAMES))
    ]
    wanted = [take for take in takes if any(not _is_filmed(folder, take, camera) for camera in _CAMERAS)]
    total, done = len(takes) * NUM_CAMERAS, (len(takes) - len(wanted)) * NUM_CAMERAS
    report = progress or (lambda _done, _total: None)
    report(done, total)
    num_workers = min(num_workers or _usable_cores(), max(1, len(wanted)))
    if num_workers == 1:
        for take in wanted:
            _film_take(folder, seed, take)
            done += NUM_CAMERAS
            report(done, total)
        return
    # Spawned, not forked: a fork would inherit the locks and threads of whatever the caller has loaded.
    with ProcessPoolExecutor(num_workers, mp_context=get_context("spawn")) as pool:
        filmed = [pool.submit(_film_take, folder, seed, take) for take in wanted]
        try:
            for future in as_completed(filmed):
                future.result()
                done += NUM_CAMERAS
                report(done, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _usable_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS does not say which cores a process may use
        return os.cpu_count() or 1


def _files(folder: Path, take: _Take, camera: int) -> tuple[Path, Path]:
    name = take.clip_id(camera)
    return folder / f"{name}_rgb.avi", folder / f"{name}.skeleton"


def _is_filmed(folder: Path, take: _Take, camera: int) -> bool:
    return all(file.exists() for file in _files(folder, take, camera))


def _film_take(folder: Path, seed: int, take: _Take) -> None:
    """Write the missing clips of one performance; all cameras see the same motion."""
    performance = perform(seed, subject=take.subject, replication=take.replication, label=take.label)
    for camera in _CAMERAS:
        if _is_filmed(folder, take, camera):
            continue
        rng = np.random.default_rng(derive_seed(seed, "film", take.clip_id(camera)))
        view = make_camera(seed, setup=take.setup, camera=camera)
        positions_NTV3 = to_camera(view, performance.positions_NTV3)
        room = draw_room(seed, take.setup, camera)
        video, skeleton = _files(folder, take, camera)
        write_atomically(video, encode_video(draw_frames(room, performance.people, positions_NTV3)))
        measured_NTV3, states_NTV = measure_bodies(positions_NTV3, rng)
        write_atomically(skeleton, skeleton_text(measured_NTV3, states_NTV, rng).encode("ascii"))
