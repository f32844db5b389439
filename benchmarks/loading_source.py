"""Videos for loading.py in NTU's layout: generated at NTU's size, or links to existing ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autohier.data.datasets.demo.cameras import make_camera, to_camera
from autohier.data.datasets.demo.filming import FRAME_RATE, measure_bodies, skeleton_text
from autohier.data.datasets.demo.performances import perform
from autohier.data.video.encoding import encode_video

WIDTH_PX, HEIGHT_PX = 1920, 1080
_ENDINGS = (".avi", ".mp4", ".mkv", ".mov", ".webm")
_STEP_PX = 3
_SPOT_PX, _GRAIN = 24, 6.0


def clip_name(number: int) -> str:
    """Return NTU's name of a clip (from 0), each with another subject."""
    return f"S001C001P{number + 1:03d}R001A001"


def moving_texture(num_frames: int, random: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """Yield frames [1080, 1920, 3] of a texture that moves left, with new noise in a patch of each frame."""
    width_px = WIDTH_PX + _STEP_PX * num_frames
    spots = random.integers(0, 256, (HEIGHT_PX // _SPOT_PX, width_px // _SPOT_PX, 3), dtype=np.uint8)
    smooth = Image.fromarray(spots).resize((width_px, HEIGHT_PX), Image.Resampling.BICUBIC)
    grain = random.normal(0, _GRAIN, (HEIGHT_PX, width_px, 3))
    texture = (np.asarray(smooth) + grain).clip(0, 255).astype(np.uint8)
    patch = (slice(HEIGHT_PX // 3, 2 * HEIGHT_PX // 3), slice(WIDTH_PX // 3, WIDTH_PX // 2))
    for frame in range(num_frames):
        picture = texture[:, frame * _STEP_PX :][:, :WIDTH_PX].copy()
        picture[patch] = random.integers(0, 256, picture[patch].shape, dtype=np.uint8)
        yield picture


def person_text(num_frames: int, random: np.random.Generator) -> str:
    """Return the text of a .skeleton file: the demo's first person, slowed down to a number of frames."""
    performed_NTV3 = perform(0, subject=1, replication=1, label=0).positions_NTV3
    slowed_T = np.linspace(0, performed_NTV3.shape[1] - 1, num_frames).round().astype(int)
    seen_NTV3 = to_camera(make_camera(0, setup=1, camera=1), performed_NTV3[:, slowed_T])
    return skeleton_text(*measure_bodies(seen_NTV3, random), random)


def generate_source(folder: Path, num_clips: int, num_frames: int) -> None:
    """Write one clip and its copies: H.264 of 1920 x 1080 with one keyframe, and an NTU skeleton file."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    video = encode_video(moving_texture(num_frames, random), frame_rate=FRAME_RATE)
    text = person_text(num_frames, random)
    for number in range(num_clips):
        (folder / f"{clip_name(number)}_rgb.avi").write_bytes(video)
        (folder / f"{clip_name(number)}.skeleton").write_text(text, "ascii")


def link_source(folder: Path, videos: Path, num_clips: int) -> int:
    """Link the first videos of a folder and copy their .skeleton files; return the number of videos."""
    folder.mkdir(parents=True)
    paths = sorted(path for path in videos.rglob("*") if path.suffix.lower() in _ENDINGS)[:num_clips]
    for number, path in enumerate(paths):
        (folder / f"{clip_name(number)}_rgb.avi").symlink_to(path.resolve())
        skeleton = path.with_name(path.stem.removesuffix("_rgb") + ".skeleton")
        if skeleton.is_file():
            shutil.copy(skeleton, folder / f"{clip_name(number)}.skeleton")
    return len(paths)
