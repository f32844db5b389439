"""Records of a store: the options it was prepared with, its shards, its rejected files and its digests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_serializer,
    model_validator,
)

from autohier.data.joint_layout import JointLayout
from autohier.data.layout_files import check_layout
from autohier.data.protocols import Protocol, find_protocol
from autohier.data.skeleton import LAYOUTS
from autohier.data.superclasses import GivenSuperclasses
from autohier.digest import digest
from autohier.errors import InputError, MissingDataError
from autohier.faults import find_faults
from autohier.files import open_regular, write_atomically

STORE_VERSION = 5
"""Version of the store format. Raise it if old and new code cannot read each other's stores, or if the same
source is prepared differently."""

_Record = TypeVar("_Record", bound="FrozenRecord")


_DIGEST = "record_sha256"


class FrozenRecord(BaseModel):
    """Base class of the JSON files of a store, each of which holds a digest of its values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def write(self, path: Path) -> None:
        """Write the record as JSON, atomically."""
        write_atomically(path, self.content())

    def content(self) -> bytes:
        """Return the record as JSON, with its digest."""
        values = self.model_dump(mode="json")
        return json.dumps(values | {_DIGEST: digest(values)}, indent=1, ensure_ascii=False).encode()


class StoreOptions(FrozenRecord):
    """Options of a preparation; a store holds clips of one set of options."""

    version: int = STORE_VERSION
    dataset: str
    modality: str
    size_px: int = Field(ge=8, le=4096)
    """Side of the square frames."""
    max_frames: int = Field(ge=1)
    """Largest number of frames kept per clip, evenly spaced."""
    jpeg_quality: int = Field(ge=1, le=95)
    cropped: bool
    """True if frames are cropped to the skeleton's box."""
    without_skeleton: Literal["reject", "whole-frame"]
    """Treatment of a clip without a usable skeleton: leave it out, or keep it uncropped."""
    # Left out while it is empty, so that stores of readers without settings keep their fingerprints.
    reader_settings: dict[str, Any] = Field(default_factory=dict, exclude_if=lambda settings: not settings)
    """Settings of the dataset's reader, by name; empty if its package declares none."""
    pose_units: str = Field("", exclude_if=lambda units: not units)
    """Units in which the source gives poses, see `PoseUnits.parse`; empty for pixels or meters."""
    joint_shape: tuple[int, int] | None = Field(None, exclude_if=lambda shape: shape is None)
    """Numbers of joints and coordinates of a user's own poses; poses of another shape are not used."""
    person_rule: str = Field("", exclude_if=lambda rule: not rule)
    """Rule by which persons are made of the tracks in a file, see `store.persons`; empty for datasets without
    one and in stores of earlier versions."""

    @classmethod
    def checked(cls, **values: object) -> StoreOptions:
        """Create options from a user's values.

        Raises:
            InputError: if a value is out of range.
        """
        try:
            return StoreOptions.model_validate(values)
        except ValidationError as error:
            faults = "; ".join(fault.text for fault in find_faults(error))
            raise InputError(f"options of a store: {faults}") from error


class ShardEntry(FrozenRecord):
    """Size and digest of one shard."""

    num_rows: int
    num_bytes: int
    sha256: str


class Manifest(StoreOptions):
    """Description of a finished store. It holds no times or paths: equal clips give equal fingerprints."""

    class_names: tuple[str, ...]
    joint_layout: str
    declared_layout: JointLayout | None = Field(None, exclude_if=lambda layout: layout is None)
    """The user's own joint layout; None for a shipped one."""
    channels: Literal[0, 1, 3]
    sided: bool
    """True if a mirrored clip may belong to another class."""
    protocols: tuple[Protocol, ...]
    """Protocols that the clips can be divided by, the default first."""
    levels: tuple[GivenSuperclasses, ...]
    """Superclasses that come with the dataset."""
    split_findings: tuple[str, ...]
    """Sentences on split sizes that differ from the published ones; empty if all agree."""
    num_clips: int
    num_rejected: int
    """Clips of the source that could not be prepared."""
    shards: tuple[ShardEntry, ...]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.declared_layout is not None:
            check_layout(self.declared_layout)
        elif self.joint_layout not in LAYOUTS:
            raise ValueError(f"there is no joint layout {self.joint_layout}")
        if any(len(level.assignment) != len(self.class_names) for level in self.levels):
            raise ValueError("superclasses must cover every class")
        return self

    @field_serializer("protocols", mode="wrap")
    def _leave_out_empty_lists(
        self, protocols: tuple[Protocol, ...], dump: SerializerFunctionWrapHandler
    ) -> list[dict[str, Any]]:
        # A store without validation lists keeps the fingerprint that it had before there were any.
        return [
            {name: value for name, value in dumped.items() if name != "validation" or value}
            for dumped in dump(protocols)
        ]

    @property
    def fingerprint(self) -> str:
        """Digest that is equal for equal clips. Shards show if another rule for persons changed some."""
        return digest(self.model_dump(mode="json", exclude={"person_rule"}))

    @property
    def layout(self) -> JointLayout:
        """Joint layout of the skeletons."""
        return self.declared_layout or LAYOUTS[self.joint_layout]

    def protocol(self, name: str) -> Protocol:
        """Return the protocol of this name.

        Raises:
            InputError: if the store has no such protocol.
        """
        return find_protocol(self.dataset, self.protocols, name)


class Rejection(FrozenRecord):
    """File that could not be used."""

    clip_id: str
    path: str
    kind: str
    """The rule that the file breaks; equal for all files that break it."""
    reason: str
    kept: bool
    """True if the clip is in the store nevertheless, uncropped and without a skeleton."""


class ShardInputs(FrozenRecord):
    """Digests of the inputs of a shard."""

    contents: str
    """Digest over the options, the clips' labels, the sizes of their videos and the content of their
    skeletons."""
    states: str
    """As ``contents``, but with the sizes and modification times of the skeleton files instead of their
    content."""


class Receipt(FrozenRecord):
    """Proof that a shard is finished, with its inputs and the files rejected from it."""

    index: int
    inputs: ShardInputs
    entry: ShardEntry
    rejections: tuple[Rejection, ...]

    @property
    def num_rejected(self) -> int:
        """Number of clips that were left out of the shard."""
        return sum(not rejection.kept for rejection in self.rejections)


class SourceOrigin(FrozenRecord):
    """Source files that a store was prepared from. Not in the manifest: a moved source is the same data."""

    path: str
    """Absolute path of the folder or file, on the machine that finished the store."""
    digest: str
    """Digest over the labels, the sizes of the videos and the content of the skeletons; see `ShardInputs`."""


def load_record(kind: type[_Record], path: Path) -> _Record | None:
    """Load a record; returns None if the file cannot be read or is not a valid record of this kind.

    A record of an earlier version has no digest.
    """
    try:
        with open_regular(path) as file:
            values = json.loads(file.read())
        if _DIGEST in values and values.pop(_DIGEST) != digest(values):
            return None
        return kind.model_validate_json(json.dumps(values))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, InputError):
        return None


def check_version(path: Path, *, hint: str) -> None:
    """Check that a file of a store states this version of the format.

    Raises:
        MissingDataError: if the file states another version, or none.
    """

    class Versioned(BaseModel):
        version: int

    try:
        with open_regular(path) as file:
            version = Versioned.model_validate_json(file.read()).version
    except (OSError, ValidationError) as error:
        raise MissingDataError(f"{path} is damaged", hint=hint) from error
    if version != STORE_VERSION:
        raise MissingDataError(
            f"the store at {path.parent} must be of version {STORE_VERSION}", got=version, hint=hint
        )
