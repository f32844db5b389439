"""The datasets by name; a new one is a function and a line here."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

from autohier.data.datasets.reader import DatasetReader
from autohier.data.store.paths import plain_name
from autohier.errors import InputError

# A reader brings decoders along, which most of what asks for a dataset's name does without.
# ruff: noqa: PLC0415


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a dataset's files are, and what a user calls it: for readers that know neither by themselves."""

    source: Path | None = None
    name: str | None = None


Open = Callable[[Origin], DatasetReader]


def _demo(_: Origin) -> DatasetReader:
    from autohier.data.datasets.demo_reader import demo_reader

    return demo_reader()


def _ntu(_: Origin, name: Literal["ntu60", "ntu120"], modality: Literal["rgb", "skeleton"]) -> DatasetReader:
    from autohier.data.datasets.ntu import ntu_reader

    return ntu_reader(name, modality)


def _utd_mhad(_: Origin, modality: Literal["depth", "rgb", "skeleton"]) -> DatasetReader:
    from autohier.data.datasets.utd_mhad import UtdMhadReader

    return UtdMhadReader(modality)


def _ucla(origin: Origin, modality: Literal["rgb", "skeleton"]) -> DatasetReader:
    from autohier.data.datasets.ucla import ucla_reader

    return ucla_reader(origin.source, modality)


def _gym99(origin: Origin) -> DatasetReader:
    from autohier.data.datasets.finegym import gym99_reader

    return gym99_reader(origin.source)


def _pyskl(origin: Origin) -> DatasetReader:
    from autohier.data.datasets.pyskl import pyskl_reader

    return pyskl_reader(origin.source, origin.name)


def _custom(origin: Origin) -> DatasetReader:
    from autohier.data.datasets.custom import custom_reader

    return custom_reader(origin.source, origin.name)


# Dataset -> modality -> reader; the first modality is the default.
READERS: Final[dict[str, dict[str, Open]]] = {
    "ntu60": {
        "rgb": partial(_ntu, name="ntu60", modality="rgb"),
        "skeleton": partial(_ntu, name="ntu60", modality="skeleton"),
    },
    "ntu120": {
        "rgb": partial(_ntu, name="ntu120", modality="rgb"),
        "skeleton": partial(_ntu, name="ntu120", modality="skeleton"),
    },
    "n-ucla": {"rgb": partial(_ucla, modality="rgb"), "skeleton": partial(_ucla, modality="skeleton")},
    "utd-mhad": {
        "depth": partial(_utd_mhad, modality="depth"),
        "rgb": partial(_utd_mhad, modality="rgb"),
        "skeleton": partial(_utd_mhad, modality="skeleton"),
    },
    "gym99": {"rgb": _gym99},
    "demo": {"rgb": _demo},
    "pyskl": {"skeleton": _pyskl},
    "custom": {"rgb": _custom},
}

USERS_OWN: Final = ("pyskl", "custom")
"""Datasets that are whatever their users have."""


def open_dataset(
    name: str, *, modality: str | None = None, source: Path | None = None, stored_as: str | None = None
) -> DatasetReader:
    """The reader of a dataset.

    Args:
        name: one of `READERS`; case and ``_`` for ``-`` do not matter.
        modality: what the frames show; None for the dataset's default.
        source: where its files are; needed where they themselves tell of classes and parts.
        stored_as: what such a dataset is called; None for the name of its source.

    Raises:
        InputError: where the dataset or its modality is unknown, or its name is not to be chosen.
        MissingDataError: where a source is needed and not there.
    """
    plain = dataset_name(name)
    if stored_as is not None and plain not in USERS_OWN:
        raise InputError(f"a name is given to {' and '.join(USERS_OWN)} datasets alone", got=repr(stored_as))
    modalities = READERS[plain]
    chosen = modality or next(iter(modalities))
    if chosen not in modalities:
        raise InputError(f"the modality of {name} must be one of {', '.join(modalities)}", got=modality)
    return modalities[chosen](Origin(source, stored_as))


def dataset_name(name: str) -> str:
    """The registered spelling of a dataset's name.

    Raises:
        InputError: where no dataset has that name; the nearest one is named.
    """
    plain = plain_name(name)
    if plain in READERS:
        return plain
    nearest = difflib.get_close_matches(plain, READERS, n=1, cutoff=0.0)
    raise InputError(
        f"the dataset must be one of {', '.join(READERS)}",
        got=repr(name),
        remedy=f"did you mean {nearest[0]!r}?",
    )
