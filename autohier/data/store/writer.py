"""Beginning a store and finishing it; its shards are written in between, by `preparation_steps`."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from autohier.data.datasets.reader import DatasetReader
from autohier.data.splits import check_split_sizes
from autohier.data.store.manifest import (
    Manifest,
    Receipt,
    Rejection,
    StoreOptions,
    check_version,
    load_record,
)
from autohier.data.store.paths import MANIFEST, OPTIONS, REJECTED, SHARDS, shard_path
from autohier.data.store.reader import map_shard, tabulate
from autohier.errors import InputError, MissingDataError
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


def claim_folder(folder: Path, options: StoreOptions) -> None:
    """Note the options in a new store; refuse a folder that holds a store of other ones.

    Raises:
        InputError: where it does.
        MissingDataError: where other code wrote it.
    """
    remedy = f"delete {folder} to prepare afresh, or prepare elsewhere with --data"
    path = folder / OPTIONS
    if not path.exists():
        # Parts may begin at the same time: what another one writes just now is no stranger's.
        others = [entry for entry in folder.glob("*") if not entry.name.startswith(".")]
        if others and not path.exists():
            raise InputError("a new store's folder must be empty", got=folder, remedy="choose another --data")
        try:
            write_once(path, options.content())
        except OSError as error:
            raise InputError("a store must be writable", got=error, remedy="choose another --data") from error
    check_version(path, remedy=remedy)
    earlier = load_record(StoreOptions, path)
    if earlier is None:
        raise MissingDataError(f"{path} must be what preparation wrote", remedy=remedy)
    if _holds_rejections_alone(folder):  # then other options are tried
        options.write(path)
        return
    was, now = earlier.model_dump(), options.model_dump()
    differing = [f"{name} {was[name]}, not {now[name]}" for name in was if was[name] != now[name]]
    if differing:
        raise InputError(
            "a store is prepared with one set of options",
            got=f"one with {'; '.join(differing)}",
            remedy=remedy,
        )


def _holds_rejections_alone(folder: Path) -> bool:
    receipts = [load_record(Receipt, path) for path in (folder / SHARDS).glob("[0-9]*.json")]
    return bool(receipts) and not any(receipt and receipt.entry.num_rows for receipt in receipts)


def finish_store(
    reader: DatasetReader,
    options: StoreOptions,
    folder: Path,
    receipts: Sequence[Receipt],
) -> None:
    """Write what is rejected and, last, the manifest that makes the folder a store."""
    rejections = [rejection for receipt in receipts for rejection in receipt.rejections]
    _write_rejected(folder / REJECTED, rejections)
    _remove_leftovers(folder, len(receipts))
    num_clips = sum(receipt.entry.num_rows for receipt in receipts)
    if num_clips == 0:
        raise MissingDataError(
            f"a source must hold a clip that can be prepared, but none of {len(rejections)} can",
            remedy=f"the first reason is: {rejections[0].reason}; all are in {folder / REJECTED}",
        )
    batches = [
        map_shard(shard_path(folder, receipt.index), receipt.entry.num_bytes, "run again")
        for receipt in receipts
    ]
    manifest = Manifest(
        **options.model_dump(),
        class_names=reader.class_names,
        joint_layout=reader.joint_layout.name,
        channels=reader.channels,
        sided=reader.sided,
        protocols=reader.protocols,
        levels=reader.levels,
        split_findings=tuple(check_split_sizes(tabulate(batches), reader.name, reader.protocols)),
        num_clips=num_clips,
        num_rejected=sum(receipt.num_rejected for receipt in receipts),
        shards=tuple(receipt.entry for receipt in receipts),
    )
    if load_record(Manifest, folder / MANIFEST) != manifest:
        manifest.write(folder / MANIFEST)


def _write_rejected(path: Path, rejections: Sequence[Rejection]) -> None:
    rows = [rejection.model_dump() for rejection in rejections]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=_REJECTED_SCHEMA), sink)
    write_atomically(path, sink.getvalue().to_pybytes())


def _remove_leftovers(folder: Path, num_shards: int) -> None:
    """Remove shards beyond the last one, from when the source held more clips, and broken-off files."""
    named = ((_SHARD_FILE.fullmatch(path.name), path) for path in (folder / SHARDS).iterdir())
    beyond = [path for match, path in named if match and int(match[1]) >= num_shards]
    # Written in one go from memory, so a temporary file of that age belongs to a run that was killed.
    stale = [path for path in folder.rglob(".*.tmp") if _age_s(path) > _STALE_AFTER_S]
    for path in (*beyond, *stale):
        path.unlink(missing_ok=True)


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:  # of another part that has just ended
        return 0.0
