"""Start and end of a store: its options come first, its manifest last; `shard` writes the shards between."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from autohier.data.datasets.base import DatasetReader
from autohier.data.layout_files import is_shipped
from autohier.data.splits import check_split_sizes
from autohier.data.store.manifest import (
    Manifest,
    Receipt,
    Rejection,
    SourceOrigin,
    StoreOptions,
    check_version,
    load_record,
)
from autohier.data.store.paths import MANIFEST, OPTIONS, REJECTED, SHARDS, SOURCE, shard_path
from autohier.data.store.persons import has_earlier_persons
from autohier.data.store.same_content import SAME_CONTENT, SameContent, find_same_content
from autohier.data.store.shards import map_shard, tabulate
from autohier.data.superclasses import GivenSuperclasses
from autohier.digest import digest
from autohier.errors import InputError, MissingDataError, printable
from autohier.files import write_atomically, write_once

_STALE_AFTER_S = 600
_SHARD_FILE = re.compile(r"(\d{1,9})\.(arrow|json)")
_REJECTED_SCHEMA: Final = pa.schema(
    [
        ("clip_id", pa.string()),
        ("path", pa.string()),
        ("kind", pa.string()),
        ("reason", pa.string()),
        ("kept", pa.bool_()),
    ]
)


def claim_folder(folder: Path, options: StoreOptions) -> bool:
    """Write the options of a new store; refuse a folder with other options or other files.

    Returns:
        True if the folder holds a store of an earlier rule for persons; it takes the present one, by which
        its shards are out of date.

    Raises:
        InputError: if the folder holds a store of other options, holds other files or cannot be written.
        MissingDataError: if another version of this code wrote the store.
    """
    hint = f"delete {folder} to prepare it again, or prepare elsewhere with --data"
    path = folder / OPTIONS
    if not path.exists():
        # Parts may start at the same time: a folder with options by now belongs to another part.
        others = [entry for entry in folder.glob("*") if not entry.name.startswith(".")]
        if others and not path.exists():
            raise InputError("a new store's folder must be empty", got=folder, hint="choose another --data")
        try:
            write_once(path, options.content())
        except OSError as error:
            raise InputError("a store must be writable", got=error, hint="choose another --data") from error
    check_version(path, hint=hint)
    earlier = load_record(StoreOptions, path)
    if earlier is None:
        raise MissingDataError(f"{path} is damaged", hint=hint)
    if _has_only_rejections(folder):  # nothing is lost with the old options
        options.write(path)
        return False
    is_outdated = has_earlier_persons(earlier)
    if is_outdated:
        earlier = earlier.model_copy(update={"person_rule": options.person_rule})
    pairs = {name: (getattr(earlier, name), getattr(options, name)) for name in StoreOptions.model_fields}
    differing = [
        f"{name} {_shown(old)}, not {_shown(new)}" for name, (old, new) in pairs.items() if old != new
    ]
    if differing:
        raise InputError(
            "a store is prepared with one set of options",
            got=f"one with {'; '.join(differing)}",
            hint=hint,
        )
    if is_outdated:
        options.write(path)
    return is_outdated


def _shown(value: object) -> object:
    return "none" if value is None or value in ("", {}) else value


def _has_only_rejections(folder: Path) -> bool:
    receipts = [load_record(Receipt, path) for path in (folder / SHARDS).glob("[0-9]*.json")]
    return bool(receipts) and not any(receipt and receipt.entry.num_rows for receipt in receipts)


def finish_store(
    reader: DatasetReader,
    options: StoreOptions,
    folder: Path,
    receipts: Sequence[Receipt],
    source: Path,
    levels: tuple[GivenSuperclasses, ...],
) -> None:
    """Write the rejected files, the source and, last, the manifest, which makes the folder a finished store.

    Args:
        reader: reader of the dataset.
        options: options of the store.
        folder: folder of the store.
        receipts: receipts of all shards.
        source: folder or file of the dataset's own files.
        levels: superclasses of the dataset, see `levels_of`.

    Raises:
        MissingDataError: if no clip could be prepared, or a shard is damaged.
        OSError: if a file cannot be written.
    """
    rejections = [rejection for receipt in receipts for rejection in receipt.rejections]
    _write_rejected(folder / REJECTED, rejections)
    _remove_leftovers(folder, len(receipts))
    num_clips = sum(receipt.entry.num_rows for receipt in receipts)
    if num_clips == 0:
        raise MissingDataError(
            "at least one clip must be fit to be prepared",
            got=f"none of {len(rejections):,}",
            hint=f"the first reason is: {rejections[0].reason}; all are in {folder / REJECTED}",
        )
    batches = [
        map_shard(shard_path(folder, receipt.index), receipt.entry.num_bytes, "run again")
        for receipt in receipts
    ]
    manifest = Manifest(
        **options.model_dump(),
        class_names=reader.class_names,
        joint_layout=reader.joint_layout.name,
        declared_layout=None if is_shipped(reader.joint_layout) else reader.joint_layout,
        channels=reader.channels,
        sided=reader.sided,
        protocols=reader.protocols,
        levels=levels,
        split_findings=tuple(check_split_sizes(tabulate(batches), reader.name, reader.protocols)),
        num_clips=num_clips,
        num_rejected=sum(receipt.num_rejected for receipt in receipts),
        shards=tuple(receipt.entry for receipt in receipts),
    )
    contents = digest([receipt.inputs.contents for receipt in receipts])
    SourceOrigin(path=printable(str(source.resolve())), digest=contents).write(folder / SOURCE)
    is_compared = load_record(SameContent, folder / SAME_CONTENT) is not None
    if load_record(Manifest, folder / MANIFEST) != manifest or not is_compared:
        find_same_content(batches, manifest.joint_layout).write(folder / SAME_CONTENT)
        manifest.write(folder / MANIFEST)


def _write_rejected(path: Path, rejections: Sequence[Rejection]) -> None:
    rows = [rejection.model_dump() for rejection in rejections]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=_REJECTED_SCHEMA), sink)
    write_atomically(path, sink.getvalue().to_pybytes())


def _remove_leftovers(folder: Path, num_shards: int) -> None:
    """Remove shards beyond the last one, of a source that held more clips, and unfinished files."""
    named = ((_SHARD_FILE.fullmatch(path.name), path) for path in (folder / SHARDS).iterdir())
    beyond = [path for match, path in named if match and int(match[1]) >= num_shards]
    # Files are written from memory at once, so a temporary file of this age belongs to a killed run.
    stale = [path for path in folder.rglob(".*.tmp") if _age_s(path) > _STALE_AFTER_S]
    for path in (*beyond, *stale):
        path.unlink(missing_ok=True)


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:  # another part has just finished the file
        return 0.0
