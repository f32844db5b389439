"""Skeletons as networks read them: by hand, against loops over joints, and their invariants.

Legend: M persons, T frames, V joints, C coordinates.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import COCO_17, KINECT_V2_25, LAYOUTS, NAMED_LAYOUTS, Skeleton
from autohier.data.transforms.skeletons import joints_in_image, joints_in_space, read_stream

NAN = math.nan
STREAMS = ("joint", "bone", "joint-motion", "bone-motion")
IN_SPACE = [layout for layout in LAYOUTS.values() if not layout.planar]
BASE, MIDDLE, LEFT, RIGHT = 0, 1, 4, 8
"""Spine base, spine mid and shoulders of Kinect v2."""


def skeleton_in_space(joints_MTV3, layout=KINECT_V2_25):
    joints_MTV3 = np.asarray(joints_MTV3, dtype=np.float32)
    return Skeleton(joints_MTV3, np.full_like(joints_MTV3[..., :2], NAN), 1920, 1080, layout.name)


def skeleton_in_image(pixels_MTV2, scores_MTV=None, size_px=(640, 480)):
    pixels_MTV2 = np.asarray(pixels_MTV2, dtype=np.float32)
    joints_MTV3 = np.full((*pixels_MTV2.shape[:3], 3), NAN, dtype=np.float32)
    return Skeleton(joints_MTV3, pixels_MTV2, *size_px, COCO_17.name, scores_MTV)


def in_space(joints_MTV3, *, layout=KINECT_V2_25, num_persons=2, positions=None):
    skeleton = skeleton_in_space(joints_MTV3, layout)
    positions_T = np.arange(skeleton.num_frames) if positions is None else np.array(positions)
    found = joints_in_space(skeleton, layout, num_persons, positions_T)
    assert found.dtype == np.float32
    return found


def people(seed=0, *, num_persons=2, num_frames=3, num_joints=25):
    """Return bodies of about a meter at a distance of about three meters, with random joints."""
    random = np.random.default_rng(seed)
    return random.normal((0.3, -0.2, 3.0), 0.5, (num_persons, num_frames, num_joints, 3))


def upright_body():
    """Return one frame of a person with a vertical spine of one meter and shoulders along the camera's x."""
    body_V3 = people(num_persons=1, num_frames=1)[0, 0]
    body_V3[BASE], body_V3[MIDDLE] = (1.0, 0.0, 2.0), (1.0, 1.0, 2.0)
    body_V3[LEFT], body_V3[RIGHT] = (1.5, 1.5, 2.0), (0.5, 1.5, 2.0)
    return body_V3


