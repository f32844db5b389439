"""Copies of finished stages in object storage, which clusters without a common disk can share.

Layout: ``<url>/<kind>/<key>/stage.json`` as in the store, and the other files under
``<url>/<kind>/<key>/<digest>/``, named by the digest of that description. Object storage cannot rename a
folder, so the description is written last: a stage without it does not exist. Two writers of one key write to
two folders, and whichever description is written last is that of a whole stage.

The folder of a store holds ``remote.json``, so that any reader of the store finds its copies.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow.fs import FileSelector, FileSystem

from autohier.core.stages.store.file_names import CONTENTS, STAGE_FILE
from autohier.core.stages.store.identity_check import is_stage_key
from autohier.errors import InputError, StageDamagedError
from autohier.files import open_regular, write_atomically

_FILE: Final = "remote.json"
_OPTION: Final = "--stages"
_MAX_DESCRIPTION_BYTES: Final = 64 * 2**20
_HINT: Final = (
    "write e.g. s3://BUCKET/FOLDER or gs://BUCKET/FOLDER; for other servers add "
    "?endpoint_override=HOST:PORT&scheme=http"
)


@dataclass(frozen=True, slots=True)
class RemoteStages:
    """Stages under one URL; safe for any number of concurrent readers and writers."""

    url: str

    def holds(self, kind: str, key: str) -> bool:
        """Return True if a whole stage is there.

        Raises:
            OSError: if the storage cannot be reached.
        """
        files, root = _open(self.url)
        return bool(files.get_file_info(str(root / kind / key / STAGE_FILE)).is_file)

    def keys(self, kind: str) -> frozenset[str]:
        """Return the keys of all stages of a kind, in one listing.

        Raises:
            OSError: if the storage cannot be reached.
        """
        files, root = _open(self.url)
        selector = FileSelector(str(root / kind), allow_not_found=True, recursive=True)
        paths = (PurePosixPath(each.path) for each in files.get_file_info(selector) if each.is_file)
        return frozenset(path.parent.name for path in paths if path.name == STAGE_FILE)

    def download(self, kind: str, key: str, folder: Path) -> None:
        """Write the files of a stage into an empty folder.

        Raises:
            StageDamagedError: if its description names no files.
            OSError: if the storage does not hold it or cannot be read, or the folder cannot be written.
        """
        files, root = _open(self.url)
        stage = root / kind / key
        with files.open_input_stream(str(stage / STAGE_FILE)) as stream:
            description = stream.read(_MAX_DESCRIPTION_BYTES)
        for name in CONTENTS:
            source = files.open_input_stream(str(stage / _digest_in(description) / name))
            with source, (folder / name).open("wb") as target:
                shutil.copyfileobj(source, target)
        (folder / STAGE_FILE).write_bytes(description)

    def upload(self, kind: str, key: str, folder: Path) -> None:
        """Copy the files of a finished stage, its description last.

        Raises:
            StageDamagedError: if the description is malformed.
            OSError: if the storage cannot be written.
        """
        files, root = _open(self.url)
        stage = root / kind / key
        description = (folder / STAGE_FILE).read_bytes()
        contents = stage / _digest_in(description)
        if files.type_name == "local":  # object storage has no folders
            files.create_dir(str(contents), recursive=True)
        for name in CONTENTS:
            with (
                (folder / name).open("rb") as source,
                files.open_output_stream(str(contents / name)) as target,
            ):
                shutil.copyfileobj(source, target)
        with files.open_output_stream(str(stage / STAGE_FILE)) as target:
            target.write(description)

    def check(self) -> None:
        """Check that the storage can be read.

        Raises:
            OSError: if it cannot be reached, or does not let this process in.
        """
        files, root = _open(self.url)
        files.get_file_info(str(root))


def find_remote(folder: Path) -> RemoteStages | None:
    """Return where a store's stages are copied to; None if nowhere.

    Raises:
        InputError: if the store's note of it is damaged.
    """
    path = folder / _FILE
    if not path.exists():
        return None
    try:
        with open_regular(path) as file:
            return RemoteStages(str(json.load(file)["url"]))
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(
            f"{path} must name the storage of the stages",
            got="something else",
            hint="delete it and set it again with 'autohier store remote URL'",
        ) from error


def set_remote(folder: Path, url: str) -> RemoteStages:
    """Copy the stages of a store to object storage from now on.

    Args:
        folder: folder of the store; created if it is missing.
        url: ``s3://BUCKET/FOLDER`` or another URL that pyarrow opens. Credentials come from the environment.

    Raises:
        InputError: if the URL is wrong, holds a secret or cannot be reached, or if the store has another one.
    """
    parts = urlsplit(url)
    if parts.password or (parts.scheme == "s3" and "@" in parts.netloc):
        raise InputError(
            f"{_OPTION} must not hold credentials, which others could read in the store",
            hint="pass them in the environment, e.g. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    earlier, remote = find_remote(folder), RemoteStages(url)
    if earlier not in (None, remote):
        raise InputError(
            f"the stages of {folder} are copied to one place",
            got=f"{url}, but they are in {earlier.url}" if earlier else url,
            hint="see 'autohier store remote', or choose another folder with --out",
        )
    try:
        remote.check()
    except OSError as error:
        raise InputError(f"{_OPTION} must be reachable", got=f"{url}: {error}", hint=_HINT) from error
    if earlier is None:
        write_atomically(folder / _FILE, json.dumps({"url": url}).encode())
    return remote


def unset_remote(folder: Path) -> None:
    """Stop copying the stages of a store to object storage; existing copies are kept."""
    (folder / _FILE).unlink(missing_ok=True)


@lru_cache(maxsize=8)
def _open(url: str) -> tuple[Any, PurePosixPath]:
    """Return pyarrow's file system of a URL, and the path in it."""
    if "://" not in url:
        raise InputError(f"{_OPTION} must be a URL", got=url, hint=_HINT)
    try:
        files, path = FileSystem.from_uri(url)
    except (pa.ArrowException, ValueError) as error:
        raise InputError(
            f"{_OPTION} must be a URL of a storage", got=f"{url}: {error}", hint=_HINT
        ) from error
    return files, PurePosixPath(path)


def _digest_in(description: bytes) -> str:
    """Return the digest that a description of a stage holds."""
    try:
        sha256 = json.loads(description)["sha256"]
    except (ValueError, LookupError, TypeError) as error:
        raise StageDamagedError("the description of a stage must hold its digest", got="none") from error
    if not isinstance(sha256, str) or not is_stage_key(sha256):
        raise StageDamagedError("the digest of a stage must be 64 hexadecimal digits", got=sha256)
    return sha256
