"""What goes wrong in a stage beside the trials is told as it is, not as Ray's account of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.settings.choice import FLAT_CHOICE
from autohier.settings.loading import load_space
from autohier.sweep.cluster import Share
from autohier.sweep.folder import SweepFolder
from autohier.sweep.halving import open_ladder
from tiny_clips import SPACE_FILE


def test_a_store_that_cannot_be_written_is_told_in_one_line(
    tmp_path: Path,
    tiny_data: Path,
    ray_address: str,  # noqa: ARG001
) -> None:
    from autohier.sweep.actor import TrialJob
    from autohier.sweep.leases import lease_book_open
    from autohier.sweep.stage_actor import run_beside

    space = load_space(str(SPACE_FILE))
    blocked = tmp_path / "stages"
    blocked.write_text("not a folder")
    ladder = open_ladder(space, stopping=False)
    job = TrialJob(SweepFolder(tmp_path / "sweep"), tiny_data / "demo", blocked, "cpu", 1, ladder, 0)
    with lease_book_open(blocked), pytest.raises(OSError, match="stages") as raised:
        run_beside("pass_1", space.setting(FLAT_CHOICE, seed=0), job, Share(1, 0, 1, 2), lambda _: None)
    assert "\n" not in str(raised.value)
