"""``autohier live``: from a video to labels over time and a video that shows them."""

from __future__ import annotations

import csv
import itertools
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from autohier.data.video import live_source
from autohier.data.video.decoding import count_frames, decode_frames
from autohier.data.video.encoding import encode_mp4
from autohier.data.video.live_source import LiveFrame, LiveSource
from autohier.data.video.read_ahead import ReadAhead
from autohier.deploy.live.recognizer import LiveRecognizer
from autohier.errors import ClipError
from support.command_line import Autohier
from support.fakes.exported_onnx import CLASSES, write_frame_model, write_skeleton_model
from support.fakes.pose_models import spot, write_detector, write_rtmo, write_rtmpose
from support.waiting import wait_until

NUM_FRAMES = 12


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A spot that walks to the right, 12 frames in 1.2 seconds."""
    path = tmp_path / "walk.mp4"
    path.write_bytes(encode_mp4([spot(60 + 8 * number, 120) for number in range(NUM_FRAMES)], frame_rate=10))
    return path


@pytest.fixture
def options(tmp_path: Path) -> list[object]:
    """Options that name a model of poses and a pose model."""
    model, rtmo = write_skeleton_model(tmp_path / "model"), write_rtmo(tmp_path / "rtmo.onnx")
    return [
        "--model",
        model,
        "--rtmo",
        rtmo,
        "--runtime",
        "onnx",
        "--window",
        "4",
        "--every",
        "3",
        "--threads",
        "1",
    ]


def test_labels_are_printed_and_drawn(
    autohier: Autohier, tmp_path: Path, video: Path, options: list[object]
) -> None:
    out = tmp_path / "live.mp4"
    ended = autohier("live", video, *options, "--out", out)
    assert (ended.code, ended.err) == (0, "")
    first, *labels, total, parts, written = ended.out.splitlines()
    assert first == f"recognizing the last 4 frames of {video} every 3 frames; Ctrl-C ends"
    assert labels[0].startswith("    0.4 s  ")
    assert total.startswith("12 frames in ")
    assert [part.split()[0] for part in parts.removeprefix("each part alone: ").split(", ")] == [
        *("reading", "poses", "recognition", "drawing")
    ]
    assert written == f"written to {out}"
    assert count_frames(out) == NUM_FRAMES
    before, after = (
        np.stack(list(decode_frames(path, range(NUM_FRAMES)))).astype(int) for path in (video, out)
    )
    assert (abs(after - before)[:, 110:130, 40:].max(axis=(1, 2, 3)) > 80).all()  # the skeleton
    again = autohier("live", video, *options, "--out", out)
    assert again.error.startswith("--out must name a file that does not exist")


def test_labels_over_time_for_programs(autohier: Autohier, video: Path, options: list[object]) -> None:
    """Windows of four frames end at the frames 3, 6 and 9."""
    rows = list(csv.DictReader(autohier("live", video, *options, "--csv").out.splitlines()))
    assert [(row["first_frame"], row["last_frame"], row["end_s"]) for row in rows] == [
        *(("0", "3", "0.4"), ("3", "6", "0.7"), ("6", "9", "1.0"))
    ]
    ended = autohier("live", video, *options, "--json", "--top", 2)
    content = json.loads(ended.out)
    assert [row["label"] for row in content["labels"]] == [row["label"] for row in rows]
    assert {name for row in content["labels"] for name in row["classes"]} <= set(CLASSES)
    assert len(content["labels"][0]["confidences"]) == 2
    assert [each["part"] for each in content["speeds"]] == ["reading", "poses", "recognition"]
    assert content["summary"]["frames"] == NUM_FRAMES
    assert content["summary"]["dropped"] == 0
    assert "12 frames in" in ended.err
    assert autohier("live", video, *options, "--json", "--csv").error.startswith(
        "--json and --csv cannot be combined"
    )


def test_mirrored_pictures_have_other_poses(autohier: Autohier, video: Path, options: list[object]) -> None:
    plain, mirrored = (autohier("live", video, *options, "--csv", *more).out for more in ((), ("--mirror",)))
    assert plain != mirrored


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_video_finished(
    autohier: Autohier,
    tmp_path: Path,
    video: Path,
    options: list[object],
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    see = LiveRecognizer.see

    def see_and_signal(self: LiveRecognizer, frame: object) -> object:
        label = see(self, frame)  # type: ignore[arg-type]
        if label is not None:
            signal.raise_signal(number)
        return label

    monkeypatch.setattr(LiveRecognizer, "see", see_and_signal)
    before = signal.getsignal(number)
    ended = autohier("live", video, *options, "--out", tmp_path / "live.mp4")
    assert (ended.code, ended.err) == (0, "")
    assert "\n4 frames in " in ended.out
    assert count_frames(tmp_path / "live.mp4") == 4
    assert signal.getsignal(number) is before


def test_frames_are_dropped_if_asked_for(
    autohier: Autohier, video: Path, options: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first frame is used once all frames were read: those between it and the last one are dropped."""
    readers: list[ReadAhead] = []
    enter, see = ReadAhead.__enter__, LiveRecognizer.see

    def enter_and_keep(self: ReadAhead) -> ReadAhead:
        readers.append(self)
        self.wait_s = lambda _: None
        return enter(self)

    def wait_and_see(self: LiveRecognizer, frame: object) -> object:
        wait_until(lambda: readers[0].num_read == NUM_FRAMES, "the thread reads all frames")
        return see(self, frame)  # type: ignore[arg-type]

    monkeypatch.setattr(ReadAhead, "__enter__", enter_and_keep)
    monkeypatch.setattr(LiveRecognizer, "see", wait_and_see)
    ended = autohier("live", video, *options, "--drop")
    assert ended.code == 0
    dropped = readers[0].num_dropped
    assert 0 < dropped < NUM_FRAMES
    assert f"\n{NUM_FRAMES - dropped} frames in " in ended.out
    assert f"\n{dropped} frames dropped ({dropped / NUM_FRAMES:.1%}): they came faster" in ended.out


