"""Joint layouts by name, in TOML files of users, and as JSON in manifests and stage keys."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from autohier.data.joint_layout import BodyAxes, JointLayout, axes_by_name, edges_of
from autohier.data.names import composed
from autohier.data.skeleton import LAYOUTS, NAMED_LAYOUTS
from autohier.errors import InputError, nearest
from autohier.faults import find_faults
from autohier.files import open_regular

_MAX_JOINTS: Final = 500
_MAX_BYTES: Final = 1 << 20
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,49}")
_HINT: Final = "see the page on your own data for an example"
_ADAPTER: Final = TypeAdapter(JointLayout)


class LayoutFile(BaseModel):
    """Content of a TOML file that declares a joint layout."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Name of the layout; not that of a shipped one."""
    dimensions: Literal[2, 3]
    """2 for joints in the image, 3 for joints in space."""
    joints: tuple[str, ...] = Field(min_length=2, max_length=_MAX_JOINTS)
    """Unique names, in the order of the files."""
    parents: tuple[str, ...]
    """The joint on which each joint hangs; empty for the root."""
    pairs: tuple[tuple[str, str], ...] | None = None
    """Left and right joints, which mirroring swaps; by default joints named left and right."""
    centre: str | None = None
    """Joint at the origin of a body, from which graph networks measure distances; by default the root."""
    up: tuple[str, str] | None = None
    """Two joints, the lower one first, whose line points up in a standing body."""
    across: tuple[str, str] | None = None
    """Two joints, the left one first, whose line points across the body."""

    @model_validator(mode="after")
    def _names_joints(self) -> Self:
        if not _NAME.fullmatch(self.name):
            raise ValueError("name must consist of lower-case letters, digits, '-' and '.'")
        if self.name in LAYOUTS:
            raise ValueError(f"name must not be that of a shipped layout, {self.name}")
        listed = {
            "parents": tuple(filter(None, self.parents)),
            "pairs": sum(self.pairs or (), ()),
            "centre": () if self.centre is None else (self.centre,),
            "up": self.up or (),
            "across": self.across or (),
        }
        for field, names in listed.items():
            if unknown := [name for name in names if name not in self.joints]:
                raise ValueError(f"{field} must name joints, but got {unknown[0]!r}")
        if len(self.parents) != len(self.joints):
            raise ValueError(
                f"parents must be {len(self.joints)}, one per joint, but got {len(self.parents)}"
            )
        if "" in self.joints:
            raise ValueError("joints must have names, but got ''")
        return self

    @model_validator(mode="after")
    def _is_a_layout(self) -> Self:
        if (num_roots := self.parents.count("")) != 1:
            raise ValueError(f"exactly one joint must have no parent, the root, but got {num_roots} of them")
        for field, pair in (("up", self.up), ("across", self.across)):
            if pair is not None and pair[0] == pair[1]:
                raise ValueError(f"{field} must name two joints, but got {pair[0]!r} twice")
        if (self.up is None) != (self.across is None):
            raise ValueError("up and across must be given together")
        check_layout(self.layout())
        return self

    def layout(self) -> JointLayout:
        """Return the layout."""
        index = {name: joint for joint, name in enumerate(self.joints)}
        parents = [index.get(name, -1) for name in self.parents]
        layout = JointLayout(
            name=self.name,
            joint_names=self.joints,
            edges=edges_of(parents),
            planar=self.dimensions == 2,
            pairs=None if self.pairs is None else tuple((index[one], index[two]) for one, two in self.pairs),
            centre=None if self.centre is None else index[self.centre],
        )
        if self.up is None or self.across is None:
            axes = axes_by_name(self.joints, layout.graph_centre)
        else:
            bottom, top, left, right = ((index[name],) for name in (*self.up, *self.across))
            axes = BodyAxes((layout.graph_centre,), bottom, top, left, right)
        if self.centre is not None:
            axes = replace(axes, origin=(layout.graph_centre,))
        return replace(layout, axes=axes)


