"""Small folders of a user's own videos with poses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from support.sources.tiny_datasets import (
    HEIGHT_PX,
    WIDTH_PX,
    body_joints,
    colour_pixels,
    numbered_frames,
    write_video,
)


def write_custom_clip(source: Path, clip_id: str, *, num_frames: int = 6, ending: str = ".mp4") -> Path:
    """Write ``videos/CLASS/CLIP.mp4`` of 192x108 pixels, and its ``poses/CLASS/CLIP.npz``."""
    video = source / "videos" / f"{clip_id}{ending}"
    poses = source / "poses" / f"{clip_id}.npz"
    for path in (video, poses):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_video(video, numbered_frames(num_frames, WIDTH_PX, HEIGHT_PX))
    pixels_TV2 = colour_pixels(body_joints(num_frames)[:, :17]) / 10
    scores_TV = np.full(pixels_TV2.shape[:2], 0.5, dtype=np.float32)
    np.savez_compressed(poses, keypoint=pixels_TV2[None].astype(np.float32), keypoint_score=scores_TV[None])
    return video
