"""Count and content of the frames that a player shows, over generated videos of every kind.

The expected numbers are those that the generator wrote; no decoder was asked for them.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from autohier.cli.data.prepare import describe
from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.store.reader import ClipStore
from autohier.data.validate.report import check_dataset
from autohier.data.video.decoding import count_frames, decode_frames, frame_bounds, video_size
from autohier.data.video.span import Span
from autohier.errors import ClipError
from support.sources.tiny_datasets import frame_number, numbered_frames
from support.sources.tiny_videos import (
    HEIGHT,
    RATE,
    WIDTH,
    drop_chunks,
    empty_vop,
    encode,
    write_with_picture,
)
from support.sources.video_kinds import KINDS, hidden_vp8, irregular

SEEDS = (0, 1)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, list[int]]]:
    """All kinds of videos, in a folder of a user's own, with the numbers of the frames that are shown."""
    source = tmp_path_factory.mktemp("videos")
    written: dict[str, tuple[Path, list[int]]] = {}
    for number, (kind, write) in enumerate(KINDS.items()):
        for seed in SEEDS:
            clip = source / "videos" / f"{'ab'[seed]}" / kind.replace(".", "-")
            clip.parent.mkdir(parents=True, exist_ok=True)
            shown = write(clip, np.random.default_rng([number, seed]))
            (path,) = clip.parent.glob(f"{clip.name}.*")
            written[f"{clip.parent.name}/{clip.name}"] = path, shown
    return written


@pytest.fixture(scope="module")
def source(videos: dict[str, tuple[Path, list[int]]]) -> Path:
    path, _ = next(iter(videos.values()))
    return path.parents[2]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_shown_frames_are_counted_and_decoded(
    videos: dict[str, tuple[Path, list[int]]], kind: str, seed: int
) -> None:
    path, shown = videos[f"{'ab'[seed]}/{kind.replace('.', '-')}"]
    assert count_frames(path) == len(shown)
    frames = list(decode_frames(path, range(len(shown))))
    assert [frame_number(frame) for frame in frames] == shown
    assert video_size(path) == (WIDTH, HEIGHT)
    with pytest.raises(ClipError, match=f"an end before frame {len(shown)}"):
        list(decode_frames(path, [len(shown)]))


def test_check_and_prepare_agree_on_every_kind(
    videos: dict[str, tuple[Path, list[int]]], source: Path, tmp_path: Path
) -> None:
    reader = open_dataset("custom", source=source)
    check = check_dataset(reader, source, keep_all=True, num_workers=1)
    assert check.faults == ()
    prepare_dataset(
        reader,
        source,
        tmp_path / "store",
        size_px=16,
        max_frames=100,
        without_skeleton="whole-frame",
        num_workers=1,
    )
    store = ClipStore.open(tmp_path / "store")
    assert store.manifest.num_rejected == check.num_rejected == 0
    assert store.clips.num_frames.tolist() == [len(videos[clip_id][1]) for clip_id in store.clips.clip_id]
    counts = [reader.count_frames(clip) for clip in reader.find_clips(source)]
    assert counts == store.clips.num_frames.tolist()


def test_frames_of_different_lengths_are_kept_by_time_and_named_by_number(tmp_path: Path) -> None:
    # Ten frames of 1/25 s, and then two of 10/25 s: 30 parts of time, of which the last 20 are two frames.
    times = [*range(11), 20]
    encode(tmp_path / "clip.mp4", numbered_frames(12, WIDTH, HEIGHT), "libx264", times=times)
    bounds_s = frame_bounds(tmp_path / "clip.mp4")
    assert bounds_s is not None
    np.testing.assert_allclose(bounds_s[:-1] * RATE, times, atol=1e-3)
    folder = tmp_path / "source" / "videos" / "a"
    folder.mkdir(parents=True)
    (tmp_path / "clip.mp4").rename(folder / "clip.mp4")
    source = tmp_path / "source"
    reader = open_dataset("custom", source=source)
    prepare_dataset(
        reader, source, tmp_path / "store", max_frames=4, without_skeleton="whole-frame", num_workers=1
    )
    store = ClipStore.open(tmp_path / "store")
    # The last frame lasts as long as its packet says; with 10/25 s the middles are at 3.75, 11.25, 18.75 and
    # 26.25 of 30, and with 1/25 s at 2.625, 7.875, 13.125 and 18.375 of 21.
    end = round(bounds_s[-1] * RATE)
    expected = {30: [3, 10, 10, 11], 21: [2, 7, 10, 10]}[end]
    assert store.frame_indices(0).tolist() == expected
    levels = [float(frame.mean()) for frame in store.frames(0, range(4))]
    np.testing.assert_allclose(levels, [10 + 5 * index for index in expected], atol=2)


