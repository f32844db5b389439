"""Clips of a prepared dataset whose joints are taken away."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from autohier.data.skeleton import Skeleton
from autohier.data.store.reader import ClipStore


def take_joints_away(monkeypatch: pytest.MonkeyPatch, store: ClipStore, rows: Iterable[int]) -> None:
    """Let clips of a store be read without joints, until the test ends."""
    emptied, read = set(rows), ClipStore.skeleton

    def read_skeleton(each: ClipStore, row: int) -> Skeleton:
        skeleton = read(each, row)
        if each.folder != store.folder or row not in emptied:
            return skeleton
        return replace(
            skeleton,
            joints_MTV3_m=np.zeros_like(skeleton.joints_MTV3_m),
            pixels_MTV2=np.zeros_like(skeleton.pixels_MTV2),
        )

    monkeypatch.setattr(ClipStore, "skeleton", read_skeleton)
