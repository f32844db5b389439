"""TensorBoard event files: summaries of the kinds autohier writes, and files with a fixed name.

A run folder holds, in the order TensorBoard reads them:

* ``events.out.tfevents.0-begun``: the trial's hyperparameters; written once, replaced by a re-run;
* ``events.out.tfevents.<time>...curves``: what the trial reports as it goes; a re-run adds a file;
* ``events.out.tfevents.9-ended``: how it ended, and its metrics.

Names matter: TensorBoard's Python loader goes through a folder's files in the order of their names and
never back, and its loaders keep the first hyperparameters of a run that they meet.
"""

from __future__ import annotations

import io
import os
import socket
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter as FramedWriter

from autohier.files import write_atomically

BEGUN_FILE = "events.out.tfevents.0-begun"
ENDED_FILE = "events.out.tfevents.9-ended"
CURVES_SUFFIX = ".curves"

_FILE_VERSION = "brain.Event:2"
_RGBA = 4


def scalar(tag: str, value: float) -> Summary.Value:
    """A number under a tag, e.g. "loss/train"."""
    return Summary.Value(tag=tag, simple_value=value)


@dataclass(frozen=True, slots=True)
class Picture:
    """An image, encoded."""

    png: bytes
    width_px: int
    height_px: int


def image(tag: str, picture: Picture) -> Summary.Value:
    """A picture under a tag."""
    encoded = Summary.Image(
        width=picture.width_px, height=picture.height_px, colorspace=_RGBA, encoded_image_string=picture.png
    )
    return Summary.Value(tag=tag, image=encoded)


def event(step: int, values: list[Summary.Value]) -> Event:
    """Values of one step, stamped with the present time."""
    return Event(wall_time=time.time(), step=step, summary=Summary(value=values))


def begin_anew(step: int = 1) -> Event:
    """The mark that what comes next replaces earlier points from a step on.

    TensorBoard's Python loader needs it; its default loader drops points that are stepped back over anyway.
    Step 0 is left out: the hyperparameters stand there.
    """
    return Event(wall_time=time.time(), step=step, session_log=SessionLog(status=SessionLog.START))


class CurvesFile:
    """The event file of one run of a trial: events are in it as soon as they are written.

    TensorBoard's own writer hands them to a thread and waits for it, which takes as long as all the rest.

    Raises:
        OSError: where the folder cannot be written; so do the methods.
    """

    def __init__(self, run_folder: Path) -> None:
        run_folder.mkdir(parents=True, exist_ok=True)
        origin = f"{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
        name = f"events.out.tfevents.{int(time.time()):010d}.{origin}{CURVES_SUFFIX}"
        self._file = (run_folder / name).open("xb", buffering=0)
        self._framed = FramedWriter(self._file)
        self.write(Event(wall_time=time.time(), file_version=_FILE_VERSION))

    def write(self, item: Event) -> None:
        """Append an event."""
        self._framed.write(item.SerializeToString())

    def close(self) -> None:
        """Nothing is written after this."""
        self._framed.close()


def write_event_file(path: Path, events: list[Event]) -> None:
    """Write a whole event file, in place of an earlier one of the name.

    The disk is not waited for: event files are looked at, and nothing is ever taken up from them.

    Raises:
        OSError: where the folder cannot be written.
    """
    buffer = io.BytesIO()
    framed = FramedWriter(buffer)
    for item in (Event(wall_time=time.time(), file_version=_FILE_VERSION), *events):
        framed.write(item.SerializeToString())
    write_atomically(path, buffer.getvalue(), lasting=False)
