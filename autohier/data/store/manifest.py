"""What a store says about itself: how it was prepared, its shards and its digests."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from autohier.data.levels import GivenLevel
from autohier.data.protocols import Protocol, find_protocol
from autohier.data.skeleton import LAYOUTS
from autohier.errors import InputError, MissingDataError
from autohier.files import open_regular, write_atomically

STORE_VERSION = 3
"""Grows when a store of this code cannot be read by older code, or the other way round, or when what is
prepared of the same source changes."""

_Record = TypeVar("_Record", bound="_FrozenRecord")


class _FrozenRecord(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def write(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_atomically(path, self.content())

    def content(self) -> bytes:
        """The JSON that is written."""
        return self.model_dump_json(indent=1).encode()


class StoreOptions(_FrozenRecord):
    """How clips are prepared; a store holds clips of one set of options."""

    version: int = STORE_VERSION
    dataset: str
    modality: str
    size_px: int = Field(ge=8, le=4096)
    """Side of the square frames."""
    max_frames: int = Field(ge=1)
    """Frames kept of each clip, evenly spaced; all where it has fewer."""
    jpeg_quality: int = Field(ge=1, le=95)
    cropped: bool
    """Whether frames are cut to the skeleton's box."""
    without_skeleton: Literal["reject", "whole-frame"]
    """What becomes of a clip without a usable skeleton."""

    @classmethod
    def checked(cls, **values: object) -> StoreOptions:
        """Options from values that a user gave.

        Raises:
            InputError: where one is out of range.
        """
        try:
            return StoreOptions.model_validate(values)
        except ValidationError as error:
            fault = error.errors()[0]
            raise InputError(
                f"{fault['loc'][0]} of a store: {fault['msg'].lower()}", got=fault["input"]
            ) from error


class ShardEntry(_FrozenRecord):
    """One shard of a finished store."""

    num_rows: int
    num_bytes: int
    sha256: str


class Manifest(StoreOptions):
    """A finished store. It holds nothing of when or where, so that equal clips give equal fingerprints."""

    class_names: tuple[str, ...]
    joint_layout: str
    channels: Literal[0, 1, 3]
    sided: bool
    """Whether a mirrored clip may belong to another class, as far as is known."""
    protocols: tuple[Protocol, ...]
    """The ways in which its clips may be divided, the default first."""
    levels: tuple[GivenLevel, ...]
    """Superclasses that come with the dataset."""
    split_findings: tuple[str, ...]
    """Sentences on split sizes that differ from the published ones; empty where all agree."""
    num_clips: int
    num_rejected: int
    """Clips that were found and could not be prepared."""
    shards: tuple[ShardEntry, ...]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.joint_layout not in LAYOUTS:
            raise ValueError(f"there is no joint layout {self.joint_layout}")
        if any(len(level.assignment) != len(self.class_names) for level in self.levels):
            raise ValueError("a level must place every class")
        return self

    def protocol(self, name: str) -> Protocol:
        """One of its protocols.

        Raises:
            InputError: where it has none of that name.
        """
        return find_protocol(self.dataset, self.protocols, name)


class Rejection(_FrozenRecord):
    """A file that could not be used."""

    clip_id: str
    path: str
    kind: str
    """The rule it breaks; equal for all files that break it."""
    reason: str
    kept: bool
    """Whether the clip is in the store all the same, uncropped and without a skeleton."""


class ShardInputs(_FrozenRecord):
    """What a shard was made of."""

    contents: str
    """Digest over options, what is known of the clips, their videos' sizes and their skeletons' content."""
    states: str
    """The same with sizes and times of the skeletons' files in place of their content."""


class Receipt(_FrozenRecord):
    """Says that a shard is finished, from which files, and what was left out of it."""

    index: int
    inputs: ShardInputs
    entry: ShardEntry
    rejections: tuple[Rejection, ...]

    @property
    def num_rejected(self) -> int:
        """Clips that are not in the shard."""
        return sum(not rejection.kept for rejection in self.rejections)


def load_record(kind: type[_Record], path: Path) -> _Record | None:
    """Read back what `write` wrote; None where no file can be read, or not a whole one of this kind."""
    try:
        with open_regular(path) as file:
            return kind.model_validate_json(file.read())
    except (OSError, ValidationError):
        return None


def check_version(path: Path, *, remedy: str) -> None:
    """Refuse a store that other code wrote.

    Raises:
        MissingDataError: where the file names another version, or none.
    """

    class Versioned(BaseModel):
        version: int

    try:
        with open_regular(path) as file:
            version = Versioned.model_validate_json(file.read()).version
    except (OSError, ValidationError) as error:
        raise MissingDataError(f"{path} must be what preparation wrote", remedy=remedy) from error
    if version != STORE_VERSION:
        raise MissingDataError(
            f"the store at {path.parent} must be of version {STORE_VERSION}", got=version, remedy=remedy
        )
