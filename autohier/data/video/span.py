"""Part of a video, in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from autohier.errors import ClipError

SLACK_S: Final = 1
"""Largest distance in seconds between the place of a frame in the file and its time."""
_ROUNDING_S: Final = 2
"""Spans are in whole seconds: the end of a span may exceed its video by this much."""


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a video: the frames with times in [``start_s``, ``stop_s``).

    Attributes:
        start_s: start in whole seconds since the video's first frame.
        stop_s: end in whole seconds since the video's first frame.
    """

    start_s: int
    stop_s: int


def is_beyond(span: Span, end_s: Fraction) -> bool:
    """Return True if a video whose last frame starts at a time ends before a span does."""
    return end_s + _ROUNDING_S < span.stop_s


def beyond_end(span: Span, end_s: Fraction) -> ClipError:
    """Return the error of a span that is not in its video."""
    return ClipError(
        f"a video must contain its seconds {span.start_s} to {span.stop_s}",
        got=f"an end at {float(end_s):.1f} s",
    )
