"""The validation that a trial uses if its config leaves the choice to ``auto``."""

from __future__ import annotations

from pathlib import Path

from autohier.config.trial.protocol import ProtocolSettings
from autohier.core.stages.setup.trial_setup import resolve_protocol
from autohier.data.store.reader import ClipStore
from support.sources.tiny_clips import open_tiny_trial, tiny_config


def test_auto_is_the_validation_that_it_becomes(tiny_clips: ClipStore, tmp_path: Path) -> None:
    # One of the few training subjects has fewer than 50 clips.
    chosen = open_tiny_trial(tiny_config("protocol.validation=auto"), tiny_clips, tmp_path)
    given = open_tiny_trial(tiny_config("protocol.validation=folds"), tiny_clips, tmp_path)
    assert chosen.config.protocol.validation == "folds"
    assert [base.protocol for base in chosen.fold_bases] == [base.protocol for base in given.fold_bases]


def test_held_out_subjects_decide_for_clean(tiny_clips: ClipStore) -> None:
    resolved = resolve_protocol(ProtocolSettings(held_out=(9,)), tiny_clips)
    assert resolved.protocol == ProtocolSettings(validation="clean", held_out=(9,))
    assert resolved.reason == "protocol.held_out is set"


def test_a_given_validation_stays(tiny_clips: ClipStore) -> None:
    given = ProtocolSettings(validation="paper")
    assert resolve_protocol(given, tiny_clips).protocol == given
