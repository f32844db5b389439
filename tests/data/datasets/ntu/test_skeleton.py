"""The .skeleton parser reads joints, chooses persons and refuses malformed files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autohier.data.datasets.ntu.skeleton import read_ntu_skeleton
from autohier.data.skeleton import LAYOUTS, Skeleton
from autohier.errors import ClipError
from support.sources.tiny_datasets import body_joints, colour_pixels, skeleton_text

ONE, TWO, THREE = "72057594037931101", "72057594037931102", "72057594037931103"


def parse(folder: Path, text: str) -> Skeleton:
    path = folder / "clip.skeleton"
    path.write_text(text)
    return read_ntu_skeleton(path)


def test_joints_and_pixels_are_read_from_their_columns(tmp_path: Path) -> None:
    joints = body_joints(4)
    pixels = colour_pixels(joints) + 7  # other than a projection of the joints
    skeleton = parse(tmp_path, skeleton_text({ONE: joints}, {ONE: pixels}))
    np.testing.assert_allclose(skeleton.joints_MTV3_m, joints[None], atol=1e-6)
    np.testing.assert_allclose(skeleton.pixels_MTV2, pixels[None], atol=1e-3)
    assert (skeleton.image_width_px, skeleton.image_height_px) == (1920, 1080)
    assert LAYOUTS[skeleton.layout].num_joints == skeleton.joints_MTV3_m.shape[2] == 25


def test_the_two_most_active_persons_are_kept(tmp_path: Path) -> None:
    calm, lively, livelier = (body_joints(20, sway_m=sway) for sway in (0.0, 0.3, 0.6))
    skeleton = parse(tmp_path, skeleton_text({ONE: calm, TWO: lively, THREE: livelier}))
    np.testing.assert_allclose(skeleton.joints_MTV3_m, np.stack((livelier, lively)), atol=1e-6)


def test_frames_of_zeros_are_no_movement(tmp_path: Path) -> None:
    calm, lively = (body_joints(20, sway_m=sway) for sway in (0.0, 0.3))
    pixels = {ONE: colour_pixels(calm), TWO: colour_pixels(lively)}
    calm[::2] = 0  # with the position of the body, 3 m away, this would be most active
    skeleton = parse(tmp_path, skeleton_text({ONE: calm, TWO: lively}, pixels))
    np.testing.assert_allclose(skeleton.joints_MTV3_m[0], lively, atol=1e-6)


def test_tracks_follow_body_ids(tmp_path: Path) -> None:
    # Two ids that are equal as floats, in alternating order.
    joints = {ONE: body_joints(20, sway_m=0.6), TWO: body_joints(20, sway_m=0.0)}
    joints[TWO] += (1.0, 0.0, 0.0)
    lines = ["20"]
    for frame in range(20):
        order = (ONE, TWO) if frame % 2 else (TWO, ONE)
        single = skeleton_text({body: joints[body][frame : frame + 1] for body in order})
        lines.append(single.split("\n", 1)[1])
    skeleton = parse(tmp_path, "\n".join(lines))
    np.testing.assert_allclose(skeleton.joints_MTV3_m, np.stack((joints[ONE], joints[TWO])), atol=1e-6)


def test_a_body_wider_than_tall_is_furniture_unless_alone(tmp_path: Path) -> None:
    person = body_joints(20, sway_m=0.1)
    # Lying column: 1.6 m wide, 0.4 m tall, and moving more than the person.
    sofa = person[..., [1, 0, 2]] + 2 * (person.mean(axis=1, keepdims=True) * [1.0, 0.0, 0.0])
    both = parse(tmp_path, skeleton_text({ONE: sofa, TWO: person}))
    np.testing.assert_allclose(both.joints_MTV3_m, person[None], atol=1e-6)
    alone = parse(tmp_path, skeleton_text({ONE: sofa}))
    np.testing.assert_allclose(alone.joints_MTV3_m, sofa[None], atol=1e-6)


@pytest.mark.parametrize("bad", ["nan", "NaN", "inf", "-Infinity", "-1.#IND", "1.#INF"])
def test_pixels_that_are_not_finite_are_projected(tmp_path: Path, bad: str) -> None:
    joints = body_joints(2)
    lines = skeleton_text({ONE: joints}).split("\n")
    first_joint = lines[4].split()
    first_joint[5] = bad
    lines[4] = " ".join(first_joint)
    skeleton = parse(tmp_path, "\n".join(lines))
    x, y, z = joints[0, 0]
    np.testing.assert_allclose(
        skeleton.pixels_MTV2[0, 0, 0], (1055 * x / z + 977, -1057 * y / z + 560), rtol=1e-5
    )


def test_a_joint_without_a_position_is_absent(tmp_path: Path) -> None:
    joints = body_joints(2)
    pixels = colour_pixels(joints)
    joints[0, 3, 1] = np.nan
    pixels[0, 3] = np.inf
    skeleton = parse(tmp_path, skeleton_text({ONE: joints}, {ONE: pixels}))
    assert np.isnan(skeleton.joints_MTV3_m[0, 0, 3]).all()
    assert np.isnan(skeleton.pixels_MTV2[0, 0, 3]).all()
    assert np.isfinite(skeleton.joints_MTV3_m).sum() == 2 * 25 * 3 - 3


def test_frames_without_the_body_are_nan(tmp_path: Path) -> None:
    text = skeleton_text({ONE: body_joints(3)})
    skeleton = parse(tmp_path, "4\n" + text.split("\n", 1)[1] + "0\n")
    assert np.isfinite(skeleton.joints_MTV3_m[0, :3]).all()
    assert np.isnan(skeleton.joints_MTV3_m[0, 3]).all()


GOOD = skeleton_text({ONE: body_joints(2)})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must not be empty"),
        (" \n\n", "must not be empty"),
        ("0\n", "must not be empty, but got 0 frames"),
        ("3\n0\n0\n0\n", "must contain a body"),
        (skeleton_text({ONE: np.full((2, 25, 3), np.nan)}), "must contain a body"),
        # Zeros in space are absent, also with pixels.
        (skeleton_text({ONE: np.zeros((2, 25, 3))}, {ONE: np.ones((2, 25, 2))}), "must contain a body"),
        ("two\n0\n0\n", "well formed, but got 'two' for a count"),
        ("-2\n", "well formed, but got '-2' for a count"),
        (GOOD + "1 2 3", "well formed, but got 3 numbers after its end"),
        (GOOD.replace("250.5", "x", 1), "well formed.*'x'"),
        (GOOD.replace("\n25\n", "\n20\n", 1), "25 joints, but got 20"),
        ("999999999999\n0\n", "well formed, but got '999999999999' for a count"),
        ("9" * 5000 + "\n0\n", "well formed, but got '9{20}' for a count"),
        ("50001\n" + "0\n" * 50001, "must have at most 50,000 frames, but got 50001"),
        ("2\n99999999\n", "complete, but got an end after 2 numbers"),
        ("\N{SNOWMAN}", "bytes that are not text"),
    ],
)
def test_bad_files_are_refused_with_their_reason(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ClipError, match=reason):
        parse(tmp_path, text)


@settings(max_examples=60)
@given(num_tokens=st.integers(0, len(GOOD.split()) - 1))
def test_every_truncated_file_is_refused(tmp_path_factory: pytest.TempPathFactory, num_tokens: int) -> None:
    text = " ".join(GOOD.split()[:num_tokens])
    with pytest.raises(ClipError, match=r"must be complete|must not be empty"):
        parse(tmp_path_factory.mktemp("truncated"), text)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="must be readable"):
        read_ntu_skeleton(tmp_path / "none.skeleton")
