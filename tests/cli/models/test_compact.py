"""``autohier compact``: a stage's network without dead channels, in a file."""

from __future__ import annotations

from pathlib import Path

from autohier.core.pruning import measure_cost
from autohier.core.stages.compacted import read_compacted
from support.command_line import Autohier
from support.stages.compacted_stages import CLIP_SHAPE, publish_pruned


def test_it_prints_the_saving(autohier: Autohier, tmp_path: Path) -> None:
    stage, masked = publish_pruned(tmp_path / "stages")
    file = tmp_path / "best.safetensors"
    ended = autohier("compact", stage.key[:12], "--file", file, "--out", tmp_path)
    assert (ended.code, ended.err) == (0, "")
    network, _ = read_compacted(file)
    num_before, num_after = (sum(each.numel() for each in one.parameters()) for one in (masked, network))
    assert ended.out.splitlines()[:2] == [
        f"{file}: prune {stage.key[:12]}, {file.stat().st_size / 1e6:.1f} MB",
        f"parameters: {num_before:,} -> {num_after:,}",
    ]
    after = measure_cost(network, CLIP_SHAPE)
    assert ended.out.splitlines()[2].startswith("multiply-adds per clip: ")
    assert ended.out.splitlines()[2].endswith(f" -> {after.multiply_adds:,}")
    again = autohier("compact", stage.key[:12], "--file", file, "--out", tmp_path)
    assert again.error.startswith(f"--file must name a file that does not exist, but got {file}, a file: ")


def test_a_missing_stage_is_an_error(autohier: Autohier, tmp_path: Path) -> None:
    publish_pruned(tmp_path / "stages")
    ended = autohier("compact", "0123", "--file", tmp_path / "best.safetensors", "--out", tmp_path)
    assert ended.error.endswith(
        "must have a key that begins with '0123', but got none: list the stages with autohier store"
    )
