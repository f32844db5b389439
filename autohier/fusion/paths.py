"""Folders of fusions: each holds a ``fusion.json`` and the records of the fusion's test results.

Networks stay in the stage stores of the sweeps that trained them. Fusions in ``<out>/fusions/`` protect their
members' stages in ``<out>/stages/`` from removal; see sweep.stage_collection.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autohier.config.file_format import FUSION_FORMAT, check_format
from autohier.config.frozen import validate
from autohier.config.fusion import Fusion, Member
from autohier.config.trial.weights_files import convert_weights
from autohier.errors import InputError, damage_text
from autohier.files import open_regular, write_atomically
from autohier.fusion.relocation import locate_member, place_member
from autohier.sweep.paths import SweepFolder, stage_folder
from autohier.sweep.relocation import STORED, GivenFolders, folders_around, place_in

_FUSIONS, _FILE = "fusions", "fusion.json"


@dataclass(frozen=True, slots=True)
class FusionFolder:
    """Paths of one fusion."""

    path: Path

    @property
    def file(self) -> Path:
        """Members and weights of the fusion."""
        return self.path / _FILE

    @property
    def records(self) -> Path:
        """Parquet parts: its test results."""
        return self.path / "records"

    @property
    def outs(self) -> tuple[Path, ...]:
        """Folders that hold the fusion below ``fusions/``, i.e. its ``--out``; none if it lies elsewhere."""
        around = folders_around(self.path, levels=2)
        return around if self.path.absolute().parent.name == _FUSIONS else ()

    def write(self, fusion: Fusion) -> None:
        """Write the fusion's file, with paths relative to its ``--out``."""
        content: object = fusion.model_dump(mode="json")
        if self.outs:
            members = tuple(place_member(member, self.outs[0]) for member in fusion.members)
            placed = fusion.model_copy(update={"members": members}).model_dump(mode="json")
            content = convert_weights(placed, partial(place_in, self.outs[0]))
        write_atomically(self.file, json.dumps(content, indent=1, ensure_ascii=False).encode())

    def read(self, given: GivenFolders = STORED) -> Fusion:
        """Read the fusion's file, with the places that its members have now.

        Args:
            given: folders that the user names.

        Raises:
            InputError: if the file is missing or invalid.
        """
        try:
            with open_regular(self.file) as file:
                content = json.loads(file.read())
            if not isinstance(content, dict):
                raise TypeError(f"a {type(content).__name__}")
            if self.outs:
                content = convert_weights(content, lambda place: str(self.outs[0] / place))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise InputError(f"{self.file} must be a fusion's description", got=damage_text(error)) from error
        check_format(content, expected=FUSION_FORMAT, path=self.file)
        fusion = validate(Fusion, content, origin=str(self.file))
        members = tuple(locate_member(member, self.outs, given) for member in fusion.members)
        return fusion.model_copy(update={"members": members})


def find_fusion(name: str, out: Path) -> FusionFolder | None:
    """Return the folder of a fusion, by its name below ``out`` or its path; None if it does not exist."""
    for path in (Path(name), out / _FUSIONS / name):
        if (path / _FILE).is_file():
            return FusionFolder(path)
    return None


def free_fusion(name: str, out: Path) -> FusionFolder:
    """Return an unused folder for a new fusion: below ``out``, or elsewhere if the name is a path.

    Raises:
        InputError: if the folder holds anything, or a sweep of that name exists.
    """
    folder = FusionFolder(Path(name) if len(Path(name).parts) > 1 else out / _FUSIONS / name)
    if os.path.lexists(folder.path) and not _is_empty(folder.path):
        raise InputError(
            "the folder of a new fusion must not exist, or be empty",
            got=folder.path,
            hint="choose another --name",
        )
    if SweepFolder(out / name).plan_file.is_file():
        raise InputError(
            "the name of a new fusion must not be that of a sweep",
            got=name,
            hint="choose another --name",
        )
    return folder


def _is_empty(path: Path) -> bool:
    """Return True for a folder without content, which a full disk leaves."""
    return path.is_dir() and not any(path.iterdir())


def unprotected_members(folder: FusionFolder, members: Sequence[Member], out: Path) -> list[Member]:
    """Return the members whose stages may be collected, as they or the fusion are not below ``out``."""
    protects = folder.path.parent.resolve() == (out / _FUSIONS).resolve()
    stages = stage_folder(out).resolve()
    return [member for member in members if not protects or Path(member.stage_folder).resolve() != stages]


def read_fusions(out: Path) -> dict[str, Fusion]:
    """Read all fusions below ``out``, by name.

    Raises:
        InputError: if the file of a fusion is invalid.
    """
    files = sorted((out / _FUSIONS).glob(f"*/{_FILE}"))
    return {file.parent.name: FusionFolder(file.parent).read() for file in files}


def protected_stages(out: Path) -> dict[str, str]:
    """Return the fusion that needs each stage, by stage key, for all fusions below ``out``.

    Raises:
        InputError: if the file of a fusion is invalid.
    """
    return {
        key: f"fusion {name}"
        for name, fusion in reversed(read_fusions(out).items())
        for key in fusion.stage_keys
    }
