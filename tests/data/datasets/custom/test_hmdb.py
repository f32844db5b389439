"""JHMDB's folders of videos and poses, and the lists of splits of HMDB51 and JHMDB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from autohier.data.datasets.custom.hmdb_splits import read_split_lists
from autohier.data.datasets.registry import open_dataset
from autohier.errors import ClipError, InputError
from support.sources.tiny_custom import write_custom_clip


def write_jhmdb_clip(source: Path, clip_id: str) -> Path:
    """Write a video of 192x108 pixels and 6 frames, and its poses."""
    video = write_custom_clip(source, clip_id, ending=".avi")
    (source / "poses" / f"{clip_id}.npz").unlink()
    moved = source / "ReCompressed_Videos" / video.relative_to(source / "videos")
    moved.parent.mkdir(parents=True, exist_ok=True)
    video.rename(moved)
    path = source / "joint_positions" / clip_id / "joint_positions.mat"
    path.parent.mkdir(parents=True)
    savemat(path, {"pos_img": np.arange(2 * 15 * 6, dtype=np.float64).reshape(2, 15, 6) / 2 + 5})
    return path


def jhmdb(source: Path) -> Path:
    for clip_id in ("clap/a", "clap/b", "wave/c"):
        write_jhmdb_clip(source, clip_id)
    (source / "videos" / "clap").rmdir()
    (source / "videos" / "wave").rmdir()
    (source / "videos").rmdir()
    lists = source / "splits"
    lists.mkdir()
    (lists / "clap_test_split1.txt").write_text("a.avi 1\nb.avi 2 \nx.avi 2\n")
    (lists / "wave_test_split1.txt").write_text("c.avi 1\n")
    (lists / "clap_test_split2.txt").write_text("a.avi 2\nb.avi 0\n")
    (lists / "wave_test_split2.txt").write_text("c.avi 1\n")
    return source


def test_jhmdb_is_read_as_it_is_shared(tmp_path: Path) -> None:
    source = jhmdb(tmp_path)
    reader = open_dataset("custom", source=source)
    clips = reader.find_clips(source)
    assert [clip.clip_id for clip in clips] == ["clap/a", "clap/b", "wave/c"]
    assert [(rule.name, rule.train, rule.test) for rule in reader.protocols] == [
        ("split1", ("split1_train",), ("split1_test",)),
        ("split2", ("split2_train",), ("split2_test",)),
    ]
    assert [clip.parts for clip in clips] == [
        ("split1_train", "split2_test"),
        ("split1_test",),
        ("split1_train", "split2_train"),
    ]
    assert "1 clips in the lists of splits have no video, e.g. clap/x" in [
        warning.text for warning in reader.warnings
    ]
    skeleton = reader.read_skeleton(clips[0])
    assert (skeleton.layout, skeleton.image_width_px, skeleton.image_height_px) == ("jhmdb-15", 192, 108)
    # Joint 2 of frame 3: x is number 2 * 6 + 3 = 15, y number 90 + 15 = 105; half of it plus 5, minus 1.
    assert skeleton.pixels_MTV2[0, 3, 2].tolist() == [11.5, 56.5]


def test_a_wrong_array_is_refused(tmp_path: Path) -> None:
    source = jhmdb(tmp_path)
    savemat(source / "joint_positions/clap/a/joint_positions.mat", {"pos_img": np.zeros((2, 15, 6, 1, 2))})
    reader = open_dataset("custom", source=source)
    with pytest.raises(ClipError, match="pos_img must have the shape"):
        reader.read_skeleton(reader.find_clips(source)[0])


def test_a_malformed_list_is_refused(tmp_path: Path) -> None:
    assert read_split_lists(tmp_path, {"clap/a"}) == (None, [])
    (tmp_path / "clap_test_split1.txt").write_text("a.avi 1\nb.avi 3\n")
    with pytest.raises(InputError, match=r"line 2 must name a clip and 0, 1 or 2, but got b.avi 3"):
        read_split_lists(tmp_path, {"clap/a"})
