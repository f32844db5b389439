"""Fixes that ``check --source`` and ``prepare`` suggest must work."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command_line import Autohier
from support.sources.tiny_custom import write_custom_clip
from support.sources.tiny_datasets import write_ntu_clip, write_utd_clip
from support.sources.tiny_ucla import write_ucla_json


@pytest.mark.parametrize("dataset", ["ntu60", "n-ucla", "utd-mhad"])
def test_a_source_of_skeletons_suggests_the_skeleton_modality(
    autohier: Autohier, tmp_path: Path, dataset: str
) -> None:
    source, modality = tmp_path / "source", "depth" if dataset == "utd-mhad" else "rgb"
    if dataset == "ntu60":
        write_ntu_clip(source, "S001C001P001R001A001")
        (source / "S001C001P001R001A001_rgb.avi").unlink()
    elif dataset == "n-ucla":
        write_ucla_json(source, "a01_s01_e00_v01")
    else:
        write_utd_clip(source, "a1_s1_t1")
        for path in source.glob("[CD]*/*"):
            path.unlink()
    arguments = (dataset, "--source", source, "--workers", 1)
    checked = autohier("check", *arguments).out
    assert "  fix: the source can be prepared with --modality skeleton\n" in checked
    command = ("prepare", *arguments, "--data", tmp_path / "data")
    assert autohier(*command).error == (
        f"a source of {dataset} must contain videos to prepare {modality} frames, but got skeletons alone, "
        "of 1 clip: add --modality skeleton"
    )
    assert not (tmp_path / "data").exists()
    assert autohier(*command, "--modality", "skeleton").code == 0


def test_the_modalities_of_the_source_are_suggested(autohier: Autohier, tmp_path: Path) -> None:
    write_utd_clip(tmp_path / "source", "a1_s1_t1")
    for path in (tmp_path / "source").rglob("*.avi"):
        path.unlink()
    command = ("prepare", "utd-mhad", "--source", tmp_path / "source", "--data", tmp_path / "data")
    error = autohier(*command, "--modality", "rgb").error
    assert error.endswith("but got skeletons alone, of 1 clip: add --modality depth or --modality skeleton")


def test_clips_that_the_authors_list_need_no_fetching(autohier: Autohier, tmp_path: Path) -> None:
    write_ntu_clip(tmp_path, "S001C002P005R002A008")  # the first of NTU's list
    write_ntu_clip(tmp_path, "S001C001P001R001A001", num_frames=7)
    command = ("check", "ntu60", "--source", tmp_path, "--workers", 1)
    warning = (
        "WARNING: 1 clip has no usable skeleton, as the dataset's authors list it\n"
        "  S001C002P005R002A008\n"
        "  fix: "
    )
    fixes = {
        (): "keep such clips uncropped with --keep-all; --no-crop leaves all clips uncropped\n",
        ("--keep-all",): "none needed, such clips are kept uncropped\n",
        ("--modality", "skeleton"): "none needed, prepare rejects such clips\n",
    }
    for options, fix in fixes.items():
        out = autohier(*command, *options).out
        assert warning + fix in out
        assert "fetch the skeletons" not in out


def test_keep_all_is_suggested_only_if_it_is_not_given(autohier: Autohier, tmp_path: Path) -> None:
    for number in range(6):
        write_custom_clip(tmp_path, f"jump/{number}", num_frames=4 + number)
    (tmp_path / "poses" / "jump" / "0.npz").write_bytes(b"damage")
    (tmp_path / "poses" / "jump" / "1.npz").unlink()
    command = ("check", "custom", "--source", tmp_path, "--name", "mine", "--workers", 1)
    out = autohier(*command).out
    assert "  fix: fetch or unpack these files again, or keep such clips whole: --keep-all\n" in out
    assert (
        "  fix: find them with autohier poses, or keep such clips uncropped with --keep-all; --no-crop" in out
    )
    out = autohier(*command, "--keep-all").out
    assert "--keep-all" not in out
    assert "  fix: fetch or unpack these files again, or leave them: such clips are kept whole\n" in out
    assert "  fix: none needed, such clips are kept uncropped\n" in out
