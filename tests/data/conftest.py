"""Clips that the preparations in these tests use."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.data.prepare import pipeline
from support.sources.small_preparations import CLIP_IDS
from support.sources.tiny_datasets import write_ntu_clip


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for number, clip_id in enumerate(CLIP_IDS):
        write_ntu_clip(folder, clip_id, num_frames=5 + number % 4)
    return folder


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "SHARD_CLIPS", 5)  # 12 clips in shards of 5, 5 and 2
