"""One bad file among good ones: the good ones are prepared, and the bad one is reported."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from autohier.data.datasets.pyskl import file as pyskl_file
from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.store.paths import REJECTED, shard_path
from autohier.data.validate.report import check_dataset
from autohier.errors import AutohierError
from support.fuzz.edits import cuts
from support.fuzz.law import check_law, check_message, every_third
from support.fuzz.places import PLACES
from support.fuzz.sources import CASES, Case


def prepare(case: Case, folder: Path, store: Path) -> list[AutohierError]:
    """Check a source and prepare it."""
    pyskl_file._read.cache_clear()
    source = case.source(folder)
    reader = open_dataset(case.dataset, modality=case.modality, source=source)
    found = check_dataset(reader, source, num_workers=1)
    for fault in found.faults:
        for line in (fault.rule, *fault.examples, fault.hint):
            check_message(line, folder)
    prepare_dataset(
        reader,
        source,
        store,
        size_px=16,
        max_frames=4,
        num_workers=1,
        without_skeleton="whole-frame" if case.dataset == "gym99" else "reject",
    )
    return []


def rows(store: Path) -> pa.Table:
    return pa.ipc.open_file(shard_path(store, 0)).read_all()


def rejected(store: Path) -> dict[str, dict[str, object]]:
    lines = pq.read_table(store / REJECTED).to_pylist()
    return {line["clip_id"]: line for line in lines if not line["kept"]}


def damaged(case: Case, path: Path) -> Iterator[str]:
    """Damage a file in one way after another, and yield the name of each."""
    damages: dict[str, Callable[[Path], object]] = {
        name: partial(case.place, content=content) for name, content in cuts(case.content(path))
    }
    for name, put in every_third((damages | PLACES).items()):
        clear(path)
        put(path)
        yield name


def clear(path: Path) -> None:
    """Remove the object in place of a file."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def try_to_prepare(case: Case, folder: Path, store: Path) -> list[AutohierError]:
    return check_law(
        case.reader,
        lambda: prepare(case, folder, store),
        num_bytes=(case.free_mib << 20) + case.per_byte * 50_000,
        source=folder,
    )


@pytest.mark.parametrize("case", [case for case in CASES if not case.is_list], ids=str)
def test_good_clips_are_prepared_despite_a_bad_one(case: Case, tmp_path: Path) -> None:
    bad_id, *good_ids = case.clip_ids
    folder = tmp_path / "source"
    folder.mkdir()
    for clip_id in good_ids:
        case.write(folder, clip_id)
    assert try_to_prepare(case, folder, tmp_path / "good") == []
    good = rows(tmp_path / "good")
    assert good["clip_id"].to_pylist() == sorted(good_ids)
    path = case.write(folder, bad_id)
    for number, name in enumerate(damaged(case, path)):
        store = tmp_path / str(number)
        assert try_to_prepare(case, folder, store) == [], name
        found = rows(store)
        assert found.filter(pc.is_in(found["clip_id"], pa.array(good_ids))).equals(good), name
        bad = rejected(store)
        assert {*found["clip_id"].to_pylist(), *bad} - set(good_ids) <= {bad_id}, name
        if bad:
            assert shard_path(store, 0).read_bytes() == shard_path(tmp_path / "good", 0).read_bytes()
            assert bad[bad_id]["path"] in {str(path), str(path.parent), ""}, name
            check_message(str(bad[bad_id]["reason"]), folder)


@pytest.mark.parametrize("case", [case for case in CASES if case.is_list], ids=str)
def test_a_bad_list_is_refused_or_its_remaining_clips_are_prepared(case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    path, *_ = [case.write(folder, clip_id) for clip_id in case.clip_ids]
    for number, name in enumerate(damaged(case, path)):
        store = tmp_path / str(number)
        if not try_to_prepare(case, folder, store):
            assert all(found.endswith(case.clip_ids) for found in rows(store)["clip_id"].to_pylist()), name


@pytest.mark.parametrize("case", [case for case in CASES if not case.is_list], ids=str)
def test_a_duplicate_clip_is_prepared_once(case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    path, *_ = [case.write(folder, clip_id) for clip_id in case.clip_ids]
    assert try_to_prepare(case, folder, tmp_path / "once") == []
    shutil.copytree(path.parent, folder / "zzz" / path.parent.name)
    assert try_to_prepare(case, folder, tmp_path / "twice") == []
    assert rows(tmp_path / "twice").equals(rows(tmp_path / "once"))
