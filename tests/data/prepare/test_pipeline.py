"""Preparation: the content of the store, rejected clips, and resuming a stopped run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autohier.data.datasets.registry import open_dataset
from autohier.data.prepare import clip, pipeline, shard
from autohier.data.prepare.pipeline import prepare_dataset
from autohier.data.prepare.summary import PrepareProgress
from autohier.data.store.paths import shard_path
from autohier.data.store.reader import ClipStore
from autohier.data.transforms.sampling import evenly_spaced
from autohier.errors import ClipError, InputError, MissingDataError
from autohier.files import write_atomically
from support.sources.small_preparations import CLIP_IDS, contents, run
from support.sources.tiny_datasets import (
    body_joints,
    frame_number,
    numbered_frames,
    skeleton_text,
    write_ntu_clip,
    write_utd_clip,
    write_video,
)

pytestmark = pytest.mark.usefixtures("small_shards")


@given(num_frames=st.integers(1, 400), max_frames=st.integers(1, 100))
def test_kept_frames_are_evenly_spaced(num_frames: int, max_frames: int) -> None:
    indices = evenly_spaced(num_frames, max_frames)
    assert len(indices) == min(num_frames, max_frames)
    if num_frames <= max_frames:
        assert indices == tuple(range(num_frames))
    steps = np.diff(indices)
    assert len(steps) == 0 or steps.max() - steps.min() <= 1
    assert indices[0] >= 0
    assert abs(indices[0] - (num_frames - 1 - indices[-1])) <= 1  # equally far from start and end


def test_the_store_holds_all_clips_in_the_order_of_their_ids(source: Path, tmp_path: Path) -> None:
    summary = run(source, tmp_path / "demo")
    store = ClipStore.open(tmp_path / "demo")
    assert summary.num_clips == len(store) == 12
    assert summary.num_rejected == 0
    assert summary.fingerprint == store.fingerprint
    assert store.clips.clip_id == tuple(sorted(CLIP_IDS))
    for row, clip_id in enumerate(store.clips.clip_id):
        assert store.clips.camera[row] == int(clip_id[5:8])
        assert store.clips.subject[row] == int(clip_id[9:12])
        assert store.clips.label[row] == int(clip_id[17:20]) - 1
        num_frames = 5 + CLIP_IDS.index(clip_id) % 4
        assert store.clips.num_frames[row] == num_frames
        assert store.num_kept(row) == min(num_frames, 6)
        assert store.frame_indices(row).tolist() == list(evenly_spaced(num_frames, 6))
        frames = store.frames(row, range(store.num_kept(row)))
        assert [frame_number(frame) for frame in frames] == list(evenly_spaced(num_frames, 6))


def test_frames_are_cropped_to_the_box_of_the_skeleton(tmp_path: Path) -> None:
    # The body spans x = +-0.2 m (plus sway 0) and y = +-0.8 m at 3 m: in 1920x1080 the columns
    # 977 +- 1055 * 0.2 / 3 and the rows 560 +- 1057 * 0.8 / 3, in the 192x108 video a tenth of that.
    joints = body_joints(3, sway_m=0.0)
    half_width, half_height = 105.5 * 0.2 / 3, 105.7 * 0.8 / 3
    left = 97.7 + half_width * float(np.cos(np.arange(25)).min()) - 0.1 * 2 * half_width
    top = 56.0 - half_height - 0.1 * 2 * half_height
    frames = np.zeros((3, 108, 192, 3), dtype=np.uint8)
    frames[:, :, 80:116] = 200
    folder = tmp_path / "source"
    folder.mkdir()
    write_video(folder / "S001C001P001R001A001_rgb.avi", frames)
    (folder / "S001C001P001R001A001.skeleton").write_text(skeleton_text({"1": joints}))
    run(folder, tmp_path / "cropped")
    cropped = ClipStore.open(tmp_path / "cropped")
    box = cropped.box_px(0)
    assert box[0] == pytest.approx(left, abs=1.1)
    assert box[1] == pytest.approx(top, abs=1.1)
    assert cropped.frames(0, [0]).mean() == pytest.approx(200, abs=6)  # the box lies in the bright part
    run(folder, tmp_path / "whole", crop=False)
    whole = ClipStore.open(tmp_path / "whole")
    assert whole.box_px(0) == (0, 0, *whole.video_size_px(0)) == (0, 0, 192, 108)
    assert whole.frames(0, [0]).mean() == pytest.approx(200 * 36 / 192, abs=4)


def test_depth_is_kept_in_one_channel(tmp_path: Path) -> None:
    write_utd_clip(tmp_path / "source", "a1_s1_t1")
    prepare_dataset(
        open_dataset("utd-mhad"),
        tmp_path / "source",
        tmp_path / "store",
        size_px=16,
        max_frames=2,
        num_workers=1,
    )
    store = ClipStore.open(tmp_path / "store")
    assert store.manifest.channels == 1
    assert store.manifest.sided
    assert store.frames(0, [0, 1]).shape == (2, 16, 16, 1)
    assert store.skeleton(0).joints_MTV3_m.shape == (1, 6, 20, 3)
    (finding,) = store.manifest.split_findings
    assert finding.startswith("utd-mhad cross-subject has 1 train / 0 test clips")


def test_the_store_does_not_depend_on_the_number_of_workers(source: Path, tmp_path: Path) -> None:
    one = run(source, tmp_path / "one")
    reports: list[PrepareProgress] = []
    two = run(source, tmp_path / "two", num_workers=2, on_progress=reports.append)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert one.fingerprint == two.fingerprint
    assert reports[-1].num_done == reports[-1].num_clips == 12


def test_a_stopped_run_resumes_and_gives_the_same_store(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "whole")

    def stop(progress: PrepareProgress) -> None:
        if progress.num_done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "stopped", on_progress=stop)
    with pytest.raises(MissingDataError, match=r"is not prepared: no store at .*: run 'autohier prepare"):
        ClipStore.open(tmp_path / "stopped")
    reports: list[PrepareProgress] = []
    run(source, tmp_path / "stopped", on_progress=reports.append)
    assert reports[-1].num_reused == 5  # the first shard of five was finished
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_a_full_disk_keeps_finished_shards(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "demo"
    write = write_atomically

    def write_until_full(path: Path, content: bytes) -> None:
        if path == shard_path(folder, 1):
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(shard, "write_atomically", write_until_full)
    with pytest.raises(InputError, match=r"No space left on device: .*finished shards are kept"):
        run(source, folder)
    assert shard_path(folder, 0).exists()
    assert not shard_path(folder, 1).exists()
    monkeypatch.undo()
    monkeypatch.setattr(pipeline, "SHARD_CLIPS", 5)
    assert run(source, folder).num_clips == 12


def break_clips(source: Path, folder: Path) -> None:
    shutil.copytree(source, folder)
    video = folder / f"{CLIP_IDS[0]}_rgb.avi"
    write_video(video, numbered_frames(40))
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 6 // 10])
    (folder / f"{CLIP_IDS[1]}.skeleton").write_text("2\n0\n0\n")
    (folder / f"{CLIP_IDS[2]}.skeleton").write_text("nonsense")
    (folder / f"{CLIP_IDS[3]}.skeleton").unlink()
    (folder / f"{CLIP_IDS[4]}_rgb.avi").unlink()


def test_bad_clips_are_rejected_with_path_and_reason(source: Path, tmp_path: Path) -> None:
    break_clips(source, tmp_path / "source")
    summary = run(tmp_path / "source", tmp_path / "demo")
    assert (summary.num_clips, summary.num_rejected) == (7, 5)
    assert dict(summary.rejected_by_kind) == {
        "a video must be complete": 1,
        "a skeleton must contain a body": 1,
        "a skeleton must be well formed": 1,
        "a clip must have a skeleton file": 1,
        "a clip must have a video file": 1,
    }
    rows = {row["clip_id"]: row for row in pq.read_table(tmp_path / "demo" / "rejected.parquet").to_pylist()}
    assert set(rows) == set(CLIP_IDS[:5])
    assert rows[CLIP_IDS[0]]["path"].endswith(f"{CLIP_IDS[0]}_rgb.avi")
    assert rows[CLIP_IDS[2]]["reason"] == "a skeleton must be well formed, but got 'nonsense' for a count"
    assert ClipStore.open(tmp_path / "demo").clips.clip_id == tuple(sorted(CLIP_IDS[5:]))


def test_clips_without_skeleton_may_be_kept_uncropped(source: Path, tmp_path: Path) -> None:
    break_clips(source, tmp_path / "source")
    summary = run(tmp_path / "source", tmp_path / "demo", without_skeleton="whole-frame")
    assert (summary.num_clips, summary.num_rejected) == (10, 2)
    assert sum(count for _, count in summary.rejected_by_kind) == 5  # three of them kept
    store = ClipStore.open(tmp_path / "demo")
    row = store.clips.clip_id.index(CLIP_IDS[3])
    assert store.box_px(row) == (0, 0, 192, 108)
    assert store.skeleton(row).num_persons == 0
    assert store.skeleton(store.clips.clip_id.index(CLIP_IDS[5])).num_persons == 1


def test_a_source_without_a_good_clip_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    write_video(folder / f"{CLIP_IDS[0]}_rgb.avi", numbered_frames(4))
    reason = "but got none of 1: the first reason is: a clip must have a skeleton"
    with pytest.raises(MissingDataError, match=reason):
        run(folder, tmp_path / "demo")
    assert pq.read_table(tmp_path / "demo" / "rejected.parquet").num_rows == 1


def test_progress_holds_speed_and_remaining_time() -> None:
    # 30 of 100 done, 10 of them reused: 20 in 4 s are 5 per second, so the remaining 70 take 14 s.
    progress = PrepareProgress(num_done=30, num_clips=100, num_rejected=0, num_reused=10, elapsed_s=4.0)
    assert progress.clips_per_s == 5.0
    assert progress.remaining_s == 14.0
    assert PrepareProgress(10, 100, 0, 10, 4.0).remaining_s is None


def test_preparation_imports_no_torch() -> None:
    code = "import sys, autohier.data.prepare.demo_source; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_clip_with_frames_of_two_sizes_is_refused() -> None:
    frames = [np.zeros((4, 6, 3), np.uint8), np.zeros((2, 3, 3), np.uint8)]
    with pytest.raises(ClipError, match=r"must be of one size, but got \(4, 6\) and \(2, 3\)"):
        list(clip._check_equal_sizes(frames))


def test_a_folder_whose_name_is_not_utf8_can_be_prepared(tmp_path: Path) -> None:
    source = tmp_path / "vid\udce9os"
    for clip_id in CLIP_IDS[:2]:
        write_ntu_clip(source, clip_id)
    (source / f"{CLIP_IDS[0]}.skeleton").write_text("")
    assert run(source, tmp_path / "store").num_rejected == 1
    (row,) = pq.read_table(tmp_path / "store" / "rejected.parquet").to_pylist()
    assert r"vid\udce9os" in row["path"]


def test_fixed_and_added_files_are_prepared_by_the_next_run(source: Path, tmp_path: Path) -> None:
    break_clips(source, tmp_path / "source")
    run(tmp_path / "source", tmp_path / "demo")
    for path in source.iterdir():
        shutil.copy2(path, tmp_path / "source")
    run(tmp_path / "source", tmp_path / "demo")
    run(source, tmp_path / "fresh")
    assert contents(tmp_path / "demo") == contents(tmp_path / "fresh")
