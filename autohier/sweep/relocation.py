"""Places in the files below ``--out``, named relative to it, so that it may be moved or copied.

A plan in memory holds absolute paths, which hold on every machine of a cluster. In files, a path that lies in
``--out`` is relative to it; other paths, e.g. of the prepared datasets, are absolute.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from autohier.config.sweep import SQLITE, SweepPlan

STAGES: Final = "stages"
"""Name of the stage store in ``--out``."""


@dataclass(frozen=True, slots=True)
class GivenFolders:
    """Folders that the user names for what lies elsewhere than the files say."""

    data: Path | None = None
    """Folder of prepared datasets."""
    out: Path | None = None
    """Folder of sweeps and of their stage store."""
    weights: Path | None = None
    """File of 2D weights, or the folder of several."""


STORED: Final = GivenFolders()
"""No folder is given: the files say where everything lies."""


def place_in(out: Path, path: str) -> str:
    """Return a path relative to a folder if it lies in it, else unchanged.

    Args:
        out: absolute path of the folder.
        path: an absolute path; others stay unchanged.
    """
    return str(Path(path).relative_to(out)) if Path(path).is_relative_to(out) else path


def place_plan(plan: SweepPlan, outs: Sequence[Path]) -> SweepPlan:
    """Return a plan with every path in ``--out`` relative to it.

    Args:
        plan: with absolute paths.
        outs: folders that may be ``--out``: the first that holds the plan's stage store, else the first.
    """
    out = out_of_paths(plan, outs)
    return _convert(plan, lambda path: place_in(out, path))


def out_of_paths(plan: SweepPlan, outs: Sequence[Path]) -> Path:
    """Return the first folder that holds the stage store of a plan with absolute paths, else the first."""
    return next((each for each in outs if Path(plan.stage_folder).is_relative_to(each)), outs[0])


def out_of_places(stage_place: str, outs: Sequence[Path]) -> Path:
    """Return the first folder in which the stage store of a stored plan exists, else the first."""
    return next((each for each in outs if (each / stage_place).is_dir()), outs[0])


def locate_plan(plan: SweepPlan, outs: Sequence[Path]) -> SweepPlan:
    """Return a plan with absolute paths.

    Args:
        plan: as `place_plan` returned it.
        outs: folders that may be ``--out``: the first in which the stage store exists, else the first.
    """
    out = out_of_places(plan.stage_folder, outs)
    return _convert(plan, lambda place: str(out / place))


def place_earlier_plan(plan: SweepPlan) -> SweepPlan:
    """Return a plan of an earlier version, all of whose paths are absolute, as `place_plan` returns it.

    Its stage store shows where ``--out`` was.
    """
    store = Path(plan.stage_folder)
    return place_plan(plan, [store.parent]) if store.name == STAGES else plan


def folders_around(path: Path, *, levels: int = 1) -> tuple[Path, ...]:
    """Return the folders that hold a path; a symbolic link lies in that of its target and in its own.

    Args:
        path: of a sweep or a fusion, which lies below its ``--out``.
        levels: number of levels between the folders and the path.
    """
    around = (path.resolve(), Path(os.path.abspath(path)))  # noqa: PTH100  keeps the link
    return tuple(dict.fromkeys([each, *each.parents][levels].resolve() for each in around))


def _convert(plan: SweepPlan, convert: Callable[[str], str]) -> SweepPlan:
    storage = plan.storage
    if storage is not None and storage.startswith(SQLITE):
        storage = SQLITE + convert(storage.removeprefix(SQLITE))
    changes = {
        "data_folder": convert(plan.data_folder),
        "stage_folder": convert(plan.stage_folder),
        "warm_from": tuple(map(convert, plan.warm_from)),
        "storage": storage,
    }
    return plan.model_copy(update=changes)
