"""Remedies that ``check --source`` and ``prepare`` name: each must mend what it is told for."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import Autohier
from tiny_custom import write_custom_clip
from tiny_datasets import write_ntu_clip, write_utd_clip
from tiny_ucla import write_ucla_json


@pytest.mark.parametrize("dataset", ["ntu60", "n-ucla", "utd-mhad"])
def test_skeletons_alone_are_told_by_the_option_that_prepares_them(
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
    assert "  mend: skeletons alone are prepared with --modality skeleton\n" in checked
    command = ("prepare", *arguments, "--data", tmp_path / "data")
    assert autohier(*command).error == (
        f"a source of {dataset} must hold videos to prepare {modality} frames, but got skeletons alone, of 1 "
        "clips: add --modality skeleton"
    )
    assert not (tmp_path / "data").exists()
    assert autohier(*command, "--modality", "skeleton").code == 0


def test_what_the_authors_list_needs_no_fetching(autohier: Autohier, tmp_path: Path) -> None:
    write_ntu_clip(tmp_path, "S001C002P005R002A008")  # the first of NTU's list
    write_ntu_clip(tmp_path, "S001C001P001R001A001", num_frames=7)
    command = ("check", "ntu60", "--source", tmp_path, "--workers", 1)
    told = (
        "WARNING: 1 clips are listed by their authors as without a usable skeleton\n  S001C002P005R002A008\n"
        "  mend: "
    )
    mends = {
        (): "keep such clips whole: --keep-all, and with --no-crop all clips alike\n",
        ("--keep-all",): "leave such clips: they are kept whole\n",
        ("--modality", "skeleton"): "leave such clips: prepare sets them aside\n",
    }
    for options, mend in mends.items():
        out = autohier(*command, *options).out
        assert told + mend in out
        assert "fetch the skeletons" not in out


def test_clips_that_are_kept_whole_are_not_told_to_be(autohier: Autohier, tmp_path: Path) -> None:
    for number in range(6):
        write_custom_clip(tmp_path, f"jump/{number}", num_frames=4 + number)
    (tmp_path / "poses" / "jump" / "0.npz").write_bytes(b"damage")
    (tmp_path / "poses" / "jump" / "1.npz").unlink()
    command = ("check", "custom", "--source", tmp_path, "--name", "mine", "--workers", 1)
    out = autohier(*command).out
    assert "  mend: fetch or unpack these files again, or keep such clips whole: --keep-all\n" in out
    assert "  mend: fetch the skeletons, or keep such clips whole: --keep-all, and with --no-crop" in out
    out = autohier(*command, "--keep-all").out
    assert "--keep-all" not in out
    assert "  mend: fetch or unpack these files again, or leave them: such clips are kept whole\n" in out
    assert "  mend: fetch the skeletons, or leave such clips: they are kept whole\n" in out
