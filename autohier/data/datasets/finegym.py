"""FineGym's Gym99: clips that its lists name, trimmed or still within their videos; 99 elements.

Shape letters: H W pixels, C channels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from autohier.data.datasets.finding import find_named, require_path
from autohier.data.datasets.finegym_hierarchy import read_gym99_levels
from autohier.data.datasets.finegym_lists import (
    CLIP_ID,
    PARTS,
    ListedClip,
    read_gym99_class_names,
    read_gym99_lists,
)
from autohier.data.datasets.reader import ClipSource, Remark
from autohier.data.decoding import Span, count_frames, decode_frames
from autohier.data.levels import GivenLevel
from autohier.data.protocols import PROTOCOLS, Protocol, PublishedSize
from autohier.data.skeleton import COCO_17, JointLayout
from autohier.errors import ClipError, MissingDataError

_VIDEO_FILE = re.compile(r"(.+)\.(?:mp4|avi|mkv|webm)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FineGymReader:
    """Reads the clips that Gym99's lists name and that are there.

    A clip is ``<id>.mp4`` where it is trimmed; else it is cut out of its event's ``<video>_E_<s>_<e>.mp4`` or
    out of its ``<video>.mp4``, at the whole seconds that its id tells. A clip's subject is the number of its
    video among all listed ones, so that validation takes no part of a video that trains.
    """

    class_names: tuple[str, ...]
    protocols: tuple[Protocol, ...]
    name: str = "gym99"
    modality: Literal["rgb"] = "rgb"
    joint_layout: JointLayout = COCO_17
    channels: int = 3
    sided: bool = False
    levels: tuple[GivenLevel, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def find_clips(self, source: Path) -> list[ClipSource]:
        """See `DatasetReader.find_clips`; clips that are listed and not there are left out."""
        listed = read_gym99_lists(source)
        places = {clip_id: _places(clip_id) for clip_id in listed}
        videos = _find_videos(source, frozenset(name for names in places.values() for name in names))
        if not videos:
            raise MissingDataError(
                f"a source of {self.name} must hold clips named like {min(listed, default='<id>')}.mp4, "
                "their events or their videos",
                got=source,
                remedy="check --source",
            )
        subjects = _number_videos(listed)
        return [
            ClipSource(
                clip_id=clip_id,
                label=listed[clip_id].label,
                subject=subjects[names[-1]],
                camera=1,
                setup=1,
                replication=1,
                video_path=next(videos[name] for name in names if name in videos),
                skeleton_path=None,
                parts=(listed[clip_id].part,),
            )
            for clip_id, names in sorted(places.items())
            if any(name in videos for name in names)
        ]

    def read_skeleton(self, clip: ClipSource) -> NoReturn:
        """See `DatasetReader.read_skeleton`; FineGym has none."""
        raise ClipError(
            "a clip must have a skeleton file",
            remedy=f"{clip.clip_id} has none, nor has any of {self.name}: --keep-all keeps whole frames",
        )

    def count_frames(self, clip: ClipSource) -> int:
        """See `DatasetReader.count_frames`."""
        path = require_path(clip.video_path, "video")
        return count_frames(path, _span_in(path, clip.clip_id))

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """See `DatasetReader.read_frames`."""
        path = require_path(clip.video_path, "video")
        return decode_frames(path, indices, _span_in(path, clip.clip_id))


def gym99_reader(source: Path | None) -> FineGymReader:
    """The reader of Gym99; where its source is given, with its class names and the sizes of its lists.

    Raises:
        InputError: where a list or the categories in the source are malformed.
        MissingDataError: where the source holds no lists.
    """
    class_names = read_gym99_class_names(source)
    sets, events = read_gym99_levels(source)
    levels = (GivenLevel("event", events), GivenLevel("set", sets))
    if source is None:
        return FineGymReader(class_names, PROTOCOLS["gym99"], levels=levels)
    parts = [clip.part for clip in read_gym99_lists(source).values()]
    size = PublishedSize("clips the lists name", *(parts.count(part) for part in PARTS))
    protocols = tuple(replace(rule, published=(size,)) for rule in PROTOCOLS["gym99"])
    return FineGymReader(class_names, protocols, levels=levels)


def _places(clip_id: str) -> tuple[str, str, str]:
    """What a file with the clip in it may be called, without its ending: the most closely cut first."""
    match = _take_apart(clip_id)
    return clip_id, match["event"], match["video"]


def _take_apart(clip_id: str) -> re.Match[str]:
    match = CLIP_ID.fullmatch(clip_id)
    if match is None:
        raise ClipError("the id of a gym99 clip must tell its event and its times", got=clip_id)
    return match


def _find_videos(source: Path, wanted: frozenset[str]) -> dict[str, Path]:
    videos: dict[str, Path] = {}
    for match, path in find_named(source, _VIDEO_FILE):
        if match[1] in wanted:
            videos.setdefault(match[1], path)
    return videos


def _number_videos(listed: Mapping[str, ListedClip]) -> dict[str, int]:
    names = sorted({_places(clip_id)[-1] for clip_id in listed})
    return {name: number for number, name in enumerate(names, start=1)}


def _span_in(path: Path, clip_id: str) -> Span | None:
    """Where a file that is called as `_places` says has the clip; None for all of it."""
    if path.stem == clip_id:
        return None
    match = _take_apart(clip_id)
    start_s, stop_s = int(match["start_s"]), int(match["stop_s"])
    if stop_s < start_s:
        raise ClipError("the times of a clip must not end before they begin", got=clip_id)
    offset_s = 0 if path.stem == match["event"] else int(match["event_s"])
    # What begins and ends within one second is still something to see.
    return Span(offset_s + start_s, offset_s + max(stop_s, start_s + 1))
