"""The clips that preparations in these tests begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.data import preparation
from small_preparations import CLIP_IDS
from tiny_datasets import (
    write_ntu_clip,
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for number, clip_id in enumerate(CLIP_IDS):
        write_ntu_clip(folder, clip_id, num_frames=5 + number % 4)
    return folder


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "SHARD_CLIPS", 5)  # 12 clips in shards of 5, 5 and 2
