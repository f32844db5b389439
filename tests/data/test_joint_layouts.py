"""Joint layouts: those that ship with autohier, and those that users declare in TOML files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autohier.data.datasets.common.poses.conversion import layout_of_poses
from autohier.data.datasets.common.poses.layout_checks import measure_fits, warn_layout
from autohier.data.datasets.demo import body
from autohier.data.joint_layout import JointLayout
from autohier.data.layout_files import choose_layout, describe_layout, read_layout_file, resolve_layout
from autohier.data.skeleton import (
    COCO_17,
    KINECT_V1_20,
    KINECT_V1_20_UTD,
    KINECT_V2_25,
    LAYOUTS,
    NAMED_LAYOUTS,
    Skeleton,
)
from autohier.errors import InputError
from support.doc_blocks import all_blocks

every_layout = pytest.mark.parametrize("layout", NAMED_LAYOUTS, ids=lambda layout: layout.name)

PARENTS = {
    "openpose-18": (1, -1, 1, 2, 3, 1, 5, 6, 1, 8, 9, 1, 11, 12, 0, 0, 14, 15),
    "body-25": (1, 8, 1, 2, 3, 1, 5, 6, -1, 8, 9, 10, 8, 12, 13, 0, 0, 15, 16, 14, 19, 14, 11, 22, 11),
    "h36m-17": (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15),
    "jhmdb-15": (1, -1, 0, 0, 0, 1, 1, 3, 4, 5, 6, 7, 8, 9, 10),
    "florence-15": (1, 2, -1, 1, 3, 4, 1, 6, 7, 2, 9, 10, 2, 12, 13),
}
"""Parents by index, as published."""


@every_layout
def test_bones_are_a_tree_that_mirroring_keeps(layout: JointLayout) -> None:
    assert len(set(layout.joint_names)) == layout.num_joints
    assert len(layout.edges) == layout.num_joints - 1
    parents = dict(layout.edges)
    for joint in range(layout.num_joints):
        path = [joint]
        while path[-1] in parents:
            path.append(parents[path[-1]])
        assert path[-1] == layout.root
    mirrored = layout.mirrored()
    assert [mirrored[other] for other in mirrored] == list(range(layout.num_joints))
    assert {(mirrored[child], mirrored[parent]) for child, parent in layout.edges} == set(layout.edges)


@pytest.mark.parametrize("name", PARENTS)
def test_parents_are_the_published_ones(name: str) -> None:
    parents = dict(LAYOUTS[name].edges)
    assert tuple(parents.get(joint, -1) for joint in range(LAYOUTS[name].num_joints)) == PARENTS[name]


def test_joints_of_some_layouts_by_hand() -> None:
    names = {name: LAYOUTS[name].joint_names for name in LAYOUTS}
    assert [names["msr-20"][joint - 1] for joint in (3, 4, 7, 20)] == [
        *("shoulder center", "spine", "hip center", "head")
    ]
    assert names["body-25"][21] == "left heel"
    assert names["halpe-26"][:17] == COCO_17.joint_names
    of_coco = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
    assert tuple(names["blazepose-33"][joint] for joint in of_coco) == COCO_17.joint_names


def test_cocos_bones_hang_the_hips_on_the_nose_and_its_graph_on_the_shoulders() -> None:
    assert {bone for bone in COCO_17.bones if bone[0] in {11, 12}} == {(11, 0), (12, 0)}
    assert {edge for edge in COCO_17.edges if edge[0] in {11, 12}} == {(11, 5), (12, 6)}
    assert LAYOUTS["coco-17-3d"].bones == COCO_17.bones


DECLARED = """
name = "arms-5"
dimensions = 3
joints = ["base", "chest", "head", "hand one", "hand two"]
parents = ["", "base", "chest", "chest", "chest"]
pairs = [["hand one", "hand two"]]
centre = "chest"
up = ["base", "chest"]
across = ["hand one", "hand two"]
"""


def declared(folder: Path, text: str = DECLARED) -> JointLayout:
    path = folder / "layout.toml"
    path.write_text(text)
    return choose_layout(str(path))


def test_a_declared_layout_is_read(tmp_path: Path) -> None:
    layout = declared(tmp_path)
    assert layout.edges == ((1, 0), (2, 1), (3, 1), (4, 1))
    assert layout.mirrored() == (0, 1, 2, 4, 3)
    assert (layout.root, layout.graph_centre, layout.planar) == (0, 1, False)
    axes = layout.body_axes()
    assert (axes.origin, axes.bottom, axes.top, axes.left, axes.right) == ((1,), (0,), (1,), (3,), (4,))
    assert resolve_layout(describe_layout(layout)) == layout
    assert describe_layout(COCO_17) == "coco-17"


def test_the_example_of_the_documentation_is_read(tmp_path: Path) -> None:
    (block,) = [block for block in all_blocks("toml") if block.page == "docs/own-data.md"]
    layout = declared(tmp_path, block.body)
    assert layout.num_joints > 2


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"arms-5"', '"coco-17"', "must not be that of a shipped layout, coco-17"),
        ("dimensions = 3", "dimensions = 4", "dimensions must be 2 or 3, but got 4"),
        ('"head",', '"base",', "joints must have unique names, but got 'base'"),
        ('["", "base"', '["", "hip"', "parents must name joints, but got 'hip'"),
        ('["", "base", "chest",', '["", "base",', "parents must be 5, one per joint, but got 4"),
        ('["", "base"', '["", ""', "exactly one joint must have no parent"),
        (
            '["", "base"',
            '["head", "base"',
            "one joint must have no parent, the root, but got 0 of them",
        ),
        ('"head",', '"",', "joints must have names, but got ''"),
        ('[["hand one", "hand two"]]', '[["hand one", ""]]', "pairs must name joints, but got ''"),
        ('centre = "chest"', 'centre = ""', "centre must name joints, but got ''"),
        ('up = ["base",', 'up = ["chest",', "up must name two joints, but got 'chest' twice"),
        ('["", "base", "chest"', '["", "head", "chest"', "must hang on the root"),
        ('[["hand one", "hand two"]]', '[["hand one", "hand one"]]', "pairs must hold each joint once"),
        ('across = ["hand one", "hand two"]', "", "up and across must be given together"),
        ("name =", "nam =", "name must be given"),
        ("[", "{", "must be a readable TOML file"),
    ],
)
def test_faulty_files_are_refused_with_the_reason(tmp_path: Path, old: str, new: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        declared(tmp_path, DECLARED.replace(old, new, 1))


def test_unknown_names_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="but got 'openpose-17': did you mean 'openpose-18'"):
        choose_layout("openpose-17")
    with pytest.raises(InputError, match="must be a readable TOML file"):
        read_layout_file(tmp_path / "none.toml")


def test_the_shape_of_poses_decides_the_layout_unless_it_is_stated(tmp_path: Path) -> None:
    assert layout_of_poses([(17, 2)], None) is COCO_17
    assert layout_of_poses([(20, 3)], KINECT_V1_20_UTD) is KINECT_V1_20_UTD
    assert layout_of_poses([(20, 2)], KINECT_V1_20) is LAYOUTS["kinect-v1-20-2d"]
    assert layout_of_poses([(17, 3)], LAYOUTS["h36m-17"]).name == "h36m-17"
    layout = declared(tmp_path)
    assert layout_of_poses([(4, 2), (5, 3)], layout) is layout
    with pytest.raises(InputError, match=r"got 18 joints in 2: add --layout openpose-18 or FILE\.toml"):
        layout_of_poses([(18, 2)], None)
    with pytest.raises(InputError, match="arms-5 must have 5 joints in 3 coordinates, but got 5 joints in 2"):
        layout_of_poses([(5, 2)], layout)


def moving_body(layout: JointLayout, seed: int) -> Skeleton:
    """Return a generated person in space, in the order of a layout whose joints Kinect v2 has."""
    random = np.random.default_rng(seed)
    angles_TV3 = np.cumsum(random.normal(0, 0.1, (40, body.NUM_JOINTS, 3)), axis=0)
    motion = body.Motion(angles_TV3, path_T3=np.zeros((40, 3)))
    joints_TV3 = body.pose_body(body.make_person(0, 1), motion)
    kinect_v2 = {"hip center": "spine base", "spine": "spine mid", "shoulder center": "spine shoulder"}
    names = [kinect_v2.get(name, name) for name in layout.joint_names]
    order = [KINECT_V2_25.joint_names.index(name) for name in names]
    joints_MTV3 = (joints_TV3[:, order] + (0, 0, 3)).astype(np.float32)[None]
    pixels_MTV2 = np.full((*joints_MTV3.shape[:3], 2), np.nan, np.float32)
    return Skeleton(joints_MTV3, pixels_MTV2, 0, 0, layout.name)


def found(order: JointLayout, read_as: JointLayout) -> list[str]:
    fits = [
        measure_fits(replace(moving_body(order, seed), layout=read_as.name), read_as) for seed in range(8)
    ]
    return [f"{text}: {hint}" for text, hint in warn_layout(fits)]


def test_the_right_order_of_joints_causes_no_warning() -> None:
    for layout in (KINECT_V2_25, KINECT_V1_20, KINECT_V1_20_UTD, LAYOUTS["msr-20"]):
        assert found(layout, layout) == []


@pytest.mark.parametrize(
    ("order", "read_as"),
    [
        *((KINECT_V1_20_UTD, KINECT_V1_20), (KINECT_V1_20, KINECT_V1_20_UTD)),
        *((LAYOUTS["msr-20"], KINECT_V1_20), (KINECT_V1_20, LAYOUTS["msr-20"])),
    ],
    ids=lambda layout: layout.name,
)
def test_a_wrong_order_of_20_joints_is_a_warning_that_names_the_right_one(
    order: JointLayout, read_as: JointLayout
) -> None:
    (warning,) = found(order, read_as)
    assert (
        f"the joints are probably in another order, that of {order.name}: add --layout {order.name}"
        in warning
    )


def test_shuffled_joints_are_a_warning() -> None:
    shuffled = replace(
        KINECT_V2_25,
        joint_names=tuple(np.random.default_rng(0).permutation(KINECT_V2_25.joint_names).tolist()),
    )
    (warning,) = found(shuffled, KINECT_V2_25)
    assert "the joints are probably in another order: state the layout with --layout" in warning
