"""Live recognition from the first frame to the last: reading, recognizing, drawing and writing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from autohier.data.video.encoding import Mp4Writer
from autohier.data.video.live_source import LiveFrame
from autohier.data.video.read_ahead import ReadAhead
from autohier.deploy.live.recognizer import LiveLabel, LiveRecognizer
from autohier.errors import ClipError
from autohier.files import open_atomically
from autohier.reports.clips.live_picture import draw_live

READING: Final = "reading"
DRAWING: Final = "drawing"


@dataclass(frozen=True, slots=True)
class LiveResult:
    """Result of a live recognition."""

    num_frames: int
    """Frames that were used."""
    num_dropped: int
    seconds: float
    num_labels: int
    """Windows with a label."""
    last_fault: str
    """Why the last window without a label could not be read; empty if all could."""
    error: ClipError | None
    """What ended the source early; None at its end, and if the user ended it."""


class LiveRun:
    """Run of a live recognition; `stop` ends it early."""

    def __init__(
        self,
        reader: ReadAhead,
        recognizer: LiveRecognizer,
        *,
        out: Path | None = None,
        mirrored: bool = False,
        on_label: Callable[[LiveLabel], None] = lambda _: None,
    ) -> None:
        """Create the run.

        Args:
            reader: frames of the source.
            recognizer: recognizes the frames.
            out: MP4 to write; None writes none.
            mirrored: True exchanges left and right in every picture first.
            on_label: called with every label.
        """
        self._reader, self._recognizer, self._out = reader, recognizer, out
        self._mirrored, self._on_label = mirrored, on_label
        self._label: LiveLabel | None = None
        self._num_frames, self._num_labels, self._last_fault = 0, 0, ""
        self._is_stopped = False

    def stop(self) -> None:
        """Stop after the current frame; safe to call from a signal handler."""
        self._is_stopped = True
        self._reader.stop()

    def run(self) -> LiveResult:
        """Recognize until the source ends or `stop` is called; the video that is written is then finished.

        Raises:
            ClipError: if the source has no frame.
            InputError: see `LiveRecognizer.see`.
            OSError: if the video cannot be written.
        """
        started_s = time.perf_counter()
        error = None
        with self._reader, ExitStack() as stack:
            write: Callable[[LiveFrame], None] | None = None
            try:
                for frame in self._frames():
                    if write is None:
                        write = stack.enter_context(self._writer())
                    self._take(self._recognizer.see(frame))
                    write(frame)
                    self._num_frames += 1
                if not self._is_stopped:
                    self._take(self._recognizer.finish())
            except ClipError as broken:
                if not self._num_frames:
                    raise
                error = broken
        self._recognizer.times.add(READING, self._reader.num_read, self._reader.reading_s)
        return LiveResult(
            self._num_frames,
            self._reader.num_dropped,
            time.perf_counter() - started_s,
            self._num_labels,
            self._last_fault,
            error,
        )

    def _frames(self) -> Iterator[LiveFrame]:
        for frame in self._reader:
            if self._mirrored:
                frame = replace(frame, picture_HW3=np.ascontiguousarray(frame.picture_HW3[:, ::-1]))  # noqa: PLW2901
            yield frame

    def _take(self, label: LiveLabel | None) -> None:
        if label is None:
            return
        self._label = label
        self._num_labels += bool(label.classes)
        self._last_fault = label.fault or self._last_fault
        self._on_label(label)

    @contextmanager
    def _writer(self) -> Iterator[Callable[[LiveFrame], None]]:
        if self._out is None:
            yield lambda _: None
            return
        with open_atomically(self._out) as file, Mp4Writer(file) as writer:
            yield lambda frame: self._draw(frame, writer)

    def _draw(self, frame: LiveFrame, writer: Mp4Writer) -> None:
        recognizer = self._recognizer
        with recognizer.times.measure(DRAWING):
            picture_HW3 = draw_live(frame.picture_HW3, recognizer.persons, recognizer.bones, self._label)
            writer.write(picture_HW3, frame.start_s)
