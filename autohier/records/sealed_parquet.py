"""Parquet files that hold a digest of themselves: a changed byte is damage, never another value.

The digest is the value of `_NAME` in the file's metadata, where any reader of Parquet shows it. It is the
SHA-256 of the file with zeros in the place of the digest. Files of earlier versions have none.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

_NAME: Final = b"autohier.sha256"
_ZEROS: Final = b"0" * 64
_PLACE: Final = re.compile(re.escape(_NAME) + rb"\x18\x40([0-9a-f]{64})")
"""The entry in Thrift's compact form: the name, and a text of 64 characters."""


def write_sealed(table: pa.Table) -> bytes:
    """Return the content of a Parquet file with its digest."""
    buffer = pa.BufferOutputStream()
    # Parts have few rows, mostly numbers: compression hardly shrinks them, but doubles the writing time.
    pq.write_table(table.replace_schema_metadata({_NAME: _ZEROS}), buffer, compression="none")
    content = bytearray(buffer.getvalue().to_pybytes())
    match = _PLACE.search(content)
    if match is None:
        raise ValueError("this version of pyarrow must write metadata of Parquet as plain text")
    content[match.start(1) : match.end(1)] = hashlib.sha256(content).hexdigest().encode()
    return bytes(content)


def read_sealed(content: bytes) -> pa.Table:
    """Return the rows of a Parquet file.

    Raises:
        ValueError: if it differs from what `write_sealed` returned.
        pa.ArrowException, OSError: if it is no Parquet.
    """
    match = _PLACE.search(content)
    if match is not None:
        unsealed = content[: match.start(1)] + _ZEROS + content[match.end(1) :]
        if hashlib.sha256(unsealed).hexdigest().encode() != match[1]:
            raise ValueError("it does not match its digest")
    file = pq.ParquetFile(pa.BufferReader(pa.py_buffer(content)))
    if match is None and _NAME in base64.b64decode((file.metadata.metadata or {}).get(b"ARROW:schema", b"")):
        raise ValueError("it has lost its digest")
    # Threads take longer to start than a small file takes to read.
    return file.read(use_threads=False)
