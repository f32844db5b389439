"""The arithmetic of the loading benchmark; loading videos would take a minute."""

import numpy as np
import pytest
import torch

from support.benchmark_modules import load_benchmark

MIB = 2**20


@pytest.fixture(scope="module")
def loading():
    return load_benchmark("loading")


@pytest.fixture(scope="module")
def loading_memory():
    return load_benchmark("loading_memory")


def ticking(*times):
    left = list(times)
    return lambda: left.pop(0)


def test_speeds_are_medians(loading):
    shape = (8, 4, 4, 3)
    # 120 clips in 1, 2 and 0.5 s: 60, 120 and 240 a second; 6 clips in 3, 6 and 4 s: 2, 1 and 1.5.
    rounds = {
        "stored": [loading.Timing(120, seconds, shape) for seconds in (2.0, 1.0, 0.5)],
        "videos": [loading.Timing(6, seconds, shape) for seconds in (3.0, 6.0, 4.0)],
    }
    assert loading.speed_report(rounds) == [
        "stored     120.00 clips/s of a core",
        "videos       1.50 clips/s of a core",
        "stored is 80.0 times as fast as videos (aim: 100)",
    ]


def test_clips_of_different_shapes_are_not_compared(loading):
    rounds = {
        "stored": [loading.Timing(1, 1.0, (8, 4, 4, 3))],
        "videos": [loading.Timing(1, 1.0, (8, 5, 5, 3))],
    }
    with pytest.raises(ValueError, match="clips of one shape"):
        loading.speed_report(rounds)


def test_a_round_counts_the_clips_of_its_batches(loading):
    shapes = [(4, 8, 2, 2, 3), (3, 8, 2, 2, 3)]
    timing = loading.time_batches(lambda: iter(shapes), ticking(10.0, 12.5))
    assert timing == loading.Timing(7, 2.5, (8, 2, 2, 3))


def test_waiting_is_the_time_until_a_batch_arrives(loading):
    batches = iter([(torch.zeros(1), torch.zeros(1))] * 2)
    # Starts at 0; requests at 0, 5 and 9 return at 1, 5.5 and 9.5, the last without a batch; ends at 10.
    waiting = loading.time_waiting(
        batches, lambda _clips, _labels: None, ticking(0, 0, 1, 5, 5.5, 9, 9.5, 10)
    )
    assert waiting == loading.Waiting(2, 2.0, 10)
    assert loading.waiting_report(waiting) == (
        "a training step waits 20.00% of its time for data (2 steps of 5000 ms)"
    )


def test_memory_is_reported_for_each_number_of_clips_and_as_a_difference(loading):
    peaks = [
        loading.Peak(100, 2 * MIB, 150 * MIB, 81 * MIB, 300 * MIB, 190 * MIB),
        loading.Peak(5000, 80 * MIB, 162 * MIB, 83 * MIB, 400 * MIB, 193 * MIB),
    ]
    few, many, added = loading.memory_report(peaks)
    assert few.startswith("     100 clips,    2.0 MiB stored: ")
    assert few.endswith(": preparing held 150 MiB (81 not mapped), reading 300 MiB (190 not mapped)")
    assert many.startswith("   5,000 clips,   80.0 MiB stored: ")
    assert many.endswith(": preparing held 162 MiB (83 not mapped), reading 400 MiB (193 not mapped)")
    assert added == "50 times the clips: preparing adds 2 MiB, reading 3 MiB that are not mapped"


def test_memory_is_read_from_proc_status(loading_memory):
    status = "VmPeak:\t  900 kB\nVmHWM:\t  300 kB\nRssAnon:\t       20 kB\n"
    assert loading_memory.status_bytes(status, "VmHWM") == 300 * 1024
    assert loading_memory.status_bytes(status, "RssAnon") == 20 * 1024
    assert loading_memory.status_bytes("", "VmHWM") is None


def test_generated_frames_move_and_have_an_ntu_skeleton(tmp_path):
    source = load_benchmark("loading_source")
    still, moved = source.moving_texture(2, np.random.default_rng(0))
    assert still.shape == (1080, 1920, 3)
    np.testing.assert_array_equal(
        still[:300, 3:], moved[:300, :-3]
    )  # moved by 3 pixels, above the patch of noise
    text = source.person_text(7, np.random.default_rng(0))
    assert text.split()[0] == "7"
    assert source.clip_name(4) == "S001C001P005R001A001"
    (tmp_path / "videos").mkdir()
    for name in ("a_rgb.avi", "a.skeleton", "b.mp4", "c.txt", "d.mkv"):
        (tmp_path / "videos" / name).write_text(name)
    assert source.link_source(tmp_path / "linked", tmp_path / "videos", 2) == 2
    assert {path.name: path.read_text() for path in (tmp_path / "linked").iterdir()} == {
        "S001C001P001R001A001_rgb.avi": "a_rgb.avi",
        "S001C001P001R001A001.skeleton": "a.skeleton",
        "S001C001P002R001A001_rgb.avi": "b.mp4",
    }