class TestInSpace:
    def test_by_hand(self):
        body_V3 = upright_body()
        body_V3[3] = (1.25, 1.75, 2.5)
        (placed_V3,) = in_space([[body_V3]])[0]
        # From the left to the right shoulder is the camera's -x; z is up; y = z x x points away.
        expected = {MIDDLE: (0, 0, 0), BASE: (0, 0, -1), LEFT: (-0.5, 0, 0.5), RIGHT: (0.5, 0, 0.5)}
        for joint, place in {**expected, 3: (-0.25, 0.5, 0.75)}.items():
            np.testing.assert_allclose(placed_V3[joint], place, atol=1e-6)

    def test_shoulders_that_are_not_orthogonal_to_the_spine_lie_in_the_plane_of_x_and_z(self):
        body_V3 = upright_body()
        body_V3[LEFT] = (1.5, 1.75, 2.0)
        (placed_V3,) = in_space([[body_V3]])[0]
        np.testing.assert_allclose(placed_V3[RIGHT] - placed_V3[LEFT], (1, 0, -0.25), atol=1e-6)
        np.testing.assert_allclose(placed_V3[BASE], (0, 0, -1), atol=1e-6)

    @pytest.mark.parametrize("layout", IN_SPACE, ids=lambda layout: layout.name)
    def test_the_body_is_upright_at_the_origin_in_every_layout(self, layout):
        names = layout.joint_names
        axes = layout.body_axes()
        first_V3 = in_space(people(num_joints=layout.num_joints), layout=layout)[0, 0]
        # If a position is that of one joint, the origin is exact.
        np.testing.assert_allclose(first_V3[list(axes.origin)].mean(axis=0), 0, atol=1e-6)
        bottom_3, top_3 = (first_V3[list(joints)].mean(axis=0) for joints in (axes.bottom, axes.top))
        np.testing.assert_allclose(bottom_3[:2], top_3[:2], atol=1e-6)
        assert bottom_3[2] < top_3[2]
        across_3 = first_V3[names.index("right shoulder")] - first_V3[names.index("left shoulder")]
        assert across_3[1] == pytest.approx(0, abs=1e-6)
        assert across_3[0] > 0

    def test_kinects_axes_are_those_of_pyskl(self):
        names = KINECT_V2_25.joint_names
        axes = KINECT_V2_25.body_axes()
        assert [names[joint] for (joint,) in (axes.origin, axes.bottom, axes.top)] == [
            *("spine mid", "spine base", "spine mid")
        ]

    def test_without_axes_bodies_are_moved_but_not_turned(self):
        layout = JointLayout("chain", ("a", "b", "c"), ((1, 0), (2, 1)))
        joints_MTV3 = people(num_joints=3)
        joints_MTV3[0, 0, 0] = NAN
        placed_MTV3 = in_space(joints_MTV3, layout=layout)
        # The origin is the root in the first frame that shows it.
        np.testing.assert_allclose(placed_MTV3, joints_MTV3 - joints_MTV3[0, 1, 0], atol=1e-6)

    @settings(max_examples=40)
    @given(
        st.integers(0, 1000),
        st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda four: np.linalg.norm(four) > 0.1),
        st.lists(st.floats(-4, 4), min_size=3, max_size=3),
    )
    def test_the_result_does_not_depend_on_the_camera_pose(self, seed, quaternion, shift):
        joints_MTV3 = people(seed)
        moved_MTV3 = joints_MTV3 @ rotation(quaternion).T + np.array(shift)
        np.testing.assert_allclose(in_space(moved_MTV3), in_space(joints_MTV3), atol=2e-4)

    def test_distances_and_orientation_are_kept(self):
        # The second person keeps its position relative to the first, and nothing is mirrored.
        joints_MTV3 = people()
        before_N3, after_N3 = joints_MTV3.reshape(-1, 3), in_space(joints_MTV3).reshape(-1, 3)
        np.testing.assert_allclose(distances(after_N3), distances(before_N3), atol=1e-5)
        volumes = [
            np.linalg.det(np.diff(each_N3[[0, 40, 80, 120]], axis=0)) for each_N3 in (before_N3, after_N3)
        ]
        assert volumes[0] == pytest.approx(volumes[1], rel=1e-4)

    @pytest.mark.parametrize("absent", [NAN, 0.0])
    def test_the_first_frame_with_the_first_person_sets_the_coordinates(self, absent):
        joints_MTV3 = people(num_frames=5)
        joints_MTV3[0, :2] = absent
        found_MTV3 = in_space(joints_MTV3)
        assert np.isnan(found_MTV3[0, :2]).all()
        assert np.isfinite(found_MTV3[1]).all()
        np.testing.assert_array_equal(found_MTV3[:, 2:], in_space(joints_MTV3[:, 2:]))
        np.testing.assert_array_equal(found_MTV3[0, 2, MIDDLE], 0)

    def test_the_coordinates_do_not_depend_on_the_frames_that_are_read(self):
        joints_MTV3 = people(num_frames=6)
        whole_MTV3 = in_space(joints_MTV3)
        for positions in ([4], [5, 3, 3], [1, 2, 5]):
            np.testing.assert_array_equal(
                in_space(joints_MTV3, positions=positions), whole_MTV3[:, positions]
            )

    def test_absent_joints_stay_absent_and_do_not_move_others(self):
        joints_MTV3 = people()
        whole_MTV3 = in_space(joints_MTV3)
        joints_MTV3[0, 1, [2, 17]] = NAN
        joints_MTV3[1, 2, 6] = (0.5, NAN, 3.0)
        found_MTV3 = in_space(joints_MTV3)
        absent_MTV = np.zeros((2, 3, 25), dtype=bool)
        absent_MTV[0, 1, [2, 17]] = absent_MTV[1, 2, 6] = True
        np.testing.assert_array_equal(np.isnan(found_MTV3), np.repeat(absent_MTV[..., None], 3, axis=-1))
        np.testing.assert_array_equal(found_MTV3[~absent_MTV], whole_MTV3[~absent_MTV])

    def test_a_person_is_absent_only_if_all_joints_are_zero(self):
        # Estimated poses may be relative to one joint, which is then zero in every frame.
        joints_MTV3 = people()
        joints_MTV3 -= joints_MTV3[:, :, BASE, None]
        assert np.isfinite(in_space(joints_MTV3)).all()
        joints_MTV3[1, 2] = 0
        assert np.isnan(in_space(joints_MTV3)[1, 2]).all()

    def test_a_frame_that_does_not_determine_the_axes_is_skipped(self):
        joints_MTV3 = people(num_frames=7)
        joints_MTV3[0, 0, MIDDLE] = NAN
        joints_MTV3[0, 1, BASE] = NAN
        joints_MTV3[0, 2, LEFT] = NAN
        joints_MTV3[0, 3, BASE] = joints_MTV3[0, 3, MIDDLE]
        joints_MTV3[0, 4, LEFT] = joints_MTV3[0, 4, RIGHT]
        # Shoulders parallel to the spine.
        joints_MTV3[0, 5, LEFT] = (
            joints_MTV3[0, 5, RIGHT] + joints_MTV3[0, 5, MIDDLE] - joints_MTV3[0, 5, BASE]
        )
        found_MTV3 = in_space(joints_MTV3)
        np.testing.assert_array_equal(found_MTV3[:, 6:], in_space(joints_MTV3[:, 6:]))
        distance = np.linalg.norm(joints_MTV3[1, 0, 9] - joints_MTV3[0, 6, MIDDLE])
        assert np.linalg.norm(found_MTV3[1, 0, 9]) == pytest.approx(distance, rel=1e-5)

    def test_if_no_frame_determines_the_axes_camera_coordinates_are_kept(self):
        joints_MTV3 = people()
        joints_MTV3[0, :, LEFT] = NAN
        np.testing.assert_array_equal(in_space(joints_MTV3), joints_MTV3.astype(np.float32))

    def test_at_most_the_given_number_of_persons_is_read(self):
        joints_MTV3 = people(num_persons=4)
        found_MTV3 = in_space(joints_MTV3, num_persons=3)
        assert found_MTV3.shape == (3, 3, 25, 3)
        np.testing.assert_array_equal(found_MTV3, in_space(joints_MTV3[:3], num_persons=3))
        assert in_space(joints_MTV3[:1], num_persons=3).shape == (1, 3, 25, 3)

    def test_the_skeleton_is_not_changed(self):
        skeleton = skeleton_in_space(people())
        skeleton.joints_MTV3_m[1, 1] = 0
        before = skeleton.joints_MTV3_m.copy()
        skeleton.joints_MTV3_m.flags.writeable = False
        read_stream(skeleton, KINECT_V2_25, "bone-motion", num_persons=2, positions_T=np.arange(3))
        np.testing.assert_array_equal(skeleton.joints_MTV3_m, before)


