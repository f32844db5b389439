"""One clip of a user's own, described by a table or by its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CustomClip:
    """One clip, before its labels are numbered.

    Attributes:
        clip_id: path of the video within the folder of videos, without its ending.
        label: name or number of its class.
        subject: name or number of the performing subject; this and the following are empty if unknown.
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