def check_layout(layout: JointLayout) -> None:
    """Check that a layout is consistent.

    Raises:
        ValueError: if names repeat, bones are no tree, or joints do not exist.
    """
    joints = range(layout.num_joints)
    axes = layout.axes or BodyAxes(())
    used = [
        *(joint for pair in (*layout.edges, *layout.parents, *(layout.pairs or ())) for joint in pair),
        *(axes.origin + axes.bottom + axes.top + axes.left + axes.right),
        *(() if layout.centre is None else (layout.centre,)),
    ]
    if not set(used) <= set(joints):
        raise ValueError("a layout must refer to its own joints")
    for name in layout.joint_names:
        if not name or layout.joint_names.count(name) > 1:
            raise ValueError(f"joints must have unique names, but got {name!r}")
    parents = dict(layout.edges)
    if len(parents) != len(layout.edges) or len(parents) != layout.num_joints - 1:
        raise ValueError("exactly one joint must have no parent, the root")
    for joint in joints:
        above = joint
        for _ in joints:
            above = parents.get(above, above)
        if above in parents:
            raise ValueError(f"{layout.joint_names[joint]!r} must hang on the root, through its parents")
    paired = [joint for pair in layout.pairs or () for joint in pair]
    if len(set(paired)) != len(paired):
        raise ValueError("pairs must hold each joint once")


def resolve_layout(layout: str | Mapping[str, object]) -> JointLayout:
    """Return a shipped layout by name, or the one that `describe_layout` described.

    Raises:
        InputError: if the name is unknown, or the description is not one of a layout.
    """
    if isinstance(layout, str):
        if layout not in LAYOUTS:
            raise InputError(f"unknown joint layout {layout!r}", hint=nearest(layout, _usual_names()))
        return LAYOUTS[layout]
    try:
        found = _ADAPTER.validate_python(layout)
        check_layout(found)
    except ValueError as error:
        raise InputError("a joint layout must be consistent", got=error) from error
    return found


def describe_layout(layout: JointLayout) -> str | dict[str, Any]:
    """Return the name of a shipped layout, or all of a user's own, as JSON; see `resolve_layout`."""
    if is_shipped(layout):
        return layout.name
    described: dict[str, Any] = _ADAPTER.dump_python(layout, mode="json")
    return described


def is_shipped(layout: JointLayout) -> bool:
    """Return True if a layout ships with autohier, so that its name describes it."""
    return LAYOUTS.get(layout.name) == layout


def choose_layout(text: str) -> JointLayout:
    """Return the layout that a user chose by its name or by a TOML file.

    Raises:
        InputError: if there is neither a shipped layout of this name nor such a file, or the file declares no
            layout.
    """
    if text in LAYOUTS:
        return LAYOUTS[text]
    path = Path(text)
    if path.suffix.lower() == ".toml" or path.exists():
        return read_layout_file(path)
    raise InputError(
        "a joint layout must be that of a TOML file, or one of " + ", ".join(_usual_names()),
        got=repr(text),
        hint=nearest(text, list(LAYOUTS)),
    )


def read_layout_file(path: Path) -> JointLayout:
    """Read the layout that a TOML file declares.

    Raises:
        InputError: if the file cannot be read or does not declare a layout.
    """
    try:
        with open_regular(path) as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise InputError(f"the joint layout {path} must have at most {_MAX_BYTES >> 20} MiB")
        return LayoutFile.model_validate(tomllib.loads(composed(content.decode("utf-8-sig")))).layout()
    except ValidationError as error:
        faults = "; ".join(fault.text for fault in find_faults(error))
        raise InputError(f"the joint layout {path} is invalid: {faults}", hint=_HINT) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(
            f"the joint layout {path} must be a readable TOML file", got=error, hint=_HINT
        ) from error


def _usual_names() -> list[str]:
    return [layout.name for layout in NAMED_LAYOUTS]
