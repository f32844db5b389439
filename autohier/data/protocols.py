"""Evaluation protocols of datasets: training and test clips, and the published sizes of both parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from autohier.data.names import composed
from autohier.errors import InputError

NumberColumn = Literal["subject", "camera", "setup"]
Column = Literal["subject", "camera", "setup", "parts"]


@dataclass(frozen=True, slots=True)
class PublishedSize:
    """Number of clips of each part in a complete copy of the dataset.

    Attributes:
        of: which clips are counted, e.g. ``all clips``.
        train: training clips, including those for validation.
        test: test clips.
    """

    of: str
    train: int
    test: int


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way to divide a dataset into training and test clips.

    Attributes:
        name: e.g. ``cross-subject``.
        column: column that decides the part of a clip. Under ``parts``, a clip belongs to a part if any of
            its split lists does.
        train: values of ``column`` that train.
        test: values of ``column`` that test.
        held_out_column: column whose values clean validation holds out of the training clips.
        default_held_out: values held out by default; empty for a tenth of the training values.
        num_to_hold_out: number of values of ``held_out_column`` among the training clips of a complete copy;
            None if it is not published.
        published: sizes to check against; a copy that matches any of them is complete.
        validation: split lists whose clips validate under ``listed`` validation; only under ``parts``.
    """

    name: str
    column: Column
    train: tuple[int, ...] | tuple[str, ...]
    test: tuple[int, ...] | tuple[str, ...]
    held_out_column: NumberColumn = "subject"
    default_held_out: tuple[int, ...] = ()
    num_to_hold_out: int | None = None
    published: tuple[PublishedSize, ...] = ()
    validation: tuple[str, ...] = ()


def _others(train: tuple[int, ...], last: int) -> tuple[int, ...]:
    return tuple(number for number in range(1, last + 1) if number not in train)


# NTU RGB+D, CVPR 2016, section 4; the second sizes leave out the 302 clips listed as without a skeleton.
_NTU60_TRAIN_SUBJECTS: Final = (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
_NTU60: Final = (
    Protocol(
        name="cross-subject",
        column="subject",
        train=_NTU60_TRAIN_SUBJECTS,
        test=_others(_NTU60_TRAIN_SUBJECTS, 40),
        held_out_column="subject",
        default_held_out=(4, 19, 31),
        num_to_hold_out=20,
        published=(
            PublishedSize("all clips", 40_320, 16_560),
            PublishedSize("clips with a complete skeleton", 40_091, 16_487),
        ),
    ),
    Protocol(
        name="cross-view",
        column="camera",
        train=(2, 3),
        test=(1,),
        held_out_column="setup",
        default_held_out=(5, 14),
        num_to_hold_out=17,
        published=(
            PublishedSize("all clips", 37_920, 18_960),
            PublishedSize("clips with a complete skeleton", 37_646, 18_932),
        ),
    ),
)

# NTU RGB+D 120, TPAMI 2020, section 3.2; the second sizes leave out the 535 clips listed.
_NTU120_TRAIN_SUBJECTS: Final = (
    *_NTU60_TRAIN_SUBJECTS,
    *(45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92),
    *(93, 94, 95, 97, 98, 100, 103),
)
_NTU120: Final = (
    Protocol(
        name="cross-subject",
        column="subject",
        train=_NTU120_TRAIN_SUBJECTS,
        test=_others(_NTU120_TRAIN_SUBJECTS, 106),
        default_held_out=(4, 19, 31, 54, 82, 97),
        num_to_hold_out=53,
        published=(
            PublishedSize("all clips", 63_360, 51_120),
            PublishedSize("clips with a complete skeleton", 63_026, 50_919),
        ),
    ),
    Protocol(
        name="cross-setup",
        column="setup",
        train=tuple(range(2, 33, 2)),
        test=tuple(range(1, 33, 2)),
        held_out_column="setup",
        default_held_out=(14, 26),
        num_to_hold_out=16,
        published=(
            PublishedSize("all clips", 54_720, 59_760),
            PublishedSize("clips with a complete skeleton", 54_468, 59_477),
        ),
    ),
)

# N-UCLA Multiview Action 3D, CVPR 2014: one view tests, as in HAC section 4.4. The published sizes are those
# of the skeleton copies in use (1,484 of the 1,494 sequences) and those implied by HAC's percentages.
_VIEWS: Final = (1, 2, 3)
_UCLA: Final = tuple(
    Protocol(
        name=f"view{view}",
        column="camera",
        train=tuple(other for other in _VIEWS if other != view),
        test=(view,),
        held_out_column="subject",
        default_held_out=(5,),
        num_to_hold_out=10,
        published=(
            PublishedSize("sequences with json skeletons", 1484 - num_json, num_json),
            PublishedSize("sequences in HAC's tables", 1493 - num_hac, num_hac),
        ),
    )
    for view, num_json, num_hac in zip(_VIEWS, (516, 504, 464), (517, 509, 467), strict=True)
)

# FineGym, CVPR 2020: Gym99's lists name the training and test clips; the reader knows their numbers.
_GYM99: Final = (Protocol(name="gym99", column="parts", train=("train",), test=("val",)),)

# UTD-MHAD, ICIP 2015: odd subjects train. Of 27 x 8 x 4 clips three were never published.
_UTD_MHAD: Final = (
    Protocol(
        name="cross-subject",
        column="subject",
        train=(1, 3, 5, 7),
        test=(2, 4, 6, 8),
        held_out_column="subject",
        default_held_out=(5,),
        num_to_hold_out=4,
        published=(PublishedSize("all clips", 431, 430),),
    ),
)

_DEMO: Final = (
    Protocol(
        name="cross-subject",
        column="subject",
        train=(1, 3, 5, 7, 9),
        test=(2, 4, 6, 8, 10),
        held_out_column="subject",
        default_held_out=(9,),
        num_to_hold_out=5,
    ),
    Protocol(
        name="cross-view",
        column="camera",
        train=(2, 3),
        test=(1,),
        held_out_column="setup",
        default_held_out=(3,),
        num_to_hold_out=5,
    ),
)

PROTOCOLS: Final = {
    "ntu60": _NTU60,
    "ntu120": _NTU120,
    "n-ucla": _UCLA,
    "gym99": _GYM99,
    "utd-mhad": _UTD_MHAD,
    "demo": _DEMO,
}
"""Protocols of published datasets, by dataset; other datasets bring their own, which their store holds."""


def find_protocol(dataset: str, protocols: Sequence[Protocol], name: str) -> Protocol:
    """Return the protocol of this name.

    Raises:
        InputError: if the dataset has no such protocol.
    """
    rules = {rule.name: rule for rule in protocols}
    name = composed(name)
    if name not in rules:
        raise InputError(
            f"the protocol of {dataset} must be one of {', '.join(rules)}",
            got=repr(name),
            hint=f"add --set protocol.name={next(iter(rules), 'NAME')}, or another of them",
        )
    return rules[name]
