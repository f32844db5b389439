"""Protocols: which clips of a dataset train and which test, and the sizes published for each part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Column = Literal["subject", "camera", "setup"]


@dataclass(frozen=True, slots=True)
class PublishedSize:
    """How many clips of each part a complete copy of the dataset holds.

    Attributes:
        of: which clips were counted, e.g. ``all clips``.
        train: training clips, validation included.
        test: test clips.
    """

    of: str
    train: int
    test: int


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way to divide a dataset.

    Attributes:
        name: e.g. ``cross-subject``.
        column: the column that decides where a clip goes.
        train: values of ``column`` that train.
        test: values of ``column`` that test.
        held_out_column: what clean validation holds out of the training clips.
        default_held_out: the values it holds out unless told otherwise.
        num_to_hold_out: how many values ``held_out_column`` has among the training clips of a complete copy.
        published: sizes to check against; a copy that matches any of them is complete.
    """

    name: str
    column: Column
    train: frozenset[int]
    test: frozenset[int]
    held_out_column: Column
    default_held_out: tuple[int, ...]
    num_to_hold_out: int
    published: tuple[PublishedSize, ...] = ()


# NTU RGB+D, CVPR 2016, section 4; the second sizes leave out the 302 clips listed as without skeleton.
_NTU60_TRAIN_SUBJECTS: Final = frozenset(
    (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
)
_NTU60: Final = (
    Protocol(
        name="cross-subject",
        column="subject",
        train=_NTU60_TRAIN_SUBJECTS,
        test=frozenset(range(1, 41)) - _NTU60_TRAIN_SUBJECTS,
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
        train=frozenset((2, 3)),
        test=frozenset((1,)),
        held_out_column="setup",
        default_held_out=(5, 14),
        num_to_hold_out=17,
        published=(
            PublishedSize("all clips", 37_920, 18_960),
            PublishedSize("clips with a complete skeleton", 37_646, 18_932),
        ),
    ),
)

# UTD-MHAD, ICIP 2015: odd subjects train. Of 27 x 8 x 4 clips three were never published.
_UTD_MHAD: Final = (
    Protocol(
        name="cross-subject",
        column="subject",
        train=frozenset((1, 3, 5, 7)),
        test=frozenset((2, 4, 6, 8)),
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
        train=frozenset((1, 3, 5, 7, 9)),
        test=frozenset((2, 4, 6, 8, 10)),
        held_out_column="subject",
        default_held_out=(9,),
        num_to_hold_out=5,
    ),
    Protocol(
        name="cross-view",
        column="camera",
        train=frozenset((2, 3)),
        test=frozenset((1,)),
        held_out_column="setup",
        default_held_out=(3,),
        num_to_hold_out=5,
    ),
)

PROTOCOLS: Final = {"ntu60": _NTU60, "utd-mhad": _UTD_MHAD, "demo": _DEMO}
