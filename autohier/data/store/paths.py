"""What lies where in a store, named once.

::

    <data>/<dataset>/                 one store, e.g. data/ntu60 or data/utd-mhad-depth
        options.json                  how it is prepared; written first
        shards/00000.arrow            prepared clips
        shards/00000.json             its receipt: the shard is finished
        rejected.parquet              files that could not be used, and why
        manifest.json                 written last: the store is whole
"""

from __future__ import annotations

from pathlib import Path

from autohier.data.protocols import PROTOCOLS
from autohier.errors import InputError

OPTIONS = "options.json"
MANIFEST = "manifest.json"
REJECTED = "rejected.parquet"
SHARDS = "shards"

_NAMED = {"utd-mhad": "depth"}
"""Datasets whose stores always carry the modality, and which it is unless told otherwise."""
_DEFAULT = "rgb"
_SUFFIXES = ("rgb", "depth", "skeleton")


def plain_name(dataset: str) -> str:
    """How a dataset's name is spelt in stores: case and ``_`` for ``-`` do not matter."""
    return dataset.strip().lower().replace("_", "-")


def store_folder(data: Path, dataset: str, modality: str | None) -> Path:
    """Where the store of a dataset lies; the modality is in its name where it is not plain RGB.

    Args:
        data: the folder of all stores.
        dataset: e.g. ``utd-mhad``.
        modality: ``rgb``, ``depth`` or ``skeleton``; None for RGB, and for UTD-MHAD depth.
    """
    name = plain_name(dataset)
    modality = modality or _NAMED.get(name, _DEFAULT)
    return data / (name if modality == _DEFAULT and name not in _NAMED else f"{name}-{modality}")


def present_store(data: Path, dataset: str, modality: str | None) -> Path:
    """`store_folder`; where no modality is named and only one other is prepared, that one's.

    Raises:
        InputError: where there is no such modality.
    """
    if modality is not None and modality not in _SUFFIXES:
        raise InputError(f"the modality must be one of {', '.join(_SUFFIXES)}", got=repr(modality))
    folder = store_folder(data, dataset, modality)
    if modality is None and not (folder / MANIFEST).is_file() and len(others := prepared_beside(folder)) == 1:
        return store_folder(data, dataset, others[0])
    return folder


def prepared_beside(folder: Path) -> list[str]:
    """Other modalities of a store's dataset that are prepared."""
    dataset, _, last = folder.name.rpartition("-")
    dataset = dataset if last in _SUFFIXES else folder.name
    stores = {modality: store_folder(folder.parent, dataset, modality) for modality in _SUFFIXES}
    return [name for name, store in stores.items() if store != folder and (store / MANIFEST).is_file()]


def prepare_command(folder: Path) -> str:
    """The command that prepares the store in a folder; what nobody publishes is the user's own."""
    dataset, _, last = folder.name.rpartition("-")
    modality = f" --modality {last}"
    if last not in _SUFFIXES:
        dataset, modality = folder.name, ""
    data = "" if folder.parent == Path("data") else f" --data {folder.parent}"
    if dataset not in PROTOCOLS:
        kind, origin = ("pyskl", "FILE.pkl") if last == "skeleton" else ("custom", "DIR")
        return f"autohier prepare {kind} --source {origin} --name {dataset}{data}"
    source = "" if dataset == "demo" else " --source DIR"
    return f"autohier prepare {dataset}{modality}{source}{data}"


def shard_path(folder: Path, index: int) -> Path:
    """The Arrow file of a shard."""
    return folder / SHARDS / f"{index:05d}.arrow"


def receipt_path(folder: Path, index: int) -> Path:
    """The receipt of a shard."""
    return folder / SHARDS / f"{index:05d}.json"
