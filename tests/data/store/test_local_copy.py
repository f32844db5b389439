"""The copy of a store on a machine's own disk: made once, whole or not at all, and of this content only."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from autohier.data.store.local_copy import copy_locally
from autohier.data.store.paths import shard_path
from autohier.data.store.reader import ClipStore
from autohier.errors import InputError, MissingDataError


@pytest.fixture
def store(tmp_path: Path, tiny_data: Path) -> Path:
    """A store of its own, which a test may damage."""
    return Path(shutil.copytree(tiny_data / "demo", tmp_path / "shared" / "demo"))


def contents(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_copy_is_made_once_and_read_in_place_of_the_store(store: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    copy = copy_locally(store, tmp_path / "local", lambda *numbers: calls.append(numbers))
    fingerprint = ClipStore.open(store).fingerprint
    assert copy == tmp_path / "local" / fingerprint / "demo"
    sizes = [entry.num_bytes for entry in ClipStore.open(store).manifest.shards]
    assert calls[-1] == (sum(sizes), sum(sizes))
    calls.clear()
    assert copy_locally(store, tmp_path / "local", lambda *numbers: calls.append(numbers)) == copy
    assert calls == []
    shutil.rmtree(store)
    opened = ClipStore.open(copy)
    opened.check_digests()
    assert opened.fingerprint == fingerprint
    assert opened.frames(0, [0]).any()


def test_the_remainder_of_an_interrupted_copy_is_removed(store: Path, tmp_path: Path) -> None:
    remainder = tmp_path / "local" / ClipStore.open(store).fingerprint / "demo.partial"
    (remainder / "shards").mkdir(parents=True)
    (remainder / "shards" / "99999.arrow").write_bytes(b"half")
    copy = copy_locally(store, tmp_path / "local")
    assert not remainder.exists()
    assert "shards/99999.arrow" not in contents(copy)


def test_a_process_that_dies_leaves_no_copy_that_is_read(store: Path, tmp_path: Path) -> None:
    def die(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_locally(store, tmp_path / "local", die)
    assert contents(tmp_path / "local") == [f"{ClipStore.open(store).fingerprint}/lock"]


def test_a_shard_that_changed_is_not_copied(store: Path, tmp_path: Path) -> None:
    path = shard_path(store, 0)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(MissingDataError, match=r"the shard .*00000.arrow must match its digest"):
        copy_locally(store, tmp_path / "local")
    assert not [name for name in contents(tmp_path / "local") if not name.endswith("lock")]


def test_a_store_that_is_not_finished_is_not_copied(store: Path, tmp_path: Path) -> None:
    (store / "manifest.json").unlink()
    with pytest.raises(MissingDataError, match=r"manifest.json is missing or damaged"):
        copy_locally(store, tmp_path / "local")


@pytest.mark.parametrize(("free_share", "fits"), [(2.0, True), (1.9, False)])
def test_a_small_disk_keeps_as_much_free_as_the_copy_takes(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_share: float, fits: bool
) -> None:
    total = sum(entry.num_bytes for entry in ClipStore.open(store).manifest.shards)
    usage = SimpleNamespace(free=int(free_share * total))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    if fits:
        assert copy_locally(store, tmp_path / "local").is_dir()
    else:
        with pytest.raises(InputError, match=r"a copy of demo must fit the disk .* MB are free"):
            copy_locally(store, tmp_path / "local")


def test_processes_that_come_at_the_same_time_copy_once(store: Path, tmp_path: Path) -> None:
    begun, goes_on = threading.Event(), threading.Event()
    copies: list[Path] = []
    second_copied: list[int] = []

    def wait(*_: int) -> None:
        begun.set()
        goes_on.wait(60)

    first = threading.Thread(target=lambda: copies.append(copy_locally(store, tmp_path / "local", wait)))
    first.start()
    assert begun.wait(60)
    second = threading.Thread(
        target=lambda: copies.append(
            copy_locally(store, tmp_path / "local", lambda *_: second_copied.append(1))
        )
    )
    second.start()
    goes_on.set()
    first.join()
    second.join()
    assert copies[0] == copies[1]
    assert second_copied == []


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK])
def test_a_folder_without_locks_is_refused(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    refusal = (
        rf"must be able to lock files, but got .*local.* \({os.strerror(number)}\): name a folder on a disk"
    )
    with pytest.raises(InputError, match=refusal):
        copy_locally(store, tmp_path / "local")
