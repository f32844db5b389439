"""FineGym's Gym99: the clips in its lists, trimmed or cut from their videos; 99 elements.

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

from autohier.data.datasets.base import ClipSource, DatasetWarning, Origin
from autohier.data.datasets.common.file_search import find_named, require_path
from autohier.data.datasets.gym99.hierarchy import read_gym99_levels
from autohier.data.datasets.gym99.lists import (
    CLIP_ID,
    PARTS,
    ListedClip,
    read_gym99_class_names,
    read_gym99_lists,
)
from autohier.data.joint_layout import JointLayout
from autohier.data.names import composed
from autohier.data.protocols import PROTOCOLS, Protocol, PublishedSize
from autohier.data.skeleton import COCO_17
from autohier.data.superclasses import GivenSuperclasses
from autohier.data.video.decoding import count_frames, decode_frames, frame_bounds
from autohier.data.video.span import Span
from autohier.errors import ClipError, MissingDataError

_VIDEO_FILE = re.compile(r"(.+)\.(?:mp4|avi|mkv|webm)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FineGymReader:
    """Reader of the clips in Gym99's lists whose videos are present.

    A trimmed clip is ``<id>.mp4``. Any other is cut from its event's ``<video>_E_<s>_<e>.mp4`` or from its
    ``<video>.mp4``, at the seconds in its id. The subject of a clip is the number of its video among all
    listed ones, so that training and validation share no video.
    """

    class_names: tuple[str, ...]
    protocols: tuple[Protocol, ...]
    name: str = "gym99"
    modality: Literal["rgb"] = "rgb"
    joint_layout: JointLayout = COCO_17
    channels: int = 3
    sided: bool = False
    levels: tuple[GivenSuperclasses, ...] = ()
    warnings: tuple[DatasetWarning, ...] = ()

    def find_clips(self, source: Path) -> list[ClipSource]:
        """See `DatasetReader.find_clips`; listed clips without a video are left out."""
        listed = read_gym99_lists(source)
        file_names = {clip_id: _file_names(clip_id) for clip_id in listed}
        videos = _find_videos(source, frozenset(name for names in file_names.values() for name in names))
        if not videos:
            raise MissingDataError(
                f"a source of {self.name} must contain clips named like {min(listed, default='<id>')}.mp4, "
                "their events or their videos",
                got=source,
                hint="check --source",
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
            for clip_id, names in sorted(file_names.items())
            if any(name in videos for name in names)
        ]

    def read_skeleton(self, clip: ClipSource) -> NoReturn:
        """See `DatasetReader.read_skeleton`; FineGym has no skeletons."""
        raise ClipError(
            "a clip must have a skeleton file",
            hint=f"{self.name} has no skeletons, so {clip.clip_id} has none; --keep-all keeps whole frames",
        )

    def count_frames(self, clip: ClipSource) -> int:
        """See `DatasetReader.count_frames`."""
        path = require_path(clip.video_path, "video")
        return count_frames(path, _find_span(path, clip.clip_id))

    def frame_bounds(self, clip: ClipSource) -> NDArray[np.float64] | None:
        """See `TimesFrames.frame_bounds`."""
        path = require_path(clip.video_path, "video")
        return frame_bounds(path, _find_span(path, clip.clip_id))

    def read_frames(self, clip: ClipSource, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """See `DatasetReader.read_frames`."""
        path = require_path(clip.video_path, "video")
        return decode_frames(path, indices, _find_span(path, clip.clip_id))


def build_gym99(origin: Origin) -> FineGymReader:
    """Return the reader of Gym99; with a source, it has the source's class names and list sizes.

    Raises:
        InputError: if a list, the hierarchy or the categories in the source are malformed.
        MissingDataError: if the source contains no lists.
    """
    source = origin.source
    class_names = read_gym99_class_names(source)
    sets, events = read_gym99_levels(source)
    levels = (GivenSuperclasses("event", events), GivenSuperclasses("set", sets))
    if source is None:
        return FineGymReader(class_names, PROTOCOLS["gym99"], levels=levels)
    parts = [clip.part for clip in read_gym99_lists(source).values()]
    size = PublishedSize("clips the lists name", *(parts.count(part) for part in PARTS))
    protocols = tuple(replace(rule, published=(size,)) for rule in PROTOCOLS["gym99"])
    return FineGymReader(class_names, protocols, levels=levels)


def _file_names(clip_id: str) -> tuple[str, str, str]:
    """Return the possible names of a file with the clip, without ending: the clip, its event, its video."""
    match = _parse_id(clip_id)
    return clip_id, match["event"], match["video"]


def _parse_id(clip_id: str) -> re.Match[str]:
    match = CLIP_ID.fullmatch(clip_id)
    if match is None:
        raise ClipError("the id of a gym99 clip must contain its event and its times", got=clip_id)
    return match


def _find_videos(source: Path, wanted: frozenset[str]) -> dict[str, Path]:
    videos: dict[str, Path] = {}
    for match, path in find_named(source, _VIDEO_FILE):
        if match[1] in wanted:
            videos.setdefault(match[1], path)
    return videos


def _number_videos(listed: Mapping[str, ListedClip]) -> dict[str, int]:
    names = sorted({_file_names(clip_id)[-1] for clip_id in listed})
    return {name: number for number, name in enumerate(names, start=1)}


def _find_span(path: Path, clip_id: str) -> Span | None:
    """Return the span of the clip in one of the files of `_file_names`; None for the whole file."""
    stem = composed(path.stem)
    if stem == clip_id:
        return None
    match = _parse_id(clip_id)
    start_s, stop_s = int(match["start_s"]), int(match["stop_s"])
    if stop_s < start_s:
        raise ClipError("a clip must not end before it begins", got=clip_id)
    offset_s = 0 if stem == match["event"] else int(match["event_s"])
    # A clip that starts and stops within one second lasts one second.
    return Span(offset_s + start_s, offset_s + max(stop_s, start_s + 1))
