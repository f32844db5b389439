"""Text files of numbers in rows, such as the skeletons of published sets."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autohier.errors import ClipError, damage_text
from autohier.files import open_regular

_MAX_BYTES: Final = 2**26


def read_number_rows(path: Path, num_columns: int) -> NDArray[np.float64]:
    """Return the numbers of a file, one row per line that is not empty; ``NaN`` is a number.

    Raises:
        ClipError: if the file cannot be read, or a line does not consist of this many numbers.
    """
    try:
        with open_regular(path) as file:
            content = file.read(_MAX_BYTES + 1)
        lines = content.decode("ascii").splitlines()
    except OSError as error:
        raise ClipError("a skeleton file must be readable", got=damage_text(error)) from error
    except UnicodeDecodeError as error:
        raise ClipError("a skeleton file must be text", got=error.reason) from error
    if len(content) > _MAX_BYTES:
        raise ClipError(f"a skeleton file must have at most {_MAX_BYTES >> 20} MiB")
    rows = []
    for number, line in enumerate(lines, start=1):
        cells = line.replace(",", " ").split()
        if cells and len(cells) != num_columns:
            raise ClipError(
                f"a line of this skeleton file must hold {num_columns} numbers",
                got=f"{len(cells)} in line {number}",
            )
        if cells:
            try:
                rows.append([float(cell) for cell in cells])
            except ValueError as error:
                raise ClipError("a skeleton file must hold numbers", got=f"line {number}: {error}") from error
    if not rows:
        raise ClipError("a skeleton file must contain a frame", got="an empty file")
    return np.array(rows, dtype=np.float64)
