"""Protocols from lists of clips: those named alike belong together, as ``xsub_train`` and ``xsub_val``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from autohier.data.datasets.reader import Remark
from autohier.data.protocols import Protocol, PublishedSize
from autohier.errors import InputError

_TRAINS: Final = ("train", "training", "trainval")
_TESTS: Final = ("test", "testing", "eval", "evaluation", "val", "valid", "validation")
_PREFERENCE: Final = (*_TRAINS, "", *_TESTS)
"""Of the lists of one protocol the first trains, and the first tests; a list named otherwise trains."""
_ROLE = re.compile(
    rf"(?<![^_\-/. ])(?P<word>train[_\-/. ]val|{'|'.join(sorted((*_TRAINS, *_TESTS), reverse=True))})"
    r"(?=\d*(?:[_\-/. ]|$))",
    re.IGNORECASE,
)
_SEPARATORS: Final = "_-/. "
_BARE = "train-val"
_MAX_LISTS = 100  # a list without its counterpart is given one of all other clips


@dataclass(frozen=True, slots=True)
class ListedClips:
    """Lists of clips, and the protocols that follow from them.

    Attributes:
        protocols: in the order in which the lists came, those with a side that no list tells at the end.
        lists: the ids in each list; where one came without its counterpart, that is among them.
        remarks: on lists that do nothing or share clips, and on sides that no list tells.
    """

    protocols: tuple[Protocol, ...]
    lists: Mapping[str, frozenset[str]]
    remarks: tuple[Remark, ...]

    def parts(self, clip_id: str) -> tuple[str, ...]:
        """The lists that name a clip."""
        return tuple(name for name, listed in self.lists.items() if clip_id in listed)


class _Named(NamedTuple):
    """What the name of a list says: its protocol, its role in lower case or an empty one, and its side."""

    name: str
    protocol: str
    role: str
    trains: bool


def list_protocols(lists: Mapping[str, frozenset[str]], clip_ids: frozenset[str]) -> ListedClips:
    """The protocols that follow from lists.

    ``X_train`` and ``X_test``, or else ``X_val``, are protocol X; ``train`` and ``test`` or ``val`` are
    train-val; ``train1`` and ``test1`` are 1. Roles may be written out or in capitals, before or behind what
    they belong to, and be parted from it by ``_``, ``-``, ``/``, ``.`` or a blank. Where there are two lists
    without a clip in common, and one says by its name that it trains or tests, the other does the other. The
    counterpart of a list that has none is made of all other clips and named so that the two go together; a
    list that is named otherwise trains, and what it does not name tests. A pair that shares a clip, or of
    which one list is empty, is no protocol.

    Args:
        lists: the ids in each list.
        clip_ids: all clips that there are; a list may name more.

    Raises:
        InputError: where no protocol follows, or there are over a hundred lists.
    """
    if len(lists) > _MAX_LISTS:
        raise InputError(f"clips must be divided by at most {_MAX_LISTS} lists", got=len(lists))
    complete = dict(lists)
    told: list[Protocol] = []
    made_up: list[Protocol] = []
    remarks: list[Remark] = []
    overlaps: list[Remark] = []
    for protocol, group in _group(lists).items():
        own = {trains: _choose(group, lists, trains=trains) for trains in (True, False)}
        other = ""
        if None in own.values():
            is_other_training = own[True] is None
            given = own[not is_other_training] or ""
            other = own[is_other_training] = _counterpart(given, trains=is_other_training)
            complete[other] = clip_ids - lists[given]
        train, test = own[True] or "", own[False] or ""
        if not (complete[train] and complete[test]):
            continue
        if both := complete[train] & complete[test]:
            overlaps.append(_overlap(protocol, train, test, both))
            continue
        (made_up if other else told).append(_protocol(protocol, train, test, complete, other))
        remarks.extend(_remark(protocol, train, test, other, [one.name for one in group]))
    if not told + made_up and overlaps:
        raise InputError(overlaps[0].text, remedy=overlaps[0].remedy)
    if not told + made_up:
        raise InputError(
            "lists must say which clips train and which test",
            got=f"those named {', '.join(lists)}" if lists else "none",
            remedy="name them e.g. train and val",
        )
    return ListedClips((*told, *made_up), complete, (*overlaps, *remarks))


def _group(lists: Mapping[str, frozenset[str]]) -> dict[str, list[_Named]]:
    """The lists of each protocol, by its name as it is first written."""
    named = [_read_name(name) for name in lists]
    if pair := _pair_of_two(named, lists):
        protocols = [one.protocol for one in pair if one.role]
        return {next((name for name in protocols if name != _BARE), _BARE): pair}
    groups: dict[str, tuple[str, list[_Named]]] = {}
    for one in named:
        groups.setdefault(one.protocol.casefold(), (one.protocol, []))[1].append(one)
    return dict(groups.values())


def _read_name(name: str) -> _Named:
    words = list(_ROLE.finditer(name))
    if len(words) != 1:
        return _Named(name, name, "", trains=True)
    (word,) = words
    around = name[: word.start()].rstrip(_SEPARATORS), name[word.end() :].lstrip(_SEPARATORS)
    role = word["word"].lower().translate(dict.fromkeys(map(ord, _SEPARATORS)))
    return _Named(name, "_".join(filter(None, around)) or _BARE, role, trains=role in _TRAINS)


def _pair_of_two(named: list[_Named], lists: Mapping[str, frozenset[str]]) -> list[_Named]:
    """What trains, then what tests, where two lists are all there are, and share no clip; else none."""
    if len(named) != 2 or not all(lists.values()) or not frozenset.isdisjoint(*lists.values()):
        return []
    first, second = sorted(named, key=lambda one: (not one.role, not one.trains))
    if not first.role or (second.role and first.trains == second.trains):
        return []
    return sorted((first, second._replace(trains=not first.trains)), key=lambda one: not one.trains)


def _choose(group: list[_Named], lists: Mapping[str, frozenset[str]], *, trains: bool) -> str | None:
    own = [one for one in group if one.trains is trains]
    best = min(own, key=lambda one: (not lists[one.name], _PREFERENCE.index(one.role)), default=None)
    return None if best is None else best.name


def _counterpart(name: str, *, trains: bool) -> str:
    """What a list that nobody wrote is called, so that it goes together with one of the other side."""
    word = _ROLE.search(name) if _read_name(name).role else None
    if word is None:
        return f"{name}_val"
    before, after = name[: word.start()], name[word.end() :]
    return before + ("train" if trains else "test" if after[:1].isdigit() else "val") + after


def _protocol(
    name: str, train: str, test: str, lists: Mapping[str, frozenset[str]], made_up: str
) -> Protocol:
    size = PublishedSize("clips in the lists", len(lists[train]), len(lists[test]))
    return Protocol(name, "parts", (train,), (test,), published=() if made_up else (size,))


def _overlap(protocol: str, train: str, test: str, both: frozenset[str]) -> Remark:
    return Remark(
        f"{protocol} is left out, as a clip must not both train and test, but {len(both)} are listed in "
        f"{train} and {test}, e.g. {min(both)}",
        "take them out of one of the two",
    )


def _remark(protocol: str, train: str, test: str, made_up: str, group: Iterable[str]) -> Iterator[Remark]:
    """What a protocol makes of its lists that their names do not say."""
    if made_up:
        given, does = (train, "tests") if made_up == test else (test, "trains")
        yield Remark(
            f"under {protocol} no list tells who {does}: the clips that {given} does not name do",
            f"unless that is meant, add a list named {made_up}",
        )
    if unused := [name for name in group if name not in {train, test}]:
        yield Remark(
            f"under {protocol} the list {train} trains and {test} tests, {', '.join(unused)} does neither: "
            "validation is drawn from training clips"
        )
