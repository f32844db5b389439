"""N-UCLA: names of clips, and warnings about other files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autohier.data.datasets.base import ClipSource
from autohier.data.datasets.registry import open_dataset
from autohier.errors import MissingDataError
from support.command_line import Autohier
from support.sources.tiny_ucla import write_ucla_frames, write_ucla_video

CLIP_ID = "a01_s01_e00_v01"


@pytest.mark.parametrize(
    "name",
    [
        "a02/v03_s04_e05.avi",
        "a02 pick up with two hands/V03_S04_E05.AVI",
        "02/v03_s04_e05.avi",
        "action_2/c03_s04_e05.avi",
        "a02_s04_e05_v03.avi",
        "videos/a02_s04_e05_c03.avi",
        "view_3/a02_s04_e05_v03.avi",
        "view_3/a02_s04_e05.avi",
        "view3/v03_s04_e05_a02.avi",
        "a02_v03_s04_e05.avi",
        "pick up with two hands/v03_s04_e05.avi",
        "02_pick_up_with_two_hands/v03_s04_e05.avi",
        "v03_s04_e05 pick_up_with_two_hands.avi",
        "V03/A02S04E05.avi",
        "a02/v03/s04_e05.avi",
        "ucla_v2/multiview_videos/a02_s04_e05_v03_rgb.avi",
        "v01/a02_s04_e05_cam3.avi",
        "action_2/subject_4/view_3/episode 5.avi",
    ],
)
def test_names_of_videos_are_parsed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    (clip,) = open_dataset("n-ucla").find_clips(tmp_path)
    assert clip == ClipSource("a02_s04_e05_v03", 1, 4, 3, 1, 5, video_path=path, skeleton_path=None)


@pytest.mark.parametrize(
    "name",
    [
        "v03_s04_e05.avi",
        "walking/v03_s04_e05.avi",
        "a02/clip.avi",
        "a02/x.json",
        "ucla_v2/a02_s04_e05.avi",  # v2 is a version, not a view
        "a02_s04_e05_v03_depth.avi",
        "a02_s04_e05_v03_c01.avi",
        "a07_s04_e05_v03.avi",
        "a02_s04_e05_v04.avi",
        "a02_s04_e05_v003.avi",
        "data02_s04_e05_v03.avi",
    ],
)
def test_other_files_are_skipped(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    others = f" with 1 .avi files of other names, e.g. {name}" if name.endswith("avi") else ""
    rule = "must contain clips named like view_1/a01_s01_e00 or a01_s01_e00_v01.avi, but got "
    with pytest.raises(MissingDataError, match=re.escape(f"{rule}{tmp_path}{others}: check")):
        open_dataset("n-ucla").find_clips(tmp_path)


def test_skipped_videos_cause_a_warning(autohier: Autohier, tmp_path: Path) -> None:
    source = tmp_path / "source"
    write_ucla_video(source, CLIP_ID)
    for name in ("walking.avi", "a01_s01_e00_c01.avi", "notes.txt"):
        (source / "others").mkdir(exist_ok=True)
        (source / "others" / name).touch()
    text = (
        "WARNING: 2 videos are skipped because their names identify no clip, or one that has a video: "
        f"{source / 'others' / 'a01_s01_e00_c01.avi'}, {source / 'others' / 'walking.avi'}"
    )
    hint = "name them like a01_s01_e00_v01.avi to include them"
    checked = autohier("check", "n-ucla", "--source", source, "--workers", 1).out
    assert f"{text}\n  fix: {hint}\n" in checked
    command = ("prepare", "n-ucla", "--source", source, "--data", tmp_path / "data", "--workers", 1)
    assert f"{text}: {hint}\n" in autohier(*command).out
    # With skeletons alone, no video is read.
    assert "are skipped because" not in autohier(*command, "--modality", "skeleton").out


def test_the_current_folder_may_be_a_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_ucla_frames(tmp_path, CLIP_ID)
    monkeypatch.chdir(folder.parent)
    assert clip_ids(Path()) == [CLIP_ID]
    monkeypatch.chdir(folder)
    assert clip_ids(Path("..")) == [CLIP_ID]


def clip_ids(source: Path) -> list[str]:
    return [clip.clip_id for clip in open_dataset("n-ucla").find_clips(source)]
