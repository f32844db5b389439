"""Small sources of every reader, and the file in each that is damaged."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy.io import savemat

from support.sources.tiny_custom import write_custom_clip
from support.sources.tiny_datasets import (
    body_joints,
    numbered_frames,
    skeleton_text,
    write_utd_clip,
    write_video,
)
from support.sources.tiny_finegym import TRAIN, write_gym99_clip, write_gym99_video
from support.sources.tiny_pyskl import add_to_pyskl
from support.sources.tiny_skeletons import write_msr_clip, write_utkinect_take
from support.sources.tiny_ucla import frame_path, write_ucla_frames, write_ucla_json, write_ucla_video

NUM_FRAMES = 3
NTU = ("S001C001P001R001A001", "S001C002P002R002A003", "S002C001P004R001A012")
UTD = ("a1_s1_t1", "a10_s2_t4", "a27_s8_t1")
UCLA = ("a01_s01_e00_v01", "a08_s02_e01_v02", "a12_s10_e02_v03")
GYM = tuple(f"0LtLS9wROrk_E_00240{k}_002435_A_0000_0001" for k in range(3))
WHOLE_GYM = tuple(f"video{k}_E_000002_000003_A_0000_0001" for k in (2, 0, 1))  # subjects 3, 1, 2
CUSTOM = ("wave/1", "clap/1", "clap/2")
MSR = ("a03_s01_e01", "a01_s02_e01", "a02_s03_e01")
UTKINECT = ("s03_e02_walk", "s01_e01_walk", "s02_e01_sitDown")


@dataclass(frozen=True)
class Case:
    """One file of a source.

    Attributes:
        reader: name of its reader.
        file: kind of the file.
        dataset, modality: arguments of `open_dataset`.
        clip_ids: ids of the clips in the source; the first is that of the file.
        write: writes a good clip into a folder and returns the file to damage.
        is_text: True if the file consists of words rather than bytes.
        is_list: True if the file describes all clips, so that the whole source may be refused for its faults.
        unwrap, wrap: convert the file to the content to damage and back; None if that is the file.
        per_byte: bytes of memory that reading may take per byte of the file.
        free_mib: memory that reading may take for a file of any length.
    """

    reader: str
    file: str
    dataset: str
    modality: str
    clip_ids: tuple[str, ...]
    write: Callable[[Path, str], Path]
    is_text: bool = False
    is_list: bool = False
    unwrap: Callable[[bytes], bytes] | None = None
    wrap: Callable[[bytes], bytes] | None = None
    per_byte: int = 100
    free_mib: int = 48

    def content(self, path: Path) -> bytes:
        """Return the content of a file that is damaged."""
        content = path.read_bytes()
        return self.unwrap(content) if self.unwrap else content

    def place(self, path: Path, content: bytes) -> None:
        """Write damaged content to its file."""
        path.write_bytes(self.wrap(content) if self.wrap else content)

    def source(self, folder: Path) -> Path:
        """Return the source: the folder, or the file if the source is a file."""
        return folder / "poses.pkl" if self.dataset == "pyskl" else folder

    def __str__(self) -> str:
        return f"{self.reader} {self.file}"


def _ntu_skeleton(folder: Path, clip_id: str) -> Path:
    bodies = {"72057594037931101": body_joints(NUM_FRAMES), "2": body_joints(NUM_FRAMES, sway_m=0.3)}
    path = folder / f"{clip_id}.skeleton"
    path.write_text(skeleton_text(bodies))
    return path


def _ntu_video(folder: Path, clip_id: str) -> Path:
    _ntu_skeleton(folder, clip_id)
    path = folder / f"{clip_id}_rgb.avi"
    write_video(path, numbered_frames(NUM_FRAMES, 64, 48))
    return path


def _utd(folder: Path, clip_id: str, kind: str) -> Path:
    write_utd_clip(folder, clip_id, num_frames=NUM_FRAMES)
    (path,) = folder.rglob(f"{clip_id}_{kind}")
    return path


def _utd_uncompressed_depth(folder: Path, clip_id: str) -> Path:
    path = _utd(folder, clip_id, "depth.mat")
    savemat(path, {"d_depth": np.full((24, 32, NUM_FRAMES), 3000, dtype=np.uint16)})
    return path


def _ucla_frame(folder: Path, clip_id: str, ending: str) -> Path:
    return frame_path(write_ucla_frames(folder, clip_id, num_frames=NUM_FRAMES), 2, ending)


def _ucla_json(folder: Path, clip_id: str) -> Path:
    return write_ucla_json(folder, clip_id, num_frames=NUM_FRAMES)


def _ucla_video(folder: Path, clip_id: str) -> Path:
    write_ucla_video(folder, clip_id, num_frames=NUM_FRAMES)
    action, subject, replication, view = clip_id.split("_")
    return folder / action / f"{view}_{subject}_{replication}.avi"


def _gym(folder: Path, clip_id: str, name: str) -> Path:
    """Write a trimmed clip or its event, with all lists and tables that a source may have."""
    write_gym99_clip(folder / "clips", clip_id)
    (folder / "gym99_val_element.txt").write_text("zfqS-wCJSsw_E_006732_006824_A_0000_0007 1\n")
    sets = "".join(f"{k},set {k % 9},event {k % 3}\n" for k in range(99))
    (folder / "gym99_hierarchy.csv").write_text(f"element,set,event\n{sets}")
    names = "".join(f"Clabel: {k}; set: 1; Glabel: {k}; (VT) element {k}\n" for k in range(99))
    (folder / "gym99_categories.txt").write_text(names)
    path = folder / name.format(clip=clip_id, event=clip_id.partition("_A_")[0])
    if path.suffix == ".mp4":
        (folder / "clips" / "subactions" / f"{clip_id}.mp4").rename(path)
    return path


def _gym_whole(folder: Path, clip_id: str) -> Path:
    """Write a whole video, of which the clip is a later part."""
    _gym(folder, clip_id, "{clip}.mp4").unlink()
    return write_gym99_video(folder, clip_id.partition("_E_")[0], num_frames=75)


def _pyskl(folder: Path, clip_id: str, protocol: int) -> Path:
    path = folder / "poses.pkl"
    add_to_pyskl(path, clip_id)
    path.write_bytes(pickle.dumps(pickle.loads(path.read_bytes()), protocol=protocol))
    return path


def _custom(folder: Path, clip_id: str, name: str) -> Path:
    """Write a clip with its poses, and its line in the table if that is the file to damage."""
    write_custom_clip(folder, clip_id, num_frames=NUM_FRAMES)
    table = folder / "clips.csv"
    if name == table.name:
        with table.open("a") as file:
            if not file.tell():
                file.write("path,label,subject,camera,setup,split,skeleton\n")
            part = "train" if clip_id == CUSTOM[0] else "test"
            file.write(f"videos/{clip_id}.mp4,{clip_id[:4]},{clip_id[-1]},1,1,{part},poses/{clip_id}.npz\n")
    return folder / name.format(clip=clip_id)


def _custom_video(folder: Path, clip_id: str, ending: str, codec: str) -> Path:
    write_custom_clip(folder, clip_id, num_frames=NUM_FRAMES).unlink()
    path = folder / "videos" / f"{clip_id}{ending}"
    write_video(path, numbered_frames(NUM_FRAMES), codec=codec)
    return path


def _msr(folder: Path, clip_id: str) -> Path:
    return write_msr_clip(folder, clip_id, num_frames=NUM_FRAMES, in_space=True)


def _utkinect(folder: Path, clip_id: str, name: str) -> Path:
    take, _, action = clip_id.rpartition("_")
    write_utkinect_take(folder, take, np.arange(1, NUM_FRAMES + 1))
    with (folder / "actionLabel.txt").open("a") as labels:
        labels.write(f"{take}\n{action}: 1 {NUM_FRAMES}\n")
    return folder / name.format(take=take)


def _zip(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("keypoint.npy", content)
    return buffer.getvalue()


def _unzip(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read("keypoint.npy")


_COMPRESSED = 8000
"""Deflated arrays decompress to up to a thousand times their length, and are copied."""
_FRAME_MIB, _VIDEO_MIB = 400, 1400
"""An 8K frame and its copies; and the largest frame table that FFmpeg may allocate."""

_text = partial(Case, is_text=True)
_list = partial(Case, is_text=True, is_list=True)
_video = partial(Case, free_mib=_VIDEO_MIB)

CASES = [
    _text(
        "ntu", "skeleton", "ntu60", "skeleton", NTU, _ntu_skeleton, per_byte=1000
    ),  # a frame without bodies has 2 bytes
    _video("ntu", "video", "ntu60", "rgb", NTU, _ntu_video),
    *(
        Case("utd-mhad", file, "utd-mhad", file, UTD, partial(_utd, kind=f"{file}.mat"), per_byte=_COMPRESSED)
        for file in ("skeleton", "depth")
    ),
    Case("utd-mhad", "uncompressed depth", "utd-mhad", "depth", UTD, _utd_uncompressed_depth),
    _video("utd-mhad", "video", "utd-mhad", "rgb", UTD, partial(_utd, kind="color.avi")),
    _text("n-ucla", "text", "n-ucla", "rgb", UCLA, partial(_ucla_frame, ending="skeletons.txt")),
    Case(
        "n-ucla", "image", "n-ucla", "rgb", UCLA, partial(_ucla_frame, ending="rgb.jpg"), free_mib=_FRAME_MIB
    ),
    _text("n-ucla", "json", "n-ucla", "skeleton", UCLA, _ucla_json),
    _video("n-ucla", "video", "n-ucla", "rgb", UCLA, _ucla_video),
    *(
        _list("gym99", name.removesuffix(".txt"), "gym99", "rgb", GYM, partial(_gym, name=name))
        for name in (TRAIN, "gym99_hierarchy.csv", "gym99_categories.txt")
    ),
    _video("gym99", "clip", "gym99", "rgb", GYM, partial(_gym, name="{clip}.mp4")),
    _video("gym99", "whole video", "gym99", "rgb", WHOLE_GYM, _gym_whole),
    _video("gym99", "event", "gym99", "rgb", GYM, partial(_gym, name="{event}.mp4")),
    *(
        Case(
            *("pyskl", f"protocol {protocol}", "pyskl", "skeleton", ("a", "b", "c")),
            partial(_pyskl, protocol=protocol),
            is_list=True,
            per_byte=200,
        )
        for protocol in (0, 2, 5)
    ),
    _list("custom", "table", "custom", "rgb", CUSTOM, partial(_custom, name="clips.csv")),
    Case(
        "custom",
        "poses",
        "custom",
        "rgb",
        CUSTOM,
        partial(_custom, name="poses/{clip}.npz"),
        per_byte=_COMPRESSED,
    ),
    Case(
        *("custom", "array", "custom", "rgb", CUSTOM, partial(_custom, name="poses/{clip}.npz")),
        unwrap=_unzip,
        wrap=_zip,
    ),
    *(
        _video("custom", ending, "custom", "rgb", CUSTOM, partial(_custom_video, ending=ending, codec=codec))
        for ending, codec in (
            *((ending, "mpeg4") for ending in (".mp4", ".mov", ".mkv")),
            # FFmpeg reads no .ts of less than 12 packets.
            *((".ts", "mpeg2video"), (".webm", "vp8"), (".gif", "gif")),
        )
    ),
    _text("custom", "MSR's text", "custom", "skeleton", MSR, _msr),
    _text(
        *("custom", "UTKinect's text", "custom", "skeleton", UTKINECT),
        partial(_utkinect, name="joints_{take}.txt"),
    ),
    _list(
        *("custom", "UTKinect's labels", "custom", "skeleton", UTKINECT),
        partial(_utkinect, name="actionLabel.txt"),
    ),
]
BY_NAME = {str(case): case for case in CASES}