def rotation(quaternion):
    """Return the rotation matrix of a quaternion of any length."""
    w, x, y, z = np.array(quaternion) / np.linalg.norm(quaternion)
    cross_33 = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + 2 * w * cross_33 + 2 * cross_33 @ cross_33


def distances(places_N3):
    return np.linalg.norm(places_N3[:, None] - places_N3[None], axis=-1)


class TestInImage:
    def test_by_hand(self):
        pixels = np.full((1, 1, 17, 2), 50.0)
        pixels[0, 0, :4] = [(160, 360), (640, 0), (320, 240), (0, 480)]
        scores = np.full((1, 1, 17), 0.75, dtype=np.float32)
        ((found_V3,),) = joints_in_image(skeleton_in_image(pixels, scores), 2, np.arange(1))
        assert found_V3.dtype == np.float32
        assert found_V3[:4].tolist() == [[-0.5, 0.5, 0.75], [1, -1, 0.75], [0, 0, 0.75], [-1, 1, 0.75]]

    def test_without_scores_every_score_is_1(self):
        pixels = np.full((1, 2, 17, 2), 50.0)
        assert (joints_in_image(skeleton_in_image(pixels), 1, np.arange(2))[..., 2] == 1).all()

    @pytest.mark.parametrize(
        ("place", "score"),
        [((NAN, NAN), 0.5), ((NAN, 5.0), 0.5), ((math.inf, 5.0), 0.5), ((0.0, 0.0), 0.5), ((5.0, 5.0), 0.0),
         ((5.0, 5.0), NAN)],
    )  # fmt: skip
    def test_absent_joints_are_absent(self, place, score):
        pixels = np.full((2, 2, 17, 2), 50.0)
        scores = np.full((2, 2, 17), 0.75, dtype=np.float32)
        pixels[1, 0, 5], scores[1, 0, 5] = place, score
        found = joints_in_image(skeleton_in_image(pixels, scores), 2, np.arange(2))
        assert np.argwhere(np.isnan(found).any(axis=-1)).tolist() == [[1, 0, 5]]
        assert np.isnan(found[1, 0, 5]).all()

    def test_the_given_persons_and_frames_are_read(self):
        random = np.random.default_rng(0)
        pixels = random.uniform(1, 400, (3, 5, 17, 2))
        scores = random.uniform(0.1, 1, (3, 5, 17)).astype(np.float32)
        skeleton = skeleton_in_image(pixels, scores)
        whole = joints_in_image(skeleton, 9, np.arange(5))
        assert whole.shape == (3, 5, 17, 3)
        np.testing.assert_array_equal(joints_in_image(skeleton, 2, np.array([4, 1, 1])), whole[:2, [4, 1, 1]])


