"""Files: the .skeleton text has NTU's format, and the video matches the skeleton."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from autohier.data.datasets.demo.body import LEAVES, SPINE_MID
from autohier.data.datasets.demo.cameras import make_camera, to_camera
from autohier.data.datasets.demo.drawing import draw_frames, draw_room
from autohier.data.datasets.demo.filming import FRAME_RATE, measure_bodies, skeleton_text
from autohier.data.datasets.demo.performances import perform
from autohier.data.video.encoding import encode_video

PUSH, WAVE = 3, 0


def parse(text: str) -> list[dict[str, np.ndarray]]:
    """Parse per frame a dict of body id to 25 rows of 12 numbers, in the simplest way."""
    lines = iter(text.split("\r\n"))
    frames = []
    for _ in range(int(next(lines))):
        bodies = {}
        for _ in range(int(next(lines))):
            header = next(lines).split()
            assert len(header) == 10
            assert next(lines) == "25"
            rows = [next(lines).split() for _ in range(25)]
            assert {len(row) for row in rows} == {12}
            bodies[header[0]] = np.array(rows, dtype=float)
        frames.append(bodies)
    assert list(lines) == [""]
    return frames


def record(label: int, seed: int) -> tuple[list[dict[str, np.ndarray]], np.ndarray, np.ndarray]:
    scene_NTV3 = perform(seed, subject=1, replication=1, label=label).positions_NTV3
    true_NTV3 = to_camera(make_camera(seed, setup=1, camera=2), scene_NTV3)
    rng = np.random.default_rng(seed)
    measured_NTV3, states_NTV = measure_bodies(true_NTV3, rng)
    return parse(skeleton_text(measured_NTV3, states_NTV, rng)), true_NTV3, states_NTV


@pytest.mark.parametrize(("label", "num_bodies"), [(WAVE, 1), (PUSH, 2)])
def test_every_frame_lists_its_bodies_or_none(label: int, num_bodies: int) -> None:
    frames, true_NTV3, _ = record(label, seed=4)
    assert len(frames) == true_NTV3.shape[1]
    assert {len(bodies) for bodies in frames} <= {0, num_bodies}
    assert len({body_id for bodies in frames for body_id in bodies}) == num_bodies


def test_pixels_are_the_projection_of_positions() -> None:
    frames, true_NTV3, _ = record(PUSH, seed=5)
    rows = np.concatenate([body_V12 for bodies in frames for body_V12 in bodies.values()])
    x, y, z = rows[:, :3].T
    is_finite = np.isfinite(rows[:, 5])
    assert rows[is_finite, 5] == pytest.approx((1055 * x / z + 977)[is_finite], abs=0.01)
    assert rows[is_finite, 6] == pytest.approx((-1057 * y / z + 560)[is_finite], abs=0.01)
    assert np.isfinite(rows[:, :3]).all()
    assert (rows[~is_finite, 11] == 0).all()
    assert abs(z.mean() - true_NTV3[..., 2].mean()) < 0.01


def test_quaternions_have_norm_one_and_are_zero_at_leaves() -> None:
    frames, _, _ = record(WAVE, seed=6)
    for bodies in frames:
        for body_V12 in bodies.values():
            norms_V = np.linalg.norm(body_V12[:, 7:11], axis=1)
            expected = [0.0 if joint in LEAVES else 1.0 for joint in range(25)]
            assert norms_V == pytest.approx(np.array(expected), abs=1e-5)


def test_some_joints_and_frames_are_lost_in_many_clips() -> None:
    states, empty = set(), 0
    for seed in range(40):
        frames, _, states_NTV = record(WAVE, seed)
        states |= set(np.unique(states_NTV).tolist())
        empty += sum(not bodies for bodies in frames)
    assert states == {0, 1, 2}
    # One of ten clips has an empty frame: of 40 clips, between 1 and 12 with a probability above 0.98.
    assert 1 <= empty <= 12


def test_the_video_shows_the_shirt_at_the_skeleton() -> None:
    performance = perform(0, subject=1, replication=1, label=WAVE)
    positions_NTV3 = to_camera(make_camera(0, setup=1, camera=1), performance.positions_NTV3)
    content = encode_video(
        draw_frames(draw_room(0, 1, 1), performance.persons, positions_NTV3), frame_rate=FRAME_RATE
    )
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 320, 180)
        assert stream.average_rate == 30
        frames = list(container.decode(stream))
    assert len(frames) == positions_NTV3.shape[1]
    assert sum(frame.key_frame for frame in frames) == 1
    for t in (0, len(frames) // 2):
        x, y, z = positions_NTV3[0, t, SPINE_MID]
        # NTU's RGB pixels at a sixth of 1920x1080.
        u, v = round((1055 * x / z + 977) / 6), round((-1057 * y / z + 560) / 6)
        colour = frames[t].to_ndarray(format="rgb24")[v - 1 : v + 2, u - 1 : u + 2].mean(axis=(0, 1))
        assert colour == pytest.approx(performance.persons[0].shirt, abs=30)


def test_rooms_differ_between_setups_and_cameras() -> None:
    rooms = [draw_room(0, setup, camera).tobytes() for setup, camera in ((1, 1), (1, 1), (1, 2), (2, 1))]
    assert rooms[0] == rooms[1]
    assert len(set(rooms)) == 3
