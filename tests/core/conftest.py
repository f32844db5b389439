"""One trial on the tiny clips, and its refit, trained once for all tests of the core."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.core.stages.opening import OpenTrial
from autohier.core.stages.result import StageResult
from autohier.core.trial import TrialOutcome, refit, run_trial, to_refit
from autohier.data.store.reader import ClipStore
from tiny_clips import (
    open_tiny_trial,
)
from whole_trials import (
    SETTING,
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stage store that all tests of this file share: what they have in common is trained once."""
    return tmp_path_factory.mktemp("stages")


@pytest.fixture(scope="session")
def trial(tiny_clips: ClipStore, folder: Path) -> OpenTrial:
    return open_tiny_trial(SETTING, tiny_clips, folder)


@pytest.fixture(scope="session")
def outcome(trial: OpenTrial) -> TrialOutcome:
    return run_trial(trial)


@pytest.fixture(scope="session")
def refitted(trial: OpenTrial, outcome: TrialOutcome) -> tuple[StageResult, ...]:
    return refit(to_refit(trial, outcome.chain[1]), outcome.chain[1])
