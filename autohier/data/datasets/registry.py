"""The datasets by name; a new one is a function and a line here."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import partial
from typing import Final, Literal

from autohier.data.datasets.reader import DatasetReader
from autohier.errors import InputError

# A reader brings decoders along, which most of what asks for a dataset's name does without.
# ruff: noqa: PLC0415


def _demo() -> DatasetReader:
    from autohier.data.datasets.demo_reader import demo_reader

    return demo_reader()


def _ntu60() -> DatasetReader:
    from autohier.data.datasets.ntu60 import ntu60_reader

    return ntu60_reader()


def _utd_mhad(modality: Literal["depth", "rgb"]) -> DatasetReader:
    from autohier.data.datasets.utd_mhad import UtdMhadReader

    return UtdMhadReader(modality)


# Dataset -> modality -> reader; the first modality is the default.
READERS: Final[dict[str, dict[str, Callable[[], DatasetReader]]]] = {
    "ntu60": {"rgb": _ntu60},
    "utd-mhad": {"depth": partial(_utd_mhad, "depth"), "rgb": partial(_utd_mhad, "rgb")},
    "demo": {"rgb": _demo},
}


def open_dataset(name: str, *, modality: str | None = None) -> DatasetReader:
    """The reader of a dataset.

    Args:
        name: one of `READERS`; case and ``_`` for ``-`` do not matter.
        modality: what the frames show; None for the dataset's default.

    Raises:
        InputError: where the dataset or its modality is unknown.
    """
    modalities = READERS[dataset_name(name)]
    chosen = modality or next(iter(modalities))
    if chosen not in modalities:
        raise InputError(f"the modality of {name} must be one of {', '.join(modalities)}", got=modality)
    return modalities[chosen]()


def dataset_name(name: str) -> str:
    """The registered spelling of a dataset's name.

    Raises:
        InputError: where no dataset has that name; the nearest one is named.
    """
    plain = name.strip().lower().replace("_", "-")
    if plain in READERS:
        return plain
    nearest = difflib.get_close_matches(plain, READERS, n=1, cutoff=0.0)
    raise InputError(
        f"the dataset must be one of {', '.join(READERS)}",
        got=repr(name),
        remedy=f"did you mean {nearest[0]!r}?",
    )
