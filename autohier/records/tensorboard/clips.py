"""TensorBoard's run "hardest-clips": pictures of the validation clips that are predicted wrong."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from autohier.records.tensorboard.event_files import BEGUN_FILE, Picture, event, image, write_event_file

RUN = "hardest-clips"
"""Name of the run; those of trials are t0000, t0001, ..."""


@dataclass(frozen=True, slots=True)
class ClipPicture:
    """Frames of a clip with its skeleton, and its crop box in the source."""

    clip_id: str
    caption: str
    """True class, and how it is predicted."""
    png: bytes


def write_clips(root_folder: Path, clips: Sequence[ClipPicture]) -> None:
    """Write the pictures of clips, in place of earlier ones.

    Args:
        root_folder: the folder whose subfolders are the runs.
        clips: the hardest first.

    Raises:
        OSError: if the folder cannot be written.
    """
    values = []
    for place, clip in enumerate(clips, start=1):
        width_px, height_px = Image.open(io.BytesIO(clip.png)).size
        value = image(f"clips/{place}", Picture(clip.png, width_px, height_px))
        value.metadata.display_name = clip.clip_id
        value.metadata.summary_description = clip.caption
        values.append(value)
    (root_folder / RUN).mkdir(parents=True, exist_ok=True)
    write_event_file(root_folder / RUN / BEGUN_FILE, [event(0, values)])
