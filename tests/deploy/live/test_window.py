"""Ring buffer of frames: its length in frames and in seconds, also where frames were dropped."""

from __future__ import annotations

import numpy as np
import pytest

from autohier.deploy.live.window import SeenFrame, Window, WindowLength
from autohier.errors import InputError


def seen(number: int, start_s: float) -> SeenFrame:
    return SeenFrame(number, start_s, start_s + 0.1, (4, 4), np.zeros((4, 4, 3), np.uint8), ())


def filled(window: Window, numbers: list[int]) -> list[tuple[bool, list[int]]]:
    """Add frames of 0.1 s; returns after each if the window is full, and the numbers in it."""
    found = []
    for number in numbers:
        window.add(seen(number, number / 10))
        found.append((window.is_full, [frame.number for frame in window.frames]))
    return found


def test_lengths_are_frames_or_seconds() -> None:
    assert WindowLength.parse("60") == WindowLength(60)
    assert WindowLength.parse("2.5s") == WindowLength.parse("2.5 s") == WindowLength(None, 2.5)
    assert (str(WindowLength(1)), str(WindowLength(None, 2.0))) == ("1 frame", "2 s")
    for text in ("0", "0s", "-3", "two", "3 min", "", "1.5"):
        with pytest.raises(InputError, match=r"must be a number of frames or seconds, but got .*60 or 2\.5s"):
            WindowLength.parse(text)


def test_a_window_of_frames_keeps_the_last_ones() -> None:
    assert filled(Window(WindowLength(3)), [0, 1, 2, 3]) == [
        (False, [0]),
        (False, [0, 1]),
        (True, [0, 1, 2]),
        (True, [1, 2, 3]),
    ]


def test_dropped_frames_count() -> None:
    """Frames 2 and 3 are dropped: when frame 4 comes, the last three are 2, 3 and 4."""
    assert filled(Window(WindowLength(3)), [0, 1, 4]) == [(False, [0]), (False, [0, 1]), (True, [4])]


def test_a_window_of_seconds_counts_the_time_of_frames() -> None:
    """Three frames of 0.1 s last 0.3 s."""
    assert filled(Window(WindowLength(None, 0.3)), [0, 1, 2, 3, 5]) == [
        (False, [0]),
        (False, [0, 1]),
        (True, [0, 1, 2]),
        (True, [1, 2, 3]),
        (True, [3, 5]),
    ]


def test_the_newest_frame_stays_though_it_is_longer_than_the_window() -> None:
    assert filled(Window(WindowLength(None, 0.05)), [0, 1]) == [(True, [0]), (True, [1])]
