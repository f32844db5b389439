"""Keys of the stages of a small trial."""

from __future__ import annotations

from pathlib import Path

from autohier.config.trial.trial_config import TrialConfig
from autohier.data.store.reader import ClipStore
from support.fakes.fake_stages import FakeRunner
from support.sources.tiny_clips import (
    open_tiny_trial,
)


def keys(
    config: TrialConfig, clips: ClipStore, runner: FakeRunner | None = None, *, num_threads: int = 1
) -> list[str]:
    """Return the key of every stage of a trial, without training any."""
    trial = open_tiny_trial(config, clips, Path("nowhere"), num_threads=num_threads)
    return [stage.key for stage in (runner or FakeRunner()).run_trial(trial).stages]
