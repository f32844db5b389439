"""The contract of dataset readers, tested on every registered reader and on the example package."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from autohier.data.datasets.base import ClipSource, DatasetReader, bounds_of_frames
from autohier.data.datasets.registry import DATASETS, find_dataset, open_dataset
from autohier.data.skeleton import LAYOUTS
from autohier.errors import ClipError, InputError, MissingDataError
from support.fakes.fake_packages import installed_example
from support.sources.tiny_custom import write_custom_clip
from support.sources.tiny_datasets import body_joints, write_ntu_clip, write_utd_clip
from support.sources.tiny_finegym import write_gym99_clip
from support.sources.tiny_pyskl import add_to_pyskl
from support.sources.tiny_skeletons import write_msr_clip
from support.sources.tiny_ucla import write_ucla_frames, write_ucla_json, write_ucla_video


@dataclass(frozen=True)
class Case:
    """A small source of one dataset.

    Attributes:
        write: writes a clip below a folder of the source.
        file: name of the source, if it is one file.
        name: name of the dataset, if it is not the registered one.
        protocol: its default protocol.
    """

    dataset: str
    modality: str
    clip_ids: tuple[str, ...]
    write: Callable[[Path, str], object]
    file: str = ""
    name: str = ""
    protocol: str = "cross-subject"
    has_skeletons: bool = True


def add_pose(folder: Path, clip_id: str) -> None:
    add_to_pyskl(folder.parent / "my_poses.pkl", clip_id)


def add_video(folder: Path, clip_id: str) -> None:
    write_custom_clip(folder.parent, clip_id)


def add_array(folder: Path, clip_id: str) -> None:
    path = folder / f"{clip_id}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, body_joints(6).astype(np.float32))


NTU_IDS = ("S001C001P001R001A001", "S001C002P002R002A003", "S002C003P004R001A012")
UTD_IDS = ("a10_s2_t4", "a1_s1_t1", "a27_s8_t1")
UCLA_IDS = ("a12_s10_e02_v03", "a01_s01_e00_v01", "a08_s02_e01_v02")
MSR_IDS = ("a20_s10_e03", "a01_s01_e01", "a13_s02_e02")
GYM_IDS = ("zfqS-wCJSsw_E_006732_006824_A_0000_0007", "0LtLS9wROrk_E_002407_002435_A_0003_0005")
NPY_IDS = ("wave/P001_1", "clap/P002_1", "clap/P001_2")
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
    Case("custom", "skeleton", MSR_IDS, write_msr_clip, name="my-videos"),
    Case("pyskl", "skeleton", ("b", "a", "c/d"), add_pose, "my_poses.pkl", "my-poses", "xsub"),
    Case("npy", "skeleton", NPY_IDS, add_array, name="my-videos"),
]


@dataclass(frozen=True)
class Opened:
    case: Case
    source: Path
    reader: DatasetReader
    clips: list[ClipSource]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The example package."""
    with installed_example("autohier-dataset", tmp_path_factory.mktemp("example")):
        yield


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case.dataset}-{case.modality}")
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    case: Case = request.param
    if case.dataset == "npy":
        request.getfixturevalue("example")
    source = tmp_path_factory.mktemp(case.dataset) / "My_Videos"
    for number, clip_id in enumerate(case.clip_ids):
        case.write(source / f"part{number % 2}", clip_id)
    (source / "README.txt").write_text("not a clip")
    source /= case.file
    reader = open_dataset(case.dataset, modality=case.modality, source=source)
    return Opened(case, source, reader, reader.find_clips(source))


def test_every_registered_reader_is_tested() -> None:
    own = [name for name in DATASETS.names if DATASETS.source(name).package == "autohier"]
    assert {(case.dataset, case.modality) for case in CASES} - {("npy", "skeleton")} == {
        (name, modality) for name in own for modality in find_dataset(name)[1].modalities
    }


@pytest.mark.usefixtures("example")
def test_the_example_package_is_registered() -> None:
    assert DATASETS.source("npy").package == "autohier-npy"
    with pytest.raises(InputError, match=r"unknown dataset 'nbpy': did you mean 'npy'\?"):
        open_dataset("nbpy")


def test_name_modality_and_protocol_are_as_opened(opened: Opened) -> None:
    name = opened.case.name or opened.case.dataset
    assert (opened.reader.name, opened.reader.modality) == (name, opened.case.modality)
    assert opened.reader.protocols[0].name == opened.case.protocol
    assert len(set(opened.reader.class_names)) == len(opened.reader.class_names)
    assert LAYOUTS[opened.reader.joint_layout.name] is opened.reader.joint_layout
    assert all(len(level.assignment) == len(opened.reader.class_names) for level in opened.reader.levels)


