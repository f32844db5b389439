"""Values of ``--data`` of commands that measure a model: a folder of prepared datasets, or other datasets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autohier.cli.options import DEFAULT_DATA
from autohier.data.store.paths import MANIFEST
from autohier.data.store.reader import ClipStore
from autohier.deploy.measurements.other_clips import find_other_store, open_others
from autohier.errors import InputError, nearest


def data_folder(values: Sequence[str] | None) -> Path | None:
    """Return the folder of prepared datasets among the values of ``--data``; None if there is none.

    Raises:
        InputError: if there are several.
    """
    folders = [value for value in values or () if _is_data_folder(value)]
    if len(folders) > 1:
        raise InputError(
            "--data may name one folder of prepared datasets",
            got=", ".join(folders),
            hint=f"a prepared dataset is a folder with {MANIFEST}",
        )
    return Path(folders[0]) if folders else None


def other_stores(values: Sequence[str] | None, own_folders: Sequence[Path]) -> list[ClipStore]:
    """Open the prepared datasets among the values of ``--data``.

    Args:
        values: what the user gave.
        own_folders: folders of prepared datasets of the model, in which to look for names, too.

    Raises:
        InputError: if a value names no prepared dataset, or one is given twice.
        MissingDataError: if one is damaged or of another version.
    """
    folder = data_folder(values)
    places = [*([folder] if folder else []), DEFAULT_DATA, *own_folders]
    names = [value for value in values or () if not _is_data_folder(value)]
    return open_others([_find_store(name, places) for name in names])


def _is_data_folder(value: str) -> bool:
    # A name of a prepared dataset wins over a folder of the same name, e.g. of its source.
    return Path(value).is_dir() and find_other_store(value, DEFAULT_DATA) is None


def _find_store(name: str, places: Sequence[Path]) -> Path:
    for place in places:
        if folder := find_other_store(name, place):
            return folder
    known = sorted({path.parent.name for place in places for path in place.glob(f"*/{MANIFEST}")})
    raise InputError(
        "--data must name a prepared dataset, or a folder of prepared datasets",
        got=name,
        hint=nearest(name, known) if known else "run 'autohier prepare' first",
    )
