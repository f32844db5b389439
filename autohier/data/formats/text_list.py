"""Text files that list a dataset's clips and classes."""

from __future__ import annotations

from pathlib import Path

from autohier.data.names import composed
from autohier.errors import InputError
from autohier.files import open_regular

_MAX_BYTES = 64 << 20


def read_list_file(path: Path) -> list[str]:
    """Return the stripped lines of a file, including empty ones, so that line numbers stay right.

    Letters are composed, see `composed`.

    Raises:
        InputError: if the file cannot be read, is not UTF-8 text or is larger than 64 MiB.
    """
    try:
        with open_regular(path) as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise InputError(f"{path} must have at most {_MAX_BYTES >> 20} MiB")
        return [line.strip() for line in composed(content.decode("utf-8-sig")).splitlines()]
    except OSError as error:
        raise InputError(f"{path} must be readable", got=error) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} must be UTF-8 text", got=error.reason) from error
