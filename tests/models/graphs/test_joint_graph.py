"""Graph partitions: by hand on a small tree, and by their properties on all layouts."""

import numpy as np
import pytest

from autohier.data.joint_layout import JointLayout
from autohier.data.skeleton import LAYOUTS
from autohier.errors import InputError
from autohier.models.graphs.joint_graph import (
    directed_partitions,
    find_layout,
    hop_partitions,
    hops_between,
    hops_from_centre,
    hops_in_window,
    spatial_partitions,
)

# A chest with a head and an arm of two joints; the centre is not the first joint.
#   hand(3) - elbow(0) - chest(1) - head(2)
TREE = JointLayout("tree", ("elbow", "chest", "head", "hand"), ((0, 1), (2, 1), (3, 0)))

layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)


def test_hops_count_the_bones_to_the_centre():
    assert hops_from_centre(TREE).tolist() == [1, 0, 1, 2]


def test_spatial_partitions_of_a_small_tree():
    # A joint gathers from itself and its neighbors with equal weights: elbow and chest from three joints,
    # head and hand from two. Rows are the joints gathered from, columns the joints gathered to.
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


def test_hops_between_the_joints_of_a_small_tree():
    assert hops_between(TREE).tolist() == [[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 3], [1, 2, 3, 0]]


def test_in_a_window_a_joint_is_next_to_itself_and_its_neighbours_in_other_frames():
    hops = hops_in_window(TREE, 3)
    assert hops.shape == (12, 12)
    assert hops[:4, :4].tolist() == hops[8:, 8:].tolist() == hops_between(TREE).tolist()
    across = [[1, 1, 2, 1], [1, 1, 1, 2], [2, 1, 1, 3], [1, 2, 3, 1]]
    assert hops[:4, 4:8].tolist() == hops[8:, :4].tolist() == across


def test_partitions_by_distance_of_a_small_tree():
    itself, one_hop, three_hops = hop_partitions(hops_between(TREE), 4)[[0, 1, 3]]
    np.testing.assert_array_equal(itself, np.eye(4))
    # With itself, the elbow and the chest have three neighbors, head and hand two. An entry is divided by the
    # root of the number at both ends.
    third, half, mixed = 1 / 3, 1 / 2, 1 / 6**0.5
    expected = [[third, third, 0, mixed], [third, third, mixed, 0], [0, mixed, half, 0], [mixed, 0, 0, half]]
    np.testing.assert_allclose(one_hop, expected, rtol=1e-6)
    # Head and hand are the only joints at three bones; elbow and chest hold themselves.
    np.testing.assert_allclose(
        three_hops, [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, half, half], [0, 0, half, half]], rtol=1e-6
    )


@layouts
def test_distances_add_up_along_the_tree(layout):
    hops = hops_between(layout)
    np.testing.assert_array_equal(hops, hops.T)
    np.testing.assert_array_equal(hops[layout.graph_centre], hops_from_centre(layout))
    # At most as many hops as bones, and every distance up to the largest occurs.
    assert sorted(set(hops.flatten().tolist())) == list(range(hops.max() + 1))


@layouts
def test_a_joint_is_one_hop_farther_than_its_parent(layout):
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
def test_all_joints_descend_from_the_centre(name, centre):
    layout = LAYOUTS[name]
    assert layout.joint_names[hops_from_centre(layout).argmin()] == centre


@layouts
def test_spatial_weights_of_a_joint_are_equal_and_sum_to_one(layout):
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
def test_directed_weights_of_a_joint_sum_to_one_if_it_has_neighbours(layout):
    own, parents, children = directed_partitions(layout).sum(axis=1)
    hops, num_joints = hops_from_centre(layout), layout.num_joints
    is_parent = np.isin(np.arange(num_joints), [parent for _, parent in layout.edges])
    np.testing.assert_array_equal(own, np.ones(num_joints))
    np.testing.assert_array_equal(parents, hops > 0)
    np.testing.assert_allclose(children, is_parent, rtol=1e-6)


def test_an_unknown_layout_is_reported_with_the_valid_ones():
    with pytest.raises(InputError, match=r"unknown joint layout 'kinect-25': did you mean 'kinect-v2-25'"):
        find_layout("kinect-25")
