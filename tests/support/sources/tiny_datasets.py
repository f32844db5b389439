"""Small real files in the layouts of the datasets: a column of joints in front of a gray wall."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

WIDTH_PX, HEIGHT_PX = 192, 108  # a tenth of the 1920x1080 that NTU's colour pixels refer to


def write_video(path: Path, frames_THWC: NDArray[np.uint8], *, codec: str = "mpeg4") -> None:
    """Write an .avi or .mp4 at 30 frames per second."""
    num_frames, height, width, _ = frames_THWC.shape
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.width, stream.height = width, height
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        stream.bit_rate = 4_000_000
        for index in range(num_frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frames_THWC[index], format="rgb24")))
        container.mux(stream.encode())


def numbered_frames(num_frames: int, width: int = WIDTH_PX, height: int = HEIGHT_PX) -> NDArray[np.uint8]:
    """Return frames whose gray level is 10 + 5 x their number, which identifies a decoded frame."""
    levels = (10 + 5 * np.arange(num_frames)).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (num_frames, height, width, 3)).copy()


def frame_number(frame: NDArray[np.uint8]) -> int:
    """Return the number of a frame of `numbered_frames`, despite the codec's loss."""
    return round((float(frame.mean()) - 10) / 5)


def body_joints(num_frames: int, *, height_m: float = 1.6, sway_m: float = 0.1) -> NDArray[np.float64]:
    """Return joints [T, 25, 3] in meters: a column of 0.4 m by ``height_m``, 3 m away, swaying sideways."""
    row = np.linspace(-height_m / 2, height_m / 2, 25)
    column = 0.2 * np.cos(np.arange(25))
    joints = np.stack((column, row, np.full(25, 3.0)), axis=-1)
    sway = sway_m * np.sin(np.linspace(0, 2 * np.pi, num_frames))
    return joints[None] + np.stack((sway, 0 * sway, 0 * sway), axis=-1)[:, None]


def colour_pixels(joints_TV3: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return color pixels as in NTU's files, by a fit to real files: 1055 x/z + 977, -1057 y/z + 560."""
    x, y, z = np.moveaxis(joints_TV3, -1, 0)
    return np.stack((1055 * x / z + 977, -1057 * y / z + 560), axis=-1)


def skeleton_text(
    bodies: dict[str, NDArray[np.float64]], pixels: dict[str, NDArray[np.float64]] | None = None
) -> str:
    """Return a .skeleton text with every body [T, 25, 3] in every frame; pixels default to the fit."""
    num_frames = len(next(iter(bodies.values())))
    return tracks_text(num_frames, {body_id: (0, joints) for body_id, joints in bodies.items()}, pixels)


def tracks_text(
    num_frames: int,
    tracks: dict[str, tuple[int, NDArray[np.float64]]],
    pixels: dict[str, NDArray[np.float64]] | None = None,
) -> str:
    """Return a .skeleton text in which each body [N, 25, 3] is tracked in N frames from its first one on."""
    lines = [str(num_frames)]
    for frame in range(num_frames):
        present = {
            body_id: (frame - first, joints)
            for body_id, (first, joints) in tracks.items()
            if first <= frame < first + len(joints)
        }
        lines.append(str(len(present)))
        for body_id, (index, joints) in present.items():
            pixels_TV2 = (pixels or {}).get(body_id)
            if pixels_TV2 is None:
                pixels_TV2 = colour_pixels(joints)
            lines += [f"{body_id} 0 1 1 1 1 0 0.01 -0.25 2", "25"]
            for (x, y, z), (u, v) in zip(joints[index], pixels_TV2[index], strict=True):
                lines.append(f"{x} {y} {z} 250.5 200.5 {u} {v} 0.1 0.2 0.3 0.4 2")
    return "\n".join(lines) + "\n"


def write_ntu_clip(folder: Path, clip_id: str, *, num_frames: int = 6) -> None:
    """Write a clip in NTU's layout; its video is a tenth of the size that its color pixels refer to."""
    folder.mkdir(parents=True, exist_ok=True)
    write_video(folder / f"{clip_id}_rgb.avi", numbered_frames(num_frames))
    text = skeleton_text({"72057594037931101": body_joints(num_frames)})
    (folder / f"{clip_id}.skeleton").write_text(text)


def write_utd_clip(folder: Path, clip_id: str, *, num_frames: int = 6) -> None:
    """Write a clip in UTD-MHAD's layout: depth, color and skeleton in separate folders."""
    for name in ("Depth", "Color", "Skeleton"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    joints_TV3 = body_joints(num_frames)[:, :20]
    depth_HWT = np.zeros((240, 320, num_frames), dtype=np.uint16)
    depth_HWT[40:200, 120:200] = (2000 + 100 * np.arange(num_frames)).astype(np.uint16)
    savemat(folder / "Depth" / f"{clip_id}_depth.mat", {"d_depth": depth_HWT}, do_compression=True)
    savemat(folder / "Skeleton" / f"{clip_id}_skeleton.mat", {"d_skel": joints_TV3.transpose(1, 2, 0)})
    write_video(folder / "Color" / f"{clip_id}_color.avi", numbered_frames(num_frames, 640, 480))
