"""UTD-MHAD's reader: depth, pixels, and files that it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from autohier.data.datasets.utd_mhad.reader import UtdMhadReader, depth_to_grey
from autohier.errors import ClipError
from support.sources.tiny_datasets import write_utd_clip


def test_depth_is_mapped_to_grey() -> None:
    # 1.7 m -> 1, 4.1 m -> 255, halfway 2.9 m -> 128; clipped beyond, no reading is 0.
    depth = np.array([[0, 500, 1700, 2900, 4100, 9000]], dtype=np.uint16)
    assert depth_to_grey(depth).tolist() == [[0, 1, 1, 128, 255, 255]]
    absurd = np.array([[np.nan, np.inf, -np.inf, 1e300, -1e300]])
    with np.errstate(all="raise"):
        assert depth_to_grey(absurd).tolist() == [[0, 255, 0, 255, 0]]


def test_pixels_of_depth_are_half_those_of_rgb(tmp_path: Path) -> None:
    write_utd_clip(tmp_path, "a1_s1_t1")
    depth, colour = UtdMhadReader("depth"), UtdMhadReader("rgb")
    small = depth.read_skeleton(depth.find_clips(tmp_path)[0])
    large = colour.read_skeleton(colour.find_clips(tmp_path)[0])
    np.testing.assert_allclose(2 * small.pixels_MTV2, large.pixels_MTV2, rtol=1e-5)
    assert small.pixels_MTV2[0, 0, 0, 1] > small.pixels_MTV2[0, 0, 19, 1]  # the lowest joint comes first


def test_a_skeleton_of_more_than_twenty_minutes_is_refused(tmp_path: Path) -> None:
    write_utd_clip(tmp_path, "a1_s1_t1")
    (path,) = tmp_path.rglob("*skeleton.mat")
    savemat(path, {"d_skel": np.ones((20, 3, 36_001), dtype=np.uint8)}, do_compression=True)
    reader = UtdMhadReader("skeleton")
    (clip,) = reader.find_clips(tmp_path)
    with pytest.raises(ClipError, match="at most 36,000 frames, but got 36001"):
        reader.read_skeleton(clip)


def test_a_depth_frame_above_the_pixel_limit_is_not_decompressed(tmp_path: Path) -> None:
    write_utd_clip(tmp_path, "a1_s1_t1")
    (path,) = tmp_path.rglob("*depth.mat")
    savemat(path, {"d_depth": np.ones((2**13, 2**12 + 1, 1), dtype=np.uint8)}, do_compression=True)
    reader = UtdMhadReader("depth")
    (clip,) = reader.find_clips(tmp_path)
    with pytest.raises(ClipError, match=r"at most 33,554,432 pixels, but got \(8192, 4097\)"):
        reader.count_frames(clip)


def test_files_of_matlab_7_3_are_refused(tmp_path: Path) -> None:
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
