"""Layouts of joints: their names, the tree of bones, sides of the body, and the axes of a body in space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

# Names of joints from which the axes of a body follow, in order of precedence.
_BASES: Final = ("spine base", "hip center", "pelvis", "mid hip", "hip")
_MIDDLES: Final = ("spine mid", "spine", "belly", "thorax", "neck")
_SIDES: Final = {"left": "right", "right": "left"}


@dataclass(frozen=True, slots=True)
class BodyAxes:
    """Joints that determine the coordinates of a body in space; a position is the mean of the given joints.

    Attributes:
        origin: origin of the coordinates.
        bottom: start of the axis that points up.
        top: end of that axis.
        left: start of the axis that points across the body.
        right: end of that axis.
    """

    origin: tuple[int, ...]
    bottom: tuple[int, ...] = ()
    top: tuple[int, ...] = ()
    left: tuple[int, ...] = ()
    right: tuple[int, ...] = ()

    @property
    def is_turned(self) -> bool:
        """True if the axes are known; otherwise bodies are moved to the origin but not turned."""
        return all((self.bottom, self.top, self.left, self.right))


@dataclass(frozen=True, slots=True)
class JointLayout:
    """Order of the joints and the bones between them.

    Attributes:
        name: name of the layout in datasets and manifests.
        joint_names: one unique name per joint, in file order.
        edges: bones as 0-based (child, parent); a tree over all joints. Graph networks gather along them.
        planar: True if joints come from images and have no coordinates in meters.
        parents: (child, parent) pairs that replace those of ``edges`` in bone streams.
        pairs: joints of the left and the right side, which mirroring swaps; None for the joints whose names
            differ in the words left and right.
        axes: coordinates of a body in space; None for those that follow from the names of joints.
        centre: joint from which graph networks measure distances; None for the joint without a parent.
    """

    name: str
    joint_names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    planar: bool = False
    parents: tuple[tuple[int, int], ...] = ()
    pairs: tuple[tuple[int, int], ...] | None = None
    axes: BodyAxes | None = None
    centre: int | None = None

    @property
    def num_joints(self) -> int:
        """V of the arrays in this layout."""
        return len(self.joint_names)

    @property
    def num_coordinates(self) -> int:
        """Coordinates of a joint in pose files: 2 in the image, 3 in space."""
        return 2 if self.planar else 3

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(child, parent) of the bone streams; a joint without a parent has no bone."""
        return tuple((dict(self.edges) | dict(self.parents)).items())

    def mirrored(self) -> tuple[int, ...]:
        """Return the index of each joint's counterpart on the other side of the body, or its own index."""
        pairs = _pairs_by_name(self.joint_names) if self.pairs is None else self.pairs
        others = dict(pairs) | {right: left for left, right in pairs}
        return tuple(others.get(joint, joint) for joint in range(self.num_joints))

    def body_axes(self) -> BodyAxes:
        """Return the coordinates of a body in space."""
        return self.axes or axes_by_name(self.joint_names, self.graph_centre)

    @property
    def root(self) -> int:
        """The joint without a parent."""
        return next(joint for joint in range(self.num_joints) if joint not in dict(self.edges))

    @property
    def graph_centre(self) -> int:
        """The joint from which graph networks measure distances."""
        return self.root if self.centre is None else self.centre

    def with_planar(self, *, planar: bool) -> JointLayout:
        """Return the same joints in the image or in space; the name says which, unless it is the usual."""
        if planar == self.planar:
            return self
        return replace(self, name=f"{self.name}-{2 if planar else 3}d", planar=planar)


def edges_of(parents: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return (child, parent) of every joint but the root, from the parents of all joints, -1 for the root."""
    return tuple((child, parent) for child, parent in enumerate(parents) if parent >= 0)


def axes_by_name(joint_names: Sequence[str], root: int) -> BodyAxes:
    """Return the axes from hips to spine and from shoulder to shoulder, as far as joints have these names."""

    def find(*names: str) -> tuple[int, ...]:
        return next(((joint_names.index(name),) for name in names if name in joint_names), ())

    def both(part: str) -> tuple[int, ...]:
        found = [find(f"{side} {part}") for side in _SIDES]
        return found[0] + found[1] if all(found) else ()

    bottom = find(*_BASES) or both("hip")
    top = find(*_MIDDLES) or both("shoulder")
    left, right = find("left shoulder"), find("right shoulder")
    if not (bottom and top and left and right):
        return BodyAxes((root,))
    return BodyAxes(top, bottom, top, left, right)


def _pairs_by_name(joint_names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    index = {name: joint for joint, name in enumerate(joint_names)}
    others = (" ".join(_SIDES.get(word, word) for word in name.split(" ")) for name in joint_names)
    pairs = ((joint, index.get(other, joint)) for joint, other in enumerate(others))
    return tuple((joint, other) for joint, other in pairs if joint < other)
