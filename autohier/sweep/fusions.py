"""The folders of fusions: each holds its ``fusion.json``, and the records of its readings of the test split.

Networks stay in the stage stores of the sweeps that trained them. Where a fusion lies in ``<out>/fusions/``,
what it needs of ``<out>/stages/`` is not collected; see sweep.collection.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autohier.errors import InputError
from autohier.files import write_atomically
from autohier.settings.frozen import validate
from autohier.settings.fusion import Fusion, Member
from autohier.sweep.folder import SweepFolder, stage_folder

_FUSIONS, _FILE = "fusions", "fusion.json"


@dataclass(frozen=True, slots=True)
class FusionFolder:
    """Paths of one fusion."""

    path: Path

    @property
    def file(self) -> Path:
        """What the fusion is."""
        return self.path / _FILE

    @property
    def records(self) -> Path:
        """Parquet parts: its readings of the test split."""
        return self.path / "records"

    def write(self, fusion: Fusion) -> None:
        """Keep what the fusion is."""
        write_atomically(self.file, fusion.model_dump_json(indent=1).encode())

    def read(self) -> Fusion:
        """What the fusion is.

        Raises:
            InputError: where it cannot be read.
        """
        try:
            content = json.loads(self.file.read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(f"{self.file} must be a fusion's description", got=error) from error
        return validate(Fusion, content, origin=str(self.file))


def find_fusion(name: str, out: Path) -> FusionFolder | None:
    """The folder of a fusion given by its name below ``out`` or by its path; None where there is none."""
    for path in (Path(name), out / _FUSIONS / name):
        if (path / _FILE).is_file():
            return FusionFolder(path)
    return None


def free_fusion(name: str, out: Path) -> FusionFolder:
    """The folder that a new fusion will have: below ``out`` by its name, or where its name is a path, there.

    Raises:
        InputError: where there is one already.
    """
    folder = FusionFolder(Path(name) if len(Path(name).parts) > 1 else out / _FUSIONS / name)
    if folder.path.exists():
        raise InputError(
            "a new fusion must have a folder of its own", got=folder.path, remedy="choose another --name"
        )
    if SweepFolder(out / name).plan_file.is_file():
        raise InputError(
            "a new fusion must have a name of its own",
            got=f"the sweep {name}",
            remedy="choose another --name",
        )
    return folder


def unguarded(folder: FusionFolder, members: Sequence[Member], out: Path) -> list[Member]:
    """Members whose stages may be collected, because they or the fusion do not lie below ``out``."""
    guards = folder.path.parent.resolve() == (out / _FUSIONS).resolve()
    stages = stage_folder(out).resolve()
    return [member for member in members if not guards or Path(member.stage_folder).resolve() != stages]


def read_fusions(out: Path) -> dict[str, Fusion]:
    """The fusions in a folder, by name.

    Raises:
        InputError: where one cannot be read.
    """
    found = sorted((out / _FUSIONS).glob(f"*/{_FILE}"))
    return {file.parent.name: FusionFolder(file.parent).read() for file in found}
