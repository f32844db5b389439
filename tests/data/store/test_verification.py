"""Tests of the checks of shards before their first use."""

from pathlib import Path

import pytest

from autohier.data.store import verification
from autohier.data.store.manifest import ShardEntry
from autohier.data.store.paths import SHARDS, shard_path
from autohier.data.store.verification import ShardDigests
from autohier.digest import digest_file
from autohier.errors import MissingDataError


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the files that are read, in the order of reading."""
    files: list[Path] = []

    def digest_and_note(path: Path) -> str:
        files.append(path)
        return digest_file(path)

    monkeypatch.setattr(verification, "digest_file", digest_and_note)
    return files


def shards_of(folder: Path, *contents: bytes) -> list[ShardEntry]:
    (folder / SHARDS).mkdir()
    entries = []
    for index, content in enumerate(contents):
        path = shard_path(folder, index)
        path.write_bytes(content)
        entries.append(ShardEntry(num_rows=1, num_bytes=len(content), sha256=digest_file(path)))
    return entries


def test_a_process_reads_a_shard_once(tmp_path: Path, read: list[Path]) -> None:
    entries = shards_of(tmp_path, b"first", b"second")
    for _ in range(2):
        digests = ShardDigests(tmp_path, entries)
        digests.check_once(1)
        digests.check_once(1)
    assert read == [shard_path(tmp_path, 1)]
    digests.check_all()
    assert read[1:] == [shard_path(tmp_path, 0), shard_path(tmp_path, 1)]


def test_a_file_that_has_changed_since_is_read_again(tmp_path: Path, read: list[Path]) -> None:
    entries = shards_of(tmp_path, b"first")
    ShardDigests(tmp_path, entries).check_once(0)
    shard_path(tmp_path, 0).write_bytes(b"fir5t")
    for _ in range(2):
        with pytest.raises(MissingDataError, match=r"00000\.arrow must match its digest: run 'autohier prep"):
            ShardDigests(tmp_path, entries).check_once(0)
    assert len(read) == 3


def test_a_shard_that_is_gone_is_refused(tmp_path: Path) -> None:
    entries = shards_of(tmp_path, b"first")
    shard_path(tmp_path, 0).unlink()
    with pytest.raises(MissingDataError, match=r"00000\.arrow must match its digest"):
        ShardDigests(tmp_path, entries).check_once(0)