def slow_stream(places_MTVC, layout, stream):
    """Return a stream, computed joint by joint; 0 if any joint that it depends on is absent."""
    parents = dict(layout.edges)
    if layout.name.startswith("coco"):  # PYSKL's bones of the hips hang on the nose, unlike in its graph
        parents |= {11: 0, 12: 0}

    def difference(left_C, right_C):
        difference_C = [left - right for left, right in zip(left_C, right_C, strict=True)]
        if layout.planar:
            difference_C[-1] = (left_C[-1] + right_C[-1]) / 2
        return difference_C

    def value(person, frame, joint):
        place_C = places_MTVC[person, frame, joint].tolist()
        if not stream.startswith("bone"):
            return place_C
        return difference(place_C, places_MTVC[person, frame, parents.get(joint, joint)].tolist())

    slow_MTVC = np.zeros(places_MTVC.shape)
    last = places_MTVC.shape[1] - 1
    for person, frame, joint in np.ndindex(places_MTVC.shape[:3]):
        value_C = value(person, frame, joint)
        if stream.endswith("motion"):
            value_C = difference(value(person, min(frame + 1, last), joint), value_C)
        slow_MTVC[person, frame, joint] = 0 if any(map(math.isnan, value_C)) else value_C
    return slow_MTVC


def some_people(layout, *, num_frames=5, absent=0.0):
    """Return a skeleton of two people with a share of absent joints, and its joint stream."""
    random = np.random.default_rng(3)
    shape_MTV = (2, num_frames, layout.num_joints)
    absent_MTV = random.random(shape_MTV) < absent
    if layout.planar:
        pixels_MTV2 = random.uniform(1, 400, (*shape_MTV, 2))
        pixels_MTV2[absent_MTV] = NAN
        scores_MTV = random.uniform(0.1, 1, shape_MTV).astype(np.float32)
        skeleton = skeleton_in_image(pixels_MTV2, scores_MTV)
        return skeleton, joints_in_image(skeleton, 2, np.arange(num_frames))
    joints_MTV3 = people(num_frames=num_frames, num_joints=layout.num_joints)
    joints_MTV3[absent_MTV] = NAN
    skeleton = skeleton_in_space(joints_MTV3, layout)
    return skeleton, joints_in_space(skeleton, layout, 2, np.arange(num_frames))


