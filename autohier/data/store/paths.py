"""Paths of a store.

::

    <data>/<dataset>/                 one store, e.g. data/ntu60 or data/utd-mhad-depth
        options.json                  options of the preparation; written first
        shards/00000.arrow            prepared clips
        shards/00000.json             receipt: the shard is finished
        rejected.parquet              files that could not be used, with reasons
        source.json                   where the clips come from; only for the provenance of sweeps
        same_content.json             clips with the same content
        manifest.json                 written last: the store is finished
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from autohier.data.names import plain_name
from autohier.data.protocols import PROTOCOLS
from autohier.errors import InputError
from autohier.text import shell_words

OPTIONS = "options.json"
MANIFEST = "manifest.json"
REJECTED = "rejected.parquet"
SOURCE = "source.json"
SHARDS = "shards"

_DEFAULT_MODALITIES = {"utd-mhad": "depth"}
"""Default modality of the datasets whose stores always have the modality in their name."""
_DEFAULT = "rgb"
_MODALITIES = ("rgb", "depth", "skeleton")


def store_folder(data: Path, dataset: str, modality: str | None) -> Path:
    """Return the folder of a dataset's store; its name holds the modality unless that is plain RGB.

    Args:
        data: folder of all stores.
        dataset: e.g. ``utd-mhad``.
        modality: ``rgb``, ``depth`` or ``skeleton``; None for RGB, or for depth of UTD-MHAD.
    """
    name = plain_name(dataset)
    modality = modality or _DEFAULT_MODALITIES.get(name, _DEFAULT)
    has_plain_name = modality == _DEFAULT and name not in _DEFAULT_MODALITIES
    return data / (name if has_plain_name else f"{name}-{modality}")


def find_store_folder(data: Path, dataset: str, modality: str | None) -> Path:
    """Return `store_folder`, or the only other prepared modality's if none is given and that is not prepared.

    Raises:
        InputError: if the modality does not exist.
    """
    if modality is not None and modality not in _MODALITIES:
        raise InputError(f"the modality must be one of {', '.join(_MODALITIES)}", got=repr(modality))
    if modality in _MODALITIES[1:]:
        dataset = plain_name(dataset).removesuffix(f"-{modality}")  # the name of the store itself
    folder = store_folder(data, dataset, modality)
    if modality is not None or (folder / MANIFEST).is_file():
        return folder
    others = prepared_modalities(folder)
    return store_folder(data, dataset, others[0]) if len(others) == 1 else folder


def prepared_modalities(folder: Path) -> list[str]:
    """Return the other modalities of a store's dataset that are prepared."""
    dataset, _, last = folder.name.rpartition("-")
    dataset = dataset if last in _MODALITIES else folder.name
    stores = {modality: store_folder(folder.parent, dataset, modality) for modality in _MODALITIES}
    return [name for name, store in stores.items() if store != folder and (store / MANIFEST).is_file()]


def unprepared_hint(folder: Path, *, modality_option: str = "--set clips.modality=") -> str:
    """Return how to get the clips of a store that does not exist: another one that does, or a command.

    Args:
        folder: folder of the missing store.
        modality_option: text before the name of a modality.
    """
    command = f"run '{prepare_command(folder)}'"
    if others := prepared_modalities(folder):
        options = " or ".join(f"{modality_option}{other}" for other in others)
        return f"use a prepared modality with {options}, or {command}"
    names = [path.parent.name for path in folder.parent.glob(f"*/{MANIFEST}")]
    close = get_close_matches(folder.name, names, n=1, cutoff=0.7)
    return f"did you mean {close[0]!r}? Or {command}" if close else command


def prepare_command(folder: Path) -> str:
    """Return the command that prepares the store in a folder; unknown datasets are the user's own."""
    dataset, _, last = folder.name.rpartition("-")
    modality = ["--modality", last]
    if last not in _MODALITIES:
        dataset, modality = folder.name, []
    data = [] if folder.parent == Path("data") else ["--data", folder.parent]
    if dataset not in PROTOCOLS:
        kind, origin = ("pyskl", "FILE.pkl") if last == "skeleton" else ("custom", "DIR")
        return shell_words("autohier", "prepare", kind, "--source", origin, "--name", dataset, *data)
    source = [] if dataset == "demo" else ["--source", "DIR"]
    return shell_words("autohier", "prepare", dataset, *modality, *source, *data)


def shard_path(folder: Path, index: int) -> Path:
    """Return the path of a shard's Arrow file."""
    return folder / SHARDS / f"{index:05d}.arrow"


def receipt_path(folder: Path, index: int) -> Path:
    """Return the path of a shard's receipt."""
    return folder / SHARDS / f"{index:05d}.json"