def test_a_reader_is_picklable(opened: Opened) -> None:
    assert pickle.loads(pickle.dumps(opened.reader)) == opened.reader


def test_clips_are_found_at_any_depth_and_sorted_by_id(opened: Opened) -> None:
    assert [clip.clip_id for clip in opened.clips] == sorted(opened.case.clip_ids)
    assert all(0 <= clip.label < len(opened.reader.class_names) for clip in opened.clips)


def test_frames_have_the_given_indices_and_channels(opened: Opened) -> None:
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
    assert frames[0].mean() < frames[1].mean()  # brightness increases in all generated clips


def test_skeletons_have_the_joint_layout(opened: Opened) -> None:
    if not opened.case.has_skeletons:
        assert all(clip.skeleton_path is None for clip in opened.clips)
        return
    skeleton = opened.reader.read_skeleton(opened.clips[0])
    assert skeleton.joints_MTV3_m.shape == (1, 6, opened.reader.joint_layout.num_joints, 3)
    assert skeleton.pixels_MTV2.shape == (1, 6, opened.reader.joint_layout.num_joints, 2)
    assert skeleton.joints_MTV3_m.dtype == skeleton.pixels_MTV2.dtype == np.float32
    assert skeleton.layout == opened.reader.joint_layout.name
    # The generated body is 1.6 m tall, centred in front of the camera at 3 m.
    x, y = np.moveaxis(skeleton.pixels_MTV2[0], -1, 0)
    assert ((x > 0) & (x < skeleton.image_width_px)).all()
    assert ((y > 0) & (y < skeleton.image_height_px)).all()


def test_the_times_of_frames_agree_with_their_number(opened: Opened) -> None:
    if not opened.reader.channels:
        return
    bounds_s = bounds_of_frames(opened.reader, opened.clips[0])
    if bounds_s is not None:  # the containers of the other readers store no times
        assert opened.case.dataset in {"custom", "gym99"}
        assert len(bounds_s) == opened.reader.count_frames(opened.clips[0]) + 1
        np.testing.assert_allclose(bounds_s * 30, np.arange(len(bounds_s)), atol=0.05)


def test_a_clip_without_files_is_an_error(opened: Opened) -> None:
    clip = opened.clips[0]
    bare = ClipSource(clip.clip_id, clip.label, 1, 1, 1, 1, video_path=None, skeleton_path=None)
    with pytest.raises(ClipError, match="must have a skeleton file"):
        opened.reader.read_skeleton(bare)
    if opened.reader.channels:
        with pytest.raises(ClipError, match=r"must have a (video|depth|rgb) file"):
            opened.reader.count_frames(bare)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7])
def test_truncated_files_are_refused(opened: Opened, tmp_path: Path, kept: float) -> None:
    clip = opened.clips[0]

    def truncate(path: Path) -> Path:
        if path.is_dir():
            shutil.copytree(path, tmp_path / path.name, dirs_exist_ok=True)
        for file in path.iterdir() if path.is_dir() else [path]:
            content = file.read_bytes()
            (tmp_path / file.relative_to(path.parent)).write_bytes(content[: int(kept * len(content))])
        return tmp_path / path.name

    if opened.case.file:  # a clip of such a source carries its own content
        with pytest.raises(InputError, match="must be a complete pickle"):
            open_dataset(opened.case.dataset, source=truncate(opened.source))
    elif opened.case.has_skeletons:
        assert clip.skeleton_path is not None
        with pytest.raises(ClipError, match="must"):
            opened.reader.read_skeleton(replace(clip, skeleton_path=truncate(clip.skeleton_path)))
    if opened.reader.channels:
        assert clip.video_path is not None
        truncated = replace(clip, video_path=truncate(clip.video_path))
        with pytest.raises(ClipError, match="must"):
            list(opened.reader.read_frames(truncated, range(opened.reader.count_frames(truncated))))


def test_a_source_without_clips_is_refused(opened: Opened, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"must (contain (clips|files) named like|be a pickle file)"):
        opened.reader.find_clips(tmp_path)
    with pytest.raises(MissingDataError, match=r"the source must be a (folder|pickle file)"):
        opened.reader.find_clips(tmp_path / "none")
    with pytest.raises(MissingDataError, match=r"the source must be .*File name too long"):
        opened.reader.find_clips(tmp_path / ("x" * 300))