every_layout = pytest.mark.parametrize("layout", NAMED_LAYOUTS, ids=lambda layout: layout.name)


class TestStreams:
    @every_layout
    @pytest.mark.parametrize("stream", STREAMS)
    def test_streams_equal_those_of_a_loop_over_joints(self, layout, stream):
        skeleton, places_MTVC = some_people(layout, absent=0.1)
        assert np.isnan(places_MTVC).any()
        positions_T = np.array([3, 0, 0, 4])
        found_MTVC = read_stream(skeleton, layout, stream, num_persons=2, positions_T=positions_T)
        slow_MTVC = slow_stream(places_MTVC, layout, stream)[:, positions_T]
        assert found_MTVC.dtype == np.float32
        np.testing.assert_allclose(found_MTVC, slow_MTVC, atol=1e-6)

    @every_layout
    def test_bones_add_up_from_the_root_to_every_joint(self, layout):
        skeleton, places_MTVC = some_people(layout)
        bones_MTVC = read_stream(skeleton, layout, "bone", num_persons=2, positions_T=np.arange(5))
        parents = dict(layout.bones)
        (root,) = set(range(layout.num_joints)) - set(parents)
        assert not bones_MTVC[:, :, root, :2].any()
        for joint in parents:
            sum_MTC, current = np.zeros_like(bones_MTVC[:, :, 0]), joint
            while current != root:
                sum_MTC, current = sum_MTC + bones_MTVC[:, :, current], parents[current]
            expected_MTC = places_MTVC[:, :, joint] - places_MTVC[:, :, root]
            np.testing.assert_allclose(sum_MTC[..., :2], expected_MTC[..., :2], atol=1e-5)

    @every_layout
    @pytest.mark.parametrize("stream", ["joint-motion", "bone-motion"])
    def test_motion_is_0_after_the_last_frame(self, layout, stream):
        skeleton, _ = some_people(layout)
        motion_MTVC = read_stream(skeleton, layout, stream, num_persons=2, positions_T=np.array([3, 4]))
        assert motion_MTVC[:, 0, :, :2].any(axis=-1).sum() > layout.num_joints
        assert not motion_MTVC[:, 1, :, :2].any()
        assert bool(motion_MTVC[:, 1, :, 2].any()) == layout.planar

    def test_scores_of_bones_and_motions_are_means(self):
        scores_MTV = np.full((1, 2, 17), 0.5, dtype=np.float32)
        scores_MTV[0, :, 13] = 0.25  # the left knee, between ankle 15 and hip 11
        scores_MTV[0, 1] *= 0.5
        skeleton = skeleton_in_image(np.random.default_rng(0).uniform(1, 400, (1, 2, 17, 2)), scores_MTV)
        scores = {
            stream: read_stream(skeleton, COCO_17, stream, num_persons=1, positions_T=np.arange(2))[0, ..., 2]
            for stream in STREAMS
        }
        assert scores["joint"][:, [13, 15, 0]].tolist() == [[0.25, 0.5, 0.5], [0.125, 0.25, 0.25]]
        assert scores["bone"][:, [13, 15, 0]].tolist() == [[0.375, 0.375, 0.5], [0.1875, 0.1875, 0.25]]
        assert scores["joint-motion"][:, [13, 15]].tolist() == [[0.1875, 0.375], [0.125, 0.25]]
        assert scores["bone-motion"][:, [13, 15]].tolist() == [[0.28125, 0.28125], [0.1875, 0.1875]]

    def test_a_person_has_no_motion_when_it_appears(self):
        joints_MTV3 = people(num_frames=4)
        joints_MTV3[1, :2] = 0
        skeleton = skeleton_in_space(joints_MTV3)
        motion_MTV3 = read_stream(
            skeleton, KINECT_V2_25, "joint-motion", num_persons=2, positions_T=np.arange(4)
        )
        assert motion_MTV3[1].any(axis=(1, 2)).tolist() == [False, False, True, False]
        assert motion_MTV3[0].any(axis=(1, 2)).tolist() == [True, True, True, False]
