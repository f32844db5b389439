"""Partitions of graphs, by hand on a small tree and by law on the real layouts."""

import numpy as np
import pytest

from autohier.data.skeleton import LAYOUTS, JointLayout
from autohier.errors import InputError
from autohier.models.graph import (
    directed_partitions,
    find_layout,
    hops_from_centre,
    spatial_partitions,
)

# A chest with a head and an arm of two joints; the chest comes second, so that no order is taken for granted.
#   hand(3) - elbow(0) - chest(1) - head(2)
TREE = JointLayout("tree", ("elbow", "chest", "head", "hand"), ((0, 1), (2, 1), (3, 0)))

layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)


def test_hops_are_counted_along_the_bones():
    assert hops_from_centre(TREE).tolist() == [1, 0, 1, 2]


def test_spatial_partitions_of_a_small_tree():
    # A joint takes from itself and its neighbours, all alike: the elbow from three, the chest from three, the
    # head and the hand from two. Rows are where from, columns where to.
    own, nearer, farther = spatial_partitions(TREE)
    third, half = np.float32(1 / 3), np.float32(1 / 2)
    np.testing.assert_array_equal(own, np.diag([third, third, half, half]))
    np.testing.assert_array_equal(nearer, [[0, 0, 0, half], [third, 0, half, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(
        farther, [[0, third, 0, 0], [0, 0, 0, 0], [0, third, 0, 0], [third, 0, 0, 0]]
    )


def test_directed_partitions_of_a_small_tree():
    own, parent, children = directed_partitions(TREE)
    np.testing.assert_array_equal(own, np.eye(4))
    np.testing.assert_array_equal(parent, [[0, 0, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(children, [[0, 0.5, 0, 0], [0, 0, 0, 0], [0, 0.5, 0, 0], [1, 0, 0, 0]])


@layouts
def test_bones_of_a_layout_are_one_hop_longer_than_their_parents(layout):
    hops = hops_from_centre(layout)
    assert (hops == 0).sum() == 1
    assert all(hops[child] == hops[parent] + 1 for child, parent in layout.edges)


@pytest.mark.parametrize(
    ("name", "centre"),
    [
        ("kinect-v2-25", "spine shoulder"),
        ("kinect-v1-20", "shoulder center"),
        ("kinect-v1-20-utd", "hip center"),
        ("coco-17", "nose"),
    ],
)
def test_the_centre_is_what_all_others_hang_on(name, centre):
    layout = LAYOUTS[name]
    assert layout.joint_names[hops_from_centre(layout).argmin()] == centre


@layouts
def test_all_a_joint_gathers_sums_to_one_and_is_its_share_of_its_neighbours(layout):
    partitions_PVW = spatial_partitions(layout)
    np.testing.assert_allclose(partitions_PVW.sum(axis=(0, 1)), 1, rtol=1e-6)
    degree = np.ones(layout.num_joints)
    for joint in np.ravel(layout.edges):
        degree[joint] += 1
    for child, parent in layout.edges:
        assert partitions_PVW[1, parent, child] == pytest.approx(1 / degree[child])
        assert partitions_PVW[2, child, parent] == pytest.approx(1 / degree[parent])
    assert np.count_nonzero(partitions_PVW) == layout.num_joints + 2 * len(layout.edges)


@layouts
def test_each_directed_partition_sums_to_one_where_there_is_a_neighbour(layout):
    own, parents, children = directed_partitions(layout).sum(axis=1)
    hops, num_joints = hops_from_centre(layout), layout.num_joints
    is_parent = np.isin(np.arange(num_joints), [parent for _, parent in layout.edges])
    np.testing.assert_array_equal(own, np.ones(num_joints))
    np.testing.assert_array_equal(parents, hops > 0)
    np.testing.assert_allclose(children, is_parent, rtol=1e-6)


def test_an_unknown_layout_is_answered_with_those_known():
    with pytest.raises(InputError, match=r"got 'kinect-25': valid are kinect-v2-25, .*coco-17"):
        find_layout("kinect-25")
