"""Remedies that ``check --source`` and ``prepare`` name: each must mend what it is told for."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import Autohier
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
