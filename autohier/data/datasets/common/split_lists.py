"""Evaluation protocols from lists of clips, which are paired by name: ``xsub_train`` and ``xsub_val``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from autohier.data.datasets.base import DatasetWarning
from autohier.data.protocols import Protocol, PublishedSize
from autohier.errors import InputError

_TRAINS: Final = ("train", "training", "trainval")
_VALIDATES: Final = ("val", "valid", "validation")
_TESTS: Final = ("test", "testing", "eval", "evaluation", *_VALIDATES)
_PREFERENCE: Final = (*_TRAINS, "", *_TESTS)
"""Precedence of the lists of one protocol; a list without a role in its name trains."""
_ROLE = re.compile(
    rf"(?<![^_\-/. ])(?P<word>train[_\-/. ]val|{'|'.join(sorted((*_TRAINS, *_TESTS), reverse=True))})"
    r"(?=\d*(?:[_\-/. ]|$))",
    re.IGNORECASE,
)
_SEPARATORS: Final = "_-/. "
_BARE = "train-val"
_MAX_LISTS = 100  # a list without a counterpart takes memory for all other clips


@dataclass(frozen=True, slots=True)
class ListedClips:
    """Lists of clips, and the protocols that follow from them.

    Attributes:
        protocols: in the order of the lists; those with a derived counterpart are last.
        lists: the ids in each list, including derived counterparts.
        warnings: on unused lists, on lists that share clips, and on derived counterparts.
    """

    protocols: tuple[Protocol, ...]
    lists: Mapping[str, frozenset[str]]
    warnings: tuple[DatasetWarning, ...]

    def parts(self, clip_id: str) -> tuple[str, ...]:
        """Return the names of the lists that contain a clip."""
        return tuple(name for name, listed in self.lists.items() if clip_id in listed)


class _Named(NamedTuple):
    """A list's name, its protocol, its role in lower case (empty if none), and its side."""

    name: str
    protocol: str
    role: str
    trains: bool


def list_protocols(lists: Mapping[str, frozenset[str]], clip_ids: frozenset[str]) -> ListedClips:
    """Pair lists of clips by their names, and return the protocols that follow.

    - ``X_train`` and ``X_test``, or else ``X_val``, are protocol X; if there are both, ``X_val`` validates.
      ``train`` and ``test``, or ``val``, are protocol train-val. ``train1`` and ``test1`` are protocol 1.
    - A role may be abbreviated or not, in any case, before or after the rest of the name, and separated from
      it by ``_``, ``-``, ``/``, ``.`` or a blank.
    - If there are exactly two lists, which share no clip, and one has a role in its name, the other has the
      other role.
    - A list without a counterpart gets one of all other clips, whose name is derived from its own. A list
      without a role in its name trains.
    - A validation list that shares clips with the test list does not validate.
    - A pair that shares a clip, or in which a list is empty, is no protocol.

    Args:
        lists: the ids in each list.
        clip_ids: ids of all clips; a list may contain others.

    Raises:
        InputError: if no protocol follows, e.g. from empty lists, or there are more than a hundred lists.
    """
    if len(lists) > _MAX_LISTS:
        raise InputError(f"a source must have at most {_MAX_LISTS} lists of clips", got=len(lists))
    complete = dict(lists)
    listed: list[Protocol] = []
    derived: list[Protocol] = []
    warnings: list[DatasetWarning] = []
    overlaps: list[DatasetWarning] = []
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
        validation = _validation_list(group, test, complete)
        rule = _protocol(protocol, train, test, complete, other)
        (derived if other else listed).append(replace(rule, validation=validation))
        warnings.extend(_warn(rule, other, validation, [one.name for one in group]))
    if not listed + derived and overlaps:
        raise InputError(overlaps[0].text, hint=overlaps[0].hint)
    if not listed + derived and (empty := [name for name, ids in lists.items() if not ids]):
        raise InputError(
            "lists of training and test clips must not be empty",
            got=f"no clip in {', '.join(empty)}",
            hint="add clips to them, or leave out the lists of this protocol",
        )
    if not listed + derived:
        raise InputError(
            "the names of lists must say which clips train and which test",
            got=", ".join(lists) or "no list",
            hint="name them e.g. train and val",
        )
    return ListedClips((*listed, *derived), complete, (*overlaps, *warnings))


def _group(lists: Mapping[str, frozenset[str]]) -> dict[str, list[_Named]]:
    """Return the lists of each protocol, by the first spelling of its name."""
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
    """Return the training and the test list if there are exactly two, which share no clip; else none."""
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


def _validation_list(group: list[_Named], test: str, lists: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """Return the validation list of a group; empty if there is none that shares no clip with it."""
    return tuple(
        one.name
        for one in group
        if one.role in _VALIDATES
        and one.name != test
        and lists[one.name]
        and lists[one.name].isdisjoint(lists[test])
    )


def _counterpart(name: str, *, trains: bool) -> str:
    """Return the name of the derived counterpart of a list."""
    word = _ROLE.search(name) if _read_name(name).role else None
    if word is None:
        return f"{name}_val"
    before, after = name[: word.start()], name[word.end() :]
    return before + ("train" if trains else "test" if after[:1].isdigit() else "val") + after


def _protocol(
    name: str, train: str, test: str, lists: Mapping[str, frozenset[str]], derived: str
) -> Protocol:
    size = PublishedSize("clips in the lists", len(lists[train]), len(lists[test]))
    return Protocol(name, "parts", (train,), (test,), published=() if derived else (size,))


def _overlap(protocol: str, train: str, test: str, both: frozenset[str]) -> DatasetWarning:
    return DatasetWarning(
        f"protocol {protocol} is skipped: a clip must not both train and test, but {len(both)} are listed in "
        f"{train} and {test}, e.g. {min(both)}",
        "remove them from one of the two lists",
    )


def _warn(
    rule: Protocol, derived: str, validation: Sequence[str], group: Iterable[str]
) -> Iterator[DatasetWarning]:
    """Warn about a derived counterpart and about unused lists."""
    protocol, train, test = rule.name, str(rule.train[0]), str(rule.test[0])
    if derived:
        given, role = (train, "test") if derived == test else (test, "training")
        yield DatasetWarning(
            f"protocol {protocol} has no {role} list: the clips that are not in {given} are used",
            f"add a list named {derived} if they should not be",
        )
    if unused := [name for name in group if name not in {train, test, *validation}]:
        yield DatasetWarning(
            f"protocol {protocol} trains on {train} and tests on {test}; {', '.join(unused)} is not used"
        )
