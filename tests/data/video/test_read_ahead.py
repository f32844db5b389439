"""Frames that a thread reads ahead: order, dropped frames, errors and the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from autohier.data.video.live_source import LiveFrame
from autohier.data.video.read_ahead import ReadAhead
from autohier.errors import ClipError
from support.waiting import wait_until


def frames(number: int) -> Iterator[LiveFrame]:
    for index in range(number):
        yield LiveFrame(index, np.zeros((2, 2, 3), np.uint8), index / 1000, 1 / 1000)


def test_all_frames_come_in_order() -> None:
    with ReadAhead(frames(20), drops=False) as reader:
        assert [frame.number for frame in reader] == list(range(20))
    assert (reader.num_read, reader.num_dropped) == (20, 0)


def test_frames_that_are_not_taken_in_time_are_dropped() -> None:
    """The thread reads frames 0 to 9 while nothing is taken; only the last one is left."""
    with ReadAhead(frames(10), drops=True) as reader:
        wait_until(lambda: reader.num_read == 10 and reader.num_dropped == 9, "the thread reads all frames")
        assert [frame.number for frame in reader] == [9]


def test_a_paced_reader_keeps_the_times_of_the_source() -> None:
    waits: list[float] = []
    reader = ReadAhead(frames(5), drops=False, paced=True)
    reader.wait_s = waits.append
    with reader:
        assert len(list(reader)) == 5
    assert len(waits) == 5
    assert all(wait <= index / 1000 for index, wait in enumerate(waits))


def test_an_error_comes_after_the_frames_before_it() -> None:
    def broken() -> Iterator[LiveFrame]:
        yield from frames(3)
        raise ClipError("the stream broke off")

    found: list[int] = []
    with ReadAhead(broken(), drops=False) as reader, pytest.raises(ClipError, match="broke off"):
        found.extend(frame.number for frame in reader)
    assert found == [0, 1, 2]


def test_a_reader_that_is_stopped_ends_though_its_source_does_not() -> None:
    release = threading.Event()

    def endless() -> Iterator[LiveFrame]:
        yield from frames(1)
        release.wait()

    with ReadAhead(endless(), drops=False) as reader:
        found = []
        for frame in reader:
            found.append(frame.number)
            reader.stop()
        release.set()
    assert found == [0]
