"""Fixtures: one trial on the tiny clips and its refit, trained once for all tests of the core."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.core.stages.result import StageResult
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.trial import TrialOutcome, refit, run_trial, to_refit
from autohier.data.store.reader import ClipStore
from support.sources.tiny_clips import (
    open_tiny_trial,
)
from support.sweep_runs.whole_trials import (
    CONFIG,
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stage store that all tests of the core share, so that common stages are trained once."""
    return tmp_path_factory.mktemp("stages")


@pytest.fixture(scope="session")
def trial(tiny_clips: ClipStore, folder: Path) -> TrialSetup:
    return open_tiny_trial(CONFIG, tiny_clips, folder)


@pytest.fixture(scope="session")
def outcome(trial: TrialSetup) -> TrialOutcome:
    return run_trial(trial)


@pytest.fixture(scope="session")
def refitted(trial: TrialSetup, outcome: TrialOutcome) -> tuple[StageResult, ...]:
    return refit(to_refit(trial, outcome.chain[1]), outcome.chain[1])