def test_a_stream_that_breaks_off_leaves_a_finished_video(
    autohier: Autohier,
    tmp_path: Path,
    video: Path,
    options: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = live_source.read_live

    def broken(source: LiveSource) -> Iterator[LiveFrame]:
        yield from itertools.islice(read(source), 5)
        raise ClipError("the stream must continue")

    monkeypatch.setattr(live_source, "read_live", broken)
    ended = autohier("live", video, *options, "--out", tmp_path / "live.mp4")
    assert ended.error == "the stream must continue"
    assert "\n5 frames in " in ended.out
    assert count_frames(tmp_path / "live.mp4") == 5


def test_no_person_in_the_video_is_an_error_after_the_summary(
    autohier: Autohier, tmp_path: Path, video: Path
) -> None:
    """The detector's label is 7, not a person."""
    files = write_rtmpose(tmp_path / "pose.onnx"), write_detector(tmp_path / "detector.onnx", label=7)
    model = write_skeleton_model(tmp_path / "model")
    ended = autohier(
        *("live", video, "--model", model, "--rtmpose", files[0], "--detector", files[1]),
        *("--runtime", "onnx"),
    )
    assert "12 frames in" in ended.out
    assert ended.error == (
        "at least one window must be readable, but got a window must show a person, but got none in "
        "6 frames: look at the video that --out writes, or try another pose model"
    )


def test_options_are_checked_first(autohier: Autohier, tmp_path: Path, video: Path) -> None:
    model = write_frame_model(tmp_path / "model")
    assert autohier("live", "none.mp4", "--model", model).error.startswith("a video or a camera must exist")
    assert autohier("live", video, "--model", tmp_path).error.startswith("a model must be a folder")
    assert autohier("live", video, "--model", model, "--window", "x").error.startswith("--window must be")
    assert autohier("live", video, "--model", model, "--out", tmp_path / "a.gif").error.startswith(
        "--out must end in .mp4"
    )
    ended = autohier("live", video, "--model", model, "--runtime", "onnx")
    assert ended.error.startswith("the model reads pictures that are cropped to persons")
    whole = autohier("live", video, "--model", model, "--runtime", "onnx", "--whole-frame")
    assert (whole.code, whole.err) == (0, "")
