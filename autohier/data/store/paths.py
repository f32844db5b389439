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

OPTIONS = "options.json"
MANIFEST = "manifest.json"
REJECTED = "rejected.parquet"
SHARDS = "shards"

_WITH_MODALITY = frozenset({"utd-mhad"})


def store_folder(data: Path, dataset: str, modality: str | None) -> Path:
    """Where the store of a dataset lies; the modality is in its name where the dataset has several.

    Args:
        data: the folder of all stores.
        dataset: registered name, e.g. ``utd-mhad``.
        modality: ``depth`` or ``rgb``; None for the dataset's default, which is depth for UTD-MHAD.
    """
    name = dataset.lower().replace("_", "-")
    return data / (f"{name}-{modality or 'depth'}" if name in _WITH_MODALITY else name)


def prepare_command(folder: Path) -> str:
    """The command that prepares the store in a folder."""
    dataset, modality = folder.name, ""
    for name in _WITH_MODALITY:
        if folder.name.startswith(f"{name}-"):
            dataset, modality = name, f" --modality {folder.name.removeprefix(f'{name}-')}"
    source = "" if dataset == "demo" else " --source DIR"
    data = "" if folder.parent == Path("data") else f" --data {folder.parent}"
    return f"autohier prepare {dataset}{modality}{source}{data}"


def shard_path(folder: Path, index: int) -> Path:
    """The Arrow file of a shard."""
    return folder / SHARDS / f"{index:05d}.arrow"


def receipt_path(folder: Path, index: int) -> Path:
    """The receipt of a shard."""
    return folder / SHARDS / f"{index:05d}.json"
