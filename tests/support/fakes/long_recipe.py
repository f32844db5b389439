"""A recipe and a stage kind of a package: pass 2 takes ten times as many epochs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from autohier.config.trial.recipes import RECIPES
from autohier.config.trial.trial_config import TrialConfig
from autohier.core.recipes.base import ChainEnd, StageRequest
from autohier.core.stages.kinds.hac import PASS_1, PRUNE, Pass2
from autohier.core.stages.kinds.registry import STAGE_KINDS


class LongPass2(Pass2):
    """Pass 2 that takes ten times as many epochs."""

    name = "long-pass-2"

    def epochs(self, config: TrialConfig) -> int:
        """See `StageKind`."""
        return 10 * super().epochs(config)


def register_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the recipe ``long`` and its stage kind."""
    monkeypatch.setitem(RECIPES._own, "long", SimpleNamespace(load=lambda: _long))
    monkeypatch.setitem(STAGE_KINDS._own, LongPass2.name, SimpleNamespace(load=lambda: LongPass2))


def _long(_: TrialConfig, ends: ChainEnd) -> Any:
    stages = [(yield StageRequest(PASS_1))]
    stages.append((yield StageRequest(LongPass2(), tuple(stages))))
    while not ends([stage.accuracy for stage in stages[1:]]):
        stages.append((yield StageRequest(PRUNE, tuple(stages), pass_index=len(stages) - 1)))
    return tuple(stages)
