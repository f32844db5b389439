"""Units of poses: words, their conversion, and warnings about poses in other units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from autohier.data.datasets.common.poses.conversion import skeleton_of_poses
from autohier.data.datasets.common.poses.layout_checks import warn_layout
from autohier.data.datasets.common.poses.pose_checks import sample_poses, warn_poses
from autohier.data.pose_units import NATIVE_UNITS, PoseUnits
from autohier.data.skeleton import COCO_17, KINECT_V2_25, Skeleton
from autohier.errors import InputError

Poses = tuple[NDArray[np.float32], NDArray[np.float32], tuple[int, int]]
WIDTH, HEIGHT = 640, 480


def walkers(num_clips: int = 12) -> list[Poses]:
    """Return keypoints [1, T, 17, 2] of upright persons who walk across a landscape image, and scores."""
    clips = []
    for number in range(num_clips):
        random = np.random.default_rng(number)
        height_px = random.uniform(200, 320)
        body_V2 = random.uniform((-0.15, 0), (0.15, 1), (17, 2)) * height_px
        body_V2[[0, 16]] = (0, 0), (0, height_px)
        path_T1 = np.linspace(60, WIDTH - 60, 20)[:, None, None]
        places = body_V2[None] + np.concatenate((path_T1, 0 * path_T1 + 100), axis=-1)
        scores = random.uniform(0.3, 0.95, (1, 20, 17)).astype(np.float32)
        clips.append((places[None].astype(np.float32), scores, (WIDTH, HEIGHT)))
    return clips


def read(poses: Poses, units: str = "") -> Skeleton:
    places, scores, size_px = poses
    return skeleton_of_poses(places, scores, size_px, COCO_17, PoseUnits.parse(units))


def found(clips: list[Poses], units: str = "", *, has_video: bool = False) -> list[str]:
    """Return the warnings about clips, and their hints."""
    samples = [replace(sample_poses(read(poses, units), COCO_17), fits=()) for poses in clips]
    return [f"{text}: {hint}" for text, hint in warn_poses(samples, has_video=has_video)]


def each(change: Callable[[Poses], Poses]) -> list[Poses]:
    return [change(poses) for poses in walkers()]


SIZE = np.array([WIDTH, HEIGHT], np.float32)
FAULTS: dict[str, tuple[Callable[[Poses], Poses], str, str]] = {
    "shares": (lambda p: (p[0] / SIZE, *p[1:]), "0..1", "the joints of 12 of 12 clips look normalized"),
    "centered": (lambda p: (2 * p[0] / SIZE - 1, *p[1:]), "-1..1", "they lie in -1..1"),
    "percent": (lambda p: (p[0], 100 * p[1], p[2]), "percent-scores", "they are probably percentages"),
    "swapped size": (lambda p: (*p[:2], p[2][::-1]), "swapped-size", "img_shape is probably (width, height)"),
    "swapped axes": (
        lambda p: (p[0][..., ::-1], *p[1:]),
        "swapped-axes",
        "probably (row, column)",
    ),
    "larger image": (
        lambda p: (*p[:2], (320, 240)),
        "image=640x480",
        "found in an image of another size",
    ),
    "smaller image": (lambda p: (*p[:2], (1920, 1080)), "image=640x480", "found in a smaller one"),
}
"""Change of sound poses, units that undo it, and a part of the warning."""


def test_shares_of_the_image_are_not_taken_for_another_layout() -> None:
    # Bones of two joints that lie along the height are shorter in shares than along the width.
    clips = [(p[0][..., [1, 0]] / (SIZE * (1, 40)), *p[1:]) for p in walkers()]
    samples = [sample_poses(read(poses), COCO_17) for poses in clips]
    assert any(warn_layout([sample.fits for sample in samples]))
    (warning,) = warn_poses(samples, has_video=False)
    assert "look normalized" in warning.text


def test_sound_poses_cause_no_warning() -> None:
    assert found(walkers()) == []
    assert found(walkers(), has_video=True) == []


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_warned_about_with_units_that_convert_it(name: str) -> None:
    change, units, text = FAULTS[name]
    faulty = each(change)
    (warning,) = found(faulty)
    assert text in warning
    assert f"--pose-units {units.replace('640x480', 'WIDTHxHEIGHT')}" in warning
    assert found(faulty, units) == []
    for poses, sound in zip(faulty, walkers(), strict=True):
        converted, expected = read(poses, units), read(sound)
        np.testing.assert_allclose(converted.pixels_MTV2, expected.pixels_MTV2, atol=1e-3)
        assert converted.scores_MTV is not None
        assert expected.scores_MTV is not None
        np.testing.assert_allclose(converted.scores_MTV, expected.scores_MTV, rtol=1e-6)
        assert converted.image_width_px == expected.image_width_px
        assert converted.image_height_px == expected.image_height_px


def test_a_few_unusual_clips_cause_no_warning() -> None:
    clips = walkers(40)
    clips[7] = (clips[7][0] / SIZE, *clips[7][1:])
    clips[9] = (*clips[9][:2], (320, 240))
    assert found(clips) == []


def test_clips_in_other_units_than_most_are_counted() -> None:
    clips = walkers()
    for row in (2, 5, 11):
        clips[row] = (clips[row][0] / SIZE, *clips[row][1:])
    (warning,) = found(clips)
    assert "the joints of 3 of 12 clips look normalized" in warning
    assert "like those of the other clips: write all joints in pixels" in warning
    # The other clips are compared with their image all the same.
    swapped = [clip if row in {2, 5, 11} else (*clip[:2], clip[2][::-1]) for row, clip in enumerate(clips)]
    assert [text.split(":")[-1] for text in found(swapped)] == [
        " write all joints in pixels; --pose-units would convert those of all clips",
        " add --pose-units swapped-size, which converts it",
    ]


@pytest.mark.parametrize("largest", [5.0, 255.0])
def test_scores_that_are_no_percentages_are_not_called_so(largest: float) -> None:
    (warning,) = found(each(lambda p: (p[0], p[1] / p[1].max() * largest, p[2])))
    assert warning.startswith(f"scores reach {largest:g}, but should be in 0..1: bring them to 0..1")


def test_videos_are_not_said_to_be_swapped() -> None:
    rotated = each(FAULTS["swapped size"][0])
    (warning,) = found(rotated, has_video=True)
    assert "probably found in rotated copies of the videos" in warning


def test_two_faults_cause_two_warnings_and_are_converted_together() -> None:
    faulty = each(lambda p: (p[0] / SIZE, 100 * p[1], p[2]))
    assert len(found(faulty)) == 2
    assert found(faulty, "percent-scores, 0..1") == []


def test_shares_of_an_unknown_image_become_pixels_of_a_square() -> None:
    places, scores, _ = walkers(1)[0]
    units = PoseUnits.parse("0..1")
    skeleton = skeleton_of_poses(places / SIZE, scores, None, COCO_17, units)
    assert (skeleton.image_width_px, skeleton.image_height_px) == (1000, 1000)
    np.testing.assert_allclose(skeleton.pixels_MTV2, places / SIZE * 1000, rtol=1e-5)


def test_zeros_stay_absent_in_any_units() -> None:
    places, scores, size_px = walkers(1)[0]
    places = 2 * places / SIZE - 1
    places[:, :, 3] = 0
    skeleton = skeleton_of_poses(places, scores, size_px, COCO_17, PoseUnits.parse("-1..1"))
    assert np.isnan(skeleton.pixels_MTV2[:, :, 3]).all()
    assert np.isfinite(skeleton.pixels_MTV2[:, :, 4]).all()


def test_percentages_are_converted_before_absent_joints_are_found() -> None:
    places, scores, size_px = walkers(1)[0]
    scores[:, :, 5], scores[:, :, 6] = 1, 2  # a hundredth is absent, two are not
    skeleton = skeleton_of_poses(places, scores, size_px, COCO_17, PoseUnits.parse("percent-scores"))
    assert np.isnan(skeleton.pixels_MTV2[:, :, 5]).all()
    assert np.isfinite(skeleton.pixels_MTV2[:, :, 6]).all()


def in_space(*meters_per_unit: float, units: str = "") -> list[str]:
    """Return the warnings about clips of a person of 1.7 m in some units."""
    joints = np.random.default_rng(0).uniform((-0.3, 0, 2), (0.3, 1.7, 2.3), (1, 5, 25, 3))
    joints[0, :, :2, 1] = 0, 1.7
    skeletons = [
        skeleton_of_poses(joints / meters, None, None, KINECT_V2_25, PoseUnits.parse(units))
        for meters in meters_per_unit
    ]
    samples = [replace(sample_poses(skeleton, KINECT_V2_25), fits=()) for skeleton in skeletons]
    return [f"{text}: {hint}" for text, hint in warn_poses(samples, has_video=False)]


@pytest.mark.parametrize(("unit", "meters"), [("millimeters", 0.001), ("centimeters", 0.01)])
def test_lengths_in_other_units_are_warned_about(unit: str, meters: float) -> None:
    assert in_space(1) == []
    (warning,) = in_space(meters)
    assert f"joints are probably in {unit}: add --pose-units {unit}" in warning
    assert in_space(meters, units=unit) == []
    (warning,) = in_space(100)
    assert "probably not in meters: write them in meters" in warning


def test_mixed_lengths_are_warned_about() -> None:
    assert in_space(*[1] * 20, 0.001) == []  # one of 21 is less than 5%
    (warning,) = in_space(*[1] * 9, 0.001)
    assert warning.startswith("persons extend over 1.7e+03 m in 1 of 10 clips, and over 1.7 m in the others")


def test_words_are_parsed_in_any_order_and_case() -> None:
    units = PoseUnits.parse(" Percent-Scores,0..1,image=640x480 ,0..1")
    assert units == replace(
        NATIVE_UNITS,
        text="0..1,image=640x480,percent-scores",
        joint_range=(0.0, 1.0),
        has_percent=True,
        image_px=(640, 480),
    )
    assert PoseUnits.parse("image=640x480,percent-scores,0..1") == units
    assert PoseUnits.parse("pixels,meters") == PoseUnits.parse("") == NATIVE_UNITS


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("percent", "unknown pose units 'percent': did you mean 'percent-scores'"),
        ("image=640", "unknown pose units 'image=640'"),
        ("image=0x480", "unknown pose units"),
        ("0..1,-1..1", "must not contradict each other, but got 0..1 and -1..1"),
        ("meters,millimeters", "must not contradict each other, but got meters and millimeters"),
        ("image=1x1,image=2x2", "must not contradict each other"),
    ],
)
def test_unknown_and_contradicting_words_are_refused(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        PoseUnits.parse(text)