def test_clips_whose_times_jump_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "source" / "videos" / "a"
    folder.mkdir(parents=True)
    frames = numbered_frames(12, WIDTH, HEIGHT)
    encode(folder / "hour.mkv", frames, "libx264", times=[*range(6), *range(90_000, 90_006)])
    encode(folder / "second.mkv", frames, "libx264", times=[*range(6), *range(25, 31)])
    source = tmp_path / "source"
    reader = open_dataset("custom", source=source)
    summary = prepare_dataset(
        reader, source, tmp_path / "store", max_frames=8, without_skeleton="whole-frame", num_workers=1
    )
    store = ClipStore.open(tmp_path / "store")
    assert store.frame_indices(0).tolist() == [5] * 8
    # 31 frames' time in 8 parts: the middles are at 1.9, 5.8, 9.7, 13.6, 17.4, 21.3, 25.2 and 29.1.
    assert store.frame_indices(1).tolist() == [1, 5, 5, 5, 5, 5, 6, 10]
    assert summary.stalled == ("a/hour",)
    assert "WARNING: 1 clips show few frames for most of their time" in "\n".join(describe(summary))


def test_an_empty_chunk_before_the_first_picture_shows_nothing(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    encode(path, numbered_frames(10, WIDTH, HEIGHT), "mjpeg")
    drop_chunks(path, [0, 1, 5])
    frames = decode_frames(path, range(count_frames(path)))
    assert [frame_number(frame) for frame in frames] == [2, 3, 4, 4, 6, 7, 8, 9]


def test_a_span_of_an_avi_counts_dropped_frames(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    encode(path, np.tile(numbered_frames(25, WIDTH, HEIGHT), (3, 1, 1, 1)), "mjpeg")
    drop_chunks(path, [26, 27, 49])
    second = Span(1, 2)
    assert count_frames(path, second) == 25
    frames = list(decode_frames(path, (0, 1, 2, 3, 24), second))
    assert [frame_number(frame) for frame in frames] == [0, 0, 0, 3, 23]


def test_a_span_leaves_out_hidden_frames(tmp_path: Path) -> None:
    shown = hidden_vp8(tmp_path / "clip", np.random.default_rng(3))
    path = tmp_path / "clip.webm"
    span = Span(0, 1)
    expected = [index for index in shown if index < RATE]
    assert count_frames(path, span) == len(expected)
    frames = decode_frames(path, range(len(expected)), span)
    assert [frame_number(frame) for frame in frames] == expected


def test_a_truncated_avi_is_not_taken_for_one_with_dropped_frames(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    encode(path, numbered_frames(30, WIDTH, HEIGHT), "mjpeg")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ClipError, match=r"must be complete, but got \d+ of the 30 frames"):
        count_frames(path)


def test_an_attached_picture_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_with_picture(path, numbered_frames(0), attached=True)
    with av.open(str(path)) as container:
        (picture,) = container.streams.video
        assert picture.disposition & Disposition.attached_pic
    with pytest.raises(ClipError, match="a video file must contain a video stream"):
        count_frames(path)


def test_a_vop_that_is_not_coded_is_four_bytes_of_start_code_and_a_header() -> None:
    # By hand: type 01, no second 0, marker 1, time 00000, marker 1, not coded 0; then stuffing 0 1111.
    assert empty_vop() == b"\0\0\1\xb6" + bytes([0b0101_0000, 0b0100_1111])


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of decoded frames, one per pass that decodes in order to count."""
    from autohier.data.video.timelines import avi, scan, timed

    counts: list[int] = []

    def decode_again(*args: object, **options: object) -> list[object]:
        frames = list(scan.decode_again(*args, **options))  # type: ignore[arg-type]
        counts.append(len(frames))
        return frames

    for module in (avi, timed):
        monkeypatch.setattr(module, "decode_again", decode_again)
    return counts


def test_common_videos_are_counted_without_decoding(tmp_path: Path, opened: list[int]) -> None:
    for kind in ("h264.mp4", "hevc.mp4", "mpeg4-bidirectional.avi", "hidden-vp9.webm", "edit-list.mp4"):
        KINDS[kind](tmp_path / kind.replace(".", "-"), np.random.default_rng(0))
    for path in sorted(tmp_path.iterdir()):
        count_frames(path)
    assert opened == []


def test_packed_videos_are_decoded_once_to_be_counted(tmp_path: Path, opened: list[int]) -> None:
    shown = KINDS["packed.avi"](tmp_path / "clip", np.random.default_rng(0))
    for _ in range(2):
        assert count_frames(tmp_path / "clip.avi") == len(shown)
    assert opened == [len(shown)]


def test_times_of_a_regular_video_are_multiples_of_its_rate(tmp_path: Path) -> None:
    irregular("libvpx", ".webm")(tmp_path / "irregular", np.random.default_rng(0))
    encode(tmp_path / "regular.webm", numbered_frames(9, WIDTH, HEIGHT), "libvpx")
    regular, other = (frame_bounds(tmp_path / f"{name}.webm") for name in ("regular", "irregular"))
    assert regular is not None
    assert other is not None
    np.testing.assert_allclose(regular * RATE, np.arange(10), atol=0.02)
    assert len(set(np.diff(other).round(2))) > 1
