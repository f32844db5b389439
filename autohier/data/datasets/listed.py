"""Protocols from lists of clips: those named alike belong together, as ``xsub_train`` and ``xsub_val``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from autohier.data.protocols import Protocol, PublishedSize
from autohier.errors import InputError

_ROLE = re.compile(r"(?:(?P<before>.+)_)?(?P<role>train|val|test)|(?P<numbered>train|val|test)(?P<after>\d+)")
_BARE = "train-val"
_MAX_LISTS = 100  # a list without its counterpart is given one of all other clips


@dataclass(frozen=True, slots=True)
class ListedClips:
    """Lists of clips, and the protocols that follow from them.

    Attributes:
        protocols: in the order in which the lists came.
        lists: the ids in each list; where one came without its counterpart, that is among them.
    """

    protocols: tuple[Protocol, ...]
    lists: Mapping[str, frozenset[str]]

    def parts(self, clip_id: str) -> tuple[str, ...]:
        """The lists that name a clip."""
        return tuple(name for name, listed in self.lists.items() if clip_id in listed)


def list_protocols(lists: Mapping[str, frozenset[str]], clip_ids: frozenset[str]) -> ListedClips:
    """The protocols that follow from lists.

    ``X_train`` and ``X_test``, or else ``X_val``, are protocol X; ``train`` and ``test`` or ``val`` are
    train-val; ``train1`` and ``test1`` are 1. The counterpart of a list that has none is made of all other
    clips and named so that the two go together; a list that is named otherwise trains, and what it does not
    name tests. A pair of which one list is empty is no protocol.

    Args:
        lists: the ids in each list.
        clip_ids: all clips that there are; a list may name more.

    Raises:
        InputError: where no protocol follows, clips both train and test, or there are over a hundred lists.
    """
    if len(lists) > _MAX_LISTS:
        raise InputError(f"clips must be divided by at most {_MAX_LISTS} lists", got=len(lists))
    pairs: dict[str, dict[str, str]] = {}
    for name in lists:
        protocol, role = _protocol_and_role(name)
        pairs.setdefault(protocol, {}).setdefault(role, name)
    complete = dict(lists)
    protocols = []
    for protocol, roles in pairs.items():
        train, test = _complete_pair(protocol, roles, complete, clip_ids)
        if complete[train] and complete[test]:
            protocols.append(_protocol(protocol, train, test, complete))
    if not protocols:
        raise InputError(
            "lists must say which clips train and which test",
            got=f"those named {', '.join(lists)}" if lists else "none",
            remedy="name them e.g. train and val",
        )
    return ListedClips(tuple(protocols), complete)


def _protocol_and_role(name: str) -> tuple[str, str]:
    match = _ROLE.fullmatch(name)
    if match is None:
        return name, "train"
    if match["numbered"]:
        return match["after"], match["numbered"]
    return match["before"] or _BARE, match["role"]


def _complete_pair(
    protocol: str, roles: Mapping[str, str], lists: dict[str, frozenset[str]], clip_ids: frozenset[str]
) -> tuple[str, str]:
    train, test = roles.get("train"), roles.get("test") or roles.get("val")
    if train is None:
        given = test or ""
        train = re.sub(r"(?:test|val)(?=\d*$)", "train", given)
        lists[train] = clip_ids - lists[given]
    elif test is None:
        test = re.sub(r"train$", "val", re.sub(r"train(?=\d+$)", "test", train))
        test = f"{protocol}_val" if test == train else test
        lists[test] = clip_ids - lists[train]
    return train, test or ""


def _protocol(name: str, train: str, test: str, lists: Mapping[str, frozenset[str]]) -> Protocol:
    if both := lists[train] & lists[test]:
        raise InputError(
            f"a clip must not both train and test, but {len(both)} are listed in {train} and {test}",
            got=min(both),
            remedy="take them out of one of the two",
        )
    size = PublishedSize("clips in the lists", len(lists[train]), len(lists[test]))
    return Protocol(name=name, column="parts", train=(train,), test=(test,), published=(size,))
