"""One clip of a user's own, as a table or its folder tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CustomClip:
    """One clip, before its labels are numbered.

    Attributes:
        clip_id: path of the video within the folder of videos, without its ending.
        label: name or number of its class.
        subject: who acts; empty where that is not said, as are camera, setup and split.
        split: ``train``, ``val`` or ``test``.
    """

    clip_id: str
    label: str
    video_path: Path
    skeleton_path: Path | None = None
    subject: str = ""
    camera: str = ""
    setup: str = ""
    split: str = ""
