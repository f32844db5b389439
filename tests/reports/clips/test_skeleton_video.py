"""Videos of clips: which picture and skeleton each frame shows, and both formats."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from autohier.errors import InputError
from autohier.reports.clips.geometry import Window
from autohier.reports.clips.skeleton_video import draw_pictures, encode_clip, video_format
from autohier.reports.clips.view import ClipView

ORANGE, GREEN = (255, 127, 14), (44, 160, 44)
TOP_PX = 24
"""Height of the caption; the picture below it is 360 pixels high."""


WIDE = Window(0, 0, 72, 36)


def view(*, channels: int = 3, window: Window = WIDE, num_frames: int = 5) -> ClipView:
    """Frames 0 and 3 of a clip, black and gray, with a person who moves right, and one who is hardly seen."""
    points = np.full((2, num_frames, 2, 2), np.nan)
    points[0, :, 0] = [(10 + 10 * index, 9) for index in range(num_frames)]
    points[0, :, 1] = [(10 + 10 * index, 27) for index in range(num_frames)]
    points[1, 4, 0] = (5, 5)
    frames = np.zeros((2, 8, 8, channels), np.uint8)
    frames[1] = 100
    return ClipView(("clip, walk",), (0, 3), frames, points, ((0, 1),), Window(0, 0, 100, 100), window)


def near(picture, x, y):
    """Return the color at a place of the picture below the caption, in its pixels."""
    return tuple(picture[TOP_PX + y, x].tolist())


@pytest.mark.parametrize("channels", [1, 3])
def test_each_frame_shows_the_last_picture_and_its_own_skeleton(channels):
    pictures = list(draw_pictures(view(channels=channels)))
    assert {picture.shape for picture in pictures} == {(360 + TOP_PX, 720, 3)}
    assert [near(picture, 2, 300) for picture in pictures] == [(0, 0, 0)] * 3 + [(100, 100, 100)] * 2
    for index, picture in enumerate(pictures):
        # The window of 72 x 36 has ten pixels of the picture to a unit; the bone runs from y 90 to 270.
        for place in range(5):
            assert (near(picture, 100 * (place + 1), 180) == ORANGE) == (place == index)
        assert (near(picture, 50, 50) == GREEN) == (index == 4)


def test_a_narrow_picture_keeps_its_proportions_and_leaves_room_for_the_caption():
    (first, *_) = draw_pictures(view(window=Window(0, 0, 20, 40)))
    assert first.shape == (360 + TOP_PX, 320, 3)
    # The picture of 180 pixels is in the middle.
    assert near(first, 60, 300) == (255, 255, 255)
    assert near(first, 160, 300) == (0, 0, 0)


def test_frames_without_a_skeleton_and_a_skeleton_without_frames_are_shown():
    short = replace(view(), frame_indices=(0, 7))  # three frames longer than the skeleton
    assert len(list(draw_pictures(short))) == 8
    empty = replace(view(), points_MTV2=np.empty((0, 0, 2, 2)))
    assert len(list(draw_pictures(empty))) == 4
    blank = replace(view(), frame_indices=(2,), frames_THWC=np.full((1, 8, 8, 3), 255, np.uint8))
    assert len(list(draw_pictures(blank))) == 5


def test_both_formats_play_at_the_rate():
    with av.open(io.BytesIO(encode_clip(view(), "mp4", frame_rate=10))) as container:
        assert container.streams.video[0].average_rate == 10
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 5
    assert np.abs(frames[4][TOP_PX + 300, 2].astype(int) - 100).max() < 8
    with Image.open(io.BytesIO(encode_clip(view(), "gif", frame_rate=10))) as image:
        durations = []
        for index in range(image.n_frames):
            image.seek(index)
            durations.append(image.info["duration"])
    assert sum(durations) == 500


def test_the_ending_decides_the_format():
    assert video_format(Path("a.GIF")) == "gif"
    with pytest.raises(InputError, match=r"a video must end in \.mp4 or \.gif, but got a\.avi"):
        video_format(Path("a.avi"))
