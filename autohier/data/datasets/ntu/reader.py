"""NTU RGB+D 60 and 120: RGB videos and .skeleton files, or the .skeleton files alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from autohier.data.datasets.base import ClipSource, DatasetWarning, Origin
from autohier.data.datasets.common.file_search import find_named_clips, require_path
from autohier.data.datasets.common.video_files import VideoFileFrames
from autohier.data.datasets.ntu.skeleton import read_ntu_skeleton
from autohier.data.joint_layout import JointLayout
from autohier.data.protocols import PROTOCOLS, Protocol
from autohier.data.skeleton import KINECT_V2_25, Skeleton
from autohier.data.superclasses import GivenSuperclasses
from autohier.errors import ClipError, MissingDataError

_CLIP_ID = r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})"
_SKELETON_FILE = re.compile(rf"({_CLIP_ID})(\.skeleton)")
_CLIP_FILE = re.compile(rf"({_CLIP_ID})(_rgb\.avi|\.skeleton)")

NTU60_CLASS_NAMES = (
    *("drink water", "eat meal/snack", "brushing teeth", "brushing hair", "drop", "pickup", "throw"),
    *("sitting down", "standing up (from sitting position)", "clapping", "reading", "writing"),
    *("tear up paper", "wear jacket", "take off jacket", "wear a shoe", "take off a shoe", "wear on glasses"),
    *("take off glasses", "put on a hat/cap", "take off a hat/cap", "cheer up", "hand waving"),
    *("kicking something", "reach into pocket", "hopping (one foot jumping)", "jump up"),
    *("make a phone call/answer phone", "playing with phone/tablet", "typing on a keyboard"),
    *("pointing to something with finger", "taking a selfie", "check time (from watch)"),
    *("rub two hands together", "nod head/bow", "shake head", "wipe face", "salute"),
    *("put the palms together", "cross hands in front (say stop)", "sneeze/cough", "staggering", "falling"),
    *("touch head (headache)", "touch chest (stomachache/heart pain)", "touch back (backache)"),
    *("touch neck (neckache)", "nausea or vomiting condition"),
    *("use a fan (with hand or paper)/feeling warm", "punching/slapping other person"),
    *("kicking other person", "pushing other person", "pat on back of other person"),
    *("point finger at the other person", "hugging other person", "giving something to other person"),
    *("touch other person's pocket", "handshaking", "walking towards each other"),
    "walking apart from each other",
)

NTU120_CLASS_NAMES = (
    *NTU60_CLASS_NAMES,
    *("put on headphone", "take off headphone", "shoot at the basket", "bounce ball"),
    *("tennis bat swing", "juggling table tennis balls", "hush (quite)", "flick hair", "thumb up"),
    *("thumb down", "make ok sign", "make victory sign", "staple book", "counting money"),
    *("cutting nails", "cutting paper (using scissors)", "snapping fingers", "open bottle"),
    *("sniff (smell)", "squat down", "toss a coin", "fold paper", "ball up paper", "play magic cube"),
    *("apply cream on face", "apply cream on hand back", "put on bag", "take off bag"),
    *("put something into a bag", "take something out of a bag", "open a box", "move heavy objects"),
    *("shake fist", "throw up cap/hat", "hands up (both hands)", "cross arms", "arm circles"),
    *("arm swings", "running on the spot", "butt kicks (kick backward)", "cross toe touch"),
    *("side kick", "yawn", "stretch oneself", "blow nose", "hit other person with something"),
    *("wield knife towards other person", "knock over other person (hit with body)"),
    *("grab other person's stuff", "shoot at other person with a gun", "step on foot", "high-five"),
    *("cheers and drink", "carry something with other person", "take a photo of other person"),
    *("follow other person", "whisper in other person's ear", "exchange things with other person"),
    *("support somebody with hand", "finger-guessing game (playing rock-paper-scissors)"),  # language: quote
)

_MUTUAL_ACTIONS = frozenset((*range(50, 61), *range(106, 121)))
_MEDICAL_ACTIONS = frozenset((*range(41, 50), *range(103, 106)))


@dataclass(frozen=True, slots=True)
class NtuReader(VideoFileFrames):
    """Reader of NTU's file layout: ``SsssCcccPpppRrrrAaaa_rgb.avi`` and ``.skeleton``.

    Classes beyond ``class_names`` are skipped, so that NTU 120 may be in the same folder. A skeleton that the
    dataset's authors list as missing or incomplete is not read.
    """

    name: str
    class_names: tuple[str, ...]
    protocols: tuple[Protocol, ...]
    modality: Literal["rgb", "skeleton"] = "rgb"
    joint_layout: JointLayout = KINECT_V2_25
    sided: bool = False
    levels: tuple[GivenSuperclasses, ...] = ()
    warnings: tuple[DatasetWarning, ...] = ()
    missing_skeletons: frozenset[str] = frozenset()
    joins_tracks: Literal[True] = True

    @property
    def channels(self) -> int:
        """Number of channels: 3 for RGB, 0 for skeletons alone."""
        return 3 if self.modality == "rgb" else 0

    def find_clips(self, source: Path) -> list[ClipSource]:
        """See `DatasetReader.find_clips`."""
        pattern = _CLIP_FILE if self.modality == "rgb" else _SKELETON_FILE
        actions = range(1, len(self.class_names) + 1)
        named = find_named_clips(source, pattern)
        found = {clip_id: clip for clip_id, clip in named.items() if clip.numbers[-1] in actions}
        if not found:
            raise MissingDataError(
                f"a source of {self.name} must contain clips named like S001C001P001R001A001"
                f"{'_rgb.avi' if self.modality == 'rgb' else '.skeleton'}",
                got=source,
                hint="check --source",
            )
        return [
            ClipSource(
                clip_id=clip_id,
                label=action - 1,
                subject=subject,
                camera=camera,
                setup=setup,
                replication=replication,
                video_path=clip.files.get("_rgb.avi"),
                skeleton_path=None if clip_id in self.missing_skeletons else clip.files.get(".skeleton"),
            )
            for clip_id, clip in found.items()
            for setup, camera, subject, replication, action in [clip.numbers]
        ]

    def read_skeleton(self, clip: ClipSource) -> Skeleton:
        """See `DatasetReader.read_skeleton`."""
        if clip.clip_id in self.missing_skeletons:
            raise ClipError(
                "a clip must have a skeleton that NTU's authors do not list as missing or incomplete"
            )
        return read_ntu_skeleton(require_path(clip.skeleton_path, "skeleton"))


def build_ntu60(origin: Origin) -> NtuReader:
    """Return the reader of NTU RGB+D 60."""
    return _build("ntu60", origin)


def build_ntu120(origin: Origin) -> NtuReader:
    """Return the reader of NTU RGB+D 120."""
    return _build("ntu120", origin)


def _build(name: Literal["ntu60", "ntu120"], origin: Origin) -> NtuReader:
    class_names = NTU60_CLASS_NAMES if name == "ntu60" else NTU120_CLASS_NAMES
    return NtuReader(
        name=name,
        class_names=class_names,
        protocols=PROTOCOLS[name],
        modality="rgb" if origin.modality == "rgb" else "skeleton",
        missing_skeletons=_read_missing_skeletons(),
        levels=(GivenSuperclasses.from_groups("group", [_group(k + 1) for k in range(len(class_names))]),),
    )


@cache
def _read_missing_skeletons() -> frozenset[str]:
    """Return the clips that NTU's authors list: 535 of NTU 120, of which 302 belong to NTU 60."""
    table = files("autohier.data.datasets.ntu").joinpath("missing_skeletons.txt")
    return frozenset(table.read_text("ascii").split())


def _group(action: int) -> str:
    """Return the group of an action, counted from 1, on the dataset's page."""
    if action in _MUTUAL_ACTIONS:
        return "mutual"
    return "medical" if action in _MEDICAL_ACTIONS else "daily"
