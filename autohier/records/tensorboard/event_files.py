"""TensorBoard event files: the summaries that autohier writes, and the names of the files.

The folder of a run holds, in the order in which TensorBoard reads them:

* ``events.out.tfevents.0-begun``: the trial's hyperparameters; a re-run replaces it;
* ``events.out.tfevents.<time>...curves``: the trial's curves and images; a re-run adds a file;
* ``events.out.tfevents.9-ended``: the trial's final state and metrics;
* ``events.out.tfevents.9-tested``: its test results, if it was tested.

The names matter: TensorBoard's Python loader reads the files of a folder in the order of their names and
never goes back, and its loaders keep the first hyperparameters of a run.
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
from autohier.records.tensorboard.descriptions import describe

BEGUN_FILE = "events.out.tfevents.0-begun"
ENDED_FILE = "events.out.tfevents.9-ended"
TESTED_FILE = "events.out.tfevents.9-tested"
CURVES_SUFFIX = ".curves"
BEST_VALIDATION = "best_validation"
"""Tag of the highest validation accuracy so far, in a trial's curves."""

_FILE_VERSION = "brain.Event:2"
_RGBA = 4


def scalar(tag: str, value: float) -> Summary.Value:
    """Return a summary of a number under a tag, e.g. "loss/train"."""
    return Summary.Value(tag=tag, simple_value=value)


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded image."""

    png: bytes
    width_px: int
    height_px: int


def image(tag: str, picture: Picture) -> Summary.Value:
    """Return a summary of a picture under a tag."""
    encoded = Summary.Image(
        width=picture.width_px, height=picture.height_px, colorspace=_RGBA, encoded_image_string=picture.png
    )
    return Summary.Value(tag=tag, image=encoded)


def event(step: int, values: list[Summary.Value]) -> Event:
    """Return an event with the values of one step and the current time."""
    return Event(wall_time=time.time(), step=step, summary=Summary(value=values))


def restart_event(step: int = 1) -> Event:
    """Return an event after which the following events replace earlier ones from a step on.

    TensorBoard's Python loader needs it; its default loader drops replaced points anyway. Step 0 holds the
    hyperparameters, and is never replaced.
    """
    return Event(wall_time=time.time(), step=step, session_log=SessionLog(status=SessionLog.START))


class CurvesFile:
    """Unbuffered event file of one run of a trial.

    TensorBoard's own writer passes events to a thread and waits for it, which doubles the time of a callback.

    Raises:
        OSError: if the folder cannot be written, also in the methods.
    """

    def __init__(self, run_folder: Path) -> None:
        run_folder.mkdir(parents=True, exist_ok=True)
        origin = f"{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
        name = f"events.out.tfevents.{int(time.time()):010d}.{origin}{CURVES_SUFFIX}"
        self._file = (run_folder / name).open("xb", buffering=0)
        self._framed = FramedWriter(self._file)
        self._described: set[str] = set()
        self.write(Event(wall_time=time.time(), file_version=_FILE_VERSION))

    def write(self, item: Event) -> None:
        """Append an event; the first value of each tag carries its description."""
        new = [value for value in item.summary.value if value.tag not in self._described]
        describe(new)
        self._described.update(value.tag for value in new)
        self._framed.write(item.SerializeToString())

    def close(self) -> None:
        """Close the file."""
        self._framed.close()


def write_event_file(path: Path, events: list[Event]) -> None:
    """Write a complete event file, which replaces an earlier one.

    The write does not wait for the disk, as no computation ever resumes from an event file.

    Raises:
        OSError: if the folder cannot be written.
    """
    buffer = io.BytesIO()
    framed = FramedWriter(buffer)
    for item in (Event(wall_time=time.time(), file_version=_FILE_VERSION), *events):
        describe(item.summary.value)
        framed.write(item.SerializeToString())
    write_atomically(path, buffer.getvalue(), lasting=False)
