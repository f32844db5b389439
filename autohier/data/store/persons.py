"""Rules by which persons are made of the tracks in a file; a store records the one that it was prepared with.

A store of an earlier rule is readable, but some of its clips hold a part of a person, or another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from autohier.data.store.manifest import StoreOptions
from autohier.data.store.paths import prepare_command

_NTU: Final = "joined-tracks-2"
PERSON_RULES: Final[Mapping[str, str]] = MappingProxyType({"ntu60": _NTU, "ntu120": _NTU})
"""Present rule by the name of the dataset; other datasets have none. Change it if the same file gives other
persons. The stores before this was recorded took tracks as persons, or joined only those that share no
frame."""


def has_earlier_persons(options: StoreOptions) -> bool:
    """Return True if a store was prepared with an earlier rule for persons than the present one."""
    return options.person_rule != PERSON_RULES.get(options.dataset, "")


def earlier_persons_text(folder: Path, options: StoreOptions) -> str:
    """Return the warning about a store of an earlier rule for persons, with its fix; empty for other stores.

    Args:
        folder: folder of the store.
        options: its options.
    """
    if not has_earlier_persons(options):
        return ""
    return (
        f"the clips in {folder} were prepared by an earlier rule for persons, so where the sensor lost a "
        "person and found it under another id, they may hold a part of it\n"
        f"  fix: before a new sweep, run '{prepare_command(folder)}' again; a sweep that used the earlier "
        "clips cannot be resumed with other ones"
    )
