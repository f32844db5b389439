"""Tracks of one person are joined, and furniture is dropped."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from autohier.data.datasets.ntu.bodies import Track, choose_persons
from autohier.data.datasets.ntu.skeleton import read_ntu_skeleton
from autohier.data.skeleton import Skeleton
from autohier.data.transforms.boxes import skeleton_box
from support.sources.tiny_datasets import body_joints, colour_pixels, skeleton_text, tracks_text


def track(frames: range, *, sway_m: float, wide_in: range = range(0)) -> Track:
    """Return a track of a column that sways through once; in some frames it lies."""
    joints_TV3 = body_joints(len(frames), sway_m=sway_m)
    for index, frame in enumerate(frames):
        if frame in wide_in:
            joints_TV3[index] = joints_TV3[index][:, [1, 0, 2]]
    values_TV5 = np.concatenate((joints_TV3, colour_pixels(joints_TV3)), axis=-1).astype(np.float32)
    return Track(list(frames), list(values_TV5))


def spans(persons: list[list[Track]]) -> list[list[tuple[int, int]]]:
    return [sorted((own.frames[0], own.frames[-1]) for own in person) for person in persons]


def test_a_person_found_under_a_new_id_stays_one_person() -> None:
    tracks = [track(range(20), sway_m=0.1), track(range(25, 60), sway_m=0.3)]
    assert spans(choose_persons(tracks)) == [[(0, 19), (25, 59)]]


def test_a_person_whose_old_and_new_id_share_a_frame_stays_one_person() -> None:
    halves = [track(range(30), sway_m=0.3), track(range(29, 60), sway_m=0.6)]
    assert spans(choose_persons(halves)) == [[(0, 29), (29, 59)]]
    # The other person is not pushed out, and two shared frames show two bodies.
    assert spans(choose_persons([*halves, track(range(60), sway_m=0.1)]))[1] == [(0, 59)]
    longer = [track(range(30), sway_m=0.3), track(range(28, 60), sway_m=0.6)]
    assert spans(choose_persons(longer)) == [[(28, 59)], [(0, 29)]]


def test_a_track_that_meets_both_ends_of_a_gap_is_joined() -> None:
    tracks = [
        track(range(20), sway_m=0.5),
        track(range(40, 60), sway_m=0.4),
        track(range(19, 41), sway_m=0.3),
    ]
    assert spans(choose_persons(tracks)) == [[(0, 19), (19, 40), (40, 59)]]


def test_a_frame_within_another_track_is_not_its_end() -> None:
    gapped = Track([*range(14), 30], track(range(15), sway_m=0.5).joints)
    inside = track(range(30, 50), sway_m=0.1)
    assert spans(choose_persons([gapped, inside])) == [[(0, 30), (30, 49)]]
    crossed = track(range(25, 50), sway_m=0.1)
    assert spans(choose_persons([gapped, crossed])) == [[(0, 30)], [(25, 49)]]


def test_the_shared_frame_of_two_ids_shows_the_calmer_track(tmp_path: Path) -> None:
    joints = body_joints(41, sway_m=0.4)
    calm = body_joints(21, sway_m=0.1) + np.array((0.5, 0, 0))
    path = tmp_path / "S001C001P001R001A001.skeleton"
    path.write_text(tracks_text(60, {"1": (0, joints), "2": (40, calm[:20])}))
    skeleton = read_ntu_skeleton(path)
    assert skeleton.is_joined
    assert len(skeleton.joints_MTV3_m) == 1
    np.testing.assert_allclose(skeleton.joints_MTV3_m[0, :40], joints[:40], atol=1e-5)
    np.testing.assert_allclose(skeleton.joints_MTV3_m[0, 40:], calm[:20], atol=1e-5)


def test_a_torn_track_pushes_no_other_person_out() -> None:
    # The most active of three tracks is the second half of one person; the calmest is the other person.
    tracks = [track(range(30), sway_m=0.3), track(range(30, 60), sway_m=0.6), track(range(60), sway_m=0.1)]
    assert spans(choose_persons(tracks)) == [[(0, 29), (30, 59)], [(0, 59)]]


def test_both_persons_may_change_their_ids() -> None:
    tracks = [
        *(track(range(30), sway_m=0.5), track(range(30, 60), sway_m=0.2)),
        *(track(range(25), sway_m=0.4), track(range(25, 60), sway_m=0.3)),
    ]
    # By activity: 0.5 is the first person; 0.4 and 0.3 share frames with it, and are the second; 0.2 shares
    # none with the first.
    assert spans(choose_persons(tracks)) == [[(0, 29), (30, 59)], [(0, 24), (25, 59)]]


def test_a_track_that_shares_frames_with_both_persons_is_dropped() -> None:
    tracks = [track(range(40), sway_m=sway) for sway in (0.5, 0.4)]
    third = track(range(20, 60), sway_m=0.3)
    assert spans(choose_persons([*tracks, third])) == [[(0, 39)], [(0, 39)]]


def test_a_track_within_a_gap_belongs_to_the_person_who_was_lost() -> None:
    tracks = [
        *(track(range(20), sway_m=0.5), track(range(60, 90), sway_m=0.4)),
        track(range(30, 50), sway_m=0.3),
    ]
    assert spans(choose_persons(tracks)) == [[(0, 19), (30, 49), (60, 89)]]


def test_short_and_wide_tracks_are_not_joined() -> None:
    person = track(range(20), sway_m=0.1)
    brief = track(range(30, 41), sway_m=0.5)  # 11 frames
    sofa = track(range(50, 80), sway_m=0.5, wide_in=range(50, 80))
    assert spans(choose_persons([person, brief, sofa])) == [[(0, 19)]]
    assert spans(choose_persons([person, track(range(30, 42), sway_m=0.5)])) == [[(0, 19), (30, 41)]]


def test_lying_persons_are_joined_if_no_body_is_upright() -> None:
    first, second = (
        track(range(20), sway_m=0.5, wide_in=range(90)),
        track(range(20, 50), sway_m=0.4, wide_in=range(90)),
    )
    assert spans(choose_persons([first, second])) == [[(0, 19), (20, 49)]]
    # Furniture that is there at the same time is no second person.
    sofa = track(range(50), sway_m=0.1, wide_in=range(90))
    assert spans(choose_persons([sofa, first, second])) == [[(0, 19), (20, 49)]]


def test_frames_in_which_a_body_is_wide_do_not_make_it_more_active() -> None:
    # Lying, the column spans 1.6 m in x: its variance of x rises from 0.02 to 0.1 m2.
    flickering = track(range(60), sway_m=0.1, wide_in=range(0, 60, 2))
    lively = track(range(60), sway_m=0.3)
    assert choose_persons([flickering, lively])[0] == [lively]


TRACKS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(12, 40), st.floats(0.05, 1.0)), min_size=1, max_size=6
)


@given(TRACKS)
def test_tracks_are_placed_in_order_of_activity(parts: list[tuple[int, int, float]]) -> None:
    """The slow, obvious reference compares every two tracks frame by frame."""
    tracks = [track(range(start, start + length), sway_m=sway) for start, length, sway in parts]

    def activity(own: Track) -> float:
        points_N3 = np.concatenate(own.joints)[:, :3].astype(np.float64)
        return float(points_N3.var(axis=0).sum())

    def may_be_one(one: list[int], other: list[int]) -> bool:
        shared = [frame for frame in one if frame in other]
        return not shared or shared in (
            [one[-1]] * (one[-1] == other[0]),
            [other[-1]] * (other[-1] == one[0]),
        )

    rows: list[list[int]] = [[], []]
    for number in sorted(range(len(tracks)), key=lambda number: -activity(tracks[number])):
        for row in rows:
            if all(may_be_one(tracks[number].frames, tracks[each].frames) for each in row):
                row.append(number)
                break
    expected = [sorted(row) for row in rows if row]
    placed = [sorted(tracks.index(own) for own in person) for person in choose_persons(tracks)]
    assert placed == expected


def test_poses_and_crop_boxes_use_the_joined_person(tmp_path: Path) -> None:
    joints = body_joints(40, sway_m=0.2)
    joints[20:, :, 0] += 0.8  # found again a step to the right
    path = tmp_path / "clip.skeleton"
    path.write_text(tracks_text(40, {"1": (0, joints[:20]), "2": (20, joints[20:])}))
    torn = read_ntu_skeleton(path)
    path.write_text(skeleton_text({"1": joints}))
    whole = read_ntu_skeleton(path)
    assert (torn.is_joined, whole.is_joined) == (True, False)
    assert_same_persons(torn, whole)
    size = {"width_px": 1920, "height_px": 1080}
    assert skeleton_box(torn, **size) == skeleton_box(whole, **size)


def assert_same_persons(left: Skeleton, right: Skeleton) -> None:
    np.testing.assert_array_equal(left.joints_MTV3_m, right.joints_MTV3_m)
    np.testing.assert_array_equal(left.pixels_MTV2, right.pixels_MTV2)


def renamed(text: str, changes: dict[int, NDArray[np.int64]]) -> str:
    """Return a .skeleton text in which the body at a position gets a new id from each given frame on."""
    lines = text.splitlines()
    out, at = [lines[0]], 1
    for frame in range(int(lines[0])):
        num_bodies = int(lines[at])
        out.append(lines[at])
        at += 1
        for position in range(num_bodies):
            own_id, *rest = lines[at].split()
            part = int(np.searchsorted(changes[position], frame, side="right"))
            out.append(" ".join([f"{own_id}{part}", *rest]))
            out.extend(lines[at + 1 : at + 27])
            at += 27
    return "\n".join(out) + "\n"


@pytest.mark.realdata
@pytest.mark.skipif("AUTOHIER_DATA" not in os.environ, reason="AUTOHIER_DATA is not set")
@pytest.mark.parametrize(
    "clip_id",
    ["S001C001P001R001A011", "S001C003P008R002A058", "S002C001P003R001A003", "S003C001P015R001A034"],
)
def test_real_bodies_with_changing_ids_give_equal_persons(tmp_path: Path, clip_id: str) -> None:
    text = (Path(os.environ["AUTOHIER_DATA"]) / "ntu-skeleton" / f"{clip_id}.skeleton").read_text()
    path = tmp_path / "clip.skeleton"
    path.write_text(text)
    expected = read_ntu_skeleton(path)
    num_frames = expected.num_frames
    # The first body changes its id a third and two thirds of the way, the second in the middle.
    changes = {0: np.array([num_frames // 3, 2 * num_frames // 3]), 1: np.array([num_frames // 2])}
    path.write_text(renamed(text, changes))
    torn = read_ntu_skeleton(path)
    assert torn.is_joined
    assert torn.num_persons == expected.num_persons
    # The parts of two persons may be joined crosswise, as nothing but time relates them.
    for frame in range(num_frames):
        assert_same_rows(torn.joints_MTV3_m[:, frame], expected.joints_MTV3_m[:, frame])


def assert_same_rows(left_MV3: NDArray[np.float32], right_MV3: NDArray[np.float32]) -> None:
    def rows(array_MV3: NDArray[np.float32]) -> list[bytes]:
        return sorted(body_V3.tobytes() for body_V3 in array_MV3)

    assert rows(left_MV3) == rows(right_MV3)
