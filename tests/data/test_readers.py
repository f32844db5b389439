"""The contract of dataset readers, run over all of them; what is particular to one comes after."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from autohier.data.datasets.reader import ClipSource, DatasetReader
from autohier.data.datasets.registry import READERS, open_dataset
from autohier.data.datasets.utd_mhad import UtdMhadReader, depth_to_grey
from autohier.errors import ClipError, InputError, MissingDataError
from tiny_custom import write_custom_clip
from tiny_datasets import write_ntu_clip, write_utd_clip
from tiny_finegym import write_gym99_clip
from tiny_pyskl import add_to_pyskl
from tiny_ucla import write_ucla_frames, write_ucla_json, write_ucla_video


@dataclass(frozen=True)
class Case:
    dataset: str
    modality: str
    clip_ids: tuple[str, ...]
    write: Callable[[Path, str], object]
    file: str = ""  # of the source, where it is one file
    name: str = ""  # where it is not the dataset's
    protocol: str = "cross-subject"
    has_skeletons: bool = True


def add_pose(folder: Path, clip_id: str) -> None:
    add_to_pyskl(folder.parent / "my_poses.pkl", clip_id)


def add_video(folder: Path, clip_id: str) -> None:
    write_custom_clip(folder.parent, clip_id)


NTU_IDS = ("S001C001P001R001A001", "S001C002P002R002A003", "S002C003P004R001A012")
UTD_IDS = ("a10_s2_t4", "a1_s1_t1", "a27_s8_t1")
UCLA_IDS = ("a12_s10_e02_v03", "a01_s01_e00_v01", "a08_s02_e01_v02")
GYM_IDS = ("zfqS-wCJSsw_E_006732_006824_A_0000_0007", "0LtLS9wROrk_E_002407_002435_A_0003_0005")
CASES = [
    Case("ntu60", "rgb", NTU_IDS, write_ntu_clip),
    Case("demo", "rgb", NTU_IDS, write_ntu_clip),
    Case("utd-mhad", "depth", UTD_IDS, write_utd_clip),
    Case("utd-mhad", "rgb", UTD_IDS, write_utd_clip),
    Case("ntu120", "rgb", (*NTU_IDS, "S032C003P106R002A120"), write_ntu_clip),
    Case("ntu60", "skeleton", NTU_IDS, write_ntu_clip),
    Case("ntu120", "skeleton", NTU_IDS, write_ntu_clip),
    Case("utd-mhad", "skeleton", UTD_IDS, write_utd_clip),
    Case("n-ucla", "rgb", UCLA_IDS, write_ucla_frames, protocol="view1"),
    Case("n-ucla", "rgb", UCLA_IDS, write_ucla_video, protocol="view1"),
    Case("n-ucla", "skeleton", UCLA_IDS, write_ucla_frames, protocol="view1"),
    Case("n-ucla", "skeleton", UCLA_IDS, write_ucla_json, protocol="view1"),
    Case("gym99", "rgb", GYM_IDS, write_gym99_clip, protocol="gym99", has_skeletons=False),
    Case("custom", "rgb", ("wave/1", "clap/2", "clap/1"), add_video, "", "my-videos", "random"),
    Case("pyskl", "skeleton", ("b", "a", "c/d"), add_pose, "my_poses.pkl", "my-poses", "xsub"),
]


@dataclass(frozen=True)
class Opened:
    case: Case
    source: Path
    reader: DatasetReader
    clips: list[ClipSource]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case.dataset}-{case.modality}")
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    case: Case = request.param
    source = tmp_path_factory.mktemp(case.dataset) / "My_Videos"
    for number, clip_id in enumerate(case.clip_ids):
        case.write(source / f"part{number % 2}", clip_id)
    (source / "README.txt").write_text("not a clip")
    source /= case.file
    reader = open_dataset(case.dataset, modality=case.modality, source=source)
    return Opened(case, source, reader, reader.find_clips(source))


def test_every_registered_reader_is_tested() -> None:
    assert {(case.dataset, case.modality) for case in CASES} == {
        (dataset, modality) for dataset, modalities in READERS.items() for modality in modalities
    }


def test_it_is_what_it_was_opened_as(opened: Opened) -> None:
    name = opened.case.name or opened.case.dataset
    assert (opened.reader.name, opened.reader.modality) == (name, opened.case.modality)
    assert opened.reader.protocols[0].name == opened.case.protocol
    assert len(set(opened.reader.class_names)) == len(opened.reader.class_names)


def test_it_crosses_to_a_worker(opened: Opened) -> None:
    assert pickle.loads(pickle.dumps(opened.reader)) == opened.reader


def test_clips_are_found_at_any_depth_in_the_order_of_their_ids(opened: Opened) -> None:
    assert [clip.clip_id for clip in opened.clips] == sorted(opened.case.clip_ids)
    assert all(0 <= clip.label < len(opened.reader.class_names) for clip in opened.clips)


def test_frames_come_at_the_indices_and_in_the_shape_it_says(opened: Opened) -> None:
    if not opened.reader.channels:
        assert opened.reader.modality == "skeleton"
        assert all(clip.video_path is None for clip in opened.clips)
        return
    clip = opened.clips[0]
    assert opened.reader.count_frames(clip) == 6
    frames = list(opened.reader.read_frames(clip, (1, 4)))
    assert len(frames) == 2
    assert all(frame.dtype == np.uint8 and frame.ndim == 3 for frame in frames)
    assert all(frame.shape[2] == opened.reader.channels for frame in frames)
    assert frames[0].mean() < frames[1].mean()  # all generated clips grow lighter


def test_skeletons_follow_the_layout(opened: Opened) -> None:
    if not opened.case.has_skeletons:
        assert all(clip.skeleton_path is None for clip in opened.clips)
        return
    skeleton = opened.reader.read_skeleton(opened.clips[0])
    assert skeleton.joints_MTV3_m.shape == (1, 6, opened.reader.joint_layout.num_joints, 3)
    assert skeleton.pixels_MTV2.shape == (1, 6, opened.reader.joint_layout.num_joints, 2)
    assert skeleton.joints_MTV3_m.dtype == skeleton.pixels_MTV2.dtype == np.float32
    assert skeleton.layout == opened.reader.joint_layout.name
    # The generated body is centred before the camera and 1.6 m tall at 3 m.
    x, y = np.moveaxis(skeleton.pixels_MTV2[0], -1, 0)
    assert ((x > 0) & (x < skeleton.image_width_px)).all()
    assert ((y > 0) & (y < skeleton.image_height_px)).all()


def test_missing_files_are_named_in_the_reason(opened: Opened) -> None:
    clip = opened.clips[0]
    bare = ClipSource(clip.clip_id, clip.label, 1, 1, 1, 1, video_path=None, skeleton_path=None)
    with pytest.raises(ClipError, match="must have a skeleton file"):
        opened.reader.read_skeleton(bare)
    if opened.reader.channels:
        with pytest.raises(ClipError, match=r"must have a (video|depth|rgb) file"):
            opened.reader.count_frames(bare)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.7])
def test_files_cut_short_are_refused(opened: Opened, tmp_path: Path, keep: float) -> None:
    clip = opened.clips[0]

    def cut(path: Path) -> Path:
        if path.is_dir():
            shutil.copytree(path, tmp_path / path.name, dirs_exist_ok=True)
        for file in path.iterdir() if path.is_dir() else [path]:
            content = file.read_bytes()
            (tmp_path / file.relative_to(path.parent)).write_bytes(content[: int(keep * len(content))])
        return tmp_path / path.name

    if opened.case.file:  # of which a clip brings along what it needs
        with pytest.raises(InputError, match="must be a whole pickle"):
            open_dataset(opened.case.dataset, source=cut(opened.source))
    elif opened.case.has_skeletons:
        assert clip.skeleton_path is not None
        with pytest.raises(ClipError, match="must"):
            opened.reader.read_skeleton(replace(clip, skeleton_path=cut(clip.skeleton_path)))
    if opened.reader.channels:
        assert clip.video_path is not None
        short = replace(clip, video_path=cut(clip.video_path))
        with pytest.raises(ClipError, match="must"):
            list(opened.reader.read_frames(short, range(opened.reader.count_frames(short))))


def test_a_source_without_clips_is_refused(opened: Opened, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"must (hold (clips|files) named like|be a pickle file)"):
        opened.reader.find_clips(tmp_path)
    with pytest.raises(MissingDataError, match=r"the source must be a (folder|pickle file)"):
        opened.reader.find_clips(tmp_path / "none")
    with pytest.raises(MissingDataError, match=r"the source must be .*File name too long"):
        opened.reader.find_clips(tmp_path / ("x" * 300))


def test_a_skeleton_that_ntu_s_authors_list_is_set_aside_for_that(tmp_path: Path) -> None:
    write_ntu_clip(tmp_path, "S001C002P005R002A008")  # the first of their list
    reader = open_dataset("ntu60")
    (clip,) = reader.find_clips(tmp_path)
    assert clip.skeleton_path is None
    with pytest.raises(ClipError, match="that NTU's authors do not list as missing or incomplete"):
        reader.read_skeleton(clip)


def test_ntu_names_are_taken_apart(tmp_path: Path) -> None:
    write_ntu_clip(tmp_path, "S017C003P040R002A060")
    (tmp_path / "S018C001P050R001A061_rgb.avi").touch()  # NTU 120's
    (tmp_path / "S001C001P001R001A002.skeleton").touch()  # without a video
    first, last = open_dataset("ntu60").find_clips(tmp_path)
    assert (last.setup, last.camera, last.subject, last.replication, last.label) == (17, 3, 40, 2, 59)
    assert first.video_path is None
    assert first.skeleton_path == tmp_path / "S001C001P001R001A002.skeleton"


@pytest.mark.parametrize("dataset", ["ntu60", "ntu120"])
def test_skeletons_that_ntu_lists_as_flawed_are_not_used(tmp_path: Path, dataset: str) -> None:
    write_ntu_clip(tmp_path, "S001C001P001R001A001")
    write_ntu_clip(tmp_path, "S001C002P005R002A008")  # the first of both lists
    whole, flawed = open_dataset(dataset).find_clips(tmp_path)
    assert whole.skeleton_path is not None
    assert flawed.skeleton_path is None


def test_the_demo_names_clips_as_ntu_does_and_has_none_that_are_flawed(tmp_path: Path) -> None:
    write_ntu_clip(tmp_path, "S001C002P005R002A008")
    (clip,) = open_dataset("demo").find_clips(tmp_path)
    assert clip.skeleton_path is not None


def test_depth_becomes_grey_between_the_limits() -> None:
    # 1.7 m -> 1, 4.1 m -> 255, halfway 2.9 m -> 128; beyond them the same, no reading 0.
    depth = np.array([[0, 500, 1700, 2900, 4100, 9000]], dtype=np.uint16)
    assert depth_to_grey(depth).tolist() == [[0, 1, 1, 128, 255, 255]]
    absurd = np.array([[np.nan, np.inf, -np.inf, 1e300, -1e300]])
    with np.errstate(all="raise"):
        assert depth_to_grey(absurd).tolist() == [[0, 255, 0, 255, 0]]


def test_utd_pixels_of_depth_are_half_those_of_colour(tmp_path: Path) -> None:
    write_utd_clip(tmp_path, "a1_s1_t1")
    depth, colour = UtdMhadReader("depth"), UtdMhadReader("rgb")
    small = depth.read_skeleton(depth.find_clips(tmp_path)[0])
    large = colour.read_skeleton(colour.find_clips(tmp_path)[0])
    np.testing.assert_allclose(2 * small.pixels_MTV2, large.pixels_MTV2, rtol=1e-5)
    assert small.pixels_MTV2[0, 0, 0, 1] > small.pixels_MTV2[0, 0, 19, 1]  # the lowest joint comes first


@pytest.mark.parametrize(
    ("name", "expected"), [("UTD_MHAD", "utd-mhad"), ("ntu60", "ntu60"), (" Demo ", "demo")]
)
def test_names_are_forgiving(name: str, expected: str) -> None:
    assert open_dataset(name).name == expected


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"got 'ntu-6': did you mean 'ntu60'\?"):
        open_dataset("ntu-6")
    with pytest.raises(InputError, match="modality of ntu60 must be one of rgb, skeleton, but got depth"):
        open_dataset("ntu60", modality="depth")
    with pytest.raises(InputError, match="a name is given to pyskl"):
        open_dataset("ntu60", stored_as="mine")


def test_a_skeleton_of_more_than_twenty_minutes_is_refused(tmp_path: Path) -> None:
    write_utd_clip(tmp_path, "a1_s1_t1")
    (path,) = tmp_path.rglob("*skeleton.mat")
    savemat(path, {"d_skel": np.ones((20, 3, 36_001), dtype=np.uint8)}, do_compression=True)
    reader = UtdMhadReader("skeleton")
    (clip,) = reader.find_clips(tmp_path)
    with pytest.raises(ClipError, match="at most 36,000 frames, but got 36001"):
        reader.read_skeleton(clip)


def test_a_depth_frame_beyond_8k_is_not_unpacked(tmp_path: Path) -> None:
    write_utd_clip(tmp_path, "a1_s1_t1")
    (path,) = tmp_path.rglob("*depth.mat")
    savemat(path, {"d_depth": np.ones((2**13, 2**12 + 1, 1), dtype=np.uint8)}, do_compression=True)
    reader = UtdMhadReader("depth")
    (clip,) = reader.find_clips(tmp_path)
    with pytest.raises(ClipError, match=r"at most 33,554,432 pixels, but got \(8192, 4097\)"):
        reader.count_frames(clip)


def test_a_file_of_matlab_7_3_is_a_clip_that_cannot_be_read(tmp_path: Path) -> None:
    # The header of MATLAB's level 5 and 7.3 files: 116 bytes of text, 8 of offset, version, byte order.
    header = b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + (0x0200).to_bytes(2, "little") + b"IM"
    write_utd_clip(tmp_path, "a1_s1_t1")
    for path in tmp_path.rglob("*.mat"):
        path.write_bytes(header + bytes(512))
    reader = UtdMhadReader("depth")
    (clip,) = reader.find_clips(tmp_path)

    for read in (reader.read_skeleton, reader.count_frames):
        with pytest.raises(ClipError, match=r"must be of version 5, but got MATLAB 7\.3 MAT-file"):
            read(clip)
