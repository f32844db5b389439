"""Labels over time and speeds of a live recognition, as rows and as lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from autohier.deploy.live.part_times import PartTimes
from autohier.deploy.live.recognizer import POSES, RECOGNITION, LiveLabel
from autohier.reports.clips.live_video import DRAWING, READING
from autohier.text import plural, shown

_PARTS: Final = (READING, POSES, RECOGNITION, DRAWING)


@dataclass(frozen=True, slots=True)
class LabelRow:
    """Classes of one window of a live recognition."""

    end_s: Annotated[float, "end of the window, in seconds since the first frame"]
    first_frame: Annotated[int, "number of the first frame of the window"]
    last_frame: Annotated[int, "number of its last frame"]
    label: Annotated[str | None, "most probable class; null if the window could not be read"]
    confidence: Annotated[float | None, "its confidence, averaged over the last windows"]
    classes: Annotated[tuple[str, ...], "most probable classes, the best first"]
    confidences: Annotated[tuple[float, ...], "their confidences"]
    fault: Annotated[str, "why the window could not be read; empty if it was"]


@dataclass(frozen=True, slots=True)
class PartSpeed:
    """Speed of one part of a live recognition."""

    part: Annotated[str, "reading, poses, recognition or drawing"]
    runs: Annotated[int, "frames, or windows of the recognition"]
    seconds: Annotated[float, "time of the part"]
    per_second: Annotated[float | None, "runs per second of the part's own time"]


@dataclass(frozen=True, slots=True)
class LiveSummary:
    """One live recognition."""

    source: Annotated[str, "video, stream or camera"]
    frames: Annotated[int, "frames that were used"]
    dropped: Annotated[int, "frames that came too fast and were left out"]
    seconds: Annotated[float, "duration of the recognition"]
    out: Annotated[str | None, "video that was written"]


def label_row(label: LiveLabel) -> LabelRow:
    """Return a label as a row."""
    return LabelRow(
        end_s=round(label.end_s, 6),
        first_frame=label.first_frame,
        last_frame=label.last_frame,
        label=label.classes[0] if label.classes else None,
        confidence=label.confidences[0] if label.confidences else None,
        classes=label.classes,
        confidences=label.confidences,
        fault=label.fault,
    )


def part_speeds(times: PartTimes) -> tuple[PartSpeed, ...]:
    """Return the speed of each part that ran, in the order of the parts."""
    return tuple(
        PartSpeed(part, times.runs[part], times.seconds[part], times.per_second(part))
        for part in _PARTS
        if times.runs[part]
    )


def label_line(label: LiveLabel) -> str:
    """Return a line of text with the classes of a window."""
    pairs = zip(label.classes, label.confidences, strict=True)
    text = ", ".join(f"{shown(name)} {confidence:.1%}" for name, confidence in pairs)
    return f"{label.end_s:7.1f} s  {text or shown(label.fault)}"


def summary_lines(summary: LiveSummary, speeds: Sequence[PartSpeed]) -> Iterator[str]:
    """Yield lines of text about a whole recognition."""
    rate = f": {summary.frames / summary.seconds:.1f} frames/s" if summary.seconds > 0 else ""
    yield f"{plural(summary.frames, 'frame')} in {summary.seconds:.1f} s{rate}"
    texts = [
        f"{each.part} {each.per_second:.1f} {'windows' if each.part == RECOGNITION else 'frames'}/s"
        for each in speeds
        if each.per_second is not None
    ]
    if texts:
        yield f"each part alone: {', '.join(texts)}"
    if summary.dropped:
        share = summary.dropped / (summary.frames + summary.dropped)
        yield (
            f"{plural(summary.dropped, 'frame')} dropped ({share:.1%}): they came faster than they were used"
        )
    if summary.out is not None:
        yield f"written to {summary.out}"
