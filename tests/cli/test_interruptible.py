"""Ctrl-C of commands that compute in their own process."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.sweep.planning import estimate
from support.command_line import Autohier


def test_an_interrupted_plan_does_not_promise_to_continue(
    autohier: Autohier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(estimate, "estimate_sweep", interrupt)
    ended = autohier("plan", "demo", "--data", tmp_path)
    assert (ended.code, ended.err) == (130, "interrupted; nothing was changed\n")
