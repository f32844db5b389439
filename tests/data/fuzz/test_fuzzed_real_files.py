"""Damaged real files: skeletons and depth of NTU RGB+D and UTD-MHAD, poses, and videos of cameras."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given

from support.fuzz.edits import cuts, edited
from support.fuzz.law import fuzz_settings, naming_input
from support.fuzz.reading import Bench
from support.fuzz.sources import BY_NAME

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("AUTOHIER_DATA" not in os.environ, reason="AUTOHIER_DATA is not set"),
]


@dataclass(frozen=True)
class RealFile:
    """Real file in place of a case's small one, and the number of its edits."""

    path: str
    case: str
    num_edits: int


FILES = [
    *(
        RealFile(f"ntu-skeleton/{name}.skeleton", "ntu skeleton", 6)
        for name in (
            *("S001C001P001R001A011", "S001C003P008R002A058", "S002C001P003R001A003"),
            *("S003C001P015R001A034", "S004C002P003R001A017"),
        )
    ),
    RealFile("utd-mhad/Skeleton/a10_s1_t1_skeleton.mat", "utd-mhad skeleton", 60),
    RealFile("utd-mhad/Skeleton/a27_s8_t1_skeleton.mat", "utd-mhad skeleton", 60),
    RealFile("utd-mhad/Depth/a10_s1_t1_depth.mat", "utd-mhad depth", 20),
    RealFile("pyskl-format-sample/custom_2d_poses.pkl", "pyskl protocol 5", 8),
    *(
        RealFile(f"clips/mmaction2_{name}.pkl", "pyskl protocol 5", 20)
        for name in ("fuse_bone", "pose_sample")
    ),
    RealFile("clips/S001C001P001R001A001_rgb.avi", "ntu video", 3),
    RealFile("clips/mmaction2_test.avi", "ntu video", 8),
    RealFile("clips/pyskl_ntu_sample.avi", "utd-mhad video", 3),
    RealFile("clips/mmaction2_demo.mp4", "custom .mp4", 4),
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: Path(file.path).name)
def test_damaged_real_files(file: RealFile, tmp_path: Path) -> None:
    bench = Bench(BY_NAME[file.case], tmp_path / "source")
    good = (Path(os.environ["AUTOHIER_DATA"]) / file.path).read_bytes()
    for name, content in cuts(good):
        with naming_input(name):
            bench.try_content(content)

    @fuzz_settings(file.num_edits)
    @given(edited(good, is_text=bench.case.is_text))
    def try_edited(content: bytes) -> None:
        bench.try_content(content)

    try_edited()
